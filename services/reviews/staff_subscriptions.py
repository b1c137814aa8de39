"""What staff ask and decide from Discord: the queue, who could review, matches, sessions, professionals, figures."""

from datetime import timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from fleet.contracts import reviews as said
from fleet.messages import Envelope, now
from fleet.web import load
from services.reviews import availability, matching, members, performance, professionals, requests, sessions, states
from services.reviews.heard import subscriptions
from services.reviews.models import Professional, ReviewRequest
from services.reviews.moments import read_moment
from services.reviews.schemas import ProfessionalFields
from services.reviews.turns import Actor

MOST = 25
# What is said of a professional's time in one line holds for so long.
AVAILABLE_FOR = timedelta(days=90)


@subscriptions.handles(said.GetReviewQueue)
def get_queue(session: Session, question: Envelope[said.GetReviewQueue]) -> said.ReviewQueue:
    """What waits, for admins and for holders of the staff role."""
    asked = question.data
    if not asked.staff_attested:
        members.require_admin(session, asked.member_id)
    rows, count, following = requests.waiting(session, _limit(asked.limit), asked.cursor)
    return said.ReviewQueue([_queued(session, row) for row in rows], count, following)


def _limit(wanted: int) -> int:
    return max(1, min(wanted, MOST))


def _queued(session: Session, row: ReviewRequest) -> said.QueuedReview:
    reviewer = session.get(Professional, row.professional_id) if row.professional_id else None
    return said.QueuedReview(
        review_request_id=row.id,
        member_id=row.student_id,
        display_name=members.find(session, row.student_id).display_name,
        status=row.status,  # type: ignore[arg-type]
        target_industry=row.target_industry,
        target_role=row.target_role,
        experience_level=row.experience_level,
        readback=requests.readback(session, row),
        submitted_at=row.submitted_at,
        professional_name=reviewer.name if reviewer else None,
    )


@subscriptions.handles(said.GetReviewSuggestions)
def get_suggestions(session: Session, question: Envelope[said.GetReviewSuggestions]) -> said.ReviewSuggestions:
    """Who could review a student's open request, and when; or what keeps everybody out."""
    asked = question.data
    members.require_admin(session, asked.member_id)
    row = requests.open_of(session, asked.student_id)
    found, nobody = matching.suggest(session, row)
    slots = [
        said.SuggestedSlot(
            professional_id=one.professional.id,
            professional_name=one.professional.name,
            scheduled_time=one.starts_at,
            duration_minutes=one.duration_minutes,
            score=one.score.total,
            reason=one.score.reason(),
        )
        for one in found[: _limit(asked.limit)]
    ]
    return said.ReviewSuggestions(
        review_request_id=row.id,
        member_id=row.student_id,
        display_name=members.find(session, row.student_id).display_name,
        readback=requests.readback(session, row),
        items=slots,
        worst=None if slots else nobody.worst,
        excluded=nobody.excluded,
    )


@subscriptions.handles(said.MatchReview)
def match_review(session: Session, command: Envelope[said.MatchReview]) -> said.ReviewState:
    """An admin gives a request to a professional."""
    asked = command.data
    actor = Actor("admin", members.require_admin(session, asked.actor_member_id))
    row = requests.open_of(session, asked.student_id)
    return states.of(session, requests.match(session, row.id, _professional(session, asked), actor))


@subscriptions.handles(said.ScheduleSession)
def schedule_session(session: Session, command: Envelope[said.ScheduleSession]) -> said.ReviewState:
    """An admin books a session; both sides get their invitation by mail."""
    asked = command.data
    actor = Actor("admin", members.require_admin(session, asked.actor_member_id))
    row = requests.open_of(session, asked.student_id)
    zone = asked.time_zone or row.time_zone
    # Its own answer for a zone there is not; the text is read again with the session's length.
    requests.understood("", zone)
    minutes = asked.duration_minutes or row.duration_minutes
    moment = read_moment(asked.scheduled_time[:200], zone, minutes)
    sessions.schedule(session, row.id, _professional(session, asked), moment, minutes, actor)
    return states.of(session, row)


def _professional(session: Session, asked: said.MatchReview | said.ScheduleSession) -> UUID:
    if asked.professional_id is not None:
        return asked.professional_id
    return professionals.named(session, asked.professional_name or "").id


@subscriptions.handles(said.GetProfessionals)
def get_professionals(session: Session, question: Envelope[said.GetProfessionals]) -> said.Professionals:
    """All professionals with what became of their reviews."""
    asked = question.data
    members.require_admin(session, asked.member_id)
    rows, following = professionals.listing(session, _limit(asked.limit), asked.cursor, active_only=False)
    return said.Professionals([_entry(session, row) for row in rows], following)


@subscriptions.handles(said.AddProfessional)
def add_professional(session: Session, command: Envelope[said.AddProfessional]) -> said.ProfessionalEntry:
    """An admin adds a professional."""
    asked = command.data
    members.require_admin(session, asked.actor_member_id)
    kept = ("name", "email", "time_zone", "title", "company", "specialties", "max_reviews_per_week")
    values: dict[str, Any] = load(ProfessionalFields, {name: getattr(asked, name) for name in kept})
    row = professionals.create(session, values)
    if asked.availability:
        today = now().astimezone(ZoneInfo(row.time_zone)).date()
        stated, _ = availability.from_text(asked.availability[:2000], row.time_zone, today, today + AVAILABLE_FOR)
        availability.record(session, row.id, "text", stated)
    return _entry(session, row)


def _entry(session: Session, row: Professional) -> said.ProfessionalEntry:
    figures = performance.of_professional(session, row.id)
    return said.ProfessionalEntry(
        professional_id=row.id,
        name=row.name,
        title=row.title,
        company=row.company,
        specialties=list(row.specialties),
        is_active=row.is_active,
        is_paused=row.paused_at is not None,
        reviews=figures["reviews"],
        scheduled=figures["scheduled"],
        max_reviews_per_week=row.max_reviews_per_week,
        rating=figures["average_rating"],
    )


@subscriptions.handles(said.GetReviewStatistics)
def get_statistics(session: Session, question: Envelope[said.GetReviewStatistics]) -> said.ReviewStatistics:
    """How reviews stand."""
    members.require_admin(session, question.data.member_id)
    found, (made, done) = performance.statistics(session), performance.recent(session)

    def counted(suffix: str) -> dict[str, int]:
        ends = f"_{suffix}"
        return {name.removesuffix(ends): found[name] for name in found if name.endswith(ends)}

    return said.ReviewStatistics(
        requests=counted("requests"),
        sessions=counted("sessions"),
        recent_requests=made,
        recent_completions=done,
        active_professionals=found["active_professionals"],
        paused_professionals=found["paused_professionals"],
        ratings_given=found["ratings_given"],
        average_rating=found["average_rating"],
        oldest_pending_at=found["oldest_pending_at"],
    )
