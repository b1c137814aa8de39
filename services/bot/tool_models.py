"""What is remembered of requests of other bots and tools, so that each acts once."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, LargeBinary, Text, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from services.bot.models import Base

_INSTANT = DateTime(timezone=True)


class ToolNonce(Base):
    """A signed request that was let in. The key is unique: the same request a second time is nobody's."""

    __tablename__ = "tool_nonces"
    __table_args__ = (Index("ix_tool_nonces_seen_at", "seen_at"),)

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    nonce: Mapped[str] = mapped_column(Text, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())


class ToolCommand(Base):
    """A command that was sent for a tool under an Idempotency-Key: asked again, its answer is looked up by `message_id`."""

    __tablename__ = "tool_commands"
    __table_args__ = (Index("ix_tool_commands_sent_at", "sent_at"),)

    key_id: Mapped[str] = mapped_column(Text, primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    message_id: Mapped[UUID] = mapped_column(Uuid)
    sent_at: Mapped[datetime] = mapped_column(_INSTANT, server_default=func.now())
