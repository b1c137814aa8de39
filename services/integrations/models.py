"""Tables of the feed, of webhooks and of keys. What must never be false is a constraint here, whatever the code above does."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, DateTime, ForeignKey, Index, LargeBinary, Text, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fleet.database import metadata
from fleet.mail import mail_queue


class Base(DeclarativeBase):
    """All tables that integrations owns."""

    metadata = metadata()
    type_annotation_map = {
        str: Text,
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        bytes: LargeBinary,
        list[str]: ARRAY(Text),
    }


mail_queue.to_metadata(Base.metadata)


class FeedHead(Base):
    """The position of the newest event. One row: whoever stores events holds its lock until the events are committed.

    So positions become visible in their order, without gaps: who has seen one has seen, or can see, all before it.
    """

    __tablename__ = "feed_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)


class FeedEvent(Base):
    """A public event as it was published. `member_id` is whom it concerns, for their stream and for forgetting them."""

    __tablename__ = "feed_events"
    __table_args__ = (
        CheckConstraint("position > 0", name="position"),
        Index("uq_feed_events_event_id", "event_id", unique=True),
        Index(
            "ix_feed_events_member_id_position", "member_id", "position", postgresql_where=text("member_id IS NOT NULL")
        ),
        Index("ix_feed_events_stored_at", "stored_at"),
    )

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    type: Mapped[str]
    member_id: Mapped[UUID | None]
    body: Mapped[str]
    stored_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Forgotten(Base):
    """A member's id that was forgotten, and what stands for it: an event that comes late brings nobody back."""

    __tablename__ = "forgotten"

    member_id: Mapped[UUID] = mapped_column(primary_key=True)
    pseudonym: Mapped[UUID]


class ApiKey(Base):
    """What an integrator shows at the door: only its hash is kept. `integrator` is the broker's user it may replay to."""

    __tablename__ = "api_keys"
    __table_args__ = (
        Index("uq_api_keys_prefix", "prefix", unique=True),
        CheckConstraint("cardinality(scopes) > 0", name="scopes"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[bytes]
    scopes: Mapped[list[str]]
    integrator: Mapped[str | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class Webhook(Base):
    """An address that events are posted to. `types` null: all public events.

    The secrets must be usable for signing, so they are kept as they are, and shown to nobody after they were made.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'disabled')", name="status"),
        CheckConstraint("(status = 'disabled') = (disabled_at IS NOT NULL)", name="disabled"),
        CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name="previous"),
        CheckConstraint("cardinality(types) > 0", name="types"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    url: Mapped[str]
    types: Mapped[list[str] | None]
    contact: Mapped[str]
    secret: Mapped[str]
    previous_secret: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(server_default="active")
    disabled_at: Mapped[datetime | None]
    disabled_because: Mapped[str | None]
    last_success_at: Mapped[datetime | None]
    created_by: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Delivery(Base):
    """One event on its way to one webhook: there is one at most, so that a replay sends it again and never beside itself.

    `due_at` is when it is tried next; whoever tries it moves that ahead first, which keeps all others away from it.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'delivered', 'given_up')", name="status"),
        CheckConstraint("(status = 'waiting') = (done_at IS NULL)", name="done"),
        CheckConstraint("attempts >= 0", name="attempts"),
        Index("uq_deliveries_webhook_id_position", "webhook_id", "position", unique=True),
        Index("ix_deliveries_due_at", "due_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_deliveries_position", "position"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(BigInteger, ForeignKey("feed_events.position", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(server_default="waiting")
    due_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    attempts: Mapped[int] = mapped_column(server_default="0")
    begun_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    traceparent: Mapped[str | None]


class Attempt(Base):
    """One request of a delivery and what came of it: the log that an integrator's questions are answered from."""

    __tablename__ = "attempts"
    __table_args__ = (Index("ix_attempts_delivery_id", "delivery_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    delivery_id: Mapped[UUID] = mapped_column(ForeignKey("deliveries.id", ondelete="CASCADE"))
    tried_at: Mapped[datetime]
    milliseconds: Mapped[int]
    status: Mapped[int | None]
    error: Mapped[str | None]
