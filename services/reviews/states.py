"""A request as its student is shown it: its state, its session, nobody's contact data."""

from sqlalchemy.orm import Session

from fleet.contracts.reviews import ReviewState
from services.reviews import requests, sessions
from services.reviews.models import Professional, Resume, ReviewRequest


def of(session: Session, row: ReviewRequest) -> ReviewState:
    """The state of a request."""
    session.refresh(row)
    meeting = sessions.of_request(session, row.id) if row.status in ("scheduled", "completed") else None
    reviewer = session.get(Professional, row.professional_id) if row.professional_id else None
    resume = session.get(Resume, row.resume_id) if row.resume_id else None
    return ReviewState(
        review_request_id=row.id,
        status=row.status,  # type: ignore[arg-type]
        target_industry=row.target_industry,
        target_role=row.target_role,
        readback=requests.readback(session, row),
        submitted_at=row.submitted_at,
        unparsed=list(row.unparsed),
        professional_name=reviewer.name if reviewer else None,
        session_id=meeting.id if meeting else None,
        scheduled_time=meeting.starts_at if meeting else None,
        duration_minutes=meeting.duration_minutes if meeting else None,
        meeting_link=meeting.meeting_link if meeting else None,
        resume=resume.status if resume else "none",  # type: ignore[arg-type]
    )
