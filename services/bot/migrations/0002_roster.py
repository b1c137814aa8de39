"""Who is in the server, as hashes."""

import sqlalchemy as sa
from alembic import op

revision = "bot_0002"
down_revision = "bot_0001"


def upgrade() -> None:
    op.create_table(
        "roster",
        sa.Column("person_key", sa.LargeBinary, nullable=False),
        sa.Column("name_key", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("person_key", name="pk_roster"),
    )
    op.create_index("ix_roster_name_key", "roster", ["name_key"])
    op.create_table(
        "roster_state",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_roster_state"),
        sa.CheckConstraint("id = 1", name="ck_roster_state_only_one"),
    )
