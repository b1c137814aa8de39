"""The shop with its first catalogue, redemptions with their steps, members, and the tables every service has."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from fleet.migrate import fleet_tables, links_tables, mail_table

revision = "rewards_0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)
CATEGORIES = "('merchandise', 'gift_cards', 'experiences', 'services', 'digital', 'other')"
STATUSES = (
    "('requested', 'pending', 'approved', 'shipped', 'delivered',"
    " 'declined', 'cancelled', 'rejected', 'expired', 'refunded')"
)


def upgrade() -> None:
    fleet_tables()
    mail_table()
    _incentives()
    _redemptions()
    _steps()
    _refunds()
    _members()
    _links()
    # Nothing of the shop is ever deleted, and what happened to a redemption stays as it was written.
    op.execute(
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rewards') THEN "
        "REVOKE DELETE, TRUNCATE ON incentives, redemptions FROM rewards; "
        "REVOKE UPDATE, DELETE, TRUNCATE ON incentive_changes, redemption_steps FROM rewards; END IF; END $$"
    )


def _incentives() -> None:
    incentives = op.create_table(
        "incentives",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("points_required", sa.Integer, nullable=False),
        sa.Column("stock", sa.Integer),
        sa.Column("supplied", sa.Integer),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("tier", sa.Integer),
        sa.Column("sponsor", sa.Text),
        sa.Column("image_url", sa.Text),
        sa.Column("per_member_limit", sa.Integer),
        sa.Column("min_lifetime_points", sa.Integer),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("reference", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_incentives"),
        sa.UniqueConstraint("reference", name="uq_incentives_reference"),
        sa.CheckConstraint("points_required > 0", name="ck_incentives_points_required"),
        sa.CheckConstraint("stock >= 0", name="ck_incentives_stock"),
        sa.CheckConstraint("(stock IS NULL) = (supplied IS NULL) AND supplied >= stock", name="ck_incentives_supplied"),
        sa.CheckConstraint(f"category IN {CATEGORIES}", name="ck_incentives_category"),
        sa.CheckConstraint("tier BETWEEN 1 AND 4", name="ck_incentives_tier"),
        sa.CheckConstraint("per_member_limit > 0", name="ck_incentives_per_member_limit"),
        sa.CheckConstraint("min_lifetime_points > 0", name="ck_incentives_min_lifetime_points"),
    )
    op.create_index(
        "uq_incentives_active_name", "incentives", ["name_key"], unique=True, postgresql_where=sa.text("is_active")
    )
    op.create_index("ix_incentives_points_required_id", "incentives", ["points_required", "id"])
    changes = op.create_table(
        "incentive_changes",
        sa.Column(
            "incentive_id",
            sa.Uuid,
            sa.ForeignKey("incentives.id", name="fk_incentive_changes_incentive_id_incentives"),
            nullable=False,
        ),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("change", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("before", JSONB, nullable=False),
        sa.Column("after", JSONB, nullable=False),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("incentive_id", "version", name="pk_incentive_changes"),
    )
    seed = json.loads((Path(__file__).resolve().parent / "0001_incentives.json").read_text(encoding="utf-8"))
    moment = datetime.now(UTC)
    op.bulk_insert(
        incentives,
        [
            {
                **row,
                "id": UUID(row["id"]),
                "name_key": row["name"].casefold(),
                "supplied": row["stock"],
                "version": 1,
                "created_at": moment,
                "changed_at": moment,
            }
            for row in seed
        ],
    )
    op.bulk_insert(
        changes,
        [
            {
                "incentive_id": UUID(row["id"]),
                "version": 1,
                "change": "created",
                "changed_at": moment,
                "before": {},
                "after": {name: value for name, value in row.items() if name != "id"},
            }
            for row in seed
        ],
    )


def _redemptions() -> None:
    op.create_table(
        "redemptions",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column(
            "incentive_id",
            sa.Uuid,
            sa.ForeignKey("incentives.id", name="fk_redemptions_incentive_id_incentives"),
            nullable=False,
        ),
        sa.Column("points_spent", sa.Integer, nullable=False),
        sa.Column("min_lifetime_points", sa.Integer),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("settling", sa.Text),
        sa.Column("has_item", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("resend_at", MOMENT),
        sa.Column("resent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("tracking_info", sa.Text),
        sa.Column("estimated_delivery", sa.Date),
        sa.Column("delivery_details", JSONB),
        sa.Column("reference", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_redemptions"),
        sa.UniqueConstraint("reference", name="uq_redemptions_reference"),
        sa.CheckConstraint("points_spent > 0", name="ck_redemptions_points_spent"),
        sa.CheckConstraint(f"status IN {STATUSES}", name="ck_redemptions_status"),
        sa.CheckConstraint("settling IN ('hold', 'capture', 'release', 'refund')", name="ck_redemptions_settling"),
        sa.CheckConstraint(
            "CASE settling WHEN 'hold' THEN status = 'requested'"
            " WHEN 'capture' THEN status IN ('approved', 'shipped', 'delivered', 'refunded')"
            " WHEN 'release' THEN status IN ('cancelled', 'rejected', 'expired')"
            " WHEN 'refund' THEN status = 'refunded' ELSE status <> 'requested' END",
            name="ck_redemptions_settling_fits",
        ),
        sa.CheckConstraint("(settling IS NULL) = (resend_at IS NULL)", name="ck_redemptions_resend_at"),
        sa.CheckConstraint(
            "NOT has_item OR status NOT IN ('declined', 'cancelled', 'rejected', 'expired')",
            name="ck_redemptions_item_back",
        ),
        sa.CheckConstraint("(status = 'declined') = (reason IS NOT NULL)", name="ck_redemptions_reason"),
        sa.CheckConstraint("(status = 'pending') = (expires_at IS NOT NULL)", name="ck_redemptions_expires_at"),
    )
    op.create_index("ix_redemptions_member_id_requested_at_id", "redemptions", ["member_id", "requested_at", "id"])
    op.create_index("ix_redemptions_requested_at_id", "redemptions", ["requested_at", "id"])
    op.create_index("ix_redemptions_status_requested_at_id", "redemptions", ["status", "requested_at", "id"])
    op.create_index("ix_redemptions_incentive_id_member_id", "redemptions", ["incentive_id", "member_id"])
    for name in ("resend_at", "expires_at"):
        op.create_index(
            f"ix_redemptions_{name}", "redemptions", [name], postgresql_where=sa.text(f"{name} IS NOT NULL")
        )


def _of_redemption(table: str) -> sa.Column:
    key = sa.ForeignKey("redemptions.id", name=f"fk_{table}_redemption_id_redemptions")
    return sa.Column("redemption_id", sa.Uuid, key, nullable=False)


def _steps() -> None:
    op.create_table(
        "redemption_steps",
        _of_redemption("redemption_steps"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Uuid),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", "version", name="pk_redemption_steps"),
        sa.CheckConstraint("by IN ('member', 'staff', 'system', 'points')", name="ck_redemption_steps_by"),
        sa.CheckConstraint("(by IN ('member', 'staff')) = (actor_id IS NOT NULL)", name="ck_redemption_steps_actor"),
    )
    op.create_table(
        "step_notes",
        _of_redemption("step_notes"),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", "version", name="pk_step_notes"),
    )
    op.create_table(
        "awaited_replies",
        sa.Column("message_id", sa.Uuid, nullable=False),
        _of_redemption("awaited_replies"),
        sa.Column("reply_to", sa.Text, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("correlation_id", sa.Text),
        sa.Column("traceparent", sa.Text),
        sa.PrimaryKeyConstraint("message_id", name="pk_awaited_replies"),
    )
    op.create_index("ix_awaited_replies_redemption_id", "awaited_replies", ["redemption_id"])


def _refunds() -> None:
    op.create_table(
        "refund_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        _of_redemption("refund_requests"),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("restock", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_at", MOMENT),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_refund_requests"),
        sa.CheckConstraint("status IN ('pending', 'confirmed', 'refused')", name="ck_refund_requests_status"),
        sa.CheckConstraint("decided_by <> requested_by", name="ck_refund_requests_second_admin"),
        sa.CheckConstraint("(status = 'pending') = (decided_by IS NULL)", name="ck_refund_requests_decided"),
        sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="ck_refund_requests_decided_at"),
    )
    op.create_index(
        "uq_refund_requests_pending",
        "refund_requests",
        ["redemption_id"],
        unique=True,
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index("ix_refund_requests_requested_at_id", "refund_requests", ["requested_at", "id"])


def _members() -> None:
    op.create_table(
        "members",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("role", sa.Text, nullable=False, server_default="student"),
        sa.Column("profile_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("email", sa.Text),
        sa.Column("wants_mail", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("time_zone", sa.Text, nullable=False, server_default="UTC"),
        sa.Column("contact_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("available", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("lifetime", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("points_version", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_members"),
    )
    op.create_table(
        "unlocks",
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column(
            "incentive_id",
            sa.Uuid,
            sa.ForeignKey("incentives.id", name="fk_unlocks_incentive_id_incentives"),
            nullable=False,
        ),
        sa.Column("unlocked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("member_id", "incentive_id", name="pk_unlocks"),
    )
    op.create_index("ix_unlocks_incentive_id", "unlocks", ["incentive_id"])


def _links() -> None:
    op.create_table(
        "aliases",
        sa.Column("old_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("old_id", name="pk_aliases"),
        sa.CheckConstraint("old_id <> member_id", name="ck_aliases_leads_elsewhere"),
    )
    links_tables()
