"""This process is points."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import new_id
from services.points import members
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
