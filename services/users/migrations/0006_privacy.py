"""Exports and erasures, and an audit trail that follows a pseudonym."""

import sqlalchemy as sa
from alembic import op

revision = "users_0006"
down_revision = "users_0005"

_NOW = sa.func.now()
_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "member_id", sa.Uuid, sa.ForeignKey("members.id", name="fk_exports_member_id_members"), nullable=False
        ),
        sa.Column("requested_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.Column("ready_at", _INSTANT),
        sa.Column("expires_at", _INSTANT),
        sa.Column("document", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
        sa.UniqueConstraint("member_id", name="uq_exports_member_id"),
        sa.CheckConstraint(
            "(document IS NULL) = (ready_at IS NULL) AND (document IS NULL) = (expires_at IS NULL)",
            name="ck_exports_ready",
        ),
    )
    op.create_table(
        "export_tasks",
        _of_export("export_tasks"),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("parts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("cursor", sa.Text),
        sa.Column("done_at", _INSTANT),
        sa.Column("asks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("export_id", "service", name="pk_export_tasks"),
    )
    op.create_index("ix_export_tasks_due_at", "export_tasks", ["due_at"], postgresql_where=sa.text("done_at IS NULL"))
    op.create_table(
        "export_parts",
        _of_export("export_parts"),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("rows", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("export_id", "service", "number", name="pk_export_parts"),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "member_id", sa.Uuid, sa.ForeignKey("members.id", name="fk_erasures_member_id_members"), nullable=False
        ),
        sa.Column("member_ids", sa.ARRAY(sa.Uuid), nullable=False),
        sa.Column("pseudonym", sa.Uuid, nullable=False),
        sa.Column("receipt_hash", sa.LargeBinary, nullable=False),
        sa.Column("requested_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.Column("letter_to", sa.Text),
        sa.Column("letter_id", sa.Uuid),
        sa.Column("answered_at", _INSTANT),
        sa.Column("finished_at", _INSTANT),
        sa.Column("returned_id", sa.Uuid),
        sa.Column("returned_as", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_erasures"),
        sa.UniqueConstraint("member_id", name="uq_erasures_member_id"),
        sa.UniqueConstraint("pseudonym", name="uq_erasures_pseudonym"),
        sa.UniqueConstraint("receipt_hash", name="uq_erasures_receipt_hash"),
        sa.CheckConstraint(
            "finished_at IS NULL OR answered_at IS NOT NULL", name="ck_erasures_finished_after_the_answers"
        ),
        sa.CheckConstraint("answered_at IS NULL OR letter_to IS NULL", name="ck_erasures_address_goes"),
        sa.CheckConstraint("(returned_id IS NULL) = (returned_as IS NULL)", name="ck_erasures_returned"),
    )
    op.create_index(
        "ix_erasures_unfinished", "erasures", ["answered_at"], postgresql_where=sa.text("finished_at IS NULL")
    )
    op.create_index("ix_erasures_member_ids", "erasures", ["member_ids"], postgresql_using="gin")
    op.create_index(
        "ix_erasures_returned_as", "erasures", ["returned_as"], postgresql_where=sa.text("returned_as IS NOT NULL")
    )
    op.create_table(
        "erasure_tasks",
        sa.Column(
            "erasure_id",
            sa.Uuid,
            sa.ForeignKey("erasures.id", name="fk_erasure_tasks_erasure_id_erasures"),
            nullable=False,
        ),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("answered_at", _INSTANT),
        sa.Column("rows", sa.Integer),
        sa.Column("asks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", _INSTANT, nullable=False, server_default=_NOW),
        sa.PrimaryKeyConstraint("erasure_id", "service", name="pk_erasure_tasks"),
    )
    op.create_index(
        "ix_erasure_tasks_due_at", "erasure_tasks", ["due_at"], postgresql_where=sa.text("answered_at IS NULL")
    )
    # The service may not change its audit trail. It may have an erased member's entries follow the pseudonym, and only
    # those: what is changed is read from the erasure, not said by the caller.
    op.execute(
        "CREATE FUNCTION audit_under_pseudonym(erasure uuid) RETURNS void LANGUAGE sql SECURITY DEFINER"
        " SET search_path = public, pg_temp AS $$"
        " UPDATE audit_entries a SET member_id = e.pseudonym FROM erasures e"
        " WHERE e.id = erasure AND a.member_id = ANY(e.member_ids);"
        " UPDATE audit_entries a SET actor_id = e.pseudonym FROM erasures e"
        " WHERE e.id = erasure AND a.actor_id = ANY(e.member_ids) $$"
    )
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'users') THEN "
        "REVOKE DELETE, TRUNCATE ON erasures, erasure_tasks FROM users; "
        "REVOKE EXECUTE ON FUNCTION audit_under_pseudonym FROM PUBLIC; "
        "GRANT EXECUTE ON FUNCTION audit_under_pseudonym TO users; END IF; END $$"
    )
    op.create_index("ix_audit_entries_actor_id", "audit_entries", ["actor_id"])


def _of_export(table: str) -> sa.Column[object]:
    key = sa.ForeignKey("exports.id", name=f"fk_{table}_export_id_exports", ondelete="CASCADE")
    return sa.Column("export_id", sa.Uuid, key, nullable=False)
