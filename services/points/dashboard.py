"""The dashboard: how a member does in the last N days, beside the N days before.

The window is rolling: from now - N x 24 hours on (that instant included) to now; the previous one ends where it begins.
What the figures mean is in `figures.py`. total_points is what was available at the end of the window, so

    total_points at its end = total_points at its beginning + points_earned - points_redeemed,

and the present one is the balance. Nothing is cached: a figure is as old as the statement that read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, and_, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from fleet.contracts.points import Streak
from fleet.messages import now
from services.points import analytics, figures, ranks, shop_prices
from services.points.activities import CATEGORIES
from services.points.boards import ALL_TIME
from services.points.calendar import programme_day
from services.points.models import ActiveDay, ActivityType, Ledger, Member, Score, Transfer

FIGURES = ("total_points", "points_earned", "points_redeemed", "activities_completed")


@dataclass(frozen=True)
class Window:
    """The figures of one window."""

    start_date: datetime
    end_date: datetime
    total_points: int
    points_earned: int
    points_redeemed: int
    activities_completed: int


@dataclass(frozen=True)
class Share:
    """What one category or activity type brought in the present window; without a code: corrections by staff that
    belong to none. The shares add up to points_earned."""

    code: str | None
    name: str
    points_earned: int
    activities_completed: int


@dataclass(frozen=True)
class Breakdown:
    """points_earned of the present window by category and by activity type, the largest first."""

    by_category: list[Share]
    by_type: list[Share]


@dataclass(frozen=True)
class NextUnlock:
    """A reward, what it costs, and how many points are missing."""

    incentive_id: UUID
    points_required: int
    points_missing: int


@dataclass(frozen=True)
class Dashboard:
    """All of it. `rank` is that of `me` on the all-time leaderboard, null for who is not a student; `next_unlock` is the
    cheapest reward in the shop that costs more than is available, null when there is none."""

    period: str
    current_period: Window
    previous_period: Window
    trends: dict[str, figures.Trend]
    breakdown: Breakdown
    streak: Streak
    rank: int | None
    next_unlock: NextUnlock | None


_who = select(figures.member_of().label("id")).cte("who").prefix_with("MATERIALIZED", dialect="postgresql")
_since = bindparam("since", type_=DateTime(timezone=True))
_before = bindparam("before", type_=DateTime(timezone=True))
# 2: the present window, 1: the previous one, 0: all that came before.
_span: Any = case((Transfer.occurred_at >= _since, 2), (Transfer.occurred_at >= _before, 1), else_=0)
_activity: Any = case((Transfer.occurred_at >= _since, Transfer.activity))
# With each row, as it is one round trip: the days of the streak, the points that the rank follows from, the next reward.
_days: Any = select(func.array_agg(aggregate_order_by(ActiveDay.day, ActiveDay.day))).where(
    ActiveDay.member_id == select(_who.c.id).scalar_subquery()
)
_score: Any = (
    select(func.coalesce(Score.points, 0))
    .select_from(Member)
    .outerjoin(Score, and_(Score.board == ALL_TIME, Score.member_id == Member.id))
    .where(Member.id == select(_who.c.id).scalar_subquery(), Member.role == "student")
)
_SUMS = (
    select(
        _span.label("span"),
        _activity.label("earned_by"),
        func.coalesce(figures.points_earned, 0).label("earned"),
        func.coalesce(figures.points_redeemed, 0).label("redeemed"),
        figures.activities.label("activities"),
        func.bool_or(figures.is_issue).label("issues"),
        func.min(ActivityType.name).label("name"),
        func.min(ActivityType.category).label("category"),
        _days.scalar_subquery().label("days"),
        _score.scalar_subquery().label("score"),
        shop_prices.next_of(select(_who.c.id).scalar_subquery()).label("next"),
    )
    .select_from(_who)
    .outerjoin(Ledger, Ledger.member_id == _who.c.id)
    .outerjoin(Transfer, Transfer.ledger_id == Ledger.id)
    .outerjoin(ActivityType, and_(ActivityType.code == Transfer.activity, Transfer.occurred_at >= _since))
    .group_by("span", "earned_by")
)


def read(session: Session, member_id: UUID, period: str) -> Dashboard:
    """The member's dashboard for a period of `figures.PERIODS`, in two statements."""
    length = timedelta(days=figures.PERIODS[period])
    end = now()
    since, before = end - length, end - 2 * length
    rows = session.execute(_SUMS, {"member_id": member_id, "since": since, "before": before}).all()
    # There is a row even for who never earned.
    days, score = rows[0].days or [], rows[0].score
    current, previous = _windows(rows, before, since, end)
    return Dashboard(
        period=period,
        current_period=current,
        previous_period=previous,
        trends={name: figures.trend(getattr(current, name), getattr(previous, name)) for name in FIGURES},
        breakdown=_breakdown([row for row in rows if row.span == 2 and row.issues]),
        streak=analytics.measure_streak(days, programme_day(end)),
        rank=None if score is None else _rank(session, score),
        next_unlock=_next_unlock(rows[0].next, current.total_points),
    )


def _next_unlock(found: Any, available: int) -> NextUnlock | None:
    return found and NextUnlock(UUID(found[0]), found[1], found[1] - available)


def _rank(session: Session, score: int) -> int:
    return ranks.look_up(session, ALL_TIME, [score])[0][score].ahead + 1


def _windows(rows: Sequence[Any], before: datetime, since: datetime, end: datetime) -> tuple[Window, Window]:
    """The present and the previous window."""
    earned, redeemed, activities = [0, 0, 0], [0, 0, 0], [0, 0, 0]
    for row in rows:
        earned[row.span] += row.earned
        redeemed[row.span] += row.redeemed
        activities[row.span] += row.activities
    opening = earned[0] - redeemed[0]
    middle = opening + earned[1] - redeemed[1]
    previous = Window(before, since, middle, earned[1], redeemed[1], activities[1])
    return Window(since, end, middle + earned[2] - redeemed[2], earned[2], redeemed[2], activities[2]), previous


def _breakdown(rows: Sequence[Any]) -> Breakdown:
    types = [Share(row.earned_by, row.name or "Corrections", row.earned, row.activities) for row in rows]
    points: dict[str | None, list[int]] = {}
    for row in rows:
        sums = points.setdefault(row.category, [0, 0])
        sums[0] += row.earned
        sums[1] += row.activities
    categories = [
        Share(code, CATEGORIES.get(code, code) if code else "Corrections", *sums) for code, sums in points.items()
    ]
    return Breakdown(sorted(categories, key=_largest_first), sorted(types, key=_largest_first))


def _largest_first(share: Share) -> tuple[int, str]:
    return -share.points_earned, share.code or ""
