"""Sessions: booked, moved, cancelled, held or missed. Each change is one guarded update with its line of history.

Locks are taken in one order: the request, the professional, the session. Mail, calendar and events are recorded in the
same transaction and happen after it: nobody else's server is waited for here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import literal, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import outbox, paging
from fleet.contracts import reviews as said
from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.problems import NotFound
from services.reviews import booking, calendar_entries, letters, members, professionals, requests
from services.reviews.models import Professional, ReviewRequest
from services.reviews.session_models import Meeting
from services.reviews.turns import Actor, WrongState, locked_session, turn, write_down

SOURCE = "reviews"


def schedule(
    session: Session, request_id: UUID, professional_id: UUID, starts_at: datetime, duration: int | None, actor: Actor
) -> Meeting:
    """Book a session for an open request. Raises NotFound, InvalidFields, WrongState, NotActive, NoFit, NotBookable,
    SlotTaken."""
    viewer = None if actor.sees_all else actor.member_id
    request = requests.held(session, request_id, viewer)
    reviewer = professionals.locked(session, professional_id)
    requests.require_open(request, "pending", "matched")
    professionals.require_active(reviewer)
    requests.require_fit(request, reviewer)
    minutes = duration or request.duration_minutes
    booking.check_time(starts_at, minutes)
    booking.check_availability(session, request, reviewer, starts_at, minutes)
    booking.check_week(session, reviewer, starts_at)
    meeting = Meeting(
        id=new_id(),
        review_request_id=request.id,
        student_id=request.student_id,
        professional_id=reviewer.id,
        starts_at=starts_at,
        duration_minutes=minutes,
        status="scheduled",
        sequence=0,
        version=1,
        created_at=now(),
    )
    try:
        with session.begin_nested():
            session.add(meeting)
            session.flush()
    except IntegrityError as error:
        raise WrongState("The request has a session already.", present_status="scheduled") from error
    booking.take(session, meeting)
    matched = request.professional_id == reviewer.id and request.matched_at is not None
    turn(
        session,
        request,
        "scheduled",
        actor,
        expected=("pending", "matched"),
        professional_id=reviewer.id,
        matched_at=request.matched_at if matched else now(),
    )
    reviewer.unanswered = 0
    write_down(session, meeting, None, actor, starts_at=starts_at)
    words = said.SessionScheduled(**_facts(meeting), duration_minutes=minutes)
    outbox.record(session, words, source=SOURCE, subject=meeting.id, sequence=meeting.version)
    _tell(session, meeting, request, reviewer, "scheduled")
    return meeting


def reschedule(
    session: Session, session_id: UUID, starts_at: datetime, actor: Actor, note: str | None = None
) -> Meeting:
    """Move a scheduled session; its history keeps where it was. To where it is already: nothing changes.

    Raises as `schedule`.
    """
    request, reviewer, meeting = _locked(session, session_id, actor)
    if meeting.status != "scheduled":
        raise WrongState(f"The session is {meeting.status}.", present_status=meeting.status)
    previous = meeting.starts_at
    if starts_at == previous:
        return meeting
    booking.check_time(starts_at, meeting.duration_minutes)
    booking.check_availability(session, request, reviewer, starts_at, meeting.duration_minutes)
    booking.check_week(session, reviewer, starts_at, but=meeting.id)
    booking.free(session, meeting)
    turn(
        session,
        meeting,
        "scheduled",
        actor,
        expected=("scheduled",),
        note=note,
        was_at=previous,
        starts_at=starts_at,
        sequence=meeting.sequence + 1,
    )
    booking.take(session, meeting)
    words = said.SessionRescheduled(
        **_facts(meeting), previous_time=previous, duration_minutes=meeting.duration_minutes
    )
    outbox.record(session, words, source=SOURCE, subject=meeting.id, sequence=meeting.version)
    _tell(session, meeting, request, reviewer, "rescheduled")
    return meeting


def cancel(
    session: Session, session_id: UUID, actor: Actor, note: str | None = None, *, reopen: bool = True
) -> Meeting:
    """Cancel a scheduled session: its time is free, its request open again. Repeating it changes nothing.

    Raises NotFound, WrongState.
    """
    request, reviewer, meeting = _locked(session, session_id, actor)
    if meeting.status == "cancelled":
        return meeting
    ended = now()
    turn(
        session,
        meeting,
        "cancelled",
        actor,
        expected=("scheduled",),
        note=note,
        sequence=meeting.sequence + 1,
        ended_at=ended,
    )
    booking.free(session, meeting)
    turn(session, request, "pending", actor, expected=("scheduled",), note=note, professional_id=None, matched_at=None)
    words = said.SessionCancelled(**_facts(meeting), cancelled_at=ended)
    outbox.record(session, words, source=SOURCE, subject=meeting.id, sequence=meeting.version)
    _tell(session, meeting, request, reviewer, "cancelled")
    if not reopen:
        requests.cancel(session, request.id, None, actor, note)
    return meeting


def cancel_request(session: Session, request_id: UUID, actor: Actor, note: str | None = None) -> ReviewRequest:
    """End a request in any open state, with its session when it has one. Raises NotFound, WrongState."""
    viewer = None if actor.sees_all else actor.member_id
    request = requests.held(session, request_id, viewer)
    if request.status != "scheduled":
        return requests.cancel(session, request_id, viewer, actor, note)
    meeting = of_request(session, request_id)
    if meeting is not None:
        cancel(session, meeting.id, actor, note, reopen=False)
    return request


def complete(session: Session, session_id: UUID, actor: Actor, note: str | None = None) -> Meeting:
    """The session took place; so the request is completed. Not before it began. Repeating it changes nothing."""
    return _end(session, session_id, "completed", actor, note)


def no_show(session: Session, session_id: UUID, actor: Actor, note: str | None = None) -> Meeting:
    """Somebody did not come: the request is open again. Not before the session began. Repeating it changes nothing."""
    return _end(session, session_id, "no_show", actor, note)


def _end(session: Session, session_id: UUID, becomes: str, actor: Actor, note: str | None) -> Meeting:
    request, reviewer, meeting = _locked(session, session_id, actor)
    if meeting.status == becomes:
        return meeting
    if meeting.status == "scheduled" and meeting.starts_at > now():
        raise WrongState("The session has not begun yet.", present_status=meeting.status)
    ended = now()
    turn(session, meeting, becomes, actor, expected=("scheduled",), note=note, ended_at=ended)
    if becomes == "completed":
        turn(session, request, "completed", actor, expected=("scheduled",), completed_at=ended)
        tell_completed(session, meeting)
        letters.ask_for_feedback(session, meeting, request, reviewer)
    else:
        turn(session, request, "pending", actor, expected=("scheduled",), professional_id=None, matched_at=None)
        missed = said.SessionNoShow(**_facts(meeting))
        outbox.record(session, missed, source=SOURCE, subject=meeting.id, sequence=meeting.version)
    return meeting


def tell_completed(session: Session, meeting: Meeting) -> None:
    """Tell that a session took place; it is locked."""
    assert meeting.ended_at is not None
    words = said.SessionCompleted(
        **_facts(meeting), duration_minutes=meeting.duration_minutes, completed_at=meeting.ended_at
    )
    outbox.record(session, words, source=SOURCE, subject=meeting.id, sequence=meeting.version)


def _locked(session: Session, session_id: UUID, actor: Actor) -> tuple[ReviewRequest, Professional, Meeting]:
    """Request, professional and session, locked in this order. Raises NotFound for one that is not the actor's."""
    viewer = actor.member_id if actor.kind == "student" else None
    known = get(session, session_id, viewer)
    request = requests.held(session, known.review_request_id, viewer)
    reviewer = professionals.locked(session, known.professional_id)
    meeting = locked_session(session, session_id)
    if meeting is None:
        raise NotFound("There is no such session of yours.")
    return request, reviewer, meeting


def get(session: Session, session_id: UUID, viewer: UUID | None) -> Meeting:
    """One session; NotFound when there is none, or it is not the viewer's (None: staff, who see all)."""
    row = session.get(Meeting, session_id)
    if row is None or (viewer is not None and row.student_id != members.resolve(session, viewer)):
        raise NotFound("There is no such session of yours.")
    return row


def of_request(session: Session, request_id: UUID) -> Meeting | None:
    """The newest session of a request."""
    mine = select(Meeting).where(Meeting.review_request_id == request_id)
    return session.scalars(mine.order_by(Meeting.created_at.desc(), Meeting.id.desc()).limit(1)).first()


@dataclass(frozen=True)
class Filters:
    """Which sessions a list holds."""

    student_id: UUID | None = None
    professional_id: UUID | None = None
    status: str | None = None


def listing(session: Session, filters: Filters, limit: int, cursor: str | None) -> tuple[list[Meeting], str | None]:
    """A page of sessions, the latest first, and the cursor of the next. Raises InvalidFields for a foreign cursor."""
    statement = select(Meeting)
    if filters.student_id is not None:
        statement = statement.where(Meeting.student_id == members.resolve(session, filters.student_id))
    if filters.professional_id is not None:
        statement = statement.where(Meeting.professional_id == filters.professional_id)
    if filters.status is not None:
        statement = statement.where(Meeting.status == filters.status)
    if key := paging.decode_cursor(cursor, instant, UUID):
        statement = statement.where(tuple_(Meeting.starts_at, Meeting.id) < tuple_(literal(key[0]), literal(key[1])))
    ordered = statement.order_by(Meeting.starts_at.desc(), Meeting.id.desc()).limit(limit + 1)
    return paging.page(list(session.scalars(ordered)), limit, lambda row: (row.starts_at.isoformat(), row.id))


def ends_at(meeting: Meeting) -> datetime:
    """When a session is over."""
    return meeting.starts_at + timedelta(minutes=meeting.duration_minutes)


def _facts(meeting: Meeting) -> dict[str, Any]:
    return {
        "session_id": meeting.id,
        "review_request_id": meeting.review_request_id,
        "member_id": meeting.student_id,
        "professional_id": meeting.professional_id,
        "scheduled_time": meeting.starts_at,
    }


def _tell(session: Session, meeting: Meeting, request: ReviewRequest, reviewer: Professional, what: str) -> None:
    """Invite both by mail, and let the calendar follow."""
    letters.invite(session, meeting, request, reviewer, what)
    calendar_entries.want(session, meeting)
