"""This process is users."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from fleet.database import transaction
from fleet.messages import Envelope, decode, now
from services.users import holders, tokens
from services.users.app import create_app

PASSWORD = "correct horse battery"
NAMESPACE = "6f1f2a4e-6d3e-4d8e-9c55-2b9c2f6f0001"


@pytest.fixture(autouse=True)
def users(on: Callable[[str], object], signing_key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERS_JWT_KEY_FILE", str(signing_key))
    monkeypatch.setenv("MEMBER_NAMESPACE", NAMESPACE)
    on("users")


@pytest.fixture
def app() -> Flask:
    return create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def post(app: Flask) -> Callable[..., TestResponse]:
    """`post("login", username=..., password=...)`; may be called from several threads."""

    def send(action: str, **body: Any) -> TestResponse:
        return app.test_client().post(f"/api/users/{action}/", json=body)

    return send


@pytest.fixture
def register(post: Callable[..., TestResponse]) -> Callable[..., dict[str, Any]]:
    """`register("ada")` makes an account and gives what the door answered."""

    def make(name: str = "ada", **fields: Any) -> dict[str, Any]:
        answer = post("register", **{"username": name, "email": f"{name}@example.org", "password": PASSWORD} | fields)
        assert answer.status_code == 201, answer.text
        return answer.json

    return make


@pytest.fixture
def told() -> Callable[..., list[Envelope[Any]]]:
    """What users recorded for the others so far, in order; `told("users.user_updated.v1")` of one kind."""

    def read(type_: str | None = None) -> list[Envelope[Any]]:
        with transaction() as session:
            bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
        found = [decode(bytes(body)) for body in bodies]
        return [event for event in found if type_ is None or event.type == type_]

    return read


class Clock:
    """The time as the refresh tokens see it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)

    def __call__(self) -> datetime:
        return now() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """`clock.advance(days=7)` lets refresh tokens age."""
    made = Clock()
    monkeypatch.setattr(tokens, "now", made)
    return made


# The list as it is.
ALL_HOLDERS = holders.HOLDERS


@pytest.fixture(autouse=True)
def two_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    """How holders are asked is the same for any number of them: here they are two, whoever joins later."""
    monkeypatch.setattr(holders, "HOLDERS", ("points", "bot"))
