"""Tables of the bot. All of them may be lost without anybody losing a point: points are kept by points."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, CheckConstraint, Date, DateTime, Index, Integer, LargeBinary, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata

_INSTANT = DateTime(timezone=True)


class Base(DeclarativeBase):
    """The bot's own catalogue; the fleet's tables (outbox, answers ...) are beside it."""

    metadata = metadata()


class SeenPerson(Base):
    """Somebody the bot saw, and the member they are. `welcome_due_at` is set from joining until the welcome was sent."""

    __tablename__ = "people"
    __table_args__ = (
        Index("ix_people_welcome_due_at", "welcome_due_at", postgresql_where=text("welcome_due_at IS NOT NULL")),
    )

    discord_id: Mapped[str] = mapped_column(Text, primary_key=True)
    member_id: Mapped[UUID] = mapped_column(Uuid, unique=True)
    username: Mapped[str] = mapped_column(Text)
    display_name: Mapped[str] = mapped_column(Text)
    in_guild: Mapped[bool] = mapped_column(Boolean, server_default="false")
    welcome_due_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    welcomed_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    updated_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class ForgottenPerson(Base):
    """An id under which somebody was erased. Whose derived id it is, the bot takes no notice of until they use a command."""

    __tablename__ = "forgotten_people"

    member_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    forgotten_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class MessageDay(Base):
    """A person wrote on this day of the programme: the row exists if and only if points was told."""

    __tablename__ = "message_days"
    __table_args__ = (Index("ix_message_days_day", "day"),)

    discord_id: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)


class ReactionHour(Base):
    """From when on the next reaction of a person is worth asking points about."""

    __tablename__ = "reaction_hours"

    discord_id: Mapped[str] = mapped_column(Text, primary_key=True)
    next_at: Mapped[datetime] = mapped_column(_INSTANT)


class PendingAnswer(Base):
    """Somebody in Discord waits for what became of a question or command, and where the answer goes.

    `token` belongs to an interaction (a slash command or a click) and is a secret: it is never logged. Without one the
    answer is a reply to the message `message_ref` in `channel_id`. `due_at` is when to say that there is no answer yet.
    """

    __tablename__ = "pending_answers"
    __table_args__ = (
        CheckConstraint("kind IN ('question', 'command')", name="kind"),
        Index("ix_pending_answers_asked_at", "asked_at"),
    )

    message_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    presenter: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB)
    discord_id: Mapped[str] = mapped_column(Text)
    token: Mapped[str | None] = mapped_column(Text)
    channel_id: Mapped[str | None] = mapped_column(Text)
    message_ref: Mapped[str | None] = mapped_column(Text)
    direct: Mapped[bool] = mapped_column(Boolean, server_default="false")
    asked_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
    due_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    retry_at: Mapped[datetime | None] = mapped_column(_INSTANT)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    traceparent: Mapped[str | None] = mapped_column(Text)


class ListingPage(Base):
    """Where a page of a list somebody leafs through begins. Cursors are longer than a button's id may be."""

    __tablename__ = "listing_pages"
    __table_args__ = (Index("ix_listing_pages_created_at", "created_at"),)

    listing: Mapped[str] = mapped_column(Text, primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    cursor: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class RosterEntry(Base):
    """Somebody is in the server. Both columns are keyed hashes: the roster can be asked for a name, and tells none.

    Most of those who are in it never spoke to the bot; their names are nobody's business, and an erasure has nothing to
    look for here.
    """

    __tablename__ = "roster"

    person_key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    name_key: Mapped[bytes] = mapped_column(LargeBinary, index=True)


class RosterState(Base):
    """One row: until when the roster was known to be all of the server and nobody else. Null: it is being made."""

    __tablename__ = "roster_state"
    __table_args__ = (CheckConstraint("id = 1", name="only_one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(_INSTANT)


# Further tables of the same catalogue; whoever imports the models knows them all.
from services.bot import notice_models, tool_models  # noqa: E402, F401
