"""Requests of other bots and tools act once: their nonces, and the commands that were sent for them."""

import sqlalchemy as sa
from alembic import op

revision = "bot_0008"
down_revision = "bot_0007"

_NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "tool_nonces",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("key_id", "nonce", name="pk_tool_nonces"),
    )
    op.create_index("ix_tool_nonces_seen_at", "tool_nonces", ["seen_at"])
    op.create_table(
        "tool_commands",
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("key_id", "idempotency_key", name="pk_tool_commands"),
    )
    op.create_index("ix_tool_commands_sent_at", "tool_commands", ["sent_at"])
