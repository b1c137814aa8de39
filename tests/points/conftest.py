"""This process is points."""

import io
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from flask.testing import FlaskClient

from fleet import settings
from fleet.contracts import contract_of
from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import Reply, envelope_for, new_id, read_answer, to_json
from services.points import activity_admin, members
from services.points.app import create_app
from services.points.subscriptions import subscriptions
from tests.points.books import BOSS
from tests.points.claims import MENTORED
from tests.points.files import PNG
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


@pytest.fixture
def submit(call):
    """`submit(ada, "peer_mentor")` over HTTP; further words as in the body."""

    def post(member_id, activity="peer_mentor", /, headers=None, **words):
        body = {"activity_type": activity, "description": MENTORED} | words
        return call("POST", "/api/submissions/", member_id, json=body, headers=headers or {})

    return post


@pytest.fixture
def pending(submit):
    """`pending(ada, code)` is the path of a submission that waits."""

    def make(member_id, activity="peer_mentor", **words):
        answer = submit(member_id, activity, **words)
        assert answer.status_code == 201, answer.text
        return f"/api/submissions/{answer.json['id']}/"

    return make


@pytest.fixture
def decide(call):
    """`decide(path, "approve", by=boss, points=5)`."""
    boss = new_id()

    def post(path, decision, /, by=boss, role="admin", headers=None, **words):
        return call("POST", f"{path}{decision}/", by, role, json=words, headers=headers or {})

    return post


@pytest.fixture
def hear():
    """`hear(message)` is the answer of its handler, as the asker reads it."""

    def apply(message):
        contract, envelope = contract_of(message), envelope_for(message, source="bot")
        with transaction() as session:
            answer = subscriptions.handlers[contract.type](session, envelope)
        assert read_answer(contract.type, Reply(str(envelope.id), to_json(answer))) == answer
        return answer

    return apply


@pytest.fixture
def store(points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty evidence store."""
    monkeypatch.setenv("EVIDENCE_DIR", str(tmp_path / "store"))
    settings.read.cache_clear()
    return tmp_path / "store"


@pytest.fixture
def upload(call) -> Callable:
    """`upload(ada, b"...", "fair.png")`."""

    def post(member_id, data=PNG, name="fair.png", type_="image/png", field="file", **more):
        body = {field: (io.BytesIO(data), name, type_)} | more
        return call("POST", "/api/evidence/", member_id, data=body, content_type="multipart/form-data")

    return post


@pytest.fixture
def award(keys, client):
    """`award(member_id, ...)` by an admin, over HTTP; words in capitals become headers (`Idempotency_Key=`)."""
    boss = new_id()

    def post(member_id: Any, /, by: UUID = boss, role: str = "admin", slash: str = "/", **words: Any) -> Any:
        headers = {name.replace("_", "-"): value for name, value in words.items() if name[0].isupper()}
        body = {"activity_type": "peer_mentor"} | {name: v for name, v in words.items() if not name[0].isupper()}
        sender = client.application.test_client()
        path = f"/api/users/{member_id}/add_points{slash}"
        return sender.post(path, headers=headers | keys.bearer(by, role), json=body)

    return post


@pytest.fixture
def get(keys, client) -> Callable[..., Any]:
    """`get(path, member_id, role)`; query parameters as further words."""

    def send(path: str, member_id: UUID | None = None, role: str = "student", **query: Any) -> Any:
        headers = keys.bearer(member_id or new_id(), role)
        return client.get(path, headers=headers, query_string=query)

    return send


@pytest.fixture
def post_as_admin(keys, client) -> Callable[..., Any]:
    """`post_as_admin(path, **body)`; `by` and `role` for somebody else, `key=` is the Idempotency-Key."""

    def send(path: str, by: UUID = BOSS, role: str = "admin", key: str | None = None, **body: Any) -> Any:
        headers = keys.bearer(by, role) | ({"Idempotency-Key": key} if key else {})
        return client.application.test_client().post(path, headers=headers, json=body)

    return send


@pytest.fixture
def get_as_admin(keys, client) -> Callable[..., Any]:
    """`get_as_admin(path, **query)`; `by` and `role` for somebody else."""

    def send(path: str, by: UUID = BOSS, role: str = "admin", **query: Any) -> Any:
        return client.get(path, headers=keys.bearer(by, role), query_string=query)

    return send
