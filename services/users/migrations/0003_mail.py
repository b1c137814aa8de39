"""Mail, tokens sent by mail, and rates of accounts."""

import sqlalchemy as sa
from alembic import op

from fleet.migrate import mail_table, rates_table

revision = "users_0003"
down_revision = "users_0002"


def upgrade() -> None:
    mail_table()
    rates_table()
    op.create_table(
        "one_time_tokens",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "member_id",
            sa.Uuid,
            sa.ForeignKey("members.id", name="fk_one_time_tokens_member_id_members"),
            nullable=False,
        ),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_one_time_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_one_time_tokens_token_hash"),
        sa.CheckConstraint("purpose IN ('verify_email', 'reset_password')", name="ck_one_time_tokens_purpose"),
    )
    op.create_index("ix_one_time_tokens_member_id", "one_time_tokens", ["member_id"])
    op.create_table(
        "reset_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_reset_requests"),
    )
