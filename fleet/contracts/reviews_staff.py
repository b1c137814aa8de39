"""What staff ask reviews from Discord and tell it to do; a part of `reviews`, which names all of it.

The queue is for admins and for holders of a server's staff role, for whom the bot vouches (`staff_attested`); everything
else is for members with the role admin here, whatever Discord says of them.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from fleet.contracts import command, question
from fleet.contracts.reviews_states import RequestStatus, ReviewState


@dataclass(frozen=True)
class QueuedReview:
    """A request that waits, with what staff need to find somebody for it."""

    review_request_id: UUID
    member_id: UUID
    display_name: str | None
    status: RequestStatus
    target_industry: str
    target_role: str
    experience_level: str
    readback: str
    submitted_at: datetime
    professional_name: str | None = None


@dataclass(frozen=True)
class ReviewQueue:
    """A page of what waits, longest waiting first."""

    items: list[QueuedReview]
    waiting: int
    next_cursor: str | None = None


@question("reviews.get_queue.v1", senders=("bot",), answer=ReviewQueue)
@dataclass(frozen=True)
class GetReviewQueue:
    """Requests without a session, as `member_id` asks."""

    member_id: UUID
    staff_attested: bool = False
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True)
class SuggestedSlot:
    """A time with a professional, its score of 100, and why."""

    professional_id: UUID
    professional_name: str
    scheduled_time: datetime
    duration_minutes: int
    score: float
    reason: str


@dataclass(frozen=True)
class ReviewSuggestions:
    """Ranked slots for a request, the best first; without any, `worst` is the code of what kept out most."""

    review_request_id: UUID
    member_id: UUID
    display_name: str | None
    readback: str
    items: list[SuggestedSlot]
    worst: str | None = None
    excluded: dict[str, int] = field(default_factory=dict)


@question("reviews.get_suggestions.v1", senders=("bot",), answer=ReviewSuggestions)
@dataclass(frozen=True)
class GetReviewSuggestions:
    """Who could review the open request of `student_id`, and when."""

    member_id: UUID
    student_id: UUID
    limit: int = 5


@command("reviews.match_review.v1", senders=("bot",), answer=ReviewState)
@dataclass(frozen=True)
class MatchReview:
    """An admin gives the open request of a student to a professional, named by id or by a part of the name."""

    actor_member_id: UUID
    student_id: UUID
    professional_id: UUID | None = None
    professional_name: str | None = None


@command("reviews.schedule_session.v1", senders=("bot",), answer=ReviewState)
@dataclass(frozen=True)
class ScheduleSession:
    """An admin books a session for the open request of a student.

    `scheduled_time` is an instant, or words in `time_zone` (the student's own when left out).
    """

    actor_member_id: UUID
    student_id: UUID
    scheduled_time: str
    professional_id: UUID | None = None
    professional_name: str | None = None
    time_zone: str | None = None
    duration_minutes: int | None = None


@dataclass(frozen=True)
class ProfessionalEntry:
    """A professional with what became of their reviews. No contact data."""

    professional_id: UUID
    name: str
    title: str
    company: str
    specialties: list[str]
    is_active: bool
    is_paused: bool
    reviews: int
    scheduled: int
    max_reviews_per_week: int
    rating: float | None = None


@dataclass(frozen=True)
class Professionals:
    """A page of professionals, newest first."""

    items: list[ProfessionalEntry]
    next_cursor: str | None = None


@question("reviews.get_professionals.v1", senders=("bot",), answer=Professionals)
@dataclass(frozen=True)
class GetProfessionals:
    """The professionals, as an admin asks."""

    member_id: UUID
    limit: int = 10
    cursor: str | None = None


@command("reviews.add_professional.v1", senders=("bot",), answer=ProfessionalEntry)
@dataclass(frozen=True)
class AddProfessional:
    """An admin adds a professional, perhaps with words about their time (for the next 90 days)."""

    actor_member_id: UUID
    name: str
    email: str
    time_zone: str
    title: str = ""
    company: str = ""
    specialties: list[str] = field(default_factory=list)
    max_reviews_per_week: int = 3
    availability: str | None = None


@dataclass(frozen=True)
class ReviewStatistics:
    """How reviews stand, as counted when it was asked."""

    requests: dict[str, int]
    sessions: dict[str, int]
    recent_requests: int
    recent_completions: int
    active_professionals: int
    paused_professionals: int
    ratings_given: int
    average_rating: float | None = None
    oldest_pending_at: datetime | None = None


@question("reviews.get_statistics.v1", senders=("bot",), answer=ReviewStatistics)
@dataclass(frozen=True)
class GetReviewStatistics:
    """How reviews stand, as an admin asks. `recent` are the last seven days."""

    member_id: UUID
