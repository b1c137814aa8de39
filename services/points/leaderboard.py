"""The leaderboard: who stands where, and what a viewer may see of it.

Students only, opted-in only, each under the name of their own choice. Ties share a rank (1, 1, 3); within a tie the one
who got there first comes first. `me` is the viewer's own rank among those shown, whether or not they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, DateTime, and_, bindparam, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from fleet import paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Leaderboard, OwnPlace, Period, Place
from fleet.messages import now
from services.points import ranks
from services.points.boards import ALL_TIME, board_name
from services.points.figures import member_of
from services.points.models import Member, Score
from services.points.ranks import Rank

NEIGHBOURS = 2

_Total = aliased(Score)


@dataclass(frozen=True)
class View:
    """Which board, seen by whom, through which filters."""

    period: Period = "all_time"
    viewer: UUID | None = None
    track: str | None = None
    university: str | None = None

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
    rows = _rows(session, view, _key(key) < _ORDER if key else None, limit + 1)
    items, next_cursor = paging.page(rows, limit, lambda row: (row.points, row.reached_at.isoformat(), row.member_id))
    own = _own(session, view) if view.viewer else None
    standings, total = _standings(session, view, [items, *(own.lists if own else ())])
    return Leaderboard(
        period=view.period,
        items=_ranked(items, standings, own.member_id if own else None),
        total=total,
        me=own.placed(standings) if own else None,
        next_cursor=next_cursor,
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
    mine = session.execute(_MINE, {"viewer": view.viewer, "board": view.board, "now": now()}).first()
    if mine is None:
        return None
    key = (mine.points, mine.reached_at, mine.id)
    above = list(reversed(_rows(session, view, _key(key) > _ORDER, NEIGHBOURS, backwards=True)))
    below = _rows(session, view, _key(key) < _ORDER, NEIGHBOURS)
    return _Own(mine.id, mine.points, mine.total, above, below)


_MINE = (
    select(
        Member.id,
        func.coalesce(Score.points, 0).label("points"),
        func.coalesce(Score.reached_at, bindparam("now", type_=DateTime(timezone=True))).label("reached_at"),
        func.coalesce(_Total.points, 0).label("total"),
    )
    .select_from(Member)
    .outerjoin(Score, and_(Score.board == bindparam("board"), Score.member_id == Member.id))
    .outerjoin(_Total, and_(_Total.board == ALL_TIME, _Total.member_id == Member.id))
    .where(Member.id == member_of("viewer"), Member.role == "student")
)


# The order of a board, as its index has it: most points first, then who got there first.
_ORDER = tuple_(-Score.points, Score.reached_at, Score.member_id)


def _key(key: tuple[int, datetime, UUID]) -> Any:
    points, reached_at, member_id = key
    return tuple_(literal(-points, BigInteger), literal(reached_at), literal(member_id))


def _conditions(view: View) -> list[Any]:
    found: list[Any] = [Score.board == view.board, Score.shown]
    if view.track:
        found.append(Member.track == view.track)
    if view.university:
        found.append(Member.university == view.university)
    return found


def _rows(
    session: Session, view: View, where: ColumnElement[bool] | None, limit: int, *, backwards: bool = False
) -> Sequence[Any]:
    order: list[Any] = [-Score.points, Score.reached_at, Score.member_id]
    statement = (
        select(Score.points, Score.reached_at, Score.member_id, Member.display_name, _Total.points.label("total"))
        .join(Member, Member.id == Score.member_id)
        .join(_Total, and_(_Total.board == ALL_TIME, _Total.member_id == Score.member_id))
        .where(*_conditions(view))
        .order_by(*(column.desc() for column in order) if backwards else order)
        .limit(limit)
    )
    return session.execute(statement if where is None else statement.where(where)).all()


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
    statement = select(func.count()).select_from(Score).join(Member, Member.id == Score.member_id)
    return session.scalar(statement.where(*_conditions(view), *where)) or 0


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
