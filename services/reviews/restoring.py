"""What reviews counts, and what it says once more, after a restore; see fleet/restoring.py."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.restoring import Retell, at_once, pages
from services.reviews import requests, sessions
from services.reviews.models import ReviewRequest
from services.reviews.session_models import Meeting

# The sequence of a session is that of its invitations: a calendar drops one that is lower than what it has seen.
RAISED = ("review_requests.version", "sessions.version", "sessions.sequence")
KEPT = {
    "calendar_entries.wanted_version": "is told to nobody; the next change of its session raises it",
    "calendar_entries.done_version": "follows what is wanted",
    "members.name_version": "users counts it",
    "members.contact_version": "users counts it",
    "links.version": "users counts it",
    "waiting_link_changes.version": "users counts it",
}


def requested(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """Which reviews were asked for since then, for that earns points."""
    rows = select(ReviewRequest).where(ReviewRequest.submitted_at >= since).order_by(ReviewRequest.id).limit(at_once())
    if after is not None:
        rows = rows.where(ReviewRequest.id > after)
    found = session.scalars(rows.with_for_update()).all()
    for request in found:
        requests.tell_requested(session, request)
    return pages([request.id for request in found])


def completed(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """Which sessions took place since then."""
    rows = select(Meeting).where(Meeting.status == "completed", Meeting.ended_at >= since).order_by(Meeting.id)
    if after is not None:
        rows = rows.where(Meeting.id > after)
    found = session.scalars(rows.limit(at_once()).with_for_update()).all()
    for meeting in found:
        sessions.tell_completed(session, meeting)
    return pages([meeting.id for meeting in found])


RETOLD: tuple[Retell, ...] = (requested, completed)
