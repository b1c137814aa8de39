"""Cohorts: how groups of students do, for companies and universities, without showing anybody in particular.

The groups are those of one attribute (track, university or graduation year; who gave none is the group null). For each:
members; active_members (an award or a correction in the window); points_earned and activities_completed of the window;
their trends against the window before. Windows roll as on the dashboard, and `figures.py` says what the figures mean.

Suppression. A cell is a figure of a group, and rests on people: on the group's members; on those active in the window;
on those active in the one before. A cell that rests on fewer than 5 people is not shown. Nor is what it could be
computed from: wherever something is hidden, at least two cells are, and they rest on at least 5 people together, for
which the smallest shown cells are hidden as well. No total is ever shown, nor the names or the number of the groups that
are hidden. So even who knows a total from another grouping, all of whose cells happen to be shown, learns by subtraction
only the sum over two or more groups of 5 or more people.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from fleet.messages import now
from fleet.problems import Forbidden
from services.points import figures
from services.points.models import Ledger, Member, Transfer

Attribute = Literal["track", "university", "graduation_year"]
ATTRIBUTES: tuple[Attribute, ...] = ("track", "university", "graduation_year")
FEWEST = 5

Group = str | int | None


@dataclass(frozen=True)
class Cohort:
    """One group; null figures are suppressed. The average is points_earned for each member, to 1 place."""

    group: Group
    members: int
    active_members: int | None
    points_earned: int | None
    activities_completed: int | None
    average_points: float | None
    trends: dict[str, figures.Trend] | None


@dataclass(frozen=True)
class Cohorts:
    """The groups that may be shown, and whether anything is suppressed."""

    by: Attribute
    period: str
    items: list[Cohort]
    suppressed: bool


def scope(session: Session, viewer: UUID, role: str) -> str | None:
    """The university whose students the viewer sees; None: all students.

    Raises Forbidden for a company or university that no admin has approved (or that points has not heard of yet), and
    for a university account that names no university.
    """
    if role == "admin":
        return None
    member = session.get(Member, viewer)
    if member is None or member.role != role or member.status != "active":
        raise Forbidden("Your account sees this when an admin has approved it.")
    if role == "university" and not member.university:
        raise Forbidden("Your account names no university, so there are no students to show you.")
    return member.university if role == "university" else None


def read(session: Session, by: Attribute, period: str, university: str | None = None) -> Cohorts:
    """The cohorts by an attribute over a period of `figures.PERIODS`, of one university's students or of all."""
    length = timedelta(days=figures.PERIODS[period])
    since = now() - length
    rows = {row.group: row for row in session.execute(_statement(by, since - length, since, university))}
    members = protect({group: row.members for group, row in rows.items()})
    current = protect({group: row.active for group, row in rows.items()}, members)
    previous = protect({group: row.active_before for group, row in rows.items()}, current)
    items = [_cohort(rows[group], group in current, group in previous) for group in members]
    items.sort(key=lambda item: (-item.members, item.group is None, str(item.group)))
    return Cohorts(by, period, items, suppressed=len(previous) < len(rows))


def protect(people: Mapping[Group, int], within: set[Group] | None = None) -> set[Group]:
    """The groups whose cell may be shown, of those in `within` (None: all), given how many people each rests on."""
    shown = {group for group, count in people.items() if count >= FEWEST and (within is None or group in within)}
    hidden = [count for group, count in people.items() if group not in shown]
    for group in sorted(shown, key=lambda group: (people[group], group is None, str(group))):
        # Each cell too small to be shown rests on fewer than 5: those that make up 5 are two at least.
        if not hidden or sum(hidden) >= FEWEST:
            break
        shown.remove(group)
        hidden.append(people[group])
    return shown


def _statement(by: Attribute, before: datetime, since: datetime, university: str | None) -> Any:
    present = Transfer.occurred_at >= since
    own = (
        select(
            Ledger.member_id,
            func.sum(case((present, figures.earned), else_=0)).label("earned"),
            func.sum(case((present, 0), else_=figures.earned)).label("earned_before"),
            func.count().filter(present, figures.is_award).label("activities"),
            func.count().filter(~present, figures.is_award).label("activities_before"),
            func.bool_or(present).label("active"),
            func.bool_or(~present).label("active_before"),
        )
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .where(figures.is_issue, Transfer.occurred_at >= before)
        .group_by(Ledger.member_id)
        .subquery()
    )
    group = getattr(Member, by).label("group")
    sums = ("earned", "earned_before", "activities", "activities_before")
    statement = (
        select(
            group,
            func.count().label("members"),
            func.count().filter(own.c.active).label("active"),
            func.count().filter(own.c.active_before).label("active_before"),
            *(func.coalesce(func.sum(own.c[name]), 0).label(name) for name in sums),
        )
        .outerjoin(own, own.c.member_id == Member.id)
        .where(Member.role == "student", figures.is_present(Member))
        .group_by(group)
    )
    return statement if university is None else statement.where(Member.university == university)


def _cohort(row: Any, current: bool, previous: bool) -> Cohort:
    if not current:
        return Cohort(row.group, row.members, None, None, None, None, None)
    earned = int(row.earned)
    trends = {
        "active_members": figures.trend(row.active, row.active_before),
        "points_earned": figures.trend(earned, int(row.earned_before)),
        "activities_completed": figures.trend(int(row.activities), int(row.activities_before)),
    }
    return Cohort(
        group=row.group,
        members=row.members,
        active_members=row.active,
        points_earned=earned,
        activities_completed=int(row.activities),
        average_points=round(earned / row.members, 1),
        trends=trends if previous else None,
    )
