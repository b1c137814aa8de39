"""Notices, whom and where they may reach, and the ways to earn that commands are made from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "bot_0004"
down_revision = "bot_0003"


def _instant(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), **options)


def _now(name: str) -> sa.Column:
    return _instant(name, nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("discord_id", sa.Text),
        sa.Column("new_activities", sa.Boolean, nullable=False),
        sa.Column("reward_updates", sa.Boolean, nullable=False),
        sa.Column("leaderboard_changes", sa.Boolean, nullable=False),
        sa.Column("time_zone", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_contacts"),
    )
    op.create_index("ix_contacts_discord_id", "contacts", ["discord_id"])
    op.create_table(
        "closed_doors",
        sa.Column("discord_id", sa.Text, nullable=False),
        _now("since"),
        _now("tried_at"),
        sa.PrimaryKeyConstraint("discord_id", name="pk_closed_doors"),
    )
    op.create_table(
        "guild_settings",
        sa.Column("guild_id", sa.Text, nullable=False),
        sa.Column("staff_channel_id", sa.Text),
        sa.Column("announcement_channel_id", sa.Text),
        sa.Column("staff_role_id", sa.Text),
        sa.Column("set_up_by", sa.Text, nullable=False),
        _now("created_at"),
        _now("updated_at"),
        sa.PrimaryKeyConstraint("guild_id", name="pk_guild_settings"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid),
        sa.Column("data", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="due"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        _now("due_at"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        _instant("tried_at"),
        sa.Column("question_id", sa.Uuid),
        _instant("asked_at"),
        sa.Column("channel_id", sa.Text),
        sa.Column("message_id", sa.Text),
        sa.Column("reason", sa.Text),
        _now("created_at"),
        _instant("expires_at"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.UniqueConstraint("event_id", "recipient", name="uq_notices_event_id_recipient"),
        sa.CheckConstraint("state IN ('due', 'told', 'mentioned', 'dropped')", name="ck_notices_state"),
        sa.CheckConstraint("(state = 'dropped') = (reason IS NOT NULL)", name="ck_notices_reason"),
        sa.CheckConstraint("state NOT IN ('told', 'mentioned') OR message_id IS NOT NULL", name="ck_notices_said"),
    )
    op.create_index("ix_notices_due_at", "notices", ["due_at"], postgresql_where=sa.text("state = 'due'"))
    op.create_index("ix_notices_member_id", "notices", ["member_id"])
    op.create_index("ix_notices_expires_at", "notices", ["expires_at"])
    op.create_table(
        "handed_in_pictures",
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        _now("created_at"),
        sa.PrimaryKeyConstraint("reference", name="pk_handed_in_pictures"),
    )
    op.create_index("ix_handed_in_pictures_created_at", "handed_in_pictures", ["created_at"])
    op.create_table(
        "known_activities",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("requires_approval", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.Text),
        sa.Column("min_description", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("code", name="pk_known_activities"),
    )
