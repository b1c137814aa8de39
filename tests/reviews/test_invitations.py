"""Invitations: read back with another library; create, move and cancel end with one right calendar, in any order."""

import email
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import vobject
from sqlalchemy import select

from fleet import mail
from fleet.database import transaction
from services.reviews import ics, letters, sessions
from services.reviews.ics import Invite, Party
from services.reviews.session_models import Invitation
from tests.reviews.conftest import STAFF

SESSION = UUID(int=7)


def invite(sequence: int = 0, cancelled: bool = False, at: datetime | None = None) -> str:
    start = at or datetime(2026, 12, 8, 19, 0, tzinfo=UTC)
    party = Party('Ada "the Countess" Lovelace\r\nATTENDEE:mailto:eve@evil.test', "ada@school.test")
    words = ("Resume review with Bo; really, at \\n last", "Line one\nline two; with, marks")
    return ics.write(
        Invite(
            SESSION, sequence, cancelled, start, 30, *words, Party("Propel", "no-reply@propel.test"), (party,), start
        )
    )[1]


class Calendar:
    """What a calendar program does with invitations: the highest SEQUENCE of a UID wins, CANCEL takes it out."""

    def __init__(self) -> None:
        self.events: dict[str, tuple[int, str, datetime]] = {}

    def take(self, text: str) -> None:
        found = vobject.readOne(text)
        event = found.vevent
        uid, sequence = event.uid.value, int(event.sequence.value)
        if uid not in self.events or sequence >= self.events[uid][0]:
            self.events[uid] = (sequence, found.method.value, event.dtstart.value)

    def shown(self) -> list[datetime]:
        return [start for _sequence, method, start in self.events.values() if method == "REQUEST"]


def test_an_invitation_says_what_it_should_to_another_reader() -> None:
    found = vobject.readOne(invite(sequence=2))
    event = found.vevent
    assert (found.method.value, found.version.value) == ("REQUEST", "2.0")
    assert (event.uid.value, event.sequence.value, event.status.value) == (
        f"{SESSION}@sessions.propel",
        "2",
        "CONFIRMED",
    )
    assert event.dtstart.value == datetime(2026, 12, 8, 19, 0, tzinfo=UTC)
    assert event.dtend.value - event.dtstart.value == timedelta(minutes=30)
    assert event.summary.value == "Resume review with Bo; really, at \\n last"
    assert event.description.value == "Line one\nline two; with, marks"
    assert event.organizer.value == "mailto:no-reply@propel.test"
    assert event.attendee.value == "mailto:ada@school.test" and event.attendee.params["RSVP"] == ["TRUE"]
    assert len(event.attendee_list) == 1, "a name cannot add an attendee"


def test_lines_are_folded_and_end_as_the_standard_says() -> None:
    text = invite()
    assert text.count("\r\n") == text.count("\n")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))


def test_a_cancellation_is_of_the_same_event() -> None:
    found = vobject.readOne(invite(3, cancelled=True))
    assert (found.method.value, found.vevent.status.value, found.vevent.sequence.value) == ("CANCEL", "CANCELLED", "3")
    assert found.vevent.uid.value == vobject.readOne(invite()).vevent.uid.value


@pytest.mark.parametrize("round_", range(20))
def test_delivered_twice_and_late_the_calendar_ends_right(round_: int, seed: int) -> None:
    moved = datetime(2026, 12, 9, 20, 0, tzinfo=UTC)
    texts = [invite(0), invite(1, at=moved), *([invite(2, cancelled=True, at=moved)] if round_ % 2 else [])]
    chance = random.Random(f"{seed}/{round_}")
    shuffled = texts + chance.sample(texts, chance.randint(0, len(texts)))
    chance.shuffle(shuffled)
    calendar = Calendar()
    for text in shuffled:
        calendar.take(text)
    assert calendar.shown() == ([] if round_ % 2 else [moved])


def test_a_booking_its_move_and_its_end_reach_both_calendars(
    asked: Callable[..., UUID], professional: Callable[..., UUID], student: Callable[..., UUID], soon: Any,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The mails as they are sent: text, HTML and the calendar part; those of each party make one right calendar."""
    ada = student(email="ada@school.test")
    reviewer = professional(email="bo@firm.test", name="Bo")
    with transaction() as session:
        meeting = sessions.schedule(session, asked(ada), reviewer, soon(), None, STAFF).id
    with transaction() as session:
        sessions.reschedule(session, meeting, soon(3), STAFF)
    monkeypatch.setenv("MAIL_SPOOL", str(tmp_path / "mail"))
    mail.read.cache_clear()
    sender = mail.Sender(__import__("threading").Event(), letters.calendar_of)
    while sender.send_one():
        pass
    calendars = {"ada@school.test": Calendar(), "bo@firm.test": Calendar()}
    for path in (tmp_path / "mail").glob("*.eml"):
        message = email.message_from_bytes(path.read_bytes(), policy=policy.default)
        parts = [part for part in message.walk() if part.get_content_type() == "text/calendar"]
        assert [part.get_param("method") for part in parts] == ["REQUEST"]
        assert {"text/plain", "text/html", "application/ics"} <= {part.get_content_type() for part in message.walk()}
        calendars[message["To"]].take(parts[0].get_content())
    assert [one.shown() for one in calendars.values()] == [[soon(3)], [soon(3)]]
    with transaction() as session:
        sessions.cancel(session, meeting, STAFF)
        ends = session.scalars(select(Invitation.calendar).where(Invitation.method == "CANCEL")).all()
    for text in ends:
        found = vobject.readOne(text).vevent
        assert int(found.sequence.value) == 2
        calendars[found.attendee.value.removeprefix("mailto:")].take(text)
    assert [one.shown() for one in calendars.values()] == [[], []]
