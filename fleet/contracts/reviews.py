"""What reviews says and hears. Public events carry ids and times, never free text."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event, question
from fleet.contracts.points_submissions import Attachment
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest
from fleet.contracts.reviews_staff import (  # noqa: F401 this module names all of reviews
    AddProfessional,
    GetProfessionals,
    GetReviewQueue,
    GetReviewStatistics,
    GetReviewSuggestions,
    MatchReview,
    ProfessionalEntry,
    Professionals,
    QueuedReview,
    ReviewQueue,
    ReviewStatistics,
    ReviewSuggestions,
    ScheduleSession,
    SuggestedSlot,
)
from fleet.contracts.reviews_states import RequestStatus, ReviewState  # noqa: F401

SessionStatus = Literal["scheduled", "completed", "cancelled", "no_show"]
Priority = Literal["low", "normal", "high"]


@event("reviews.review_requested.v1", public=True)
@dataclass(frozen=True)
class ReviewRequested:
    """A student asked for a review. Subject: the request; `sequence`: its version (1)."""

    review_request_id: UUID
    member_id: UUID
    has_resume: bool
    requested_at: datetime


@event("reviews.review_matched.v1", public=True)
@dataclass(frozen=True)
class ReviewMatched:
    """A professional was found for a request. Subject: the request."""

    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    matched_at: datetime


@event("reviews.review_cancelled.v1", public=True)
@dataclass(frozen=True)
class ReviewCancelled:
    """A request ended without a review. Subject: the request."""

    review_request_id: UUID
    member_id: UUID
    cancelled_at: datetime


@event("reviews.session_scheduled.v1", public=True)
@dataclass(frozen=True)
class SessionScheduled:
    """A session was booked. Subject: the session; `sequence`: its version."""

    session_id: UUID
    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    scheduled_time: datetime
    duration_minutes: int


@event("reviews.session_rescheduled.v1", public=True)
@dataclass(frozen=True)
class SessionRescheduled:
    """A session was moved. Subject: the session."""

    session_id: UUID
    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    scheduled_time: datetime
    previous_time: datetime
    duration_minutes: int


@event("reviews.session_cancelled.v1", public=True)
@dataclass(frozen=True)
class SessionCancelled:
    """A session will not take place; its request is open again unless it was cancelled too. Subject: the session."""

    session_id: UUID
    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    scheduled_time: datetime
    cancelled_at: datetime


@event("reviews.session_completed.v1", public=True)
@dataclass(frozen=True)
class SessionCompleted:
    """A review session took place. Subject: the session; `sequence`: its version."""

    session_id: UUID
    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    scheduled_time: datetime
    duration_minutes: int
    completed_at: datetime


@event("reviews.session_no_show.v1", public=True)
@dataclass(frozen=True)
class SessionNoShow:
    """Somebody did not come. Subject: the session."""

    session_id: UUID
    review_request_id: UUID
    member_id: UUID
    professional_id: UUID
    scheduled_time: datetime


@event("reviews.session_reminder_due.v1")
@dataclass(frozen=True)
class SessionReminderDue:
    """A session begins in about `hours` hours (24 or 1). Subject: the session."""

    session_id: UUID
    member_id: UUID
    scheduled_time: datetime
    duration_minutes: int
    hours: int


@event("reviews.feedback_given.v1", public=True)
@dataclass(frozen=True)
class FeedbackGiven:
    """The student rated a completed session. Subject: the request."""

    review_request_id: UUID
    session_id: UUID
    member_id: UUID
    professional_id: UUID
    rating: int


@dataclass(frozen=True)
class Span:
    """A stretch of time between two instants."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Doubt:
    """A part of a text that can be read in several ways."""

    fragment: str
    chosen: str
    alternatives: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class UnderstoodTimes:
    """What a text about somebody's time says, told back, and what was not understood."""

    intervals: list[Span]
    readback: str
    unparsed: list[str] = field(default_factory=list)
    ambiguous: list[Doubt] = field(default_factory=list)


@question("reviews.parse_availability.v1", senders=("bot",), answer=UnderstoodTimes)
@dataclass(frozen=True)
class ParseAvailability:
    """What does this text mean? Changes nothing."""

    text: str
    time_zone: str
    duration_minutes: int = 30
    locale: str | None = None


@command("reviews.request_review.v1", senders=("bot",), answer=ReviewState)
@dataclass(frozen=True)
class RequestReview:
    """A student asks for a review from Discord. `reference` names the interaction: the same one asks once."""

    member_id: UUID
    reference: str
    target_industry: str
    target_role: str
    experience_level: str
    preferred_times: str
    time_zone: str
    attachment: Attachment | None = None
    resume_url: str | None = None


@command("reviews.cancel_review.v1", senders=("bot",), answer=ReviewState)
@dataclass(frozen=True)
class CancelReview:
    """A student takes their open request back."""

    member_id: UUID


@question("reviews.get_review.v1", senders=("bot",), answer=ReviewState)
@dataclass(frozen=True)
class GetReview:
    """The newest request of a member. Refused as not found when there is none."""

    member_id: UUID


@command("reviews.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what reviews holds on a member: requests, sessions, resumes, feedback."""


@command("reviews.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget a person: their open request ends, and what happened belongs to the pseudonym."""
