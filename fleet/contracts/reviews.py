"""What reviews says."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fleet.contracts import event


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
