"""This process is rewards. What points would say is said by `points_says`; tests of both sides are in `both.py`."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from fleet.contracts.points import (
    BalanceJoined,
    HoldCaptured,
    HoldRefused,
    HoldReleased,
    PointsHeld,
    PointsRefunded,
)
from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import Envelope, decode, envelope_for, new_id
from services.rewards import catalog_admin, redemptions
from services.rewards.app import create_app
from services.rewards.models import Redemption
from services.rewards.subscriptions import subscriptions
from tests.signing import TestKey

BOSS = UUID("00000000-0000-7000-8000-00000000b055")
SECOND = UUID("00000000-0000-7000-8000-000000005ec0")


@pytest.fixture(autouse=True)
def rewards(on: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody answers in these tests while a request waits; those that wait say for how long.
    monkeypatch.setenv("REWARDS_WAIT_S", "0")
    on("rewards")


@pytest.fixture
def client(keys: TestKey) -> FlaskClient:
    return create_app(keys=keys).test_client()


@pytest.fixture
def call(keys: TestKey, client: FlaskClient) -> Callable[..., Any]:
    """`call("POST", path, who, role="admin", json=...)`; safe to use from many threads."""

    def send(method: str, path: str, who: UUID | None = None, role: str = "student", **words: Any) -> Any:
        headers = keys.bearer(who or new_id(), role) | words.pop("headers", {})
        return client.application.test_client().open(path, method=method, headers=headers, **words)

    return send


@pytest.fixture
def incentive(postgres: Any, passwords: dict[str, str]) -> Iterator[Callable[..., UUID]]:
    """`incentive(points=60, stock=3)` is the id of a fresh reward; further words are its fields.

    Incentives outlive the emptying of tables, so these are taken away afterwards.
    """
    numbers = count()

    def make(points: int = 60, stock: int | None = 3, **words: Any) -> UUID:
        values = {"name": f"Test {next(numbers)} {new_id()}", "points_required": points, "stock": stock} | words
        with transaction() as session:
            return catalog_admin.add(session, values, BOSS).id

    with transaction() as session:
        seeded = session.execute(text("SELECT id, stock, supplied, is_active FROM incentives")).all()
    yield make
    connection = psycopg2.connect(postgres.url("rewards_owner", passwords["rewards_owner"], "rewards"))
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE redemptions, unlocks CASCADE")
        known = [str(row.id) for row in seeded]
        for table, column in (("incentive_changes", "incentive_id"), ("incentives", "id")):
            cursor.execute(f"DELETE FROM {table} WHERE {column} <> ALL(CAST(%s AS uuid[]))", (known,))
        cursor.execute("DELETE FROM incentive_changes WHERE version > 1")
        for row in seeded:
            values = (row.stock, row.supplied, row.is_active, str(row.id))
            cursor.execute(
                "UPDATE incentives SET version = 1, stock = %s, supplied = %s, is_active = %s WHERE id = %s", values
            )
    connection.close()


@pytest.fixture
def hear() -> Callable[..., Any]:
    """`hear(message, sequence=3)` does what the worker does with a message: its handler in one transaction."""

    def receive(message: Any, source: str = "points", **attributes: Any) -> Any:
        envelope = envelope_for(message, source=source, **attributes)
        with transaction() as session:
            return subscriptions.handlers[envelope.type](session, envelope)

    return receive


@pytest.fixture
def member(hear: Callable[..., Any]) -> Callable[..., UUID]:
    """`member("Ada", available=100)` is known to rewards by name, with points."""

    def make(name: str = "Ada", available: int = 0, lifetime: int | None = None, role: str = "student") -> UUID:
        member_id = new_id()
        described = UserUpdated(member_id, name, True, role, "active")  # type: ignore[arg-type]
        hear(described, "users", sequence=1)
        if available or lifetime:
            hear(BalanceJoined(member_id, available, available if lifetime is None else lifetime), sequence=1)
        return member_id

    return make


@pytest.fixture
def request_(member: Callable[..., UUID]) -> Callable[..., Redemption]:
    """`request_(reward, who)` begins a redemption."""

    def make(incentive_id: UUID, member_id: UUID | None = None, **words: Any) -> Redemption:
        with transaction() as session:
            return redemptions.request(session, member_id or member(), incentive_id, **words)

    return make


@pytest.fixture
def points_says(hear: Callable[..., Any]) -> Callable[..., None]:
    """`points_says(redemption_id, "held")`: held, refused (reason=), captured, released, refunded."""
    versions = count(10)

    def say(redemption_id: UUID, word: str, available: int = 40, reason: str = "insufficient-points") -> None:
        row = state(redemption_id)
        about = {"redemption_id": row.id, "member_id": row.member_id, "points": row.points_spent}
        about |= {"available": available, "lifetime": 1000}
        made: Any = {
            "held": lambda: PointsHeld(**about),
            "refused": lambda: HoldRefused(**about, reason=reason),  # type: ignore[arg-type]
            "captured": lambda: HoldCaptured(**about),
            "released": lambda: HoldReleased(**about),
            "refunded": lambda: PointsRefunded(**about, reason="x"),
        }[word]()
        hear(made, sequence=next(versions))

    return say


@pytest.fixture
def pending(request_: Callable[..., Redemption], points_says: Callable[..., None]) -> Callable[..., UUID]:
    """`pending(reward, who)` is the id of a redemption that waits for staff."""

    def make(incentive_id: UUID, member_id: UUID | None = None, **words: Any) -> UUID:
        made = request_(incentive_id, member_id, **words).id
        points_says(made, "held")
        return made

    return make


def state(redemption_id: UUID) -> Redemption:
    """The redemption as it is now."""
    with transaction() as session:
        return redemptions.find(session, redemption_id)


def where(redemption_id: UUID) -> tuple[str, str | None]:
    """Its status, and what it waits for."""
    found = state(redemption_id)
    return found.status, found.settling


def stock(incentive_id: UUID) -> int | None:
    with transaction() as session:
        return session.execute(text("SELECT stock FROM incentives WHERE id = :id"), {"id": incentive_id}).scalar_one()


def told(kind: str = "") -> list[Envelope[Any]]:
    """The messages recorded so far whose type holds `kind`, in order."""
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    return [message for message in (decode(bytes(body)) for body in bodies) if kind in message.type]


def kinds(kind: str = "") -> list[str]:
    """The words of what was told: `reward_redeemed`, `place_hold` ..."""
    return [message.type.split(".")[1] for message in told(kind)]


def mails() -> list[Any]:
    with transaction() as session:
        return list(
            session.execute(text("SELECT recipient, subject, text_body FROM mail_queue ORDER BY recorded_at, id"))
        )
