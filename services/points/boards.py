"""The boards behind the leaderboard: every member's points for all time, for each week and for each month."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.points.calendar import month_of, programme_day, week_of
from services.points.models import Member, Score

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


def add(session: Session, member_id: UUID, points: int, occurred_at: datetime) -> None:
    """Add points to the member's three boards of that moment. Their balance must be locked.

    `reached_at` only moves forward, so the order within a tie is by when things happened, not by when they arrived.
    """
    member = session.scalars(select(Member).where(Member.id == member_id)).one()
    shown = is_on_boards(member)
    names = sorted({board_name(period, occurred_at) for period in ("all_time", "weekly", "monthly")})
    rows = [
        {"board": name, "member_id": member_id, "points": points, "reached_at": occurred_at, "shown": shown}
        for name in names
    ]
    statement = insert(Score).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["board", "member_id"],
            set_={
                "points": Score.points + statement.excluded.points,
                "reached_at": func.greatest(Score.reached_at, statement.excluded.reached_at),
            },
        )
    )
