"""The programme as a whole, for staff: who takes part, what is owed, what waits, what is done.

- members: neither erased nor merged into others, by role; active ones have an award in the last 7 or 30 times 24 hours.
- points, from all balances: issued (awards and corrections, ever), reserved for redemptions, redeemed, and outstanding:
  what members could still claim, the liability (issued - redeemed = available + reserved).
- queue: pending submissions and how long they have waited.
- top activities: of the last 30 times 24 hours, by the number of awards.
- weeks: the last 12 ISO weeks of the programme's zone, the present one among them, oldest first.

What earned and redeemed mean is in `figures.py`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from fleet.messages import now
from services.points import figures
from services.points.calendar import programme_day, week_of
from services.points.models import ActivityType, Balance, Ledger, Member, Transfer
from services.points.submission_models import Submission

WEEKS = 12
TOP = 10


@dataclass(frozen=True)
class RoleCount:
    """Members of one role."""

    role: str
    members: int
    active_7days: int
    active_30days: int


@dataclass(frozen=True)
class Points:
    """Where all points are."""

    issued: int
    reserved: int
    redeemed: int
    outstanding: int


@dataclass(frozen=True)
class Queue:
    """Submissions that wait for staff; the ages are in seconds, null when none waits."""

    pending: int
    oldest_submitted_at: datetime | None
    oldest_age_seconds: int | None
    median_age_seconds: int | None


@dataclass(frozen=True)
class TopActivity:
    """One way to earn, by how often it was awarded."""

    activity: str
    name: str | None
    awards: int
    points_earned: int
    members: int


@dataclass(frozen=True)
class Week:
    """One ISO week; `date` is its Monday."""

    date: date
    points_earned: int
    points_redeemed: int
    activities_count: int
    active_members: int


@dataclass(frozen=True)
class Programme:
    """All of it."""

    members: list[RoleCount]
    points: Points
    queue: Queue
    top_activities: list[TopActivity]
    weeks: list[Week]


def read(session: Session) -> Programme:
    """The figures of this moment."""
    moment = now()
    return Programme(
        _members(session, moment), _points(session), _queue(session, moment), _top(session, moment), _weeks(session)
    )


def _members(session: Session, moment: datetime) -> list[RoleCount]:
    last = (
        select(Ledger.member_id, func.max(Transfer.occurred_at).label("at"))
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .where(figures.is_award, Transfer.occurred_at >= moment - timedelta(days=30))
        .group_by(Ledger.member_id)
        .subquery()
    )
    statement = (
        select(
            Member.role,
            func.count().label("members"),
            func.count().filter(last.c.at >= moment - timedelta(days=7)).label("week"),
            func.count(last.c.at).label("month"),
        )
        .outerjoin(last, last.c.member_id == Member.id)
        .where(figures.is_present(Member))
        .group_by(Member.role)
        .order_by(Member.role)
    )
    return [RoleCount(*row) for row in session.execute(statement)]


def _points(session: Session) -> Points:
    sums = [func.coalesce(func.sum(column), 0) for column in (Balance.available, Balance.reserved, Balance.redeemed)]
    available, reserved, redeemed = (int(value) for value in session.execute(select(*sums)).one())
    return Points(available + reserved + redeemed, reserved, redeemed, available + reserved)


def _queue(session: Session, moment: datetime) -> Queue:
    median = func.percentile_cont(0.5).within_group(func.extract("epoch", moment - Submission.submitted_at))
    statement = select(func.count(), func.min(Submission.submitted_at), median).where(Submission.status == "pending")
    pending, oldest, middle = session.execute(statement).one()
    if not pending:
        return Queue(0, None, None, None)
    return Queue(pending, oldest, max(0, round((moment - oldest).total_seconds())), max(0, round(middle)))


def _top(session: Session, moment: datetime) -> list[TopActivity]:
    awards = func.count()
    statement = (
        select(
            Transfer.activity,
            func.min(ActivityType.name),
            awards,
            figures.points_earned,
            func.count(Ledger.member_id.distinct()),
        )
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .outerjoin(ActivityType, ActivityType.code == Transfer.activity)
        .where(figures.is_award, Transfer.activity.is_not(None), Transfer.occurred_at >= moment - timedelta(days=30))
        .group_by(Transfer.activity)
        .order_by(awards.desc(), Transfer.activity)
        .limit(TOP)
    )
    return [TopActivity(*row) for row in session.execute(statement)]


_edges: Any = bindparam("edges", type_=ARRAY(DateTime(timezone=True)))
_WEEKS = (
    select(
        func.width_bucket(Transfer.occurred_at, _edges).label("week"),
        figures.points_earned.label("earned"),
        figures.points_redeemed.label("redeemed"),
        figures.activities.label("activities"),
        func.count(Ledger.member_id.distinct()).filter(figures.is_award).label("members"),
    )
    .join(Ledger, Ledger.id == Transfer.ledger_id)
    .where(Transfer.occurred_at >= bindparam("since", type_=DateTime(timezone=True)))
    .group_by("week")
)


def _weeks(session: Session) -> list[Week]:
    present = week_of(programme_day(now()))
    mondays = [present - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    edges = [figures.day_start(monday, figures.zone()) for monday in mondays]
    rows = {row.week: row for row in session.execute(_WEEKS, {"edges": edges, "since": edges[0]})}
    found = []
    for number, monday in enumerate(mondays, start=1):
        row = rows.get(number)
        values = (row.earned, row.redeemed, row.activities, row.members) if row else (0, 0, 0, 0)
        found.append(Week(monday, *values))
    return found
