"""The role of a member, for staff who ask and decide from Discord."""

import sqlalchemy as sa
from alembic import op

revision = "reviews_0003"
down_revision = "reviews_0002"


def upgrade() -> None:
    op.add_column("members", sa.Column("role", sa.Text, nullable=False, server_default="student"))
