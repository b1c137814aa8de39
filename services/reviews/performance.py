"""How professionals and the programme of reviews do: computed from what happened, never kept by hand."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet.messages import now
from services.reviews import professionals
from services.reviews.models import Professional, ReviewRequest, Turn
from services.reviews.session_models import Feedback, Meeting

TREND_WEEKS = 8


def of_professional(session: Session, professional_id: UUID) -> dict[str, Any]:
    """Reviews, turnaround, ratings, no-show and cancellation rate, and the last eight weeks. Raises NotFound."""
    professionals.get(session, professional_id)
    counts = _counts(session, professional_id)
    ended = counts["completed"] + counts["no_show"] + counts["cancelled"]
    ratings = _ratings(session, professional_id)
    given = sum(ratings.values())
    average = round(sum(stars * count for stars, count in ratings.items()) / given, 2) if given else None
    return {
        "professional_id": professional_id,
        "reviews": counts["completed"],
        "scheduled": counts["scheduled"],
        "no_show_rate": _rate(counts["no_show"], counts["completed"] + counts["no_show"]),
        "cancellation_rate": _rate(counts["cancelled"], ended),
        "average_rating": average,
        "ratings": {str(stars): ratings.get(stars, 0) for stars in range(1, 6)},
        "turnaround_hours": _turnaround(session, professional_id),
        "trend": _trend(session, professional_id),
    }


def _counts(session: Session, professional_id: UUID) -> dict[str, int]:
    found = dict.fromkeys(("scheduled", "completed", "cancelled", "no_show"), 0)
    mine = select(Meeting.status, func.count()).where(Meeting.professional_id == professional_id)
    return found | dict(session.execute(mine.group_by(Meeting.status)).tuples().all())


def _ratings(session: Session, professional_id: UUID) -> dict[int, int]:
    mine = select(Feedback.rating, func.count()).join(Meeting, Meeting.id == Feedback.session_id)
    grouped = mine.where(Meeting.professional_id == professional_id).group_by(Feedback.rating)
    return dict(session.execute(grouped).tuples().all())


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _turnaround(session: Session, professional_id: UUID) -> float | None:
    """The median time from a request to its completed review, in hours."""
    took = func.extract("epoch", ReviewRequest.completed_at - ReviewRequest.submitted_at) / 3600.0
    done = ReviewRequest.status == "completed", ReviewRequest.professional_id == professional_id
    median = session.scalar(select(func.percentile_cont(0.5).within_group(took)).where(*done))
    return None if median is None else round(float(median), 2)


def _trend(session: Session, professional_id: UUID) -> list[dict[str, Any]]:
    """Completed reviews and average rating of each of the last weeks (Monday first, UTC), the oldest first."""
    moment = now()
    monday = moment.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=moment.weekday())
    first = monday - timedelta(weeks=TREND_WEEKS - 1)
    week = func.date_trunc("week", Meeting.ended_at, "UTC")
    rows = session.execute(
        select(week, func.count(), func.avg(Feedback.rating))
        .outerjoin(Feedback, Feedback.session_id == Meeting.id)
        .where(Meeting.professional_id == professional_id, Meeting.status == "completed", Meeting.ended_at >= first)
        .group_by(week)
    )
    found = {begin.date(): (count, average) for begin, count, average in rows}
    result = []
    for step in range(TREND_WEEKS):
        day = (first + timedelta(weeks=step)).date()
        count, average = found.get(day, (0, None))
        result.append(
            {
                "week": day,
                "reviews": count,
                "average_rating": None if average is None else round(float(average), 2),
            }
        )
    return result


def statistics(session: Session) -> dict[str, Any]:
    """Requests by state, sessions by state, ratings, waiting times, professionals."""
    requests = dict.fromkeys(("pending", "matched", "scheduled", "completed", "cancelled"), 0)
    requests |= dict(
        session.execute(select(ReviewRequest.status, func.count()).group_by(ReviewRequest.status)).tuples().all()
    )
    meetings = dict.fromkeys(("scheduled", "completed", "cancelled", "no_show"), 0)
    meetings |= dict(session.execute(select(Meeting.status, func.count()).group_by(Meeting.status)).tuples().all())
    average, given = session.execute(select(func.avg(Feedback.rating), func.count())).one()
    active = select(func.count()).where(Professional.is_active, Professional.paused_at.is_(None))
    paused = select(func.count()).where(Professional.is_active, Professional.paused_at.is_not(None))
    oldest = session.scalar(select(func.min(ReviewRequest.submitted_at)).where(ReviewRequest.status == "pending"))
    moves = session.scalar(select(func.count()).where(Turn.was == "scheduled", Turn.becomes == "scheduled"))
    return {
        "total_requests": sum(requests.values()),
        **{f"{status}_requests": count for status, count in requests.items()},
        **{f"{status}_sessions": count for status, count in meetings.items()},
        "rescheduled": moves or 0,
        "average_rating": None if average is None else round(float(average), 2),
        "ratings_given": given,
        "active_professionals": session.scalar(active) or 0,
        "paused_professionals": session.scalar(paused) or 0,
        "oldest_pending_at": oldest,
    }


def recent(session: Session) -> tuple[int, int]:
    """Requests made, and reviews completed, in the last seven days."""
    week = now() - timedelta(days=7)
    made = session.scalar(select(func.count()).where(ReviewRequest.submitted_at >= week))
    done = session.scalar(select(func.count()).where(ReviewRequest.completed_at >= week))
    return made or 0, done or 0
