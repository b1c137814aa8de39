"""Members, refresh tokens, and the tables every service has."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from fleet.migrate import fleet_tables

revision = "users_0001"
down_revision = None


def upgrade() -> None:
    fleet_tables()
    op.create_table(
        "members",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("username", sa.Text),
        sa.Column("username_key", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("email_key", sa.Text),
        sa.Column("email_verified_at", sa.DateTime(timezone=True)),
        sa.Column("password_hash", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("suspended_until", sa.DateTime(timezone=True)),
        sa.Column("first_name", sa.Text, nullable=False, server_default=""),
        sa.Column("last_name", sa.Text, nullable=False, server_default=""),
        sa.Column("university", sa.Text),
        sa.Column("company", sa.Text),
        sa.Column("major", sa.Text),
        sa.Column("graduation_year", sa.Integer),
        sa.Column("track", sa.Text),
        sa.Column("discord_id", sa.Text),
        sa.Column("discord_username", sa.Text),
        sa.Column("discord_display_name", sa.Text),
        sa.Column("media_consent_at", sa.DateTime(timezone=True)),
        sa.Column("onboarding_completed_at", sa.DateTime(timezone=True)),
        sa.Column("preferences", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("security_version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
        sa.UniqueConstraint("username_key", name="uq_members_username_key"),
        sa.UniqueConstraint("email_key", name="uq_members_email_key"),
        sa.UniqueConstraint("discord_id", name="uq_members_discord_id"),
        sa.CheckConstraint("role IN ('student', 'company', 'university', 'admin')", name="ck_members_role"),
        sa.CheckConstraint(
            "status IN ('active', 'awaiting_approval', 'suspended', 'erased')", name="ck_members_status"
        ),
        sa.CheckConstraint("(username IS NULL) = (username_key IS NULL)", name="ck_members_username_has_key"),
        sa.CheckConstraint("(email IS NULL) = (email_key IS NULL)", name="ck_members_email_has_key"),
        sa.CheckConstraint(
            "username IS NOT NULL OR discord_id IS NOT NULL OR status = 'erased'", name="ck_members_reachable"
        ),
    )
    op.create_table(
        "refresh_families",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "member_id",
            sa.Uuid,
            sa.ForeignKey("members.id", name="fk_refresh_families_member_id_members"),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_families"),
    )
    op.create_index("ix_refresh_families_member_id", "refresh_families", ["member_id"])
    op.create_table(
        "refresh_tokens",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "family_id",
            sa.Uuid,
            sa.ForeignKey("refresh_families.id", name="fk_refresh_tokens_family_id_refresh_families"),
            nullable=False,
        ),
        sa.Column("parent_id", sa.Uuid),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_refresh_tokens_token_hash"),
    )
    op.create_index("ix_refresh_tokens_family_id", "refresh_tokens", ["family_id"])
    op.create_index("ix_refresh_tokens_parent_id", "refresh_tokens", ["parent_id"])
