"""`make restore [AT=instant] [SERVICE=points]`: the databases as they were at an instant, or at the end of the archive.

Without SERVICE all of them, which the fleet is stopped for; what was there before stays beside them until the next restore.
With SERVICE that database alone: its processes are held, the others go on and queue what is meant for it.

A restored service has forgotten what was done after the instant, and the others have not. So before it says anything its
versions are raised by a million, then everybody tells once more what is, points is asked for what redemptions lack, and both
sides are compared: see fleet/restoring.py and docs/restoring.md.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2

from deploy.local import postgres
from deploy.local.backup import (
    Backup,
    archive_all,
    ask,
    backups,
    chosen,
    client,
    connect,
    home,
    local,
    running_ports,
    take,
)
from deploy.local.children import wait_until
from deploy.local.console import line, passing
from deploy.local.fleet import DATABASES, Fleet
from deploy.local.layout import HELD, LOGS, ROOT, SECRETS, chosen_ports, recorded_ports, settings
from deploy.local.running import Failed, is_supervised, one_at_a_time, start, state, stop

RECOVERY_S = 3600
PROCESSES_S = 120
SETTLED_S = 180
# What was told to a service shortly before the instant may have been under way.
EARLIER = timedelta(minutes=15)
DIFFERS = "Not everything agrees yet: `make verify` shows what differs, docs/restoring.md what to do"


def instant(words: str, name: str = "AT") -> datetime | None:
    """AT= (or `name`) as people write it: ISO 8601, in the time of this machine when no other is named. Raises Failed."""
    if not words:
        return None
    try:
        return datetime.fromisoformat(words).astimezone(UTC)
    except ValueError:
        raise Failed(f"{name}={words} is no instant: write it like {name}=2026-11-27T05:40:00 or with +00:00") from None


def restore(at: str, service: str) -> int:
    """The command. Raises Failed."""
    if service and service not in DATABASES:
        raise Failed(f"there is no service {service!r}; there are: {', '.join(DATABASES)}")
    began = time.monotonic()
    with one_at_a_time():
        moment = instant(at)
        return _one(service, moment, began) if service else _all(moment, began)


def _extract(backup: Backup) -> Path:
    """The files of a base backup, ready to be put forward; owned by whoever owns the data."""
    target = home() / "restored"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o700)
    passing(f"unpacking the base backup of {local(backup.finished)}")
    subprocess.run(["tar", "-xzf", str(backup.path / "base.tar.gz"), "-C", str(target)], check=True)
    (target / "recovery.signal").touch()
    owner = home().stat()
    if os.geteuid() == 0:
        for path in [target, *target.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return target


@contextmanager
def _recovered(backup: Backup, port: int, at: datetime | None) -> Iterator[Path]:
    """The cluster as it was, in a directory of its own and served at `port`. Raises Failed when the log does not go so far."""
    target = _extract(backup)
    log = LOGS / "restored.log"
    LOGS.mkdir(exist_ok=True)
    options = ["--data", str(target), "--port", str(port), "--password-file", str(SECRETS / "postgres"), "--recover"]
    options += ["--until", at.isoformat()] if at else []
    with log.open("wb") as output:
        command = [sys.executable, "-m", "deploy.local.postgres", "serve", *options]
        server = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)

    def over() -> bool:
        if server.poll() is not None:
            return True
        with suppress(psycopg2.OperationalError):
            return bool(ask(port, "SELECT NOT pg_is_in_recovery()")[0][0])
        return False

    try:
        passing("applying the log")
        if not wait_until(over, RECOVERY_S, 0.2) or server.poll() is not None:
            raise Failed(_why(log.read_text(encoding="utf-8", errors="replace"), at))
        yield target
    finally:
        if server.poll() is None:
            server.send_signal(postgres.STOP_SIGNAL)
            server.wait(60)


def _why(log: str, at: datetime | None) -> str:
    if "recovery ended before configured recovery target was reached" in log and at:
        return f"nothing is known of so late as {local(at)}: leave AT out for the newest there is"
    return f"the log could not be applied: {(log.strip().splitlines() or ['nothing was logged'])[-1]}"


def _job(module: str, *words: str, environment: dict[str, str]) -> str:
    """Run one of our programs; what it printed. Raises Failed with its last words."""
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{module} {' '.join(words)}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")
    return done.stdout.strip()


def _bring_up_to_date(fleet: Fleet, services: Sequence[str], port: int) -> None:
    """Migrations that are newer than the backup, and numbers that nobody has seen. The service says nothing yet."""
    names = [service.name for service in fleet.services if service.name in services]
    urls = {
        f"{name.upper()}_MIGRATION_DATABASE_URL": postgres.url(
            f"{name}_owner", (SECRETS / f"pg_{name}_owner").read_text(encoding="utf-8").strip(), port, name
        )
        for name in names
    }
    _job("fleet.migrate", *names, environment={**fleet.base, **urls})
    for name in names:
        password = (SECRETS / f"pg_{name}").read_text(encoding="utf-8").strip()
        values = {**fleet.environment(name), "DATABASE_URL": postgres.url(name, password, port, name)}
        line(f"  {_job('fleet.restoring', 'raise', name, environment=values)}")


def _all(at: datetime | None, began: float) -> int:
    backup = chosen(at)
    ports = recorded_ports() or chosen_ports(settings())
    if is_supervised():
        # A server that is broken is what one restores for; what it did not archive is read where it lies.
        with suppress(psycopg2.OperationalError, Failed):
            archive_all(ports["postgres"])
        line("Stopping the fleet")
        stop()
    fleet, data = Fleet(ports), home() / "data"
    with _recovered(backup, ports["postgres"], at) as target:
        reached = _reached(ports["postgres"])
        line(f"All databases are as they were at {local(reached)}")
        _bring_up_to_date(fleet, DATABASES, ports["postgres"])
    if data.exists():
        before = home() / "data.before"
        shutil.rmtree(before, ignore_errors=True)
        data.rename(before)
    target.rename(data)
    start(ports)
    up = time.monotonic() - began
    line(f"The fleet answers again, {up:.1f} s after the order")
    return _reconcile(Fleet(ports), reached, began)


def _one(service: str, at: datetime | None, began: float) -> int:
    ports = running_ports()
    fleet, live = Fleet(ports), ports["postgres"]
    mine = [process.name for process in fleet.processes() if process.name.startswith(f"{service}-")]
    dump = home() / "backups" / "one.dump"
    backup = chosen(at)
    line(f"Holding {', '.join(mine)}")
    try:
        # From here on nothing is acknowledged that would be gone in a moment: what others ask of it waits in its queues.
        _hold(mine)
        at = at or datetime.now(UTC)
        archive_all(live)
        with _recovered(backup, ports["restored"], at):
            reached = _reached(ports["restored"])
            _bring_up_to_date(fleet, [service], ports["restored"])
            passing(f"copying {service}")
            client("pg_dump", ports["restored"], "--format=custom", "--compress=1", f"--file={dump}", service)
        _exchange(service, live, dump)
        line(f"{service} is as it was at {local(reached)}; what it was until now is in the database {service}_before")
    finally:
        dump.unlink(missing_ok=True)
        shutil.rmtree(home() / "restored", ignore_errors=True)
        HELD.unlink(missing_ok=True)
    _await(mine, {"healthy"})
    line(f"{service} answers again, {time.monotonic() - began:.1f} s after the order")
    return _reconcile(fleet, reached, began)


def _reached(port: int) -> datetime:
    """The instant of the last commit that was restored."""
    [(found,)] = ask(port, "SELECT coalesce(pg_last_xact_replay_timestamp(), now())")
    return found.astimezone(UTC)


def _hold(names: Sequence[str]) -> None:
    HELD.write_text("\n".join(names) + "\n", encoding="utf-8")
    _await(names, {"held"})


def _await(names: Sequence[str], wanted: set[str]) -> None:
    """Wait until the supervisor has these processes in one of these states. Raises Failed."""

    def there() -> bool:
        found = {each["name"]: each["state"] for each in (state() or {"processes": []})["processes"]}
        return all(found.get(name) in wanted for name in names)

    if not wait_until(there, PROCESSES_S):
        raise Failed(f"{', '.join(names)} did not become {' or '.join(wanted)}: `make status` and `make logs` say more")


def _exchange(service: str, port: int, dump: Path) -> None:
    """Put the dumped database in the place of the present one, which is kept as `<service>_before`: at once or not at all."""
    for name in ("before", "restored"):
        ask(port, f"DROP DATABASE IF EXISTS {service}_{name} WITH (FORCE)")
    ask(port, f"CREATE DATABASE {service}_restored OWNER {service}_owner")
    ask(port, f"REVOKE ALL ON DATABASE {service}_restored FROM PUBLIC")
    ask(port, f"GRANT CONNECT ON DATABASE {service}_restored TO {service}")
    client("pg_restore", port, "--exit-on-error", f"--dbname={service}_restored", str(dump))
    with closing(connect(port)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (service,))
        cursor.execute(f"ALTER DATABASE {service} RENAME TO {service}_before")
        cursor.execute(f"ALTER DATABASE {service}_restored RENAME TO {service}")
        connection.commit()


def reconcile(since: str) -> int:
    """The command: what a restore does once its service answers again. Raises Failed."""
    began, moment = time.monotonic(), instant(since, "SINCE")
    if moment is None:
        raise Failed(
            "say since when: make reconcile SINCE=..., a quarter of an hour before the instant that was restored"
        )
    with one_at_a_time():
        agreed = _agree(Fleet(running_ports()), moment)
    line(f"{'All say the same' if agreed else DIFFERS}, {time.monotonic() - began:.1f} s")
    return 0 if agreed else 1


def _reconcile(fleet: Fleet, reached: datetime, began: float) -> int:
    """The end of a restore: bring all sides together, and take a base backup of how it is now."""
    agreed = _agree(fleet, reached - EARLIER)
    line(f"Restored to {local(reached)} in {time.monotonic() - began:.1f} s")
    made = take()
    line(f"  A base backup of how it is now: {made.path.name}; {len(backups())} are kept")
    if not agreed:
        line(f"  {DIFFERS}")
    return 0 if agreed else 1


def _agree(fleet: Fleet, since: datetime) -> bool:
    """Let all tell once more what is, mend what redemptions lack, compare; True when nothing differs."""
    for service in fleet.services:
        values = fleet.environment(service.name)
        words = ("retell", service.name, "--since", since.isoformat())
        line(f"  {_job('fleet.restoring', *words, environment=values)}")
    passing("until both sides say the same")
    deadline, agreed = time.monotonic() + SETTLED_S, False
    while not agreed and time.monotonic() < deadline:
        agreed = all([_agrees(fleet, "points"), _agrees(fleet, "rewards", "--repair")])
        if not agreed:
            time.sleep(3)
    return agreed


def _agrees(fleet: Fleet, name: str, *words: str) -> bool:
    """True when the verifier of a service finds nothing that differs."""
    if not (ROOT / "services" / name / "verify.py").exists():
        return True
    command = [sys.executable, "-m", f"services.{name}.verify", "--json", *words]
    done = subprocess.run(command, cwd=ROOT, env=fleet.environment(name), capture_output=True, text=True, check=False)
    with suppress(ValueError, IndexError):
        return bool(json.loads(done.stdout.strip().splitlines()[-1])["ok"])
    return False
