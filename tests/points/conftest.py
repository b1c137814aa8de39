"""This process is points."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from flask.testing import FlaskClient

from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import new_id
from services.points import activity_admin, members
from services.points.app import create_app
from tests.signing import TestKey


@pytest.fixture(autouse=True)
def points(on: Callable[[str], object]) -> None:
    on("points")


@pytest.fixture
def client(keys: TestKey) -> FlaskClient:
    return create_app(keys=keys).test_client()


@pytest.fixture
def member() -> Callable[..., UUID]:
    """`member("Ada")` is known to points, with a name; further words as in users.user_updated."""

    def make(name: str = "Ada", version: int = 1, **words: object) -> UUID:
        member_id = words.pop("member_id", None) or new_id()
        described = {"display_name": name, "show_in_leaderboard": True, "role": "student", "status": "active"} | words
        with transaction() as session:
            members.apply_update(session, UserUpdated(member_id=member_id, **described), version)
        return member_id

    return make


@pytest.fixture
def call(keys: TestKey, client: FlaskClient) -> Callable[..., Any]:
    """`call("POST", path, who, role="admin", json=...)`; safe to use from many threads."""

    def send(method: str, path: str, who: UUID | None = None, role: str = "student", **words: Any) -> Any:
        headers = keys.bearer(who or new_id(), role) | words.pop("headers", {})
        return client.application.test_client().open(path, method=method, headers=headers, **words)

    return send


@pytest.fixture
def kind(postgres: Any, passwords: dict[str, str]) -> Iterator[Callable[..., str]]:
    """`kind(cap=(3, "week"), evidence="url")` is the code of a fresh activity type, by approval and worth 10 points.

    Types outlive the emptying of tables, so these are taken away afterwards.
    """
    numbers = count()

    def make(cap: tuple[int, str] | None = None, **rule: Any) -> str:
        code = f"test_{next(numbers)}"
        plain = dict.fromkeys(("evidence", "evidence_once"), "none") | {
            "name": f"Test {code}",
            "category": "other",
            "points": 10,
            "description": "",
            "requires_approval": True,
            "min_description": 0,
            "cap_count": cap[0] if cap else None,
            "cap_period": cap[1] if cap else None,
            "cooldown_seconds": 0,
            "is_active": True,
        }
        with transaction() as session:
            activity_admin.create(session, code, plain | rule, new_id())
        return code

    yield make
    connection = psycopg2.connect(postgres.url("points_owner", passwords["points_owner"], "points"))
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE submissions, checkins, activity_type_versions CASCADE")
        cursor.execute("DELETE FROM activity_types WHERE code LIKE 'test\\_%'")
    connection.close()
