"""Real servers for the tests, started once, and a clean database for each test that asks for one."""

import os
import random
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pika
import psycopg2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.backends import Postgres, RabbitMQ, database_server, message_broker
from fleet import database, settings, topology
from tests.signing import TestKey

ROOT = Path(__file__).resolve().parent.parent
SERVICES = tuple(name for name in topology.SERVICES if (ROOT / "services" / name / "models.py").exists())
# Rows of these tables come with the migrations.
SEEDED = ("alembic_version", "activity_types", "incentives", "incentive_changes")


@pytest.fixture(scope="session")
def seed() -> int:
    """The seed of everything random in this run; printed in the header, set by SEED=."""
    return SEED


# Kept in the environment, which the processes that share the work of a run inherit.
SEED = int(os.environ.setdefault("SEED", str(secrets.randbelow(2**32))))


def pytest_report_header() -> str:
    return f"SEED={SEED}"


# What keeps both cores busy by itself comes first, and what needs a whole fleet last: a fleet that waits for its next test
# costs the others time, and a long test that begins last has nobody beside it.
FIRST = (
    "tests/points/test_state_machine.py",
    "tests/points/test_concurrency.py",
    "tests/bench",
    "tests/deploy/test_images.py",
    "tests/faults",
)
LAST = (
    # With a fleet of their own, which goes before the shared ones come.
    "tests/e2e/test_replacing.py",
    "tests/e2e/test_restore.py",
    "tests/e2e",
    "tests/browser",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; within a file tests stay as they are written."""

    def place(item: pytest.Item) -> tuple[int, int]:
        path = item.path.relative_to(ROOT).as_posix()
        for late, names in ((0, FIRST), (2, LAST)):
            for number, name in enumerate(names):
                if path.startswith(name):
                    return late, number
        return 1, 0

    items.sort(key=place)


@pytest.fixture(autouse=True)
def seeded_random() -> None:
    random.seed(SEED)


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    """A password for every database role and every broker user of this run."""
    roles = [role for service in topology.SERVICES for role in (service, f"{service}_owner")]
    return {name: secrets.token_urlsafe(16) for name in (*roles, "topology")}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, passwords: dict[str, str]) -> Iterator[Postgres]:
    """A PostgreSQL with the databases and roles of the fleet, migrated."""
    with database_server(tmp_path_factory.mktemp("postgres")) as server:
        server.provision({name: value for name, value in passwords.items() if name != "topology"})
        owners = {
            f"{name.upper()}_MIGRATION_DATABASE_URL": server.url(f"{name}_owner", passwords[f"{name}_owner"], name)
            for name in SERVICES
        }
        command = [sys.executable, "-m", "fleet.migrate", *SERVICES]
        subprocess.run(command, cwd=ROOT, env={**os.environ, **owners}, check=True, stdout=subprocess.DEVNULL)
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory, passwords: dict[str, str]) -> Iterator[RabbitMQ]:
    """A RabbitMQ with the users, rights, exchanges and queues of the fleet."""
    users = {name: passwords[name] for name in (*topology.SERVICES, "topology")}
    with message_broker(tmp_path_factory.mktemp("rabbitmq"), users) as server:
        connection = pika.BlockingConnection(pika.URLParameters(server.url("topology")))
        topology.declare(connection.channel())
        connection.close()
        yield server


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The whole fleet, up; down and gone afterwards. End-to-end and browser tests share it, and mind one another."""
    from tests.e2e.conftest import running

    with running(tmp_path_factory.mktemp("fleet")) as started:
        yield started


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> RabbitMQ:
    """The broker with all queues empty."""
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.url("topology")))
    channel = connection.channel()
    for name in topology.queues():
        channel.queue_purge(name)
    connection.close()
    return rabbitmq


@pytest.fixture
def truncate(postgres: Postgres) -> Callable[[str], None]:
    """Empties all tables of a service but those that migrations filled."""

    def empty(service: str) -> None:
        connection = psycopg2.connect(postgres.server_url.rsplit("/", 1)[0] + f"/{service}")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)", (list(SEEDED),)
            )
            names = ", ".join(row[0] for row in cursor.fetchall())
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'",
                (service,),
            )
            cursor.execute(f"TRUNCATE {names} CASCADE")
        connection.close()

    return empty


@pytest.fixture
def on(
    postgres: Postgres,
    passwords: dict[str, str],
    truncate: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str], SimpleNamespace]]:
    """`on("points")` makes this process the service: its settings, and its database, emptied."""

    def enter(service: str) -> SimpleNamespace:
        url = postgres.url(service, passwords[service], service)
        monkeypatch.setenv("DATABASE_URL", url)
        forget()
        truncate(service)
        return SimpleNamespace(
            url=url, owner_url=postgres.url(f"{service}_owner", passwords[f"{service}_owner"], service)
        )

    yield enter
    forget()


def forget() -> None:
    """Forget settings and connections of the service this process was."""
    if database.engine.cache_info().currsize:
        database.engine().dispose()
    database.dispose()
    settings.read.cache_clear()


@pytest.fixture(scope="session")
def signing_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh Ed25519 key as users keeps its own."""
    path = tmp_path_factory.mktemp("keys") / "jwt.pem"
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem)
    return path


@pytest.fixture(scope="session")
def keys() -> TestKey:
    """Signs tokens for the tests, and gives `create_app(keys=...)` its public half."""
    return TestKey()


@pytest.fixture
def row_count() -> Callable[..., int]:
    """`row_count("transfers", "kind = 'award'")` in the service's database."""

    def count(table: str, where: str = "true", **values: Any) -> int:
        from sqlalchemy import text

        with database.transaction() as session:
            return session.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"), values).scalar_one()

    return count
