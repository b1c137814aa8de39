"""What transfers mean as figures: the definitions that dashboard, timeline, programme and cohorts share.

- points_earned: what came in from `issued` (awards, corrections upwards) less what went back there (corrections
  downwards, reversals).
- activities: awards. A reversed award stays counted, for the activity did happen; its points are taken off.
- points_redeemed: what left `available` for a redemption, at the moment of its hold, less what came back from one (a
  release or a refund), at the moment it came back. A capture moves points on from `reserved` and changes nothing here.
- redemptions: holds less returns, in the same way.

So points_earned - points_redeemed is what `available` changed by, in any span of time, and the sum over all time is the
balance. Every transfer counts at its `occurred_at`, which is the time of the deed and not of its arrival; what a clock
that runs ahead has dated into the next minutes counts as now.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import ScalarSelect, and_, bindparam, case, func, select
from sqlalchemy import Uuid as UuidType

from fleet.settings import ProgramSettings, read
from services.points.models import Alias, Ledger, Transfer

PERIODS = {"7days": 7, "30days": 30, "90days": 90}

_from_issued = Transfer.debit == "issued"
_to_issued = Transfer.credit == "issued"
_spent = and_(Transfer.debit == "available", Transfer.credit != "issued")
_returned = and_(Transfer.credit == "available", Transfer.debit != "issued")

is_issue = _from_issued | _to_issued
is_award = Transfer.kind == "award"
earned: Any = case((_from_issued, Transfer.points), (_to_issued, -Transfer.points), else_=0)
redeemed: Any = case((_spent, Transfer.points), (_returned, -Transfer.points), else_=0)

points_earned: Any = func.sum(earned)
points_redeemed: Any = func.sum(redeemed)
activities: Any = func.count().filter(is_award)
redemptions: Any = func.sum(case((_spent, 1), (_returned, -1), else_=0))


def member_of(parameter: str = "member_id") -> Any:
    """The member that the id in the bind parameter leads to after merges, inside a statement."""
    given = bindparam(parameter, type_=UuidType())
    leads_to: ScalarSelect[Any] = select(Alias.member_id).where(Alias.old_id == given).scalar_subquery()
    return func.coalesce(leads_to, given)


def ledgers_of_member(parameter: str = "member_id") -> Any:
    """The ledgers of that member: one, and those that merges brought along."""
    return select(Ledger.id).where(Ledger.member_id == member_of(parameter))


def is_present(member: Any) -> Any:
    """True for a row of members that stands for a person: not erased, and not merged into another one."""
    merged = select(Alias.old_id).where(Alias.old_id == member.id).exists()
    return and_(member.status != "erased", ~merged)


def zone() -> ZoneInfo:
    """The programme's zone."""
    return read(ProgramSettings).zone


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a day begins in the zone; where the clocks skip midnight, the first instant after it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class Trend:
    """How a figure changed: by how much, by what part of the former one (null when that was 0), which way."""

    change: int
    percentage: float | None
    direction: Literal["up", "down", "neutral"]


_NOTHING = Trend(0, None, "neutral")
_SAME = Trend(0, 0.0, "neutral")


def trend(now: int, before: int) -> Trend:
    """The trend from `before` to `now`; the percentage is of |before|, to two places, halves away from zero."""
    if now == before:
        return _SAME if before else _NOTHING
    change = now - before
    direction: Literal["up", "down"] = "up" if change > 0 else "down"
    if before == 0:
        return Trend(change, None, direction)
    hundredths = (abs(change) * 20_000 // abs(before) + 1) // 2
    return Trend(change, (hundredths if change >= 0 else -hundredths) / 100, direction)
