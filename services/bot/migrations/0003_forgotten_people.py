"""Whom the bot takes no notice of."""

import sqlalchemy as sa
from alembic import op

revision = "bot_0003"
down_revision = "bot_0002"


def upgrade() -> None:
    op.create_table(
        "forgotten_people",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("member_id", name="pk_forgotten_people"),
    )
