"""Sessions: booked, moved, cancelled, held, missed; nobody is in two places, and every rule of booking holds."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import InvalidFields, NotFound, Problem
from services.reviews import booking, professionals, requests, sessions, turns
from services.reviews.models import ReviewRequest
from services.reviews.session_models import BookedSlot, Meeting
from services.reviews.turns import Actor
from tests.reviews.conftest import STAFF


def schedule(
    request_id: UUID, professional_id: UUID, at: datetime, minutes: int | None = None, actor: Actor = STAFF
) -> UUID:
    with transaction() as session:
        return sessions.schedule(session, request_id, professional_id, at, minutes, actor).id


def status_of(request_id: UUID) -> str:
    with transaction() as session:
        return session.scalars(select(ReviewRequest.status).where(ReviewRequest.id == request_id)).one()


def begun(session_id: UUID) -> None:
    """Let the session have begun an hour ago."""
    with transaction() as session:
        past = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        session.execute(update(Meeting).where(Meeting.id == session_id).values(starts_at=past))


def messages(row_count: Callable[..., int], kind: str) -> int:
    return row_count("outbox", "routing_key = :kind", kind=f"reviews.{kind}.v1")


def test_booking_makes_a_session_events_and_two_invitations(asked, professional, soon, row_count) -> None:
    request_id = asked()
    schedule(request_id, professional(), soon())
    assert status_of(request_id) == "scheduled"
    assert messages(row_count, "session_scheduled") == 1
    assert row_count("mail_queue") == row_count("invitations") == 2
    assert row_count("calendar_entries", "done_version < wanted_version") == 1
    # 30 minutes of the student, 30 and 10 of the professional.
    assert row_count("booked_slots") == 6 + 8


def test_a_second_session_of_the_same_request_is_refused(asked, professional, soon) -> None:
    request_id, reviewer = asked(), professional()
    schedule(request_id, reviewer, soon())
    with pytest.raises(turns.WrongState):
        schedule(request_id, reviewer, soon(3))


@pytest.mark.parametrize("minutes", (0, 10, 25, 30, 35))
def test_a_professional_has_ten_minutes_between_sessions(asked, professional, soon, minutes: int) -> None:
    reviewer, start = professional(), soon()
    schedule(asked(), reviewer, start)
    with pytest.raises(booking.SlotTaken):
        schedule(asked(), reviewer, start + timedelta(minutes=minutes))
    with pytest.raises(booking.SlotTaken):
        schedule(asked(), reviewer, start - timedelta(minutes=minutes))


def test_right_after_the_pause_is_free_and_the_pause_needs_no_window(asked, professional, soon) -> None:
    start = soon()
    minute = start.hour * 60 + start.minute
    reviewer = professional(weekly=[(day, minute, minute + 70) for day in range(7)], zone="UTC")
    schedule(asked(), reviewer, start)
    schedule(asked(), reviewer, start + timedelta(minutes=40))


def test_a_student_is_in_one_place_and_needs_no_pause(asked, professional, student, soon, row_count) -> None:
    """Two sessions of one student can only be of two requests; the second is opened after the first is over."""
    ada, start = student(), soon()
    first = schedule(asked(ada), professional(), start)
    begun(first)
    with transaction() as session:
        sessions.complete(session, first, STAFF)
    second = asked(ada)
    with pytest.raises(booking.SlotTaken):
        schedule(second, professional(), start)
    schedule(second, professional(), start + timedelta(minutes=30))


def test_the_database_refuses_two_bookings_of_one_slot(asked, professional, soon) -> None:
    reviewer = professional()
    meeting = schedule(asked(), reviewer, soon())
    with pytest.raises(IntegrityError), transaction() as session:
        session.add(BookedSlot(party_id=reviewer, slot=soon(), session_id=meeting))


def test_the_database_refuses_a_slot_off_the_five_minutes_and_a_second_scheduled_session(
    asked, professional, soon
) -> None:
    reviewer, request_id = professional(), asked()
    meeting = schedule(request_id, reviewer, soon())
    with pytest.raises(IntegrityError, match="ck_booked_slots_slot"), transaction() as session:
        session.add(BookedSlot(party_id=reviewer, slot=soon(5, 3, 2), session_id=meeting))
    with pytest.raises(IntegrityError, match="uq_sessions_review_request_id"), transaction() as session:
        twin = {"id": new_id(), "review_request_id": request_id, "student_id": new_id(), "professional_id": reviewer}
        session.add(Meeting(**twin, starts_at=soon(4), duration_minutes=30))


@pytest.mark.parametrize(
    ("when", "constraint"),
    ((timedelta(hours=11), "notice"), (timedelta(days=-1), "notice"), (timedelta(days=31), "horizon")),
)
def test_notice_and_horizon_are_kept(asked, professional, when: timedelta, constraint: str) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with pytest.raises(booking.NotBookable) as refused:
        schedule(asked(), professional(), now + when)
    assert refused.value.extras["constraint"] == constraint


def test_sessions_begin_on_multiples_of_five_minutes(asked, professional, soon) -> None:
    for moment in (soon(2, 14, 2), soon() + timedelta(seconds=1)):
        with pytest.raises(InvalidFields):
            schedule(asked(), professional(), moment)
    with pytest.raises(InvalidFields):
        schedule(asked(), professional(), soon(), 32)


def test_no_session_outside_of_the_windows_of_the_professional(asked, professional, soon) -> None:
    reviewer = professional(weekly=[(day, 600, 660) for day in range(7)], zone="UTC")
    schedule(asked(), reviewer, soon(2, 10, 30))
    for hour, minute in ((9, 55), (10, 35), (14, 0)):
        with pytest.raises(booking.NotBookable) as refused:
            schedule(asked(), reviewer, soon(3, hour, minute))
        assert refused.value.extras["constraint"] == "professional_availability"


def test_a_dated_override_replaces_the_weekday(asked, professional, soon) -> None:
    day = soon(4).date()
    reviewer = professional(weekly=[(one, 600, 660) for one in range(7)], dated=[(day, 900, 960)], zone="UTC")
    with pytest.raises(booking.NotBookable):
        schedule(asked(), reviewer, soon(4, 10, 0))
    schedule(asked(), reviewer, soon(4, 15, 0))
    away = professional(dated=[(day, 0, 0)], zone="UTC")
    with pytest.raises(booking.NotBookable):
        schedule(asked(), away, soon(4, 10, 0))


def test_no_session_outside_of_the_students_times(asked, professional, soon) -> None:
    request_id = asked(preferred_times="daily 14:00-15:00", time_zone="UTC")
    with pytest.raises(booking.NotBookable) as refused:
        schedule(request_id, professional(), soon(2, 14, 45))
    assert refused.value.extras["constraint"] == "student_availability"
    schedule(request_id, professional(), soon(2, 14, 30))


def test_the_weekly_maximum_is_kept_and_a_move_within_the_week_is_no_further_one(asked, professional, soon) -> None:
    reviewer = professional(max_reviews_per_week=2, zone="UTC")
    monday = soon(9)
    monday -= timedelta(days=monday.weekday())
    monday += timedelta(days=0 if monday > datetime.now(UTC) + timedelta(days=1) else 7)
    first = schedule(asked(), reviewer, monday)
    schedule(asked(), reviewer, monday + timedelta(days=6))
    with pytest.raises(booking.NotBookable) as refused:
        schedule(asked(), reviewer, monday + timedelta(days=3))
    assert refused.value.extras["constraint"] == "weekly_maximum"
    schedule(asked(), reviewer, monday + timedelta(days=7))
    with transaction() as session:
        sessions.reschedule(session, first, monday + timedelta(days=3), STAFF)
    with pytest.raises(booking.NotBookable), transaction() as session:
        third = schedule(asked(), reviewer, monday + timedelta(days=8))
        sessions.reschedule(session, third, monday + timedelta(days=4), STAFF)


def test_moving_keeps_the_history_frees_the_old_time_and_raises_the_sequence(
    asked, professional, soon, row_count
) -> None:
    reviewer = professional()
    meeting = schedule(asked(), reviewer, soon())
    with transaction() as session:
        moved = sessions.reschedule(session, meeting, soon(3), STAFF, "flight")
        assert (moved.starts_at, moved.sequence) == (soon(3), 1)
        lines = turns.history(session, meeting)
        assert [(line.was, line.becomes, line.starts_at, line.actor, line.note) for line in lines] == [
            (None, "scheduled", soon(), "admin", None),
            ("scheduled", "scheduled", soon(), "admin", "flight"),
        ]
    schedule(asked(), reviewer, soon())
    assert messages(row_count, "session_rescheduled") == 1
    with transaction() as session:
        assert sessions.reschedule(session, meeting, soon(3), STAFF).sequence == 1, "to where it is: nothing changes"


def test_a_session_may_move_by_less_than_its_own_length(asked, professional, soon) -> None:
    meeting = schedule(asked(), professional(), soon())
    with transaction() as session:
        sessions.reschedule(session, meeting, soon(2, 14, 10), STAFF)


def test_d54_cancelling_frees_the_time_and_opens_the_request_again(asked, professional, soon, row_count) -> None:
    """Another product left a row behind that made a new session impossible."""
    request_id, reviewer = asked(), professional()
    meeting = schedule(request_id, reviewer, soon())
    for _ in range(2):
        with transaction() as session:
            assert sessions.cancel(session, meeting, STAFF).status == "cancelled"
    assert status_of(request_id) == "pending"
    assert row_count("booked_slots") == 0 and messages(row_count, "session_cancelled") == 1
    schedule(request_id, reviewer, soon())


def test_cancelling_a_scheduled_request_ends_its_session_too(asked, professional, student, soon, row_count) -> None:
    ada = student()
    request_id = asked(ada)
    schedule(request_id, professional(), soon())
    with transaction() as session:
        sessions.cancel_request(session, request_id, Actor("student", ada))
    assert status_of(request_id) == "cancelled" and row_count("booked_slots") == 0
    assert messages(row_count, "review_cancelled") == messages(row_count, "session_cancelled") == 1
    asked(ada)


def test_a_session_ends_only_after_it_began_and_only_once(asked, professional, soon, row_count) -> None:
    request_id = asked()
    meeting = schedule(request_id, professional(), soon())
    with pytest.raises(turns.WrongState), transaction() as session:
        sessions.complete(session, meeting, STAFF)
    begun(meeting)
    for _ in range(2):
        with transaction() as session:
            sessions.complete(session, meeting, STAFF)
    assert status_of(request_id) == "completed" and messages(row_count, "session_completed") == 1
    with pytest.raises(turns.WrongState), transaction() as session:
        sessions.no_show(session, meeting, STAFF)


def test_a_no_show_opens_the_request_again(asked, professional, soon) -> None:
    request_id = asked()
    meeting = schedule(request_id, professional(), soon())
    begun(meeting)
    with transaction() as session:
        sessions.no_show(session, meeting, STAFF)
    assert status_of(request_id) == "pending"


def test_a_session_of_others_is_not_there(asked, professional, student, soon) -> None:
    meeting = schedule(asked(), professional(), soon())
    for change in (sessions.cancel, lambda session, one, who: sessions.reschedule(session, one, soon(3), who)):
        with pytest.raises(NotFound), transaction() as session:
            change(session, meeting, Actor("student", student("Eve")))


def test_inactive_excluded_and_unfit_professionals_are_refused(asked, professional, soon) -> None:
    idle = professional(is_active=False)
    with pytest.raises(professionals.NotActive):
        schedule(asked(), idle, soon())
    with pytest.raises(requests.NoFit) as refused:
        schedule(asked(excluded_employers=["Acme Inc."]), professional(company="ACME"), soon())
    assert refused.value.extras["constraint"] == "employer"
    with pytest.raises(requests.NoFit):
        schedule(asked(experience_level="senior"), professional(experience_levels=["entry"]), soon())


def test_twenty_at_once_book_one_time_once(asked, professional, soon, row_count) -> None:
    """Whoever is first has it; the others are refused, whatever the interleaving."""
    reviewer, wanted = professional(), [asked() for _ in range(20)]
    start = soon()
    got: list[Any] = []
    ready = threading.Barrier(20)

    def book(number: int) -> None:
        ready.wait()
        try:
            got.append(schedule(wanted[number], reviewer, start + timedelta(minutes=5 * (number % 4))))
        except Problem as problem:
            got.append(problem)

    threads = [threading.Thread(target=book, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 20
    assert sum(isinstance(one, UUID) for one in got) == 1
    assert all(isinstance(one, UUID | booking.SlotTaken) for one in got)
    assert row_count("sessions") == 1 and row_count("booked_slots") == 14


def test_one_request_booked_by_many_at_once_has_one_session(asked, professional, soon, row_count) -> None:
    request_id, reviewers = asked(), [professional() for _ in range(8)]
    ready = threading.Barrier(8)
    done: list[str] = []

    def book(reviewer: UUID) -> None:
        ready.wait()
        try:
            schedule(request_id, reviewer, soon())
            done.append("booked")
        except turns.WrongState:
            done.append("refused")

    threads = [threading.Thread(target=book, args=(reviewer,)) for reviewer in reviewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["booked", *["refused"] * 7]
    assert row_count("sessions") == 1


def test_the_week_of_a_professional_is_not_overrun_by_many_at_once(asked, professional, soon, row_count) -> None:
    reviewer = professional(max_reviews_per_week=2, zone="UTC")
    monday = soon(9) - timedelta(days=soon(9).weekday())
    wanted = [asked() for _ in range(8)]
    ready = threading.Barrier(8)

    def book(number: int) -> None:
        ready.wait()
        try:
            schedule(wanted[number], reviewer, monday + timedelta(hours=number))
        except booking.NotBookable:
            return

    threads = [threading.Thread(target=book, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert row_count("sessions") == 2


def test_the_history_cannot_be_rewritten_by_the_service(asked, professional, soon, row_count) -> None:
    schedule(asked(), professional(), soon())
    lines = row_count("turns")
    assert lines == 3
    with pytest.raises(Exception, match="permission denied"), transaction() as session:
        session.execute(text("UPDATE turns SET actor = 'nobody'"))
