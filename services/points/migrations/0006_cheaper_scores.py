"""An award changes three scores, and each change of one writes to every index of the table: two of them are enough.

The key begins with the member now, so it also serves what looks for all of a member's scores. The trigger tells its
deltas in one statement, without those that cancel out. Balances are changed again and again: room in their pages lets
PostgreSQL do it in place.
"""

from alembic import op

revision = "points_0006"
down_revision = "points_0005"

FUNCTION = """
CREATE OR REPLACE FUNCTION scores_to_rank_deltas() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO rank_deltas (board, points, change)
        SELECT board, points, sum(change) FROM (
            SELECT board, points, -1 AS change FROM before WHERE shown
            UNION ALL
            SELECT board, points, 1 FROM after WHERE shown
        ) AS changed GROUP BY board, points HAVING sum(change) <> 0;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO rank_deltas (board, points, change)
        SELECT board, points, count(*) FROM after WHERE shown GROUP BY board, points;
    ELSE
        INSERT INTO rank_deltas (board, points, change)
        SELECT board, points, -count(*) FROM before WHERE shown GROUP BY board, points;
    END IF;
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute("ALTER TABLE scores DROP CONSTRAINT pk_scores")
    op.execute("ALTER TABLE scores ADD CONSTRAINT pk_scores PRIMARY KEY (member_id, board)")
    op.drop_index("ix_scores_member_id", "scores")
    op.execute(FUNCTION)
    op.execute("ALTER TABLE balances SET (fillfactor = 80)")
