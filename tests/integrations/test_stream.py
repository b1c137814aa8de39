"""The live stream: what concerns the signed-in member as it happens, and for admins what waits in the queue."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fleet import auth_state, stopping
from fleet.contracts.points import SubmissionReceived
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.integrations import stream_api
from tests.integrations.conftest import hear, logged


@pytest.fixture
def listen(client, keys, monkeypatch) -> Iterator[Callable[..., Any]]:
    """`listen(member_id, role, after)` gives the answer and an iterator of (id, type, event); everything ends with the test."""
    answers = []
    monkeypatch.setattr(stream_api, "LOOK_EVERY_S", 0.05)

    def start(member_id, role="student", after=None, **claims):
        headers = keys.bearer(member_id, role, **claims) | ({} if after is None else {"Last-Event-ID": str(after)})
        answer = client.get("/api/stream/", headers=headers, buffered=False)
        answers.append(answer)
        return answer, events(answer.response)

    yield start
    for answer in answers:
        answer.close()


def events(chunks) -> Iterator[tuple[int, str, dict[str, Any]]]:
    for chunk in chunks:
        fields = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line[:1] not in ("", ":"))
        if "data" in fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def submitted(member_id=None):
    member_id = member_id or new_id()
    claim = SubmissionReceived(new_id(), member_id, "resource_share", "content", 10, 1, now())
    return envelope_for(claim, source="points", subject=str(claim.submission_id), sequence=1)


def test_a_member_sees_what_concerns_them_and_nothing_else(listen):
    me = new_id()
    hear(logged(me))
    answer, told = listen(me)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    mine = logged(me, 2)
    hear(logged(), submitted(), mine)
    position, type_, event = next(told)
    assert (position, type_, event["id"]) == (4, "points.activity_logged.v1", str(mine.id))
    assert event["position"] == 4


def test_an_admin_sees_the_queue_of_everybody(listen):
    _answer, told = listen(new_id(), "admin")
    waits = submitted()
    hear(logged(), waits)
    assert next(told)[2]["id"] == str(waits.id)


def test_it_goes_on_after_the_last_event_that_was_seen(listen):
    me = new_id()
    seen, missed, also = logged(me, 1), logged(me, 2), logged(me, 3)
    hear(seen, missed, logged(), also)
    _answer, told = listen(me, after=1)
    assert [next(told)[2]["id"] for _ in range(2)] == [str(missed.id), str(also.id)]


def test_it_says_something_now_and_then(listen, monkeypatch):
    monkeypatch.setattr(stream_api, "SAY_SOMETHING_EVERY_S", 0.1)
    answer, _told = listen(new_id())
    chunks = iter(answer.response)
    assert next(chunks).startswith(b"retry: 2000\n")
    assert next(chunks) == b": still here\n\n"


def test_it_ends_with_the_token(listen):
    me = new_id()
    _answer, told = listen(me)
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(me, 2, "student", "active"))
    assert list(told) == []


def test_it_ends_when_the_process_is_told_to_stop(listen, monkeypatch):
    asked = threading.Event()
    monkeypatch.setattr(stopping, "_asked", asked.is_set)
    _answer, told = listen(new_id())
    timer = threading.Timer(0.2, asked.set)
    timer.start()
    assert list(told) == []
    timer.join()


@pytest.mark.parametrize("after", ["-1", "one", "1.5", "9" * 30, "12"])
def test_a_wrong_last_event_id_is_refused_before_anything_is_said(listen, after):
    hear(logged())
    answer, _told = listen(new_id(), after=after)
    assert answer.status_code == 422


def test_who_was_away_too_long_is_told(listen):
    hear(*(logged() for _ in range(3)))
    with transaction() as session:
        session.execute(text("DELETE FROM feed_events WHERE position < 3"))
    answer, _told = listen(new_id(), after=0)
    assert answer.status_code == 410


def test_listeners_are_bounded_and_leave_their_place(listen, monkeypatch):
    monkeypatch.setenv("INTEGRATIONS_LISTENERS", "1")
    from fleet import settings

    settings.read.cache_clear()
    first, _told = listen(new_id())
    assert listen(new_id())[0].status_code == 503
    first.close()
    assert listen(new_id())[0].status_code == 200


def test_a_suspended_member_goes_on_reading(listen):
    me = new_id()
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(me, 1, "student", "suspended", now() + timedelta(days=1)))
    assert listen(me)[0].status_code == 200
