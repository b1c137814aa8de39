"""What somebody wants of a review, until they have said that their times were read right."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "bot_0005"
down_revision = "bot_0004"


def upgrade() -> None:
    op.create_table(
        "review_drafts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("discord_id", sa.Text, nullable=False),
        sa.Column("wish", JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_review_drafts"),
    )
    op.create_index("ix_review_drafts_created_at", "review_drafts", ["created_at"])
    op.create_index("ix_review_drafts_discord_id", "review_drafts", ["discord_id"])
