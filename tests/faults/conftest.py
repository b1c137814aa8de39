"""A ship made for being sunk: the points identity with handlers that write down what they applied."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pika
import psycopg2
import pytest

from deploy.local.backends import Postgres, RabbitMQ, private_postgres, private_rabbitmq
from fleet import topology
from fleet.contracts.points import LogActivity
from fleet.messages import encode, envelope_for, new_id, now
from fleet.publisher import Outgoing, Publisher
from tests.conftest import ROOT

DEADLINE_S = 90


def eventually(check: Callable[[], Any], what: str, seconds: float = DEADLINE_S) -> Any:
    """The first true result of `check`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.02)


class Sea:
    """A database and a broker, and what is needed to look at them and to send messages through them."""

    def __init__(self, postgres: Postgres, rabbitmq: RabbitMQ, url: str, owner_url: str) -> None:
        self.postgres, self.rabbitmq, self.url, self.owner_url = postgres, rabbitmq, url, owner_url
        self.log_folder: Path | None = None

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.owner_url)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    @contextmanager
    def channel(self, user: str = "topology") -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self.rabbitmq.url(user)))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def depth(self, queue: str) -> int:
        with self.channel() as channel:
            return channel.queue_declare(queue, passive=True).method.message_count

    def dead(self, service: str = "points") -> int:
        """Dead letters of the service, those that are written down and those that still lie in its dead queue."""
        [(kept,)] = self.sql("SELECT count(*) FROM dead_letters")
        return kept + self.depth(f"{service}.dead")

    def drain(self, queue: str) -> list[bytes]:
        with self.channel() as channel:
            found = []
            while (got := channel.basic_get(queue, auto_ack=True))[0]:
                found.append(got[2])
            return found

    def publish(self, bodies: list[tuple[str, bytes]], user: str = "bot", exchange: str = topology.COMMANDS) -> None:
        publisher = Publisher(self.rabbitmq.url(user))
        batch = [
            Outgoing(number, exchange, key, body, str(new_id()), True) for number, (key, body) in enumerate(bodies)
        ]
        outcome = publisher.publish(batch)
        publisher.close()
        assert len(outcome.confirmed) == len(bodies)

    @contextmanager
    def process(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process of the fleet as it runs in production; ended afterwards."""
        process = self.start(*arguments, **environment)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        values = {**os.environ, "DATABASE_URL": self.url, "AMQP_URL": self.rabbitmq.url("points"), **environment}
        assert self.log_folder
        with (self.log_folder / "processes.log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=values, stdout=log, stderr=log)


def command(reference: str, member_id: UUID | None = None, reply_to: str | None = None) -> tuple[str, bytes]:
    """A points command as the bot would send it: (routing key, body)."""
    deed = LogActivity(member_id or new_id(), "discord_activity", now(), reference)
    envelope = envelope_for(deed, source="bot", reply_to=reply_to)
    return envelope.type, encode(envelope)


EFFECTS = "CREATE TABLE IF NOT EXISTS effects (id bigserial PRIMARY KEY, reference text NOT NULL, applied_at timestamptz DEFAULT now())"


def _prepare(sea: Sea, owner_environment: dict[str, str]) -> Sea:
    subprocess.run(
        [sys.executable, "-m", "fleet.migrate", "points"],
        cwd=ROOT,
        env={**os.environ, **owner_environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    sea.sql(EFFECTS)
    sea.sql("GRANT ALL ON effects TO points; GRANT USAGE ON SEQUENCE effects_id_seq TO points")
    with sea.channel() as channel:
        topology.declare(channel)
    return sea


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, passwords: dict[str, str]) -> Iterator[Sea]:
    """Servers of their own, with fsync on: these are the ones that get killed."""
    folder = tmp_path_factory.mktemp("faults")
    users = {name: passwords[name] for name in (*topology.SERVICES, "topology")}
    with private_postgres(folder, durable=True) as postgres, private_rabbitmq(folder, users) as rabbitmq:
        postgres.provision({name: value for name, value in passwords.items() if name != "topology"})
        url = postgres.url("points", passwords["points"], "points")
        owner_url = postgres.url("points_owner", passwords["points_owner"], "points")
        yield _prepare(Sea(postgres, rabbitmq, url, owner_url), {"POINTS_MIGRATION_DATABASE_URL": owner_url})


@pytest.fixture
def sea(servers: Sea, tmp_path: Path) -> Sea:
    """The servers with empty tables and queues."""
    servers.log_folder = tmp_path
    servers.sql("TRUNCATE effects, outbox, inbox, answers, dead_letters")
    with servers.channel() as channel:
        for name in topology.queues():
            channel.queue_purge(name)
    return servers


@pytest.fixture
def figures(record_property: Callable[[str, object], None], seed: int) -> Iterator[SimpleNamespace]:
    """Figures of a test, printed with the seed that gave them."""
    found = SimpleNamespace()
    yield found
    words = ", ".join(f"{name}={value}" for name, value in vars(found).items())
    print(f"\nFIGURES {words} SEED={seed}")
