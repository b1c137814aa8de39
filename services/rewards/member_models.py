"""Tables of the people behind redemptions: projections of what users and points say, links, unlocks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.rewards.models import Base


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


class Link(Base):
    """How many changes of a Discord-born member's link have been applied; locked while the next one is."""

    __tablename__ = "links"

    discord_born_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]


class WaitingLinkChange(Base):
    """A change of a link that arrived before one of its predecessors: applied as soon as that has come.

    `member_id` is the web member it is linked to from then on; null: to none.
    """

    __tablename__ = "waiting_link_changes"

    discord_born_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[UUID | None]
    arrived_at: Mapped[datetime]


class Unlock(Base):
    """A member's available points reached an incentive: once for each of them, whatever happens later."""

    __tablename__ = "unlocks"
    __table_args__ = (Index("ix_unlocks_incentive_id", "incentive_id"),)

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    incentive_id: Mapped[UUID] = mapped_column(ForeignKey("incentives.id"), primary_key=True)
    unlocked_at: Mapped[datetime]
