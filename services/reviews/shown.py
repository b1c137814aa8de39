"""Rows as clients are shown them: each with what belongs to it, and no more than the viewer may see."""

from typing import Any

from sqlalchemy.orm import Session

from services.reviews import availability, requests, resumes, sessions, turns
from services.reviews.matching import Choice, Suggestion
from services.reviews.models import Availability, Professional, Resume, ReviewRequest
from services.reviews.review_schemas import Resume as ResumeSchema
from services.reviews.review_schemas import ReviewRequest as RequestSchema
from services.reviews.review_schemas import Session as SessionSchema
from services.reviews.review_schemas import Suggestion as SuggestionSchema
from services.reviews.schemas import Professional as ProfessionalSchema
from services.reviews.session_models import Meeting

# What students do not see of professionals.
FOR_STAFF = ("email", "paused_at")


def professional(row: Professional, *, staff: bool) -> dict[str, Any]:
    """A professional; contact data for staff only."""
    return dict(ProfessionalSchema(exclude=() if staff else FOR_STAFF).dump(row))


def stated(session: Session, row: Availability) -> dict[str, Any]:
    """A statement of availability with its windows."""
    parts = availability.described(session, row)
    clock = "{:02}:{:02}".format
    return {
        "id": str(row.id),
        "professional_id": str(row.professional_id),
        "source": row.source,
        "time_zone": row.time_zone,
        "valid_from": row.valid_from.isoformat(),
        "valid_until": row.valid_until.isoformat(),
        "weekly": [
            {"weekday": day, "start": clock(*divmod(start, 60)), "end": clock(*divmod(_end(end), 60))}
            for day, start, end in parts["weekly"]
        ],
        "overrides": [
            {"day": day.isoformat(), "start": None, "end": None}
            if start == end
            else {"day": day.isoformat(), "start": clock(*divmod(start, 60)), "end": clock(*divmod(_end(end), 60))}
            for day, start, end in parts["dated"]
        ],
        "text": row.wording,
        "unparsed": row.unparsed,
        "notes": row.notes,
        "is_active": row.is_active,
        "created_at": row.created_at.isoformat().replace("+00:00", "Z"),
    }


def _end(minute: int) -> int:
    return minute if minute <= 1440 else minute - 1440


def request(session: Session, row: ReviewRequest) -> dict[str, Any]:
    """A request with its intervals, its session and its history."""
    meeting = sessions.of_request(session, row.id) if row.status in ("scheduled", "completed") else None
    reviewer = session.get(Professional, row.professional_id) if row.professional_id else None
    spans = [{"start": one.starts_at, "end": one.ends_at} for one in requests.preferred(session, row.id)]
    more = {
        "professional_name": reviewer.name if reviewer else None,
        "preferred_intervals": spans,
        "session_id": meeting.id if meeting else None,
        "scheduled_time": meeting.starts_at if meeting else None,
        "meeting_link": meeting.meeting_link if meeting else None,
        "history": turns.history(session, row.id),
    }
    return dict(RequestSchema().dump(_fields(row) | more))


def meeting(session: Session, row: Meeting) -> dict[str, Any]:
    """A session with its history."""
    reviewer = session.get_one(Professional, row.professional_id)
    more = {
        "scheduled_time": row.starts_at,
        "professional_name": reviewer.name,
        "history": turns.history(session, row.id),
    }
    return dict(SessionSchema().dump(_fields(row) | more))


def suggestion(one: Suggestion | None) -> dict[str, Any] | None:
    """A slot with its score and reason."""
    if one is None:
        return None
    return dict(
        SuggestionSchema().dump(
            {
                "review_request_id": one.request_id,
                "professional_id": one.professional.id,
                "professional_name": one.professional.name,
                "scheduled_time": one.starts_at,
                "duration_minutes": one.duration_minutes,
                "score": one.score.total,
                "terms": one.score.terms,
                "reason": one.score.reason(),
            }
        )
    )


def choice(one: Choice) -> dict[str, Any]:
    """What the assignment gives a request."""
    return {
        "review_request_id": str(one.request.id),
        "chosen": suggestion(one.chosen),
        "runner_up": suggestion(one.runner_up),
        "excluded": one.nobody.excluded if one.nobody else {},
        "worst": one.nobody.worst if one.nobody else None,
    }


def resume(session: Session, row: Resume) -> dict[str, Any]:
    """A resume's file and who looked at it."""
    return dict(ResumeSchema().dump(_fields(row) | {"views": resumes.views(session, row.id)}))


def _fields(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in row.__table__.columns}
