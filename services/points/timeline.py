"""The timeline: a member's points by day, ISO week or calendar month of the programme's zone.

The range is the last `days` programme days, today among them; its first bucket is taken whole, so a week begins on its
Monday and a month on its first. Every bucket of the range is there, also an empty one, and the last one runs to now.
What the figures mean is in `figures.py`; cumulative_points is what was available at the end of the bucket, counted from
the first transfer of all the member's ledgers. `trend` compares points_earned with the bucket before, which for the
first bucket is the one before the range.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import DateTime, Integer, Text, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from fleet.messages import now
from services.points import figures
from services.points.calendar import month_of, programme_day, week_of
from services.points.models import Transfer

Granularity = Literal["daily", "weekly", "monthly"]
GRANULARITIES: tuple[Granularity, ...] = ("daily", "weekly", "monthly")
MAX_DAYS = 730


@dataclass(frozen=True)
class Bucket:
    """A day, week or month; `date` is its first day."""

    date: date
    points_earned: int
    points_redeemed: int
    net_points: int
    cumulative_points: int
    activities_count: int
    redemptions_count: int
    trend: figures.Trend


@dataclass(frozen=True)
class Summary:
    """The range as a whole. The average is points_earned over the days from the first bucket's to today, to 1 place;
    the most active bucket is the first of those with the largest net_points, null when none is above 0."""

    total_days: int
    opening_points: int
    total_points_earned: int
    total_points_redeemed: int
    net_points_change: int
    average_daily_points: float
    most_active_date: date | None


@dataclass(frozen=True)
class Timeline:
    """The buckets of a range, oldest first."""

    granularity: Granularity
    items: list[Bucket]
    summary: Summary


# One walk over the member's part of the index (ledger, time). The edges come from Python, so that PostgreSQL and the
# rest of Propel cannot disagree about when a day begins. Bucket 0 is everything before the first edge.
_edges: Any = cast(bindparam("edges", type_=Text()), ARRAY(DateTime(timezone=True)))
_SUMS = (
    select(
        func.width_bucket(Transfer.occurred_at, _edges, type_=Integer()).label("bucket"),
        figures.points_earned.label("earned"),
        figures.points_redeemed.label("redeemed"),
        figures.activities.label("activities"),
        figures.redemptions.label("redemptions"),
    )
    .where(Transfer.ledger_id.in_(figures.ledgers_of_member()))
    .group_by("bucket")
)


def read(session: Session, member_id: UUID, granularity: Granularity, days: int) -> Timeline:
    """The member's timeline over the last `days` programme days (1..730), in one statement."""
    today = programme_day(now())
    dates, edges = _range(figures.zone(), granularity, days, today)
    sums = {row.bucket: row for row in session.execute(_SUMS, {"member_id": member_id, "edges": edges})}
    history, preceding = sums.get(0), sums.get(1)
    opening = sum(row.earned - row.redeemed for row in (history, preceding) if row)
    items = _items(dates, sums, opening, preceding.earned if preceding else 0)
    return Timeline(granularity, items, _summary(items, opening, (today - dates[0]).days + 1))


@lru_cache(maxsize=256)
def _range(zone: ZoneInfo, granularity: Granularity, days: int, today: date) -> tuple[tuple[date, ...], str]:
    """The first days of all buckets, and the instants at which the one before them and each of them begin.

    It is the same for everybody who asks the same on one day, and takes longer than all the rest in Python.
    """
    first = _bucket_of(today - timedelta(days=days - 1), granularity)
    dates = tuple(_dates(first, today, granularity))
    before = _bucket_of(first - timedelta(days=1), granularity)
    edges = ",".join(figures.day_start(day, zone).isoformat() for day in (before, *dates))
    return dates, f"{{{edges}}}"


def _bucket_of(day: date, granularity: Granularity) -> date:
    """The first day of the day's bucket."""
    if granularity == "weekly":
        return week_of(day)
    return month_of(day) if granularity == "monthly" else day


def _dates(first: date, today: date, granularity: Granularity) -> Iterator[date]:
    while first <= today:
        yield first
        # 31 days on from its first lies in the next month, always.
        step = {"daily": 1, "weekly": 7, "monthly": 31}[granularity]
        first = _bucket_of(first + timedelta(days=step), granularity)


def _items(dates: tuple[date, ...], sums: dict[int, Any], opening: int, earned_before: int) -> list[Bucket]:
    found = []
    cumulative, previous = opening, earned_before
    for number, day in enumerate(dates, start=2):
        row = sums.get(number)
        earned, redeemed = (row.earned, row.redeemed) if row else (0, 0)
        cumulative += earned - redeemed
        found.append(
            Bucket(
                date=day,
                points_earned=earned,
                points_redeemed=redeemed,
                net_points=earned - redeemed,
                cumulative_points=cumulative,
                activities_count=row.activities if row else 0,
                redemptions_count=row.redemptions if row else 0,
                trend=figures.trend(earned, previous),
            )
        )
        previous = earned
    return found


def _summary(items: list[Bucket], opening: int, days: int) -> Summary:
    earned = sum(item.points_earned for item in items)
    redeemed = sum(item.points_redeemed for item in items)
    best = max(items, key=lambda item: item.net_points)
    return Summary(
        total_days=days,
        opening_points=opening,
        total_points_earned=earned,
        total_points_redeemed=redeemed,
        net_points_change=earned - redeemed,
        average_daily_points=round(earned / days, 1),
        most_active_date=best.date if best.net_points > 0 else None,
    )
