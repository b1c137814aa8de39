"""Tables of corrections, of holds for redemptions, and of the links between Discord-born and web members."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from fleet.links import links, waiting_link_changes
from services.points.models import Base


class Adjustment(Base):
    """A correction of a member's points by an admin, with its reason; a large one waits for a second admin.

    `pending` past `expires_at` has expired: nobody decides it any more. `applied` has the one transfer with the key
    `adjustment:<id>`. That whoever asked for it does not decide it is a constraint, not only a check in code.
    """

    __tablename__ = "adjustments"
    __table_args__ = (
        CheckConstraint("points <> 0", name="points"),
        CheckConstraint("status IN ('pending', 'applied', 'refused')", name="status"),
        CheckConstraint("decided_by <> requested_by", name="second_admin"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided"),
        CheckConstraint("status <> 'pending' OR (decided_by IS NULL AND expires_at IS NOT NULL)", name="pending"),
        Index("ix_adjustments_requested_at_id", "requested_at", "id"),
        Index("ix_adjustments_member_id", "member_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    points: Mapped[int]
    reason: Mapped[str]
    status: Mapped[str]
    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    note: Mapped[str | None]


class AdjustmentAllowance(Base):
    """How many points an admin has moved by Discord commands on a programme day, up or down."""

    __tablename__ = "adjustment_allowances"

    actor_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    used: Mapped[int]


class Hold(Base):
    """Points reserved for a redemption, from its first message to its end; at most one for each redemption.

    `voided` is the tombstone of a release that came before its hold: it has no points, and never will. `reason` is why a
    hold was refused or refunded.
    """

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'refused', 'captured', 'released', 'voided', 'refunded')", name="state"),
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("(state = 'voided') = (points IS NULL)", name="voided"),
        CheckConstraint("(state IN ('refused', 'refunded')) = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(state = 'refunded') = (refunded_points IS NOT NULL)", name="refunded"),
        CheckConstraint("refunded_points BETWEEN 1 AND points", name="refunded_points"),
        Index("ix_holds_member_id", "member_id"),
    )

    redemption_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    points: Mapped[int | None]
    state: Mapped[str]
    reason: Mapped[str | None]
    refunded_points: Mapped[int | None]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


links.to_metadata(Base.metadata)
waiting_link_changes.to_metadata(Base.metadata)
