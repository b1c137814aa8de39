"""The leaderboard: who stands where, and what a viewer may see of it.

Students only, opted-in only, each under the name of their own choice. Ties share a rank (1, 1, 3); within a tie the one
who got there first comes first. `me` is the viewer's own rank among those shown, whether or not they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from fleet import paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Leaderboard, OwnPlace, Period, Place
from fleet.messages import now
from services.points import ledger
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


def read(session: Session, view: View, limit: int, cursor: str | None) -> Leaderboard:
    """A page of the board with the viewer's own place. Raises InvalidFields for a cursor that is not of this list."""
    key = paging.decode_cursor(cursor, int, instant, UUID)
    rows = _rows(session, view, _after(key) if key else None, limit + 1)
    items, next_cursor = paging.page(rows, limit, lambda row: (row.points, row.reached_at.isoformat(), row.member_id))
    return Leaderboard(
        period=view.period,
        items=_ranked(session, view, items),
        total=_count(session, view),
        me=own_place(session, view) if view.viewer else None,
        next_cursor=next_cursor,
    )


def own_place(session: Session, view: View) -> OwnPlace | None:
    """The viewer's true rank with two neighbours on either side; None for who is no student or has no points here."""
    assert view.viewer is not None
    me = ledger.resolve(session, view.viewer)
    mine = session.execute(
        select(Score.points, Score.reached_at, Score.member_id, _Total.points.label("total"))
        .join(Member, Member.id == Score.member_id)
        .join(_Total, and_(_Total.board == ALL_TIME, _Total.member_id == Score.member_id))
        .where(Score.board == board_name(view.period, now()), Score.member_id == me, Member.role == "student")
    ).first()
    if mine is None:
        return None
    key = (mine.points, mine.reached_at, mine.member_id)
    above = list(reversed(_rows(session, view, _before(key), NEIGHBOURS, backwards=True)))
    below = _rows(session, view, _after(key), NEIGHBOURS)
    return OwnPlace(
        rank=_count(session, view, Score.points > mine.points) + 1,
        total_points=mine.total,
        points=mine.points,
        above=_ranked(session, view, above),
        below=_ranked(session, view, below),
    )


def _after(key: tuple[int, datetime, UUID]) -> ColumnElement[bool]:
    """Rows that come later on the board than `key`: fewer points, or reached later."""
    points, reached_at, member_id = key
    later = func.row(Score.reached_at, Score.member_id) > func.row(literal(reached_at), literal(member_id))
    return and_(Score.points <= points, or_(Score.points < points, later))


def _before(key: tuple[int, datetime, UUID]) -> ColumnElement[bool]:
    points, reached_at, member_id = key
    earlier = func.row(Score.reached_at, Score.member_id) < func.row(literal(reached_at), literal(member_id))
    return and_(Score.points >= points, or_(Score.points > points, earlier))


def _conditions(view: View) -> list[Any]:
    found: list[Any] = [Score.board == board_name(view.period, now()), Score.shown]
    if view.track:
        found.append(Member.track == view.track)
    if view.university:
        found.append(Member.university == view.university)
    return found


def _rows(
    session: Session, view: View, where: ColumnElement[bool] | None, limit: int, *, backwards: bool = False
) -> Sequence[Any]:
    order: list[Any] = [Score.points.desc(), Score.reached_at.asc(), Score.member_id.asc()]
    if backwards:
        order = [Score.points.asc(), Score.reached_at.desc(), Score.member_id.desc()]
    statement = (
        select(Score.points, Score.reached_at, Score.member_id, Member.display_name, _Total.points.label("total"))
        .join(Member, Member.id == Score.member_id)
        .join(_Total, and_(_Total.board == ALL_TIME, _Total.member_id == Score.member_id))
        .where(*_conditions(view))
        .order_by(*order)
        .limit(limit)
    )
    return session.execute(statement if where is None else statement.where(where)).all()


def _count(session: Session, view: View, where: ColumnElement[bool] | None = None) -> int:
    statement = select(func.count()).select_from(Score).where(*_conditions(view))
    if view.track or view.university:
        statement = statement.join(Member, Member.id == Score.member_id)
    return session.scalar(statement if where is None else statement.where(where)) or 0


def _ranked(session: Session, view: View, rows: Sequence[Any]) -> list[Place]:
    """Give consecutive rows of the board their ranks: one count for the first, the rest follow from it."""
    if not rows:
        return []
    first = rows[0]
    rank = _count(session, view, Score.points > first.points) + 1
    position = _count(session, view, _before((first.points, first.reached_at, first.member_id))) + 1
    viewer = ledger.resolve(session, view.viewer) if view.viewer else None
    found = []
    for offset, row in enumerate(rows):
        if offset and row.points < rows[offset - 1].points:
            rank = position + offset
        found.append(Place(rank, row.display_name, row.total, row.points, row.member_id == viewer))
    return found
