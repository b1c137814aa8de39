"""Rules as they once were, submissions with their evidence, and check-in codes."""

import sqlalchemy as sa
from alembic import op

revision = "points_0002"
down_revision = "points_0001"

MOMENT = sa.DateTime(timezone=True)
HELD = "status IN ('pending', 'approved')"


def upgrade() -> None:
    _versions()
    _evidence()
    _submissions()
    _checkins()


def _versions() -> None:
    rule = [
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("requires_approval", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("evidence_once", sa.Text, nullable=False),
        sa.Column("min_description", sa.Integer, nullable=False),
        sa.Column("cap_count", sa.Integer),
        sa.Column("cap_period", sa.Text),
        sa.Column("cooldown_seconds", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
    ]
    op.create_table(
        "activity_type_versions",
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        *rule,
        sa.Column("changed_by", sa.Uuid),
        sa.Column("changed_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("code", "version", name="pk_activity_type_versions"),
        sa.ForeignKeyConstraint(
            ["code"], ["activity_types.code"], name="fk_activity_type_versions_code_activity_types"
        ),
    )
    names = ", ".join(["code", "version", *(column.name for column in rule)])
    op.execute(f"INSERT INTO activity_type_versions ({names}) SELECT {names} FROM activity_types")  # noqa: S608
    # What a receipt refers to is never changed; a changed rule is a further version.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'points') THEN "
        "REVOKE UPDATE, DELETE, TRUNCATE ON activity_type_versions FROM points; END IF; END $$"
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("owner_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("content_type", sa.Text),
        sa.Column("sha256", sa.Text),
        sa.Column("source_url", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", MOMENT),
        sa.Column("reason", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("id", name="pk_evidence"),
        sa.CheckConstraint("status IN ('fetching', 'kept', 'failed')", name="ck_evidence_status"),
        sa.CheckConstraint("(status = 'kept') = (sha256 IS NOT NULL)", name="ck_evidence_kept"),
        sa.CheckConstraint(
            "(status = 'fetching') = (source_url IS NOT NULL) AND (status = 'fetching') = (next_at IS NOT NULL)",
            name="ck_evidence_fetching",
        ),
        sa.CheckConstraint("(status = 'failed') = (reason IS NOT NULL)", name="ck_evidence_failed"),
    )
    op.create_index("ix_evidence_next_at", "evidence", ["next_at"], postgresql_where=sa.text("status = 'fetching'"))
    op.create_index("ix_evidence_owner_id_created_at", "evidence", ["owner_id", "created_at"])


def _submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("rule_version", sa.Integer, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="pending"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("url", sa.Text),
        sa.Column("evidence_id", sa.Uuid),
        sa.Column("claim_scope", sa.Text, nullable=False),
        sa.Column("claim", sa.Text),
        sa.Column("reference", sa.Text),
        sa.Column("submitted_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_as", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("points", sa.Integer),
        sa.Column("transfer_id", sa.Uuid),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
        sa.UniqueConstraint("reference", name="uq_submissions_reference"),
        sa.UniqueConstraint("transfer_id", name="uq_submissions_transfer_id"),
        sa.ForeignKeyConstraint(["activity"], ["activity_types.code"], name="fk_submissions_activity_activity_types"),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name="fk_submissions_evidence_id_evidence"),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name="fk_submissions_transfer_id_transfers"),
        sa.CheckConstraint("status IN ('pending', 'approved', 'rejected', 'withdrawn')", name="ck_submissions_status"),
        sa.CheckConstraint(
            "(status = 'pending') = (decided_at IS NULL) AND (status = 'pending') = (decided_by IS NULL)",
            name="ck_submissions_decided",
        ),
        sa.CheckConstraint(
            "(status = 'approved') = (points IS NOT NULL) AND points BETWEEN 0 AND 2000", name="ck_submissions_points"
        ),
        sa.CheckConstraint("decided_as IN ('admin', 'staff', 'member')", name="ck_submissions_decided_as"),
        sa.CheckConstraint("claim_scope IN ('none', 'member', 'everyone')", name="ck_submissions_claim_scope"),
    )
    once = [
        ("uq_submissions_claim_everyone", ["activity", "claim"], "everyone"),
        ("uq_submissions_claim_member", ["activity", "member_id", "claim"], "member"),
    ]
    for name, columns, scope in once:
        where = sa.text(f"claim_scope = '{scope}' AND {HELD}")
        op.create_index(name, "submissions", columns, unique=True, postgresql_where=where)
    pending = sa.text("status = 'pending'")
    op.create_index("ix_submissions_queue", "submissions", ["submitted_at", "id"], postgresql_where=pending)
    op.create_index("ix_submissions_submitted_at_id", "submissions", ["submitted_at", "id"])
    op.create_index("ix_submissions_member_id_submitted_at_id", "submissions", ["member_id", "submitted_at", "id"])
    op.create_index("ix_submissions_evidence_id", "submissions", ["evidence_id"])


def _checkins() -> None:
    op.create_table(
        "checkins",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("code_hash", sa.LargeBinary, nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_by", sa.Uuid, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("revoked_by", sa.Uuid),
        sa.Column("revoked_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_checkins"),
        sa.UniqueConstraint("code_hash", name="uq_checkins_code_hash"),
        sa.ForeignKeyConstraint(["activity"], ["activity_types.code"], name="fk_checkins_activity_activity_types"),
        sa.CheckConstraint("ends_at > starts_at", name="ck_checkins_window"),
        sa.CheckConstraint("used >= 0 AND used <= max_uses", name="ck_checkins_used"),
    )
    op.create_index("ix_checkins_created_at_id", "checkins", ["created_at", "id"])
    op.create_table(
        "checkin_uses",
        sa.Column("checkin_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("used_at", MOMENT, nullable=False, server_default=sa.func.now()),
        sa.Column("transfer_id", sa.Uuid),
        sa.PrimaryKeyConstraint("checkin_id", "member_id", name="pk_checkin_uses"),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkins.id"], name="fk_checkin_uses_checkin_id_checkins"),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name="fk_checkin_uses_transfer_id_transfers"),
    )
    op.create_table(
        "checkin_tries",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("member_id", name="pk_checkin_tries"),
    )
