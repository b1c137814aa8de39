"""The commands behind the Makefile: python -m deploy.local up | down | restart | roll | status | logs | reset | admin |
verify | backup | restore | reconcile."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

from deploy.local import compose, postgres
from deploy.local.console import line, paint
from deploy.local.debian import Unavailable
from deploy.local.fleet import ACCOUNTS, Fleet, record_ports, tidy_environment
from deploy.local.layout import (
    LOGS,
    MAIL,
    ROOT,
    RUN,
    SECRETS,
    PortsError,
    chosen_ports,
    recorded_ports,
    settings,
    shown,
)
from deploy.local.running import Failed, is_supervised, one_at_a_time, start, state, stop

SAY_WHO = "say who: make admin USERNAME=ada EMAIL=ada@example.org [PASSWORD=...]"


def up() -> int:
    """Start everything, or say that it is up already."""
    began = time.monotonic()
    with one_at_a_time():
        found, recorded = state(), recorded_ports()
        if is_supervised() and recorded and found and found["phase"] in ("up", "starting"):
            line(
                f"The fleet is up already at {Fleet(recorded).gateway_url} (see `make status`; stop it with `make down`)"
            )
            return 0
        stop()
        ports = chosen_ports(settings())
        line("Starting the fleet without Docker")
        start(ports)
    fleet = Fleet(ports)
    line(paint(f"Propel is up, {time.monotonic() - began:.1f} s", "bold"))
    line(f"  Gateway          {fleet.gateway_url}   the state of each part: {fleet.gateway_url}/health/")
    if any(process.name == "discord" for process in fleet.processes()):
        line(f"  Local Discord    http://127.0.0.1:{ports['discord']}/   JSON; README.md shows how to talk to the bot")
    if not fleet.settings.get("SMTP_URL"):
        line(f"  Mail             {shown(MAIL)}/   what would have been sent")
    if ACCOUNTS.exists():
        for role, account in json.loads(ACCOUNTS.read_text(encoding="utf-8")).items():
            where = shown(SECRETS / f"account_{role}")
            line(f"  {role.capitalize():<16} {account['username']} / {account['password']}   (also in {where})")
    line("Next: make demo, make status, make logs SERVICE=points, make down")
    return 0


def down() -> int:
    """Stop everything; saying so when nothing ran."""
    began = time.monotonic()
    with one_at_a_time():
        ran = stop()
    line(
        f"Stopped, {time.monotonic() - began:.1f} s; the data is kept (make reset deletes it)"
        if ran
        else "Nothing was running"
    )
    return 0


def reset() -> int:
    """Stop everything and delete all data and secrets; downloads stay in the cache."""
    with one_at_a_time():
        stop()
        elsewhere = postgres.place(RUN / "postgres/data")
        if elsewhere.exists() and not elsewhere.is_relative_to(RUN):
            shutil.rmtree(elsewhere.parent.parent)
        shutil.rmtree(RUN)
    line("All data and secrets of this clone are deleted")
    return 0


def restart() -> int:
    """Stop and start on the same ports, unless others are asked for now."""
    recorded = recorded_ports()
    down()
    if recorded:
        os.environ.setdefault("PORT_BASE", str(recorded.base))
        os.environ.setdefault("GATEWAY_PORT", str(recorded.gateway))
    return up()


def logs(service: str) -> int:
    """Follow the logs of everything, or of the processes whose name begins with `service`."""
    found = sorted(LOGS.glob(f"{service}*.log"))
    if not found:
        names = ", ".join(sorted(path.stem for path in LOGS.glob("*.log"))) or "none yet"
        raise Failed(f"there is no log of {service or 'anything'}; logs: {names}")
    os.execvp("tail", ["tail", "-n", "20", "-F", *map(str, found)])  # noqa: S606


def admin(username: str, email: str, password: str) -> int:
    """Make an administrator in the running fleet."""
    ports = recorded_ports()
    if not ports or not is_supervised():
        raise Failed("the fleet is not running: start it with `make up` first")
    if not username or not email:
        raise Failed(SAY_WHO)
    fleet = Fleet(ports)
    job = fleet.account_job("admin", username, email, password or _ask_password(), "admin")
    return subprocess.run(job.command, env=dict(job.environment), cwd=ROOT, check=False).returncode


def verify() -> int:
    """Compare points' projections with its transfers, and redemptions with holds, in the running fleet; 1 when some differ."""
    ports = recorded_ports()
    if not ports or not is_supervised():
        raise Failed("the fleet is not running: start it with `make up` first")
    worst, fleet = 0, Fleet(ports)
    for name in (
        service.name for service in fleet.services if (ROOT / "services" / service.name / "verify.py").exists()
    ):
        command = [sys.executable, "-m", f"services.{name}.verify"]
        line(paint(name, "bold"))
        done = subprocess.run(command, env=dict(fleet.environment(name)), cwd=ROOT, check=False)
        worst = max(worst, done.returncode)
    return worst


def _ask_password() -> str:
    import getpass

    if not sys.stdin.isatty():
        raise Failed("say which password: make admin ... PASSWORD=...")
    return getpass.getpass("Password: ")


def _in_containers(given: argparse.Namespace) -> int:
    """The same by Docker Compose."""
    if given.command == "verify":
        return compose.verify()
    if given.command == "admin":
        if not given.username or not given.email:
            raise Failed(SAY_WHO)
        return compose.admin(given.username, given.email, given.password or _ask_password())
    if given.command == "roll":
        raise Failed("in containers Compose replaces them: docker compose -f deploy/compose.yaml up -d --build")
    if given.command in ("backup", "restore", "reconcile"):
        raise Failed("in containers the volume of PostgreSQL is yours to keep; production has its operator's backups")
    if given.command == "up":
        record_ports(chosen_ports(settings()))
    return compose.run(given.command, [given.service] if getattr(given, "service", "") else [])


def main() -> int:
    """Run one command; every expected failure is one sentence on stderr and status 1."""
    tidy_environment()
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "restart", "reset", "verify", "backup"):
        commands.add_parser(name)
    restoring = commands.add_parser("restore")
    restoring.add_argument("--at", default="")
    restoring.add_argument("--service", default="")
    commands.add_parser("reconcile").add_argument("since", nargs="?", default="")
    commands.add_parser("status").add_argument("--json", action="store_true")
    commands.add_parser("logs").add_argument("service", nargs="?", default="")
    commands.add_parser("roll").add_argument("part", nargs="?", default="")
    adding = commands.add_parser("admin")
    for name in ("username", "email", "password"):
        adding.add_argument(f"--{name}", default="")
    given = parser.parse_args()
    plain: dict[str, Callable[[], int]] = {
        "up": up,
        "down": down,
        "restart": restart,
        "reset": reset,
        "verify": verify,
    }
    try:
        if compose.in_charge(given.command, is_supervised()):
            return _in_containers(given)
        if given.command == "status":
            from deploy.local.status import show

            return show(given.json)
        if given.command == "logs":
            return logs(given.service)
        if given.command == "roll":
            from deploy.local.rolling import roll

            return roll(given.part)
        if given.command == "backup":
            from deploy.local.backup import backup

            return backup()
        if given.command == "restore":
            from deploy.local.restore import restore

            return restore(given.at, given.service)
        if given.command == "reconcile":
            from deploy.local.restore import reconcile

            return reconcile(given.since)
        if given.command == "admin":
            return admin(given.username, given.email, given.password)
        return plain[given.command]()
    except (Failed, PortsError, Unavailable, postgres.PostgresError) as reason:
        line(paint(f"{given.command} failed: {reason}", "red"))
    except KeyboardInterrupt:
        line("interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())
