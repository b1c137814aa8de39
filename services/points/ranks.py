"""How many stand before somebody, without counting them.

A board is kept a second time as a histogram: how many shown members have each score (level 0), and how many lie in each
bucket of 1,024 scores (level 1). "How many have more than p" is then a few dozen rows, whatever the number of members.

Nobody writes the histogram while awarding: all awards of a board would meet on its few rows. A trigger on `scores`
appends what each statement changed to `rank_deltas`, a folder moves the deltas into the counts twice a second, and every
reader adds the deltas that still wait, in the same statement. So a rank is exact at once. Because it is a trigger, no
way of changing a score can forget it: awards, corrections, merges, somebody opting out.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import logs
from fleet.database import is_outage, transaction
from fleet.prepared import Statement, run

log = logs.get(__name__)

FOLD_EVERY_S = 0.5
_FOLDER_LOCK = 5_271_011

# Scores of a week may fall below zero (corrections); a shift rounds down on both sides of it, a division does not.
_LOOK_UP = Statement(
    "ranks_look_up",
    """
    WITH deltas AS MATERIALIZED (SELECT points, change FROM rank_deltas WHERE board = :board)
    SELECT p.points,
        (SELECT coalesce(sum(members), 0) FROM (
            SELECT members FROM rank_counts WHERE board = :board AND level = 1 AND bucket > p.points >> 10
            UNION ALL
            SELECT members FROM rank_counts WHERE board = :board AND level = 0
                AND bucket > p.points AND bucket < ((p.points >> 10) + 1) << 10
            UNION ALL
            SELECT change FROM deltas WHERE deltas.points > p.points
        ) AS more) AS ahead,
        (SELECT coalesce(sum(members), 0) FROM (
            SELECT members FROM rank_counts WHERE board = :board AND level = 0 AND bucket = p.points
            UNION ALL
            SELECT change FROM deltas WHERE deltas.points = p.points
        ) AS as_many) AS tied,
        (SELECT coalesce(sum(members), 0) FROM (
            SELECT members FROM rank_counts WHERE board = :board AND level = 1
            UNION ALL
            SELECT change FROM deltas
        ) AS everybody) AS total
    FROM unnest(:points) AS p (points)
    """,
    board="text",
    points="bigint[]",
)


@dataclass(frozen=True)
class Rank:
    """How many shown members of a board have more points than somebody, and how many just as many."""

    ahead: int
    tied: int


def look_up(session: Session, board: str, scores: Collection[int]) -> tuple[dict[int, Rank], int]:
    """The rank that each of these scores has on the board now, and how many members the board shows."""
    # One score more, so that there is a row to tell the total even when nobody's rank is asked for.
    rows = run(session, _LOOK_UP(board=board, points=sorted({0, *scores})))
    return {row.points: Rank(int(row.ahead), int(row.tied)) for row in rows}, int(rows[0].total)


_FOLD = text(
    """
    WITH moved AS (
        DELETE FROM rank_deltas WHERE id <= (SELECT max(id) FROM (SELECT id FROM rank_deltas ORDER BY id LIMIT 20000) AS batch)
        RETURNING board, points, change
    ), sums AS (
        SELECT board, 0 AS level, points AS bucket, sum(change) AS members FROM moved GROUP BY board, points
        UNION ALL
        SELECT board, 1, points >> 10, sum(change) FROM moved GROUP BY board, points >> 10
    ), folded AS (
        INSERT INTO rank_counts AS c (board, level, bucket, members)
        SELECT board, level, bucket, members FROM sums WHERE members <> 0 ORDER BY board, level, bucket
        ON CONFLICT (board, level, bucket) DO UPDATE SET members = c.members + excluded.members
    )
    SELECT count(*) FROM moved
    """
)


def fold(session: Session) -> int:
    """Move waiting deltas into the counts, one folder at a time; how many were moved (0 also when another folds)."""
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _FOLDER_LOCK}):
        return 0
    return int(session.execute(_FOLD).scalar_one())


class Folder:
    """Folds twice a second until `stop` is set; a part of points' consumer process."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Fold, rest; while the database is away the deltas wait in it, and ranks stay exact."""
        while not self.stop.is_set():
            try:
                with transaction() as session:
                    fold(session)
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("fold_postponed")
            self.stop.wait(FOLD_EVERY_S)
