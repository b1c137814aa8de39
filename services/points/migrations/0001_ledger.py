"""The ledger, the boards, activity types with the first nineteen, and the tables every service has."""

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import op

from fleet.migrate import fleet_tables

revision = "points_0001"
down_revision = None

ACCOUNTS = "('issued', 'available', 'reserved', 'redeemed')"


def upgrade() -> None:
    fleet_tables()
    _activity_types()
    _members()
    _ledger()
    _projections()
    # Transfers are immutable for the service itself; corrections are further transfers.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'points') THEN "
        "REVOKE UPDATE, DELETE, TRUNCATE ON transfers FROM points; END IF; END $$"
    )


def _activity_types() -> None:
    table = op.create_table(
        "activity_types",
        sa.Column("code", sa.Text, nullable=False),
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
        sa.Column("is_active", sa.Boolean, nullable=False, server_default="true"),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.PrimaryKeyConstraint("code", name="pk_activity_types"),
        sa.CheckConstraint("points BETWEEN 0 AND 2000", name="ck_activity_types_points"),
        sa.CheckConstraint("evidence IN ('none', 'text', 'url', 'attachment')", name="ck_activity_types_evidence"),
        sa.CheckConstraint("evidence_once IN ('none', 'member', 'everyone')", name="ck_activity_types_evidence_once"),
        sa.CheckConstraint("cap_period IN ('day', 'week', 'month', 'lifetime')", name="ck_activity_types_cap_period"),
        sa.CheckConstraint(
            "(cap_count IS NULL) = (cap_period IS NULL) AND cap_count > 0", name="ck_activity_types_cap"
        ),
        sa.CheckConstraint("cooldown_seconds >= 0", name="ck_activity_types_cooldown"),
    )
    seed = Path(__file__).resolve().parent / "0001_activity_types.json"
    op.bulk_insert(table, json.loads(seed.read_text(encoding="utf-8")))


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("show_in_leaderboard", sa.Boolean, nullable=False, server_default="true"),
        sa.Column("role", sa.Text, nullable=False, server_default="student"),
        sa.Column("status", sa.Text, nullable=False, server_default="active"),
        sa.Column("track", sa.Text),
        sa.Column("university", sa.Text),
        sa.Column("graduation_year", sa.Integer),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
    )
    op.create_table(
        "aliases",
        sa.Column("old_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("old_id", name="pk_aliases"),
        sa.CheckConstraint("old_id <> member_id", name="ck_aliases_leads_elsewhere"),
    )


def _ledger() -> None:
    op.create_table(
        "ledgers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ledgers"),
    )
    op.create_index("uq_ledgers_current", "ledgers", ["member_id"], unique=True, postgresql_where=sa.text("is_current"))
    op.create_index("ix_ledgers_member_id", "ledgers", ["member_id"])
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column(
            "ledger_id", sa.Uuid, sa.ForeignKey("ledgers.id", name="fk_transfers_ledger_id_ledgers"), nullable=False
        ),
        sa.Column("debit", sa.Text, nullable=False),
        sa.Column("credit", sa.Text, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("activity", sa.Text),
        sa.Column("rule_version", sa.Integer),
        sa.Column("actor", sa.Uuid),
        sa.Column("idempotency_key", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("available_after", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transfers"),
        sa.UniqueConstraint("idempotency_key", name="uq_transfers_idempotency_key"),
        sa.CheckConstraint("points > 0", name="ck_transfers_points"),
        sa.CheckConstraint(
            f"debit IN {ACCOUNTS} AND credit IN {ACCOUNTS} AND debit <> credit", name="ck_transfers_accounts"
        ),
    )
    op.create_index("ix_transfers_ledger_id_occurred_at_id", "transfers", ["ledger_id", "occurred_at", "id"])
    op.create_table(
        "transfer_notes",
        sa.Column(
            "transfer_id",
            sa.Uuid,
            sa.ForeignKey("transfers.id", name="fk_transfer_notes_transfer_id_transfers"),
            nullable=False,
        ),
        sa.Column("details", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name="pk_transfer_notes"),
    )


def _projections() -> None:
    op.create_table(
        "balances",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("available", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("reserved", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("redeemed", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("lifetime", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("member_id", name="pk_balances"),
        sa.CheckConstraint("available >= 0", name="ck_balances_available"),
        sa.CheckConstraint("reserved >= 0", name="ck_balances_reserved"),
        sa.CheckConstraint("redeemed >= 0", name="ck_balances_redeemed"),
    )
    op.create_table(
        "scores",
        sa.Column("board", sa.Text, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("board", "member_id", name="pk_scores"),
    )
    order = ["board", sa.text("points DESC"), "reached_at", "member_id"]
    op.create_index("ix_scores_board_order", "scores", order, postgresql_where=sa.text("shown"))
    op.create_index("ix_scores_member_id", "scores", ["member_id"])
    op.create_table(
        "allowances",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "activity", "period", name="pk_allowances"),
    )
    op.create_table(
        "cooldowns",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "activity", name="pk_cooldowns"),
    )
    op.create_table(
        "active_days",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "day", name="pk_active_days"),
    )
