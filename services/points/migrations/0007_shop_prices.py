"""What the rewards of the shop cost, for the next one that a member reaches."""

import sqlalchemy as sa
from alembic import op

revision = "points_0007"
down_revision = "points_0006"


def upgrade() -> None:
    op.create_table(
        "shop_prices",
        sa.Column("incentive_id", sa.Uuid, nullable=False),
        sa.Column("points_required", sa.Integer, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("incentive_id", name="pk_shop_prices"),
        sa.CheckConstraint("points_required > 0", name="ck_shop_prices_points_required"),
    )
    op.create_index(
        "ix_shop_prices_points_required", "shop_prices", ["points_required"], postgresql_where=sa.text("is_active")
    )
