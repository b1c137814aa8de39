"""Tables of points. What must never be false is a constraint here, whatever the code above does."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata

ACCOUNTS = "('issued', 'available', 'reserved', 'redeemed')"


class Base(DeclarativeBase):
    """All tables that points owns."""

    metadata = metadata()
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), UUID: Uuid}


class ActivityType(Base):
    """A way to earn, with its rule. `version` grows with every change and is named by each award."""

    __tablename__ = "activity_types"
    __table_args__ = (
        CheckConstraint("points BETWEEN 0 AND 2000", name="points"),
        CheckConstraint("evidence IN ('none', 'text', 'url', 'attachment')", name="evidence"),
        CheckConstraint("evidence_once IN ('none', 'member', 'everyone')", name="evidence_once"),
        CheckConstraint("cap_period IN ('day', 'week', 'month', 'lifetime')", name="cap_period"),
        CheckConstraint("(cap_count IS NULL) = (cap_period IS NULL) AND cap_count > 0", name="cap"),
        CheckConstraint("cooldown_seconds >= 0", name="cooldown"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    category: Mapped[str]
    points: Mapped[int]
    description: Mapped[str]
    requires_approval: Mapped[bool]
    evidence: Mapped[str]
    evidence_once: Mapped[str]
    min_description: Mapped[int]
    cap_count: Mapped[int | None]
    cap_period: Mapped[str | None]
    cooldown_seconds: Mapped[int]
    is_active: Mapped[bool] = mapped_column(server_default="true")
    version: Mapped[int] = mapped_column(server_default="1")


class Member(Base):
    """What points knows of a member: a projection of users' events; `version` is that of the newest one applied.

    A member whose first deed arrived before users' event has version 0 and no name, and is on no board until it comes.
    """

    __tablename__ = "members"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str | None]
    show_in_leaderboard: Mapped[bool] = mapped_column(server_default="true")
    role: Mapped[str] = mapped_column(server_default="student")
    status: Mapped[str] = mapped_column(server_default="active")
    track: Mapped[str | None]
    university: Mapped[str | None]
    graduation_year: Mapped[int | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Alias(Base):
    """A member id that leads to another one: messages that still carry the old id land on the new member."""

    __tablename__ = "aliases"
    __table_args__ = (CheckConstraint("old_id <> member_id", name="leads_elsewhere"),)

    old_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]


class Ledger(Base):
    """Says whose the transfers of a ledger are. One is current for each member; merges bring further ones along."""

    __tablename__ = "ledgers"
    __table_args__ = (
        Index("uq_ledgers_current", "member_id", unique=True, postgresql_where=text("is_current")),
        Index("ix_ledgers_member_id", "member_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]
    is_current: Mapped[bool]


class Transfer(Base):
    """One immutable entry: `points` move from `debit` to `credit`. Corrections are further transfers.

    The service's database role may insert and read them, nothing else. `available_after` is on the receipt.
    """

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint(f"debit IN {ACCOUNTS} AND credit IN {ACCOUNTS} AND debit <> credit", name="accounts"),
        Index("ix_transfers_ledger_id_occurred_at_id", "ledger_id", "occurred_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    ledger_id: Mapped[UUID] = mapped_column(ForeignKey("ledgers.id"))
    debit: Mapped[str]
    credit: Mapped[str]
    points: Mapped[int]
    kind: Mapped[str]
    activity: Mapped[str | None]
    rule_version: Mapped[int | None]
    actor: Mapped[UUID | None]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    occurred_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    available_after: Mapped[int] = mapped_column(BigInteger)


class TransferNote(Base):
    """Free text beside a transfer, apart from it because it may be erased."""

    __tablename__ = "transfer_notes"

    transfer_id: Mapped[UUID] = mapped_column(ForeignKey("transfers.id"), primary_key=True)
    details: Mapped[str]


class Balance(Base):
    """What the transfers of a member add up to, at every commit; locked by whoever moves the member's points."""

    __tablename__ = "balances"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("redeemed >= 0", name="redeemed"),
    )

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    available: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reserved: Mapped[int] = mapped_column(BigInteger, server_default="0")
    redeemed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lifetime: Mapped[int] = mapped_column(BigInteger, server_default="0")
    version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Score(Base):
    """A member's points on one board: `all_time`, `week:2026-11-23` or `month:2026-11-01`.

    `reached_at` is when they got there, for the order within a tie. `shown` repeats what the member's own row says, so
    that a page of a board is one walk along an index.
    """

    __tablename__ = "scores"
    __table_args__ = (
        Index(
            "ix_scores_board_order",
            "board",
            text("(-points)"),
            "reached_at",
            "member_id",
            postgresql_where=text("shown"),
        ),
    )

    # In this order: all of a member's scores lie side by side in the key.
    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    board: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int] = mapped_column(BigInteger)
    reached_at: Mapped[datetime]
    shown: Mapped[bool]


class RankCount(Base):
    """How many shown members of a board have a score (level 0), or a score in a bucket of 1,024 (level 1)."""

    __tablename__ = "rank_counts"

    board: Mapped[str] = mapped_column(primary_key=True)
    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    bucket: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    members: Mapped[int] = mapped_column(BigInteger)


class RankDelta(Base):
    """A change of a score that is not in the counts yet; written by a trigger on `scores`."""

    __tablename__ = "rank_deltas"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    board: Mapped[str]
    points: Mapped[int] = mapped_column(BigInteger)
    change: Mapped[int] = mapped_column(BigInteger)


class Allowance(Base):
    """How often a capped activity was awarded in a period: `day:2026-11-23`, `week:...`, `month:...`, `lifetime`."""

    __tablename__ = "allowances"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    activity: Mapped[str] = mapped_column(primary_key=True)
    period: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int]


class Cooldown(Base):
    """When an activity with a cooldown was last awarded."""

    __tablename__ = "cooldowns"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    activity: Mapped[str] = mapped_column(primary_key=True)
    last_at: Mapped[datetime]


class ActiveDay(Base):
    """A programme day on which the member earned something: the stuff that streaks are made of."""

    __tablename__ = "active_days"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class ShopPrice(Base):
    """What a reward costs, as rewards tells it; `version` is the newest word heard. Stock and levels stay rewards' own."""

    __tablename__ = "shop_prices"
    __table_args__ = (
        CheckConstraint("points_required > 0", name="points_required"),
        Index("ix_shop_prices_points_required", "points_required", postgresql_where=text("is_active")),
    )

    incentive_id: Mapped[UUID] = mapped_column(primary_key=True)
    points_required: Mapped[int]
    is_active: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)


# Further tables of the same catalogue; whoever imports the models knows them all.
from services.points import correction_models, feed_models, submission_models  # noqa: E402, F401
