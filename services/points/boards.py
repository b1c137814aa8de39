"""The boards behind the leaderboard: every member's points for all time, for each week and for each month."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.points.calendar import month_of, programme_day, week_of
from services.points.models import Member

ALL_TIME = "all_time"


def board_name(period: str, moment: datetime) -> str:
    """The board of the period (`all_time`, `weekly`, `monthly`) that the instant falls into."""
    day = programme_day(moment)
    if period == "weekly":
        return f"week:{week_of(day)}"
    if period == "monthly":
        return f"month:{month_of(day)}"
    return ALL_TIME


def is_on_boards(member: Member) -> bool:
    """Only students who have a name here and did not opt out are shown to others."""
    return member.show_in_leaderboard and member.role == "student" and member.display_name is not None


# Rows are taken in the order of the primary key, so that two transactions cannot wait for one another's.
_ADD = text(
    "INSERT INTO scores AS s (board, member_id, points, reached_at, shown)"
    " SELECT u.board, u.member_id, u.points, u.at, m.show_in_leaderboard AND m.role = 'student'"
    " AND m.display_name IS NOT NULL FROM unnest(CAST(:boards AS text[]), CAST(:members AS uuid[]),"
    " CAST(:points AS bigint[]), CAST(:times AS timestamptz[])) AS u (board, member_id, points, at)"
    " JOIN members m ON m.id = u.member_id ORDER BY u.member_id, u.board"
    " ON CONFLICT (board, member_id) DO UPDATE SET points = s.points + excluded.points,"
    " reached_at = greatest(s.reached_at, excluded.reached_at)"
)


def add_all(session: Session, earned: Sequence[tuple[UUID, int, datetime]]) -> None:
    """Add (member, points, moment) to each member's three boards of that moment. Their balances must be locked.

    A member appears once. `reached_at` only moves forward, so the order within a tie is by when things happened, not by
    when they arrived.
    """
    rows = [
        (board_name(period, moment), member_id, points, moment)
        for member_id, points, moment in earned
        for period in ("all_time", "weekly", "monthly")
    ]
    values = {
        "boards": [row[0] for row in rows],
        "members": [str(row[1]) for row in rows],
        "points": [row[2] for row in rows],
        "times": [row[3] for row in rows],
    }
    session.execute(_ADD, values)


def add(session: Session, member_id: UUID, points: int, occurred_at: datetime) -> None:
    """Add points to one member's boards, as `add_all`."""
    add_all(session, [(member_id, points, occurred_at)])
