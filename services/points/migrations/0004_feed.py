"""What other services tell of members for the activity feed, and indexes for feed and programme figures."""

import sqlalchemy as sa
from alembic import op

revision = "points_0004"
down_revision = "points_0003"


def upgrade() -> None:
    op.create_table(
        "feed_items",
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("member_id", sa.Uuid, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("points", sa.Integer),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("type", "id", name="pk_feed_items"),
        sa.CheckConstraint("type IN ('redemption', 'session')", name="ck_feed_items_type"),
        sa.CheckConstraint("(type = 'redemption') = (points IS NOT NULL)", name="ck_feed_items_points"),
    )
    op.create_index("ix_feed_items_member_id_occurred_at_id", "feed_items", ["member_id", "occurred_at", "id"])
    op.create_index("ix_aliases_member_id", "aliases", ["member_id"])
    op.create_index("ix_transfers_occurred_at", "transfers", ["occurred_at"], postgresql_using="brin")
