"""Ranks without counting: a histogram of each board, fed by a trigger, and the boards' order as one index."""

import sqlalchemy as sa
from alembic import op

revision = "points_0005"
down_revision = "points_0004"

# One function for the three kinds of statement; which transition tables exist depends on the kind.
FUNCTION = """
CREATE FUNCTION scores_to_rank_deltas() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO rank_deltas (board, points, change)
        SELECT board, points, -count(*) FROM before WHERE shown GROUP BY board, points;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO rank_deltas (board, points, change)
        SELECT board, points, count(*) FROM after WHERE shown GROUP BY board, points;
    END IF;
    RETURN NULL;
END $$
"""
TRIGGERS = (
    "AFTER INSERT ON scores REFERENCING NEW TABLE AS after",
    "AFTER UPDATE ON scores REFERENCING OLD TABLE AS before NEW TABLE AS after",
    "AFTER DELETE ON scores REFERENCING OLD TABLE AS before",
)


def upgrade() -> None:
    op.create_table(
        "rank_counts",
        sa.Column("board", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("bucket", sa.BigInteger, nullable=False),
        sa.Column("members", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("board", "level", "bucket", name="pk_rank_counts"),
    )
    op.create_table(
        "rank_deltas",
        sa.Column("id", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("board", sa.Text, nullable=False),
        sa.Column("points", sa.BigInteger, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rank_deltas"),
    )
    op.execute(
        "ALTER TABLE rank_deltas SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, "
        "autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off)"
    )
    op.execute(
        "INSERT INTO rank_counts SELECT board, 0, points, count(*) FROM scores WHERE shown GROUP BY board, points"
    )
    op.execute(
        "INSERT INTO rank_counts SELECT board, 1, points >> 10, count(*) FROM scores WHERE shown"
        " GROUP BY board, points >> 10"
    )
    op.execute(FUNCTION)
    for kind in TRIGGERS:
        name = kind.split()[1].lower()
        op.execute(f"CREATE TRIGGER scores_{name}_ranks {kind} EXECUTE FUNCTION scores_to_rank_deltas()")
    op.drop_index("ix_scores_board_order", "scores")
    order = ["board", sa.text("(-points)"), "reached_at", "member_id"]
    op.create_index("ix_scores_board_order", "scores", order, postgresql_where=sa.text("shown"))
