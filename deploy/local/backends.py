"""PostgreSQL and RabbitMQ for the tests, real ones, next to a running fleet and without touching it.

`database_server` and `message_broker` choose: servers named by TEST_DATABASE_URL and TEST_AMQP_URL, else containers where
a Docker engine answers, else private servers of local mode. Each is a context manager that gives a handle:

    with database_server(directory) as postgres, message_broker(directory, passwords) as rabbitmq:
        postgres.provision(roles); postgres.url("points", password, "points"); rabbitmq.url("points")
        postgres.kill(); postgres.start(); rabbitmq.restart()
"""

import contextlib
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from deploy.local import postgres, rabbitmq
from deploy.local.children import wait_until
from deploy.local.compose import docker_answers
from deploy.local.layout import ROOT, write_private
from deploy.local.probes import Probe
from fleet.provision import provision

START_SECONDS = 60


class BackendError(Exception):
    """A server did not start, or cannot do what is asked of it; the message says which and shows its log."""


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, below the range that outgoing connections are given.

    Not from the seeded generator: two test processes with one seed would be given the same ones.
    """
    found: list[int] = []
    chance = random.SystemRandom()
    while len(found) < count:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in found:
                found.append(port)
    return found


class _Guarded:
    """Private servers behind a guard process, which ends them and removes their data when this process is gone."""

    def __init__(self, name: str, log: Path, processes: list[dict[str, Any]], remove: list[Path], ready: Probe) -> None:
        self.name, self.log, self.ready = name, log, ready
        specification = {"processes": processes, "log": str(log), "remove": [str(path) for path in remove]}
        values = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self.guard = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.guard", json.dumps(specification)],
            cwd=ROOT,
            env=values,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the test run; the guard hears of its end when the pipe closes.
            start_new_session=True,
        )

    def _tell(self, word: str) -> str:
        assert self.guard.stdin
        assert self.guard.stdout
        print(word, file=self.guard.stdin, flush=True)
        return self.guard.stdout.readline().strip()

    def start(self) -> None:
        """Start the server and return when it takes connections; raises BackendError with the end of its log."""
        self._tell("start")
        wait_until(lambda: self.ready() or self._tell("alive") != "yes", START_SECONDS)
        if not self.ready():
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            raise BackendError("\n".join([f"{self.name} did not start; the end of its log:", *lines]))

    def stop(self) -> None:
        """Stop the server in good order, keeping its data."""
        self._tell("stop")

    def kill(self) -> None:
        """End all its processes with SIGKILL, keeping its data."""
        self._tell("kill")

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and remove its data."""
        assert self.guard.stdin
        self.guard.stdin.close()
        self.guard.wait(60)
        if self.guard.stdout:
            self.guard.stdout.close()


class Controls:
    """What a handle can do to its server; one that was given from outside can do nothing."""

    def __init__(self, part: Any = None) -> None:
        self._part = part

    @property
    def controllable(self) -> bool:
        """False for a server that is not ours to stop; tests that need it skip."""
        return self._part is not None

    def _do(self, what: str) -> None:
        if self._part is None:
            raise BackendError(f"a server given by TEST_DATABASE_URL or TEST_AMQP_URL cannot be told to {what}")
        getattr(self._part, what)()

    def start(self) -> None:
        """Start again on the same port and data; returns when it takes connections."""
        self._do("start")

    def stop(self) -> None:
        """Stop in good order."""
        self._do("stop")

    def kill(self) -> None:
        """Crash it: SIGKILL for every process of it."""
        self._do("kill")

    def restart(self) -> None:
        """Stop and start."""
        self._do("restart")


class Postgres(Controls):
    """A PostgreSQL server; `server_url` is the superuser's address of the database `postgres`."""

    def __init__(self, server_url: str, part: Any = None) -> None:
        super().__init__(part)
        self.server_url = server_url

    def url(self, role: str, password: str, database: str) -> str:
        """The address of `database` for `role`."""
        parts = urlsplit(self.server_url)
        return urlunsplit(
            parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port or 5432}", path=f"/{database}")
        )

    def provision(self, passwords: dict[str, str]) -> None:
        """Databases and roles as the fleet has them; see fleet.provision."""
        provision(self.server_url, passwords)


class RabbitMQ(Controls):
    """A broker with the fleet's virtual host, users and rights (`own_users`), or one given with a single user."""

    def __init__(self, address: str, passwords: dict[str, str] | None, part: Any = None) -> None:
        super().__init__(part)
        self.address, self.passwords = address, passwords

    @property
    def own_users(self) -> bool:
        """True when every service has its user with its rights; tests of rights skip otherwise."""
        return self.passwords is not None

    def url(self, user: str) -> str:
        """The AMQP address for one user of the fleet (`topology` may declare)."""
        if self.passwords is None:
            return self.address
        return f"amqp://{user}:{self.passwords[user]}@{self.address}/{rabbitmq.VHOST}"


def _serve(module: str, *arguments: str, stop_signal: int = signal.SIGTERM) -> dict[str, Any]:
    command = [sys.executable, "-m", f"deploy.local.{module}", *arguments]
    return {"command": command, "environment": {}, "stop_signal": int(stop_signal)}


@contextmanager
def _running(make: Callable[[], _Guarded]) -> Iterator[_Guarded]:
    """A started part; tried again with other ports when somebody was quicker to take one."""
    for attempt in range(3):
        part = make()
        try:
            part.start()
        except BackendError as error:
            part.close()
            if attempt == 2 or "in use" not in str(error):
                raise
            continue
        except BaseException:
            part.close()
            raise
        try:
            yield part
        finally:
            part.close()
        return


@contextmanager
def private_postgres(directory: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """A PostgreSQL of our own with its data under `directory` (or /var/tmp, see postgres.place); gone afterwards."""
    home = directory / f"postgres-{secrets.token_hex(4)}"
    home.mkdir(parents=True)
    password = secrets.token_urlsafe(24)
    write_private(home / "password", password)
    data = home / "server/data"
    really = postgres.place(data)
    remove = [home] if really == data else [home, really.parent.parent]
    chosen: list[int] = []

    def make() -> _Guarded:
        chosen[:] = free_ports(1)
        options = ["--data", str(data), "--port", str(chosen[0]), "--password-file", str(home / "password")]
        server = _serve(
            "postgres", "serve", *options, *([] if durable else ["--unsafe"]), stop_signal=postgres.STOP_SIGNAL
        )
        return _Guarded("PostgreSQL", home / "log", [server], remove, postgres.ready(chosen[0]))

    with _running(make) as part:
        yield Postgres(postgres.url("postgres", password, chosen[0], "postgres"), part)


@contextmanager
def private_rabbitmq(directory: Path, passwords: dict[str, str]) -> Iterator[RabbitMQ]:
    """A RabbitMQ node of our own with the users of `passwords`, its data under `directory`; gone afterwards."""
    home = directory / f"rabbitmq-{secrets.token_hex(4)}"
    home.mkdir(parents=True)
    for user, password in passwords.items():
        write_private(home / f"passwords/amqp_{user}", password)
    chosen: list[int] = []

    def make() -> _Guarded:
        chosen[:] = free_ports(3)
        port, dist, names = (str(number) for number in chosen)
        epmd = _serve("rabbitmq", "epmd", "--epmd-port", names)
        options = ["--home", str(home / "node"), "--port", port, "--dist-port", dist, "--epmd-port", names]
        node = _serve("rabbitmq", "serve", *options, "--passwords", str(home / "passwords"))
        return _Guarded("RabbitMQ", home / "log", [epmd, node], [home], rabbitmq.ready(chosen[0]))

    with _running(make) as part:
        yield RabbitMQ(f"127.0.0.1:{chosen[0]}", passwords, part)


@contextmanager
def database_server(directory: Path) -> Iterator[Postgres]:
    """PostgreSQL for the tests: given, in a container, or private."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield Postgres(given)
    elif docker_answers():
        from deploy.local.containers import postgres_container

        with postgres_container() as (url, part):
            yield Postgres(url, part)
    else:
        with private_postgres(directory) as handle:
            yield handle


@contextmanager
def message_broker(directory: Path, passwords: dict[str, str]) -> Iterator[RabbitMQ]:
    """RabbitMQ for the tests: given, in a container, or private."""
    if given := os.environ.get("TEST_AMQP_URL"):
        yield RabbitMQ(given, None)
    elif docker_answers():
        from deploy.local.containers import rabbitmq_container

        with rabbitmq_container(directory, passwords) as (address, part):
            yield RabbitMQ(address, passwords, part)
    else:
        with private_rabbitmq(directory, passwords) as handle:
            yield handle
