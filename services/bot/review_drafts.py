"""What somebody wants of a review, between their command and their word that their times were read right.

Only whoever began a draft finds it, and its id names the request that comes of it: confirming twice asks once.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from fleet.contracts.points import Attachment
from fleet.contracts.reviews import ParseAvailability, RequestReview
from services.bot.notice_models import ReviewDraft
from services.bot.refusals import Usage

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """What is asked for; `attachment` as `asdict` makes it of an Attachment."""

    industry: str
    role: str
    level: str
    times: str
    time_zone: str
    attachment: dict[str, Any] | None = None
    link: str | None = None

    def reading(self) -> ParseAvailability:
        """The question what the times mean."""
        return ParseAvailability(text=self.times, time_zone=self.time_zone)

    def request(self, member_id: UUID, draft_id: UUID) -> RequestReview:
        """The command that asks for the review."""
        return RequestReview(
            member_id=member_id,
            reference=f"discord:{draft_id}",
            target_industry=self.industry,
            target_role=self.role,
            experience_level=self.level,
            preferred_times=self.times,
            time_zone=self.time_zone,
            attachment=Attachment(**self.attachment) if self.attachment else None,
            resume_url=self.link,
        )


def keep(session: Session, draft_id: UUID, discord_id: str, wish: Wish) -> None:
    """Begin a draft."""
    session.add(ReviewDraft(id=draft_id, discord_id=discord_id, wish=asdict(wish)))
    session.flush()


def find(session: Session, draft_id: UUID, discord_id: str) -> Wish:
    """The caller's own draft. Raises Usage when it is forgotten, or somebody else's."""
    row = session.scalar(_own(draft_id, discord_id))
    return Wish(**_known(row).wish)


def change(session: Session, draft_id: UUID, discord_id: str, times: str, time_zone: str) -> Wish:
    """Put other words about their time into the caller's own draft. Raises Usage as `find`."""
    row = _known(session.scalar(_own(draft_id, discord_id).with_for_update()))
    row.wish = row.wish | {"times": times, "time_zone": time_zone}
    session.flush()
    return Wish(**row.wish)


def _own(draft_id: UUID, discord_id: str) -> Any:
    return select(ReviewDraft).where(ReviewDraft.id == draft_id, ReviewDraft.discord_id == discord_id)


def _known(row: ReviewDraft | None) -> ReviewDraft:
    if row is None:
        raise Usage("This question is not known any more. Begin again: /resume")
    return row


def forget_old(session: Session) -> None:
    """Forget what was not confirmed within a day, and what has long become a request."""
    session.execute(delete(ReviewDraft).where(ReviewDraft.created_at < func.now() - KEPT))
