"""Corrections with a second admin, holds for redemptions, links of Discord-born members; what a transfer may be."""

import sqlalchemy as sa
from alembic import op

revision = "points_0003"
down_revision = "points_0002"

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _movements()
    _adjustments()
    _holds()
    _links()


def _movements() -> None:
    """Each kind of transfer has its accounts, and a balance is all that was issued to the member, wherever it is now."""
    op.create_check_constraint(
        "ck_transfers_kind",
        "transfers",
        "(kind, debit, credit) IN (('award', 'issued', 'available'), ('adjustment', 'issued', 'available'),"
        " ('adjustment', 'available', 'issued'), ('reversal', 'available', 'issued'), ('reversal', 'issued', 'available'),"
        " ('hold', 'available', 'reserved'), ('release', 'reserved', 'available'), ('capture', 'reserved', 'redeemed'),"
        " ('refund', 'redeemed', 'available'))",
    )
    op.create_check_constraint("ck_balances_sum", "balances", "available + reserved + redeemed = lifetime")


def _adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("requested_by", sa.Uuid, nullable=False),
        sa.Column("requested_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.Column("decided_by", sa.Uuid),
        sa.Column("decided_at", MOMENT),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_adjustments"),
        sa.CheckConstraint("points <> 0", name="ck_adjustments_points"),
        sa.CheckConstraint("status IN ('pending', 'applied', 'refused')", name="ck_adjustments_status"),
        sa.CheckConstraint("decided_by <> requested_by", name="ck_adjustments_second_admin"),
        sa.CheckConstraint("(decided_by IS NULL) = (decided_at IS NULL)", name="ck_adjustments_decided"),
        sa.CheckConstraint(
            "status <> 'pending' OR (decided_by IS NULL AND expires_at IS NOT NULL)", name="ck_adjustments_pending"
        ),
    )
    op.create_index("ix_adjustments_requested_at_id", "adjustments", ["requested_at", "id"])
    op.create_index("ix_adjustments_member_id", "adjustments", ["member_id"])
    op.create_table(
        "adjustment_allowances",
        sa.Column("actor_id", sa.Uuid, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "day", name="pk_adjustment_allowances"),
    )


def _holds() -> None:
    states = "('held', 'refused', 'captured', 'released', 'voided', 'refunded')"
    op.create_table(
        "holds",
        sa.Column("redemption_id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("points", sa.Integer),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("refunded_points", sa.Integer),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name="pk_holds"),
        sa.CheckConstraint(f"state IN {states}", name="ck_holds_state"),
        sa.CheckConstraint("points > 0", name="ck_holds_points"),
        sa.CheckConstraint("(state = 'voided') = (points IS NULL)", name="ck_holds_voided"),
        sa.CheckConstraint("(state IN ('refused', 'refunded')) = (reason IS NOT NULL)", name="ck_holds_reason"),
        sa.CheckConstraint("(state = 'refunded') = (refunded_points IS NOT NULL)", name="ck_holds_refunded"),
        sa.CheckConstraint("refunded_points BETWEEN 1 AND points", name="ck_holds_refunded_points"),
    )
    op.create_index("ix_holds_member_id", "holds", ["member_id"])


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("discord_born_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("discord_born_id", name="pk_links"),
    )
    op.create_table(
        "waiting_link_changes",
        sa.Column("discord_born_id", sa.Uuid, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("member_id", sa.Uuid),
        sa.Column("arrived_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("discord_born_id", "version", name="pk_waiting_link_changes"),
    )
