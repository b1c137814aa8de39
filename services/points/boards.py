"""The boards behind the leaderboard: every member's points for all time, for each week and for each month."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet.prepared import Statement, run
from services.points.calendar import month_of, programme_day, week_of
from services.points.models import Member

ALL_TIME = "all_time"
PERIODS = (ALL_TIME, "weekly", "monthly")


@lru_cache(1024)
def of_week(day: date) -> str:
    """The board of the day's week."""
    return f"week:{week_of(day)}"


@lru_cache(1024)
def of_month(day: date) -> str:
    """The board of the day's month."""
    return f"month:{month_of(day)}"


def board_name(period: str, moment: datetime) -> str:
    """The board of the period (`all_time`, `weekly`, `monthly`) that the instant falls into."""
    day = programme_day(moment)
    return of_week(day) if period == "weekly" else of_month(day) if period == "monthly" else ALL_TIME


def is_on_boards(member: Member) -> bool:
    """Only students who have a name here and did not opt out are shown to others."""
    return member.show_in_leaderboard and member.role == "student" and member.display_name is not None


_ADD = text(
    "INSERT INTO scores AS s (board, member_id, points, reached_at, shown)"
    " SELECT board, m.id, :points, :at, m.show_in_leaderboard AND m.role = 'student' AND m.display_name IS NOT NULL"
    " FROM unnest(CAST(:boards AS text[])) AS board JOIN members m ON m.id = :member ORDER BY board"
    " ON CONFLICT (member_id, board) DO UPDATE SET points = s.points + excluded.points,"
    " reached_at = greatest(s.reached_at, excluded.reached_at)"
)
# What is there was raised by `awards.write`; only what is not there is inserted.
_ADD_FIRST = Statement(
    "boards_add_first",
    """
    INSERT INTO scores (board, member_id, points, reached_at, shown)
    SELECT u.board, u.member_id, u.points, u.at, m.show_in_leaderboard AND m.role = 'student' AND m.display_name IS NOT NULL
    FROM unnest(:boards, :members, :points, :times) AS u (board, member_id, points, at)
    JOIN members m ON m.id = u.member_id
    ON CONFLICT DO NOTHING
    """,
    boards="text[]",
    members="uuid[]",
    points="bigint[]",
    times="timestamptz[]",
)


def add(session: Session, member_id: UUID, points: int, occurred_at: datetime) -> None:
    """Add (or, negative, take) points on the member's three boards of that moment. Their balance must be locked.

    `reached_at` only moves forward, so the order within a tie is by when things happened, not by when they arrived.
    """
    names = [board_name(period, occurred_at) for period in PERIODS]
    session.execute(_ADD, {"boards": names, "member": member_id, "points": points, "at": occurred_at})


def add_first(session: Session, earned: Sequence[tuple[UUID, int, datetime]]) -> None:
    """The first points on a board for those of (member, points, moment) who have none there. Their balances are locked."""
    rows = [(board_name(period, moment), *rest, moment) for *rest, moment in earned for period in PERIODS]
    names, members, points, times = zip(*rows, strict=True)
    run(session, _ADD_FIRST(boards=names, members=members, points=points, times=times))
