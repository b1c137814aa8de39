"""Tables of the catalogue and of redemptions. What must never be false is a constraint here, whatever the code above does."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata
from fleet.mail import mail_queue

CATEGORIES = "('merchandise', 'gift_cards', 'experiences', 'services', 'digital', 'other')"
STATUSES = (
    "('requested', 'pending', 'approved', 'shipped', 'delivered',"
    " 'declined', 'cancelled', 'rejected', 'expired', 'refunded')"
)


class Base(DeclarativeBase):
    """All tables that rewards owns."""

    metadata = metadata()
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        dict[str, Any]: JSONB(none_as_null=True),
    }


mail_queue.to_metadata(Base.metadata)


class Incentive(Base):
    """A reward in the shop. It is never deleted, only switched off: the service's database role may not.

    `stock` null is unlimited. `supplied` is what admins have ever put there; what is not on the shelf any more is in
    redemptions: supplied = stock + redemptions that have an item. `name_key` compares names: unique while active.
    `reference` names the command that added it, so that the same one adds once.
    """

    __tablename__ = "incentives"
    __table_args__ = (
        CheckConstraint("points_required > 0", name="points_required"),
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("(stock IS NULL) = (supplied IS NULL) AND supplied >= stock", name="supplied"),
        CheckConstraint(f"category IN {CATEGORIES}", name="category"),
        CheckConstraint("tier BETWEEN 1 AND 4", name="tier"),
        CheckConstraint("per_member_limit > 0", name="per_member_limit"),
        CheckConstraint("min_lifetime_points > 0", name="min_lifetime_points"),
        Index("uq_incentives_active_name", "name_key", unique=True, postgresql_where=text("is_active")),
        Index("ix_incentives_points_required_id", "points_required", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    name_key: Mapped[str]
    description: Mapped[str]
    points_required: Mapped[int]
    stock: Mapped[int | None]
    supplied: Mapped[int | None]
    category: Mapped[str]
    tier: Mapped[int | None]
    sponsor: Mapped[str | None]
    image_url: Mapped[str | None]
    per_member_limit: Mapped[int | None]
    min_lifetime_points: Mapped[int | None]
    is_active: Mapped[bool]
    version: Mapped[int]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    reference: Mapped[str | None] = mapped_column(unique=True)


class IncentiveChange(Base):
    """What an admin changed of an incentive: one row for each version. Without an actor: it came with the installation."""

    __tablename__ = "incentive_changes"

    incentive_id: Mapped[UUID] = mapped_column(ForeignKey("incentives.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    change: Mapped[str]
    actor_id: Mapped[UUID | None]
    changed_at: Mapped[datetime]
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
    note: Mapped[str | None]


class Redemption(Base):
    """A member's wish for a reward, from the request to its end. `services/rewards/saga.py` says what may follow what.

    `points_spent` and `min_lifetime_points` are those of the moment of the request. `settling` says which answer of points
    it waits for, null: none. `has_item` while one of the stock is taken for it. A redemption that ended without being
    fulfilled has no item (a refund may have kept it), and one that waits for staff waits for nothing else.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        CheckConstraint("points_spent > 0", name="points_spent"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint("settling IN ('hold', 'capture', 'release', 'refund')", name="settling"),
        CheckConstraint(
            "CASE settling WHEN 'hold' THEN status = 'requested'"
            " WHEN 'capture' THEN status IN ('approved', 'shipped', 'delivered', 'refunded')"
            " WHEN 'release' THEN status IN ('cancelled', 'rejected', 'expired')"
            " WHEN 'refund' THEN status = 'refunded' ELSE status <> 'requested' END",
            name="settling_fits",
        ),
        CheckConstraint("(settling IS NULL) = (resend_at IS NULL)", name="resend_at"),
        CheckConstraint(
            "NOT has_item OR status NOT IN ('declined', 'cancelled', 'rejected', 'expired')", name="item_back"
        ),
        CheckConstraint("(status = 'declined') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(status = 'pending') = (expires_at IS NOT NULL)", name="expires_at"),
        Index("ix_redemptions_member_id_requested_at_id", "member_id", "requested_at", "id"),
        Index("ix_redemptions_requested_at_id", "requested_at", "id"),
        Index("ix_redemptions_status_requested_at_id", "status", "requested_at", "id"),
        Index("ix_redemptions_incentive_id_member_id", "incentive_id", "member_id"),
        Index("ix_redemptions_resend_at", "resend_at", postgresql_where=text("resend_at IS NOT NULL")),
        Index("ix_redemptions_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    incentive_id: Mapped[UUID] = mapped_column(ForeignKey("incentives.id"))
    points_spent: Mapped[int]
    min_lifetime_points: Mapped[int | None]
    status: Mapped[str]
    settling: Mapped[str | None]
    has_item: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)
    requested_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    resend_at: Mapped[datetime | None]
    resent: Mapped[int] = mapped_column(server_default="0")
    reason: Mapped[str | None]
    note: Mapped[str | None]
    tracking_info: Mapped[str | None]
    estimated_delivery: Mapped[date | None]
    delivery_details: Mapped[dict[str, Any] | None]
    reference: Mapped[str | None] = mapped_column(unique=True)


class RedemptionStep(Base):
    """One step of a redemption, immutable: the service's database role may insert and read them, nothing else.

    `by` is who took it: the member, staff, the clock (system) or points' answer.
    """

    __tablename__ = "redemption_steps"
    __table_args__ = (
        CheckConstraint("by IN ('member', 'staff', 'system', 'points')", name="by"),
        CheckConstraint("(by IN ('member', 'staff')) = (actor_id IS NOT NULL)", name="actor"),
    )

    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemptions.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    status: Mapped[str]
    by: Mapped[str]
    actor_id: Mapped[UUID | None]
    occurred_at: Mapped[datetime]


class StepNote(Base):
    """Words beside a step, apart from it because they may be erased."""

    __tablename__ = "step_notes"

    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemptions.id"), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    note: Mapped[str]


class RefundRequest(Base):
    """A refund of so many points that a second admin confirms it; at most one waits for each redemption.

    That whoever asked for it does not decide it is a constraint, not only a check in code.
    """

    __tablename__ = "refund_requests"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'confirmed', 'refused')", name="status"),
        CheckConstraint("decided_by <> requested_by", name="second_admin"),
        CheckConstraint("(status = 'pending') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="decided_at"),
        Index(
            "uq_refund_requests_pending",
            "redemption_id",
            unique=True,
            postgresql_where=text("status = 'pending'"),
        ),
        Index("ix_refund_requests_requested_at_id", "requested_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemptions.id"))
    reason: Mapped[str]
    restock: Mapped[bool]
    status: Mapped[str]
    requested_by: Mapped[UUID]
    requested_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    note: Mapped[str | None]


class AwaitedReply(Base):
    """A command whose answer comes when its redemption leaves `requested`: what the answer needs to find its way."""

    __tablename__ = "awaited_replies"
    __table_args__ = (Index("ix_awaited_replies_redemption_id", "redemption_id"),)

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("redemptions.id"))
    reply_to: Mapped[str]
    subject: Mapped[str | None]
    correlation_id: Mapped[str | None]
    traceparent: Mapped[str | None]


# The other half of the tables; a migration and the test of drift see them all through this module.
from services.rewards import member_models  # noqa: E402, F401
