"""People, what they earned for, the answers they wait for, and the pages they leaf through."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from fleet.migrate import fleet_tables

revision = "bot_0001"
down_revision = None


def _instant(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def upgrade() -> None:
    fleet_tables()
    op.create_table(
        "people",
        sa.Column("discord_id", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("in_guild", sa.Boolean, nullable=False, server_default="false"),
        _instant("welcome_due_at"),
        _instant("welcomed_at"),
        _instant("updated_at", nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("discord_id", name="pk_people"),
        sa.UniqueConstraint("member_id", name="uq_people_member_id"),
    )
    op.create_index(
        "ix_people_welcome_due_at", "people", ["welcome_due_at"], postgresql_where=sa.text("welcome_due_at IS NOT NULL")
    )
    op.create_table(
        "message_days",
        sa.Column("discord_id", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("discord_id", "day", name="pk_message_days"),
    )
    op.create_index("ix_message_days_day", "message_days", ["day"])
    op.create_table(
        "reaction_hours",
        sa.Column("discord_id", sa.Text, nullable=False),
        _instant("next_at", nullable=False),
        sa.PrimaryKeyConstraint("discord_id", name="pk_reaction_hours"),
    )
    op.create_table(
        "pending_answers",
        sa.Column("message_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("presenter", sa.Text, nullable=False),
        sa.Column("arguments", JSONB, nullable=False),
        sa.Column("discord_id", sa.Text, nullable=False),
        sa.Column("token", sa.Text),
        sa.Column("channel_id", sa.Text),
        sa.Column("message_ref", sa.Text),
        sa.Column("direct", sa.Boolean, nullable=False, server_default="false"),
        _instant("asked_at", nullable=False, server_default=sa.func.now()),
        _instant("due_at"),
        _instant("retry_at"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("message_id", name="pk_pending_answers"),
        sa.CheckConstraint("kind IN ('question', 'command')", name="ck_pending_answers_kind"),
    )
    op.create_index("ix_pending_answers_asked_at", "pending_answers", ["asked_at"])
    op.create_table(
        "listing_pages",
        sa.Column("listing", sa.Text, nullable=False),
        sa.Column("page", sa.Integer, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        _instant("created_at", nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("listing", "page", name="pk_listing_pages"),
    )
    op.create_index("ix_listing_pages_created_at", "listing_pages", ["created_at"])
