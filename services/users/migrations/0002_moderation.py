"""Warnings, activity, and the audit trail."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "users_0002"
down_revision = "users_0001"


def upgrade() -> None:
    op.add_column("members", sa.Column("warnings", sa.Integer, nullable=False, server_default="0"))
    op.add_column("members", sa.Column("last_activity_at", sa.DateTime(timezone=True)))
    op.add_column("members", sa.Column("media_consent_from", sa.Text))
    op.create_check_constraint("ck_members_warnings", "members", "warnings >= 0")
    op.create_index("ix_members_created_at_id", "members", ["created_at", "id"])
    op.create_index(
        "ix_members_not_active",
        "members",
        ["status", "suspended_until"],
        postgresql_where=sa.text("status <> 'active'"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("before", JSONB, nullable=False),
        sa.Column("after", JSONB, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
    )
    op.create_index("ix_audit_entries_member_id_id", "audit_entries", ["member_id", "id"])
    op.create_table(
        "audit_notes",
        sa.Column(
            "entry_id",
            sa.Uuid,
            sa.ForeignKey("audit_entries.id", name="fk_audit_notes_entry_id_audit_entries"),
            nullable=False,
        ),
        sa.Column("before", JSONB, nullable=False),
        sa.Column("after", JSONB, nullable=False),
        sa.Column("reason", sa.Text),
        sa.PrimaryKeyConstraint("entry_id", name="pk_audit_notes"),
    )
    # The trail is append only for the service itself; of the notes it may only erase whole ones.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'users') THEN "
        "REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM users; "
        "REVOKE UPDATE, TRUNCATE ON audit_notes FROM users; END IF; END $$"
    )
