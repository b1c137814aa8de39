"""Tables of the people behind redemptions: projections of what users and points say, aliases, unlocks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from fleet.links import links, waiting_link_changes
from services.rewards.models import Base

links.to_metadata(Base.metadata)
waiting_link_changes.to_metadata(Base.metadata)


class Member(Base):
    """What rewards knows of a member, each part with the version of the newest event that was applied to it.

    The profile and the contact are users' words, `available` and `lifetime` points'.
    """

    __tablename__ = "members"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    display_name: Mapped[str | None]
    role: Mapped[str] = mapped_column(server_default="student")
    profile_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    email: Mapped[str | None]
    wants_mail: Mapped[bool] = mapped_column(server_default="false")
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    contact_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    available: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lifetime: Mapped[int] = mapped_column(BigInteger, server_default="0")
    points_version: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Alias(Base):
    """A member id that leads to another one: messages that still carry the old id land on the new member."""

    __tablename__ = "aliases"
    __table_args__ = (CheckConstraint("old_id <> member_id", name="leads_elsewhere"),)

    old_id: Mapped[UUID] = mapped_column(primary_key=True)
    member_id: Mapped[UUID]


class Unlock(Base):
    """A member's available points reached an incentive: once for each of them, whatever happens later."""

    __tablename__ = "unlocks"
    __table_args__ = (Index("ix_unlocks_incentive_id", "incentive_id"),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    incentive_id: Mapped[UUID] = mapped_column(ForeignKey("incentives.id"), primary_key=True)
    unlocked_at: Mapped[datetime]
