"""How a review request stands, as its student and staff are shown it; a part of `reviews`, which names all of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

RequestStatus = Literal["pending", "matched", "scheduled", "completed", "cancelled"]


@dataclass(frozen=True)
class ReviewState:
    """A request as it stands, with its session when there is one. No contact data."""

    review_request_id: UUID
    status: RequestStatus
    target_industry: str
    target_role: str
    readback: str
    submitted_at: datetime
    unparsed: list[str] = field(default_factory=list)
    professional_name: str | None = None
    session_id: UUID | None = None
    scheduled_time: datetime | None = None
    duration_minutes: int | None = None
    meeting_link: str | None = None
    resume: Literal["none", "fetching", "kept", "failed"] = "none"
