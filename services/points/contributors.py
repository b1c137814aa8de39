"""Who earned most of late, in all or in one category: a sum over the newest transfers, which lie together by their ids."""

from datetime import timedelta
from typing import Literal

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from fleet.contracts.points import Contributor, Contributors
from fleet.messages import now
from fleet.problems import invalid
from services.points import figures
from services.points.activities import CATEGORIES
from services.points.boards import ALL_TIME
from services.points.models import ActivityType, Ledger, Member, Score, Transfer
from services.points.reports import first_id

MOST = 100


def read(session: Session, period: Literal["7days", "30days"], category: str | None, limit: int) -> Contributors:
    """The `limit` members with most points of the period, of those who are shown on the leaderboard.

    Points are those of `figures.points_earned`; corrections belong to no category. Raises InvalidFields.
    """
    if period not in ("7days", "30days"):
        raise invalid("/period", "must be 7days or 30days")
    if category is not None and category not in CATEGORIES:
        raise invalid("/category", f"must be one of {', '.join(CATEGORIES)}")
    if not 1 <= limit <= MOST:
        raise invalid("/limit", f"must be between 1 and {MOST}")
    since = now() - timedelta(days=figures.PERIODS[period])
    shown = and_(Score.member_id == Ledger.member_id, Score.board == ALL_TIME, Score.shown)
    sums = (
        select(Ledger.member_id, figures.points_earned.label("points"), figures.activities.label("activities"))
        .select_from(Transfer)
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .join(Score, shown)
        # What happened in the period was written down in it or later.
        .where(Transfer.id >= first_id(since), Transfer.occurred_at >= since, figures.is_issue)
        .group_by(Ledger.member_id)
    )
    if category is not None:
        sums = sums.join(ActivityType, ActivityType.code == Transfer.activity).where(ActivityType.category == category)
    found = sums.subquery()
    earned = found.c.points > 0
    ranked = (
        select(
            found,
            Member.display_name,
            func.count().over().label("members"),
            func.sum(found.c.activities).over().label("all"),
        )
        .join(Member, Member.id == found.c.member_id)
        .where(earned)
        .order_by(found.c.points.desc(), found.c.activities.desc(), found.c.member_id)
        .limit(limit)
    )
    rows = session.execute(ranked).all()
    items = [Contributor(row.member_id, row.display_name, row.points, row.activities) for row in rows]
    return Contributors(items, rows[0].members if rows else 0, int(rows[0].all) if rows else 0)
