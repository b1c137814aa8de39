"""What a session should be in the Google Calendar: a row that says which version is wanted, worked off by the worker.

The row is written in the transaction that changes the session; the calendar being down delays it, and a row whose version
was overtaken is brought to the newest at once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.messages import now
from services.reviews.models import Professional
from services.reviews.session_models import CalendarEntry, Meeting

LEASE = timedelta(seconds=120)


@dataclass(frozen=True)
class Job:
    """A session whose entry is not as it should be."""

    session_id: UUID
    version: int
    status: str
    starts_at: datetime
    ends_at: datetime
    summary: str
    attempts: int


def want(session: Session, meeting: Meeting) -> None:
    """The session changed: its entry is to follow."""
    values = {"wanted_version": meeting.version, "due_at": now(), "attempts": 0}
    wanted = insert(CalendarEntry).values(session_id=meeting.id, **values)
    newer = CalendarEntry.wanted_version < meeting.version
    session.execute(wanted.on_conflict_do_update(index_elements=["session_id"], set_=values, where=newer))


def take_due(session: Session) -> Job | None:
    """The entry whose turn it is, reserved for one attempt; other workers skip it meanwhile."""
    due = select(CalendarEntry).where(
        CalendarEntry.done_version < CalendarEntry.wanted_version, CalendarEntry.due_at <= func.now()
    )
    row = session.scalar(due.order_by(CalendarEntry.due_at).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    row.attempts += 1
    row.due_at = now() + LEASE
    meeting = session.get_one(Meeting, row.session_id)
    reviewer = session.get_one(Professional, meeting.professional_id)
    ends_at = meeting.starts_at + timedelta(minutes=meeting.duration_minutes)
    summary = f"Resume review with {reviewer.name}"
    return Job(row.session_id, row.wanted_version, meeting.status, meeting.starts_at, ends_at, summary, row.attempts)


def done(session: Session, job: Job, meeting_link: str | None) -> None:
    """The calendar holds this version; a newer one that came meanwhile stays due at once."""
    entry = update(CalendarEntry).where(CalendarEntry.session_id == job.session_id)
    session.execute(entry.values(done_version=job.version, failure=None, due_at=now()))
    if meeting_link:
        linked = update(Meeting).where(Meeting.id == job.session_id, Meeting.status == "scheduled")
        session.execute(linked.values(meeting_link=meeting_link))


def failed(session: Session, job: Job, reason: str) -> None:
    """An attempt failed: the next is due after a pause that doubles up to an hour."""
    pause = timedelta(seconds=min(5 * 2 ** min(job.attempts - 1, 10), 3600))
    entry = update(CalendarEntry).where(CalendarEntry.session_id == job.session_id)
    session.execute(entry.values(due_at=now() + pause, failure=reason[:500]))
