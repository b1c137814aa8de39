"""Who waits, and what is owed, know the trace they belong to."""

import sqlalchemy as sa
from alembic import op

revision = "bot_0006"
down_revision = "bot_0005"


def upgrade() -> None:
    op.add_column("pending_answers", sa.Column("traceparent", sa.Text))
    op.add_column("notices", sa.Column("traceparent", sa.Text))
