"""Sign-in with Google, and when the bot saw a member's Discord names."""

import sqlalchemy as sa
from alembic import op

revision = "users_0005"
down_revision = "users_0004"


def upgrade() -> None:
    op.add_column("members", sa.Column("discord_seen_at", sa.DateTime(timezone=True)))
    op.add_column("members", sa.Column("google_subject", sa.Text))
    op.create_unique_constraint("uq_members_google_subject", "members", ["google_subject"])
    op.create_table(
        "oauth_states",
        sa.Column("state_hash", sa.LargeBinary, nullable=False),
        sa.Column("browser_hash", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.Text, nullable=False),
        sa.Column("code_verifier", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("state_hash", name="pk_oauth_states"),
    )
    op.create_index("ix_oauth_states_expires_at", "oauth_states", ["expires_at"])
