"""The table of the activity feed, and the indexes that its and the programme's figures are read by."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.points.models import Alias, Base, Transfer


class FeedItem(Base):
    """What other services told of a member: a redemption or a completed session; `version` is the newest one heard.

    `occurred_at` orders the feed and never changes; `subject_id` is the reward or the professional. Merges change
    `member_id` (`merging.py`).
    """

    __tablename__ = "feed_items"
    __table_args__ = (
        CheckConstraint("type IN ('redemption', 'session')", name="type"),
        CheckConstraint("(type = 'redemption') = (points IS NOT NULL)", name="points"),
        Index("ix_feed_items_member_id_occurred_at_id", "member_id", "occurred_at", "id"),
    )

    type: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    subject_id: Mapped[UUID]
    status: Mapped[str]
    points: Mapped[int | None]
    occurred_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(BigInteger)


# All ids that lead to a member, for merges.
Index("ix_aliases_member_id", Alias.member_id)
# The programme's weeks are read across all ledgers. Transfers arrive nearly in the order of their time, so block ranges
# find them, and cost an insert next to nothing.
Index("ix_transfers_occurred_at", Transfer.occurred_at, postgresql_using="brin")
