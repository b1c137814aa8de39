"""What reviews counts of itself: see fleet/survey.py."""

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import mail
from services.reviews.models import ReviewRequest
from services.reviews.session_models import CalendarEntry, Meeting

REQUESTS = ("pending", "matched", "scheduled", "completed", "cancelled")
SESSIONS = ("scheduled", "completed", "cancelled", "no_show")

requests = Gauge("review_requests", "Requests for a review, by their state", ["status"])
request_age = Gauge("review_requests_oldest_pending_seconds", "Age of the oldest request that has no reviewer")
sessions = Gauge("review_sessions", "Sessions, by their state", ["status"])
calendar = Gauge("calendar_entries_due", "Changes of sessions that Google Calendar has not been told of")


def count(session: Session) -> None:
    """Set all of them, and those of the mail."""
    by_status = select(ReviewRequest.status, func.count()).group_by(ReviewRequest.status)
    found = dict(session.execute(by_status).all())
    for status in REQUESTS:
        requests.labels(status).set(found.get(status, 0))
    found = dict(session.execute(select(Meeting.status, func.count()).group_by(Meeting.status)).all())
    for status in SESSIONS:
        sessions.labels(status).set(found.get(status, 0))
    age = func.extract("epoch", func.now() - func.min(ReviewRequest.submitted_at))
    request_age.set(session.scalar(select(age).where(ReviewRequest.status == "pending")) or 0)
    due = select(func.count()).select_from(CalendarEntry)
    calendar.set(session.scalar(due.where(CalendarEntry.done_version < CalendarEntry.wanted_version)) or 0)
    mail.count(session)
