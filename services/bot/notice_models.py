"""Tables of notices: what is to be said in Discord by itself, to whom it may be said, and where."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.bot.models import Base

_INSTANT = DateTime(timezone=True)


class Contact(Base):
    """How a member may be told things in Discord: a copy of what users last said of them (`sequence`)."""

    __tablename__ = "contacts"
    __table_args__ = (Index("ix_contacts_discord_id", "discord_id"),)

    member_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    discord_id: Mapped[str | None] = mapped_column(Text)
    new_activities: Mapped[bool] = mapped_column(Boolean)
    reward_updates: Mapped[bool] = mapped_column(Boolean)
    leaderboard_changes: Mapped[bool] = mapped_column(Boolean)
    time_zone: Mapped[str] = mapped_column(Text)
    locale: Mapped[str] = mapped_column(Text)
    sequence: Mapped[int] = mapped_column(BigInteger)


class ClosedDoor(Base):
    """Somebody who took no direct messages when the bot last tried. The row goes when one is taken again."""

    __tablename__ = "closed_doors"

    discord_id: Mapped[str] = mapped_column(Text, primary_key=True)
    since: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
    tried_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class GuildSettings(Base):
    """What staff set up for one server (`/setup`): where cards and mentions go, and which role is staff."""

    __tablename__ = "guild_settings"

    guild_id: Mapped[str] = mapped_column(Text, primary_key=True)
    staff_channel_id: Mapped[str | None] = mapped_column(Text)
    announcement_channel_id: Mapped[str | None] = mapped_column(Text)
    staff_role_id: Mapped[str | None] = mapped_column(Text)
    set_up_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class Notice(Base):
    """Something to be said by itself: to a member alone, or to staff in their channel.

    One for each thing (`event_id`) and recipient, so a redelivered event makes no second. `recipient` is `member:<id>`,
    `discord:<id>` or `staff`. `data` holds what the event said, never a free text of somebody's: those are asked of
    their owner when it is told (`question_id`), and pass through.

    due        to be told, or told anew because what it is about has changed (`version`)
    told       Discord has it: `channel_id` and `message_id` say where
    mentioned  the member takes no direct messages: the message there only says that there is a notice
    dropped    it will not be told any more; `reason` says why

    `tried_at` is set while it is not known what became of an attempt.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("event_id", "recipient"),
        CheckConstraint("state IN ('due', 'told', 'mentioned', 'dropped')", name="state"),
        CheckConstraint("(state = 'dropped') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("state NOT IN ('told', 'mentioned') OR message_id IS NOT NULL", name="said"),
        Index("ix_notices_due_at", "due_at", postgresql_where=text("state = 'due'")),
        Index("ix_notices_member_id", "member_id"),
        Index("ix_notices_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    event_id: Mapped[UUID] = mapped_column(Uuid)
    recipient: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    member_id: Mapped[UUID | None] = mapped_column(Uuid)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(Text, server_default="due")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    due_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    tried_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    question_id: Mapped[UUID | None] = mapped_column(Uuid)
    asked_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    channel_id: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(_INSTANT)


class HandedInPicture(Base):
    """Where Discord keeps a picture somebody handed in, until the card of the submission shows it."""

    __tablename__ = "handed_in_pictures"
    __table_args__ = (Index("ix_handed_in_pictures_created_at", "created_at"),)

    reference: Mapped[str] = mapped_column(Text, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(Uuid)
    url: Mapped[str] = mapped_column(Text)
    filename: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class ReviewDraft(Base):
    """What somebody wants of a review, while they are asked whether their times were read right. Forgotten after a day."""

    __tablename__ = "review_drafts"
    __table_args__ = (
        Index("ix_review_drafts_created_at", "created_at"),
        Index("ix_review_drafts_discord_id", "discord_id"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    discord_id: Mapped[str] = mapped_column(Text)
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class KnownActivity(Base):
    """A way to earn as points last told it: the commands to hand something in are made from these rows."""

    __tablename__ = "known_activities"

    code: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    points: Mapped[int] = mapped_column(Integer)
    rule: Mapped[str] = mapped_column(Text)
    requires_approval: Mapped[bool] = mapped_column(Boolean)
    evidence: Mapped[str | None] = mapped_column(Text)
    min_description: Mapped[int] = mapped_column(Integer, server_default="0")
