"""The leaderboard: who stands where, and what a viewer may see of it.

Students only, opted-in only, each under the name of their own choice. Ties share a rank (1, 1, 3); within a tie the one
who got there first comes first. `me` is the viewer's own rank among those shown, whether or not they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Leaderboard, OwnPlace, Period, Place
from fleet.messages import now
from fleet.prepared import Statement, run
from services.points import ranks
from services.points.boards import ALL_TIME, board_name
from services.points.models import Member, Score
from services.points.ranks import Rank

NEIGHBOURS = 2
# A number that the planner sees: of a parameter it would expect a tenth of the board.
LARGEST_PAGE = 100


@dataclass(frozen=True)
class View:
    """Which board, seen by whom, through which filters."""

    period: Period = "all_time"
    viewer: UUID | None = None
    track: str | None = None
    university: str | None = None
    with_ids: bool = False

    @property
    def board(self) -> str:
        """The board of the present moment."""
        return board_name(self.period, now())

    @property
    def is_filtered(self) -> bool:
        """True when only a part of the board is looked at."""
        return bool(self.track or self.university)


def read(session: Session, view: View, limit: int, cursor: str | None) -> Leaderboard:
    """A page of the board with the viewer's own place. Raises InvalidFields for a cursor that is not of this list."""
    key = paging.decode_cursor(cursor, int, instant, UUID)
    rows = _rows(session, view, _BEHIND, key or _TOP, limit + 1)
    items, next_cursor = paging.page(rows, limit, lambda row: (row.points, row.reached_at.isoformat(), row.member_id))
    own = _own(session, view) if view.viewer else None
    standings, total = _standings(session, view, [items, *(own.lists if own else ())])
    return Leaderboard(
        period=view.period,
        items=_ranked(items, standings, own.member_id if own else None),
        total=total,
        me=own.placed(standings) if own else None,
        next_cursor=next_cursor,
        member_ids=[row.member_id for row in items] if view.with_ids else None,
    )


def own_place(session: Session, view: View) -> OwnPlace | None:
    """The viewer's true rank with two neighbours on either side; None for who is not a student.

    Who has no points in the period stands behind all who have some.
    """
    own = _own(session, view)
    return own.placed(_standings(session, view, own.lists)[0]) if own else None


@dataclass(frozen=True)
class _Own:
    """The viewer as a row of the board, and the rows of their neighbours."""

    member_id: UUID
    points: int
    total: int
    above: Sequence[Any]
    below: Sequence[Any]

    @property
    def lists(self) -> list[Sequence[Any]]:
        return [[self], self.above, self.below]

    def placed(self, standings: dict[int, Rank]) -> OwnPlace:
        return OwnPlace(
            rank=standings[self.points].ahead + 1,
            total_points=self.total,
            points=self.points,
            above=_ranked(self.above, standings, self.member_id),
            below=_ranked(self.below, standings, self.member_id),
        )


def _own(session: Session, view: View) -> _Own | None:
    assert view.viewer is not None
    found = run(session, _MINE(viewer=view.viewer, board=view.board, now=now()))
    if not found:
        return None
    [mine] = found
    key = (mine.points, mine.reached_at, mine.id)
    above = _rows(session, view, _AHEAD, key, NEIGHBOURS)[::-1]
    below = _rows(session, view, _BEHIND, key, NEIGHBOURS)
    return _Own(mine.id, mine.points, mine.total, above, below)


_MINE = Statement(
    "leaderboard_mine",
    f"""
    SELECT m.id, coalesce(s.points, 0) AS points, coalesce(s.reached_at, :now) AS reached_at,
        coalesce(t.points, 0) AS total
    FROM members m
    LEFT JOIN scores s ON s.board = :board AND s.member_id = m.id
    LEFT JOIN scores t ON t.board = '{ALL_TIME}' AND t.member_id = m.id
    WHERE m.id = coalesce((SELECT member_id FROM aliases WHERE old_id = :viewer), :viewer) AND m.role = 'student'
    """,  # noqa: S608 a constant
    viewer="uuid",
    board="text",
    now="timestamptz",
)
Key = tuple[int, datetime, UUID]
# Nobody stands above.
_TOP: Key = (2**62, datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))


def _walk(name: str, compare: str, order: str) -> Statement:
    """Some rows from a place on, in the order of the board's index (most points first, then who got there first) or back."""
    return Statement(
        name,
        f"""
        SELECT * FROM (
            SELECT s.points, s.reached_at, s.member_id, m.display_name, t.points AS total
            FROM scores s
            JOIN members m ON m.id = s.member_id
            JOIN scores t ON t.board = '{ALL_TIME}' AND t.member_id = s.member_id
            WHERE s.board = :board AND s.shown
                AND (-s.points, s.reached_at, s.member_id) {compare} (-:points, :reached_at, :member)
                AND (:track IS NULL OR m.track = :track) AND (:university IS NULL OR m.university = :university)
            ORDER BY -s.points {order}, s.reached_at {order}, s.member_id {order} LIMIT {LARGEST_PAGE + 1}
        ) AS walk LIMIT :count
        """,  # noqa: S608 constants
        board="text",
        points="bigint",
        reached_at="timestamptz",
        member="uuid",
        track="text",
        university="text",
        count="integer",
    )


_BEHIND = _walk("leaderboard_behind", ">", "ASC")
_AHEAD = _walk("leaderboard_ahead", "<", "DESC")


def _rows(session: Session, view: View, walk: Statement, key: Key, count: int) -> list[Any]:
    points, reached_at, member_id = key
    filters = {"track": view.track, "university": view.university}
    place = {"points": points, "reached_at": reached_at, "member": member_id}
    return run(session, walk(board=view.board, **place, **filters, count=count))


def _standings(session: Session, view: View, lists: Sequence[Sequence[Any]]) -> tuple[dict[int, Rank], int]:
    """The ranks of the first of each list, from which those of the others follow, and how many are shown in all."""
    scores = {rows[0].points for rows in lists if rows}
    if not view.is_filtered:
        return ranks.look_up(session, view.board, scores)
    found = {
        score: Rank(_count(session, view, Score.points > score), _count(session, view, Score.points == score))
        for score in scores
    }
    return found, _count(session, view)


def _count(session: Session, view: View, *where: ColumnElement[bool]) -> int:
    """Counting, for filtered views: their histogram would be one for each value of each filter."""
    counted = select(func.count()).select_from(Score).join(Member, Member.id == Score.member_id)
    counted = counted.where(Score.board == view.board, Score.shown, *where)
    if view.track:
        counted = counted.where(Member.track == view.track)
    if view.university:
        counted = counted.where(Member.university == view.university)
    return session.scalar(counted) or 0


def _ranked(rows: Sequence[Any], standings: dict[int, Rank], viewer: UUID | None) -> list[Place]:
    """Give consecutive rows of the board their ranks: that of the first row is known, the rest follow."""
    if not rows:
        return []
    first = standings[rows[0].points]
    rank = first.ahead + 1
    # How many share the present rank: of the first row's some may stand on the page before, of the others all are here.
    sharing = first.tied
    found: list[Place] = []
    for index, row in enumerate(rows):
        if index and row.points < rows[index - 1].points:
            rank += sharing
            sharing = 0
        if row.points != rows[0].points:
            sharing += 1
        found.append(Place(rank, row.display_name, row.total, row.points, row.member_id == viewer))
    return found
