"""Idempotency keys: one effect and one answer, also when the second call comes while the first is under way."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Blueprint, request
from sqlalchemy import text

from fleet import web
from fleet.database import transaction
from fleet.idempotency import once
from fleet.messages import new_id
from fleet.problems import Problem
from fleet.web import MEMBER, Answer, operation
from tests.answers import refused
from tests.locks import until_it_waits


class Full(Problem):
    status, slug, title = 409, "full", "Full"


class Work:
    """What the view does; a test may make it wait or refuse."""

    def __init__(self) -> None:
        self.before_commit: Callable[[], None] = lambda: None
        self.lock = threading.Lock()
        self.calls = 0


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def call(on, keys, work) -> Callable[..., Any]:
    """`call("key", body)` by one member; `by=`, `path=` and `headers=` for others."""
    on("points")
    api = Blueprint("api", __name__)

    @api.post("/things/<place>/")
    @api.post("/others/<place>/")
    @api.post("/people/<uuid:place>/")
    @operation(who=MEMBER, answers={201: None}, idempotent=True)
    def make(place: Any) -> Answer:
        with transaction() as session:

            def effect() -> tuple[dict[str, Any], int]:
                with work.lock:
                    work.calls += 1
                made = new_id()
                session.execute(
                    text("INSERT INTO aliases (old_id, member_id) VALUES (:id, gen_random_uuid())"), {"id": made}
                )
                work.before_commit()
                return {"made": made, "place": str(place)}, 201

            repeat = 200 if request.path.startswith("/others") else None
            return once(session, effect, repeat_status=repeat)

    app, anna = web.create_app("points", [api], (), keys=keys), new_id()

    def send(key: str | None, body: bytes = b"{}", by: Any = anna, path: str = "/things/a/", **headers: str) -> Any:
        if key is not None:
            headers["Idempotency-Key"] = key
        return app.test_client().post(path, data=body, headers=headers | keys.bearer(by))

    return send


def effects() -> int:
    with transaction() as session:
        return session.execute(text("SELECT count(*) FROM aliases")).scalar_one()


def test_a_repeated_call_gets_the_first_answer(call, work):
    first = call("k")
    for path in ("/things/a/", "/things/a"):
        again = call("k", path=path)
        assert (again.status_code, again.data) == (201, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.content_type == "application/json"
    assert "Idempotent-Replayed" not in first.headers
    assert (effects(), work.calls) == (1, 1)


def test_a_route_has_one_form_however_its_path_is_spelled(call, work):
    id_ = new_id()
    first = call("k", path=f"/people/{id_}/")
    for path in (f"/people/{id_}", f"/people/{str(id_).upper()}/", f"/people/{str(id_).upper()}"):
        again = call("k", path=path)
        assert (again.status_code, again.data) == (201, first.data)
    assert (effects(), work.calls) == (1, 1)


def test_a_route_may_answer_repetitions_with_another_status(call):
    first, again = call("k", path="/others/a/"), call("k", path="/others/a/")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.data == again.data


def test_another_body_is_refused(call):
    call("k", b'{"a": 1}')
    for body in (b'{"a": 2}', b"", b'{"a": 1} '):
        refused(call("k", body), 422, "idempotency-key-reused")
    assert effects() == 1


def test_keys_of_other_callers_and_routes_are_other_keys(call):
    made = [call("k"), call("k", by=new_id()), call("k", path="/things/b/"), call("k", path="/others/a/"), call("K")]
    assert len({answer.json["made"] for answer in made}) == 5
    assert effects() == 5


def test_without_a_key_every_call_counts(call, row_count):
    call(None)
    call(None)
    assert (effects(), row_count("idempotency_keys")) == (2, 0)


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ".encode().decode("latin-1"), "tab\there", "\x7f", "ÿ"])
def test_what_is_no_key_is_unreadable(key, call):
    refused(call(key), 400, "unreadable")
    assert effects() == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, "01a216ee-e609-71bf-9d74-ab45223c6cb6", "a b", "' OR 1=1 --", "%00"])
def test_any_printable_text_is_a_key(key, call):
    assert [call(key).status_code for _ in range(2)] == [201, 201]
    assert effects() == 1


def test_a_hundred_at_once_have_one_effect(call, work):
    """Fails without the primary key on scope and key, by which the later calls wait for the first."""
    with ThreadPoolExecutor(14) as pool:
        answers = list(pool.map(lambda _: call("k"), range(100)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" in answer.headers for answer in answers) == 99
    assert (effects(), work.calls) == (1, 1)


def test_a_second_call_waits_for_the_first_and_gets_its_answer(call, work):
    work.before_commit = until_it_waits
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: call("k"), range(2))
    assert first.data == second.data
    assert work.calls == 1


def test_a_second_call_with_another_body_waits_and_is_refused(call, work):
    work.before_commit = until_it_waits
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda body: call("k", body), (b"1", b"2")))
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    assert effects() == 1


def test_when_the_first_is_refused_the_second_does_the_work(call, work):
    def refuse_the_first() -> None:
        work.before_commit = lambda: None
        until_it_waits()
        raise Full("No room.")

    work.before_commit = refuse_the_first
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: call("k"), range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert (effects(), work.calls) == (1, 2)


def test_a_fault_leaves_the_key_free(call, work):
    def fail() -> None:
        raise RuntimeError

    work.before_commit = fail
    refused(call("k"), 500)
    work.before_commit = lambda: None
    assert call("k").status_code == 201
    assert effects() == 1
