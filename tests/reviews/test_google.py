"""Google Calendar and Forms by the real client library against a local server."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from fleet.database import transaction
from fleet.settings import read
from services.reviews import google_calendar, google_forms, sessions
from services.reviews.session_models import CalendarEntry, Meeting
from tests.reviews.conftest import STAFF
from tests.reviews.google import Google


@pytest.fixture
def google(reviews: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    server = Google()
    monkeypatch.setenv("REVIEWS_GOOGLE_CREDENTIALS", str(server.key(tmp_path)))
    monkeypatch.setenv("REVIEWS_GOOGLE_ENDPOINT", server.url)
    read.cache_clear()
    yield server
    server.shutdown()
    server.server_close()


def work() -> None:
    """All entries that are due, also those that wait for another try."""
    calendar = google_calendar.Calendar(threading.Event())
    for _ in range(10):
        with transaction() as session:
            session.execute(update(CalendarEntry).values(due_at=datetime(2026, 1, 1, tzinfo=UTC)))
        if not calendar.put_next():
            return
    raise AssertionError("it never ends")


@pytest.fixture
def meeting(asked: Callable[..., UUID], professional: Callable[..., UUID], soon: Any) -> UUID:
    with transaction() as session:
        return sessions.schedule(session, asked(), professional(), soon(), None, STAFF).id


def test_an_event_is_made_moved_and_deleted_with_its_session(google: Google, meeting: UUID, soon: Any) -> None:
    work()
    (event,) = google.events.values()
    assert datetime.fromisoformat(event["start"]["dateTime"]) == soon()
    with transaction() as session:
        assert session.get_one(Meeting, meeting).meeting_link == event["hangoutLink"]
        sessions.reschedule(session, meeting, soon(3), STAFF)
    work()
    (moved,) = google.events.values()
    assert (
        datetime.fromisoformat(moved["start"]["dateTime"]) == soon(3) and moved["hangoutLink"] == event["hangoutLink"]
    )
    with transaction() as session:
        sessions.cancel(session, meeting, STAFF)
    work()
    assert google.events == {}


def test_google_being_down_delays_the_event_and_never_the_booking(
    google: Google, meeting: UUID, row_count: Any
) -> None:
    google.broken = 1
    calendar = google_calendar.Calendar(threading.Event())
    assert calendar.put_next() and not calendar.put_next(), "a pause comes first"
    assert row_count("calendar_entries", "failure LIKE 'HttpError%' AND done_version = 0") == 1
    assert row_count("sessions", "status = 'scheduled'") == 1
    work()
    assert len(google.events) == 1 and row_count("calendar_entries", "failure IS NULL AND done_version = 1") == 1


def test_an_event_that_was_made_before_a_crash_is_not_made_twice(google: Google, meeting: UUID) -> None:
    work()
    with transaction() as session:
        session.execute(update(CalendarEntry).values(done_version=0))
    work()
    assert len(google.events) == 1


def test_cancelled_before_it_was_made_there_is_no_event(google: Google, meeting: UUID) -> None:
    with transaction() as session:
        sessions.cancel(session, meeting, STAFF)
    work()
    assert google.events == {}


def response(number: int, email: str, moment: str) -> dict[str, Any]:
    answers = {"q1": "Technology", "q2": "Monday 2-3 PM, Wednesday 10-11 AM"}
    return {
        "responseId": f"r{number}",
        "respondentEmail": email,
        "lastSubmittedTime": moment,
        "answers": {key: {"textAnswers": {"answers": [{"value": value}]}} for key, value in answers.items()},
    }


def test_a_form_is_polled_in_pages_with_a_cursor_and_each_response_is_applied_once(
    google: Google, student: Any, row_count: Any
) -> None:
    titles = {"q1": "Target Industry", "q2": "Preferred Times"}
    google.form = {
        "items": [{"title": title, "questionItem": {"question": {"questionId": key}}} for key, title in titles.items()]
    }
    for number in range(3):
        student(email=f"s{number}@school.test")
        google.responses.append(response(number, f"s{number}@school.test", f"2026-11-0{number + 1}T10:00:00Z"))
    google.responses.append(response(9, "nobody@school.test", "2026-11-04T10:00:00Z"))
    service = google_forms.connect(read(google_calendar.GoogleSettings))
    assert google_forms.poll(service, "form", "student") == 4
    assert google_forms.poll(service, "form", "student") == 0
    assert google.filters[-1] == "timestamp >= 2026-11-04T09:55:00Z"
    assert row_count("review_requests", "target_industry = 'Technology' AND unparsed = '{}'") == 3
    assert row_count("form_responses", "refusal IS NOT NULL") == 1
