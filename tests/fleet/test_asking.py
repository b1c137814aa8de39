"""Asking another service: the answer, the refusal, and nobody at home. The relay and the consumer are played by a thread."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet import asking, topology
from fleet.contracts import points
from fleet.contracts.codec import SchemaError
from fleet.contracts.users import RegisterMember
from fleet.database import transaction
from fleet.messages import Envelope, decode, encode, envelope_for, new_id, now, to_json
from fleet.outbox import reply_envelope
from fleet.problems import Problem, Unavailable

STANDING = points.Standing(available=5, reserved=1, redeemed=2, lifetime=8, rank=3)
QUESTION = points.GetStanding(UUID(int=7))


@pytest.fixture(autouse=True)
def rewards(on) -> None:
    on("points")


@pytest.fixture
def pool() -> Any:
    with ThreadPoolExecutor(12) as made:
        yield made


def asked() -> Envelope[Any]:
    """The message that waits in the outbox, as soon as it is committed; it is taken out, as the relay does."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with transaction() as session:
            body = session.execute(
                text("DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox) RETURNING body")
            ).scalar()
        if body is not None:
            return decode(bytes(body))
        time.sleep(0.005)
    raise AssertionError("nothing was asked")


def reply(question: Envelope[Any], result: Any = None, problem: dict[str, Any] | None = None) -> None:
    sent = reply_envelope("points", question, result=result, problem=problem)
    with transaction() as session:
        asking.keep_reply(session, decode(encode(sent)))


@pytest.fixture
def ask(pool) -> Callable[..., Future[Any]]:
    return lambda message=QUESTION, wait_s=10.0: pool.submit(asking.ask, message, source="rewards", wait_s=wait_s)


def test_the_answer_is_typed(ask, row_count):
    future = ask()
    question = asked()
    assert (question.type, question.reply_to, question.data) == ("points.get_standing.v1", "rewards", QUESTION)
    reply(question, STANDING)
    assert future.result(10) == STANDING
    assert row_count("answers") == 0


def test_a_question_is_published_to_be_heard_soon_or_never(ask):
    with pytest.raises(Unavailable):
        asking.ask(QUESTION, source="rewards", wait_s=0.0)
    with transaction() as session:
        row = session.execute(text("SELECT exchange, routing_key, mandatory, ttl_ms FROM outbox")).one()
    assert tuple(row) == (topology.QUESTIONS, "points.get_standing.v1", True, topology.QUESTION_TTL_MS)


def test_a_command_without_an_answer_gives_none(ask):
    future = ask(RegisterMember(new_id(), "7", "ada", "Ada", now()))
    reply(asked())
    assert future.result(10) is None


def test_a_refusal_comes_in_the_owners_words(ask):
    future = ask()
    problem = Problem("No such member.", hint="x").to_dict() | {"status": 404, "title": "Not found"}
    problem["type"] = "https://propel.example/problems/not-found"
    reply(asked(), problem=problem)
    with pytest.raises(asking.Refused) as found:
        future.result(10)
    assert (found.value.status, found.value.slug, found.value.title) == (404, "not-found", "Not found")
    assert (found.value.detail, found.value.extras) == ("No such member.", {"hint": "x"})
    assert found.value.to_dict() == problem


def test_a_refusal_that_says_little_is_one_all_the_same():
    found = asking.Refused({})
    assert (found.status, found.slug, found.title) == (500, "refused", "Refused")
    assert found.detail


def test_an_answer_of_another_shape_is_no_answer(ask):
    future = ask()
    reply(asked(), {"available": "many"})
    with pytest.raises(SchemaError):
        future.result(10)


def test_nobody_at_home_is_503_in_time(row_count):
    started = time.monotonic()
    with pytest.raises(Unavailable, match="points did not answer in time") as found:
        asking.ask(QUESTION, source="rewards", wait_s=0.2)
    assert 0.2 <= time.monotonic() - started < 2
    assert (found.value.status, found.value.headers) == (503, {"Retry-After": "1"})
    # What was asked stays asked: the transaction is over.
    assert row_count("outbox") == 1


def test_a_late_answer_is_for_nobody_else(ask):
    with pytest.raises(Unavailable):
        asking.ask(QUESTION, source="rewards", wait_s=0.0)
    late = asked()
    future = ask()
    question = asked()
    assert question.id != late.id
    reply(late, points.Standing(0, 0, 0, 0, None))
    reply(question, STANDING)
    assert future.result(10) == STANDING


def test_an_answer_that_comes_twice_is_kept_once(row_count):
    question = envelope_for(QUESTION, source="rewards", reply_to="rewards")
    reply(question, STANDING)
    reply(question, points.Standing(0, 0, 0, 0, None))
    assert row_count("answers") == 1
    with transaction() as session:
        found = asking.look(session, [question.id, new_id()])
    assert {id_: answer.result for id_, answer in found.items()} == {question.id: to_json(STANDING)}


def test_eight_may_wait_and_the_ninth_is_told_so_at_once(ask, row_count):
    waiting = [ask() for _ in range(8)]
    questions = [asked() for _ in range(8)]
    with pytest.raises(Unavailable, match="Too many requests wait"):
        asking.ask(QUESTION, source="rewards", wait_s=10.0)
    assert row_count("outbox") == 0
    reply(questions.pop(), STANDING)
    done = threading.Event()
    for future in waiting:
        future.add_done_callback(lambda _: done.set())
    assert done.wait(10)
    # A place is free again.
    ninth = ask()
    questions.append(asked())
    for question in questions:
        reply(question, STANDING)
    assert [future.result(10) for future in (*waiting, ninth)] == [STANDING] * 9


def test_a_failed_wait_gives_its_place_back():
    for _ in range(20):
        with pytest.raises(Unavailable, match="did not answer in time"):
            asking.ask(QUESTION, source="rewards", wait_s=0.0)
