"""`make backup`: a base backup of the running PostgreSQL. With the log that it archives all the time, any instant from there
on can be restored (deploy/local/restore.py).

Everything lies beside the data: `backups/<instant it was finished>/base.tar.gz`, and `archive/`. That is enough for trying
what production does with another store; whoever wants to survive the disk copies the two directories to another one.
"""

import os
import shutil
import subprocess
import tarfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from deploy.local import postgres
from deploy.local.children import wait_until
from deploy.local.console import line
from deploy.local.layout import RUN, Ports, recorded_ports, secret
from deploy.local.running import Failed, is_supervised, one_at_a_time

KEPT = 3
_NAME = "%Y%m%dT%H%M%S.%fZ"
ARCHIVED_WITHIN_S = 60


def home() -> Path:
    """The directory where the data really are."""
    return postgres.place(RUN / "postgres/data").parent


@dataclass(frozen=True)
class Backup:
    """A base backup; what was written until `finished` is in it, so nothing earlier can be restored with it."""

    path: Path
    finished: datetime

    @property
    def first_segment(self) -> str:
        """The name of the first segment of the log that it needs."""
        with tarfile.open(self.path / "base.tar.gz") as files:
            label = files.extractfile("backup_label")
            assert label
            # START WAL LOCATION: 0/4000028 (file 000000010000000000000004)
            return label.readline().decode().rpartition("(file ")[2].strip(" )\n")


def backups() -> list[Backup]:
    """All there are, oldest first."""
    found = []
    for path in (home() / "backups").glob("*Z"):
        found.append(Backup(path, datetime.strptime(path.name, _NAME).replace(tzinfo=UTC)))
    return sorted(found, key=lambda backup: backup.finished)


def connect(port: int, database: str = "postgres") -> Any:
    """A connection of the superuser that commits each statement."""
    connection = psycopg2.connect(postgres.url("postgres", secret("postgres"), port, database), connect_timeout=5)
    connection.autocommit = True
    return connection


def ask(port: int, statement: str, database: str = "postgres") -> list[Any]:
    """The rows of one statement of the superuser."""
    with closing(connect(port, database)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def running_ports() -> Ports:
    """The ports of the running fleet. Raises Failed when it does not run."""
    ports = recorded_ports()
    if not ports or not is_supervised():
        raise Failed("the fleet is not running: start it with `make up` first")
    return ports


def client(program: str, port: int, *options: str) -> None:
    """Run one of PostgreSQL's own programs as the superuser of the server at `port`. Raises Failed with its last words."""
    command = [
        str(postgres.binaries() / program),
        "--host=127.0.0.1",
        f"--port={port}",
        "--username=postgres",
        *options,
    ]
    values = {**os.environ, "PGPASSWORD": secret("postgres")}
    done = subprocess.run(command, env=values, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise Failed(f"{program}: {words}")


def archive_all(port: int) -> None:
    """Bring everything that was committed until now into the archive. Raises Failed when that does not happen in a minute."""
    # A record of a commit, so that the log says that it went on to this instant.
    ask(port, "SELECT pg_logical_emit_message(true, 'propel', 'archived')")
    [(segment,)] = ask(port, "SELECT pg_walfile_name(pg_switch_wal())")
    kept = home() / "archive" / f"{segment}.gz"
    if not wait_until(kept.exists, ARCHIVED_WITHIN_S):
        raise Failed(f"{segment} did not come into the archive: `make logs SERVICE=postgres` says why")


def take() -> Backup:
    """Take a base backup of the running fleet, and forget those that are older than the newest three. Raises Failed."""
    ports = running_ports()
    draft = home() / "backups" / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    # From here on the log is archived, see postgres.archiving.
    draft.parent.mkdir(exist_ok=True, mode=0o700)
    options = ("--format=tar", "--gzip", "--wal-method=none", "--checkpoint=fast", "--label=propel")
    client("pg_basebackup", ports["postgres"], f"--pgdata={draft}", *options)
    [(finished,)] = ask(ports["postgres"], "SELECT clock_timestamp()")
    finished = finished.astimezone(UTC)
    made = Backup(draft.parent / finished.strftime(_NAME), finished)
    draft.rename(made.path)
    archive_all(ports["postgres"])
    for old in backups()[:-KEPT]:
        shutil.rmtree(old.path)
    forget = [str(postgres.binaries() / "pg_archivecleanup"), "-x", ".gz", str(home() / "archive")]
    subprocess.run([*forget, backups()[0].first_segment], check=True, capture_output=True)
    return made


def size(path: Path) -> str:
    """How much is in a directory, for people."""
    total = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return f"{total / 1024**2:,.0f} MB"


def local(instant: datetime) -> str:
    """An instant in the time of this machine, for people."""
    return f"{instant.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def backup() -> int:
    """The command."""
    began = time.monotonic()
    with one_at_a_time():
        made = take()
    line(f"Backed up, {time.monotonic() - began:.1f} s: {size(made.path)} in {made.path}")
    line(f"  {len(backups())} base backups and {size(home() / 'archive')} of the log are kept")
    line(f"  Any instant since {local(backups()[0].finished)} can be restored: make restore AT=... [SERVICE=points]")
    return 0


def chosen(at: datetime | None) -> Backup:
    """The newest base backup that the instant can be restored from. Raises Failed when there is none."""
    found = backups()
    if not found:
        raise Failed("there is no base backup: take one with `make backup` while the fleet runs")
    if at is None:
        return found[-1]
    if at > datetime.now(UTC) + timedelta(seconds=1):
        raise Failed(f"{local(at)} has not come yet")
    earlier = [backup for backup in found if backup.finished <= at]
    if not earlier:
        raise Failed(
            f"nothing before {local(found[0].finished)}, when the oldest base backup was taken, can be restored"
        )
    return earlier[-1]
