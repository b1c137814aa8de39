"""What reviews does by itself: reminders 24 h and 1 h before, requests that a professional lets lie, resumes to fetch."""

import threading
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import downloads, files, logs, outbox
from fleet.contracts.reviews import SessionReminderDue
from fleet.database import is_outage, transaction
from fleet.messages import now
from fleet.problems import Problem
from fleet.settings import read
from services.reviews import letters, professionals, resumes
from services.reviews.models import Professional, ReviewRequest
from services.reviews.session_models import Meeting, Reminder
from services.reviews.settings import BookingSettings
from services.reviews.turns import SYSTEM, locked_request, turn

log = logs.get(__name__)

EVERY_S = 1.0
BATCH = 50
SOURCE = "reviews"
# A session that was booked later than this before it begins needs no reminder: its invitation has just come.
HOURS = (24, 1)
# After so many requests in a row that a professional let lie, they are asked no more until staff say so.
UNANSWERED_BEFORE_PAUSE = 2


def remind(session: Session) -> int:
    """Tell of sessions that begin within 24 hours or one, each once for the time it is set to. Returns how many."""
    told = 0
    for hours in HOURS:
        soon = now() + timedelta(hours=hours)
        known = select(Reminder.session_id).where(
            Reminder.session_id == Meeting.id, Reminder.starts_at == Meeting.starts_at, Reminder.hours == hours
        )
        due = select(Meeting).where(
            Meeting.status == "scheduled", Meeting.starts_at > now(), Meeting.starts_at <= soon, ~known.exists()
        )
        for meeting in session.scalars(due.order_by(Meeting.starts_at).limit(BATCH).with_for_update(skip_locked=True)):
            _remind(session, meeting, hours)
            told += 1
    return told


def _remind(session: Session, meeting: Meeting, hours: int) -> None:
    row = insert(Reminder).values(session_id=meeting.id, starts_at=meeting.starts_at, hours=hours, told_at=now())
    fresh = session.scalar(row.on_conflict_do_nothing().returning(Reminder.session_id))
    # The one of 24 hours is pointless when the last hour has begun: that one tells the same.
    stale = hours == 24 and meeting.starts_at <= now() + timedelta(hours=2)
    if fresh is None or stale:
        return
    request = session.get_one(ReviewRequest, meeting.review_request_id)
    reviewer = session.get_one(Professional, meeting.professional_id)
    letters.remind(session, meeting, request, reviewer, hours)
    meeting.version += 1
    session.flush()
    said = SessionReminderDue(meeting.id, meeting.student_id, meeting.starts_at, meeting.duration_minutes, hours)
    outbox.record(session, said, source=SOURCE, subject=meeting.id, sequence=meeting.version)


def hand_over(session: Session) -> int:
    """Open a request again that was matched some days ago and has no session; a professional who let two lie is paused."""
    before = now() - timedelta(days=read(BookingSettings).answer_days)
    late = select(ReviewRequest.id).where(ReviewRequest.status == "matched", ReviewRequest.matched_at < before)
    request_id = session.scalar(late.order_by(ReviewRequest.matched_at).limit(1))
    request = locked_request(session, request_id) if request_id else None
    if request is None or request.status != "matched" or request.professional_id is None:
        return 0
    reviewer = professionals.locked(session, request.professional_id)
    reviewer.unanswered += 1
    if reviewer.unanswered >= UNANSWERED_BEFORE_PAUSE and reviewer.paused_at is None:
        reviewer.paused_at = now()
        log.info("professional_paused", professional_id=str(reviewer.id))
    turn(
        session,
        request,
        "pending",
        SYSTEM,
        expected=("matched",),
        note="unanswered",
        professional_id=None,
        matched_at=None,
    )
    letters.handed_over(session, request, reviewer)
    return 1


def fetch_resume() -> bool:
    """Fetch the resume whose turn it is; False when none is due. No transaction is open during the download."""
    with transaction() as session:
        fetch = resumes.take_due(session)
    if fetch is None:
        return False
    try:
        stored = files.keep(downloads.download(fetch.url, fetch.size))
    except (downloads.NotFetched, Problem, OSError) as error:
        final = isinstance(error, files.WrongType | files.TooLarge) or getattr(error, "for_good", False)
        reason = getattr(error, "reason", "") or (
            error.title.lower() if isinstance(error, Problem) else "it could not be stored"
        )
        with transaction() as session:
            resumes.not_fetched(session, fetch, reason, for_good=final)
        log.warning("resume_not_fetched", resume_id=str(fetch.resume_id), reason=reason)
        return True
    with transaction() as session:
        resumes.fetched(session, fetch, stored)
    log.info("resume_fetched", resume_id=str(fetch.resume_id), size=stored.size)
    return True


CHORES: tuple[Callable[[Session], int], ...] = (remind, hand_over)


class Chores:
    """Does every chore until nothing is left of it, then rests a second, until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                for chore in CHORES:
                    while not self.stop.is_set() and _do(chore):
                        pass
                while not self.stop.is_set() and fetch_resume():
                    pass
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("chores_postponed")
            self.stop.wait(EVERY_S)


def _do(chore: Callable[[Session], int]) -> int:
    with transaction() as session:
        return chore(session)
