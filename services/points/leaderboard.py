"""The leaderboard: who stands where, and what a viewer may see of it.

Students only, opted-in only, each under the name of their own choice. Ties share a rank (1, 1, 3); within a tie the one
who got there first comes first. `me` is the viewer's own rank among those shown, whether or not they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, and_, func, literal, select, tuple_
from sqlalchemy.orm import Session, aliased

from fleet import paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Leaderboard, OwnPlace, Period, Place
from fleet.messages import now
from services.points import ledger, ranks
from services.points.boards import ALL_TIME, board_name
from services.points.models import Member, Score

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
    return Leaderboard(
        period=view.period,
        items=_ranked(session, view, items),
        total=_total(session, view),
        me=own_place(session, view) if view.viewer else None,
        next_cursor=next_cursor,
    )


def own_place(session: Session, view: View) -> OwnPlace | None:
    """The viewer's true rank with two neighbours on either side; None for who is not a student.

    Who has no points in the period stands behind all who have some.
    """
    assert view.viewer is not None
    me = ledger.resolve(session, view.viewer)
    mine = session.execute(
        select(
            func.coalesce(Score.points, 0).label("points"),
            func.coalesce(Score.reached_at, now()).label("reached_at"),
            func.coalesce(_Total.points, 0).label("total"),
        )
        .select_from(Member)
        .outerjoin(Score, and_(Score.board == view.board, Score.member_id == Member.id))
        .outerjoin(_Total, and_(_Total.board == ALL_TIME, _Total.member_id == Member.id))
        .where(Member.id == me, Member.role == "student")
    ).first()
    if mine is None:
        return None
    key = (mine.points, mine.reached_at, me)
    above = list(reversed(_rows(session, view, _key(key) > _ORDER, NEIGHBOURS, backwards=True)))
    below = _rows(session, view, _key(key) < _ORDER, NEIGHBOURS)
    return OwnPlace(
        rank=_ahead(session, view, mine.points) + 1,
        total_points=mine.total,
        points=mine.points,
        above=_ranked(session, view, above),
        below=_ranked(session, view, below),
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


def _count(session: Session, view: View, *where: ColumnElement[bool]) -> int:
    """Counting, for filtered views: their histogram would be one for each value of each filter."""
    statement = select(func.count()).select_from(Score).join(Member, Member.id == Score.member_id)
    return session.scalar(statement.where(*_conditions(view), *where)) or 0


def _ahead(session: Session, view: View, points: int) -> int:
    if view.is_filtered:
        return _count(session, view, Score.points > points)
    return ranks.ahead(session, view.board, points)


def _tied(session: Session, view: View, points: int) -> int:
    if view.is_filtered:
        return _count(session, view, Score.points == points)
    return ranks.tied(session, view.board, points)


def _total(session: Session, view: View) -> int:
    return _count(session, view) if view.is_filtered else ranks.total(session, view.board)


def _ranked(session: Session, view: View, rows: Sequence[Any]) -> list[Place]:
    """Give consecutive rows of the board their ranks: those of the first row are looked up, the rest follow."""
    if not rows:
        return []
    viewer = ledger.resolve(session, view.viewer) if view.viewer else None
    rank = _ahead(session, view, rows[0].points) + 1
    # How many share the present rank: of the first row's some may stand on the page before, of the others all are here.
    sharing = 0 if rows[-1].points == rows[0].points else _tied(session, view, rows[0].points)
    found: list[Place] = []
    for index, row in enumerate(rows):
        if index and row.points < rows[index - 1].points:
            rank += sharing
            sharing = 0
        if row.points != rows[0].points:
            sharing += 1
        found.append(Place(rank, row.display_name, row.total, row.points, row.member_id == viewer))
    return found
