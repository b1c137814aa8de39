"""Clauses to intervals: wall time on each day, less what is excluded, as instants in UTC.

Wall time is kept over daylight saving. A time that does not exist on its day is left out and reported; one that exists
twice means its first occurrence, and is reported as a doubt.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from services.reviews.clocks import Clock
from services.reviews.horizon import Horizon, show
from services.reviews.scopes import Clause, Reports
from services.reviews.times import Time, around
from services.reviews.vocabulary import DAY, PERIODS

Span = tuple[int, int]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
MINUTE, DAY_MINUTES = 60, 24 * 60


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time between two instants, in UTC."""

    start: datetime
    end: datetime


def merged(spans: Iterable[Span]) -> list[Span]:
    """Sorted spans, touching and overlapping ones made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            if end > result[-1][1]:
                result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def without(spans: list[Span], holes: list[Span]) -> list[Span]:
    """What is left of sorted spans outside of sorted holes."""
    result: list[Span] = []
    for start, end in spans:
        for low, high in holes:
            if high <= start or low >= end:
                continue
            if low > start:
                result.append((start, low))
            start = max(start, high)
            if start >= end:
                break
        if start < end:
            result.append((start, end))
    return result


class Resolver:
    """Turns the clauses of one text into instants."""

    def __init__(self, horizon: Horizon, zone: tzinfo, session: int, reports: Reports) -> None:
        self.horizon = horizon
        self.zone = zone
        self.session = session
        self.reports = reports
        self.found: set[Span] = set()
        self.excluded: dict[int, list[Span] | None] = {}

    def resolve(self, clauses: list[Clause]) -> list[Span]:
        """The spans of all clauses in minutes since 1970 UTC, sorted and merged."""
        for clause in clauses:
            self._clause(clause)
        return merged(self.found)

    def _clause(self, clause: Clause) -> None:
        spans = None if clause.trouble else self._times(clause)
        if spans is None:
            self.reports.unparsed.append((clause.first, clause.end))
            return
        days = self._days(clause)
        if not days:
            self.reports.unparsed.append((clause.first, clause.end))
            return
        holes = self._holes(clause)
        if holes is None:
            self.reports.unparsed.append((clause.first, clause.end))
            return
        always, by_day, gone = holes
        zone = clause.zone or self.zone
        for day in sorted(days - gone):
            mine = by_day.get(day)
            left = without(spans, merged([*always, *mine]) if mine else always) if always or mine else spans
            self._place(clause, zone, day, left)

    def _days(self, clause: Clause) -> frozenset[int]:
        if clause.days:
            return clause.chosen()
        return self.horizon.days if clause.everything else self.horizon.preferred

    def _holes(self, clause: Clause) -> tuple[list[Span], dict[int, list[Span]], set[int]] | None:
        """What is excluded: on every day, on some days, and whole days; None when an exclusion has no such time."""
        always: list[Span] = []
        by_day: dict[int, list[Span]] = {}
        gone: set[int] = set()
        for one in clause.excluded:
            if one.trouble:
                continue
            spans = self._excluded(one)
            if spans is None:
                return None
            if not one.days:
                always.extend(spans)
            elif not one.times:
                gone |= one.chosen()
            else:
                for day in one.chosen():
                    by_day.setdefault(day, []).extend(spans)
        return merged(always), by_day, gone

    def _excluded(self, clause: Clause) -> list[Span] | None:
        """The wall times of an exclusion, worked out once for all clauses that it is taken from."""
        if id(clause) not in self.excluded:
            self.excluded[id(clause)] = self._times(clause) if clause.times else [(0, 2 * DAY_MINUTES)]
        return self.excluded[id(clause)]

    def _times(self, clause: Clause) -> list[Span] | None:
        """The wall times of a clause in minutes of its first day; None when one of them cannot be."""
        times = combined(clause.times, clause.links)
        if any(time.clocked() for time in times) or any(time.kind == "period" for time in times):
            times = [time for time in times if time.kind != "any"]
        spans: list[Span] = []
        for time in dict.fromkeys(times):
            span = time.wall(self.session)
            if span is None:
                return None
            if time.about:
                early, late = max(span[0] - 30, 0), span[0] + 30
                self.reports.doubts.append((clause.first, clause.end, around(span[0]), (around(early), around(late))))
            spans.append(span)
        return merged(bounded(times, spans)) if times else [DAY]

    def _place(self, clause: Clause, zone: tzinfo, day: int, spans: list[Span]) -> None:
        midnight = (day - EPOCH_DAY) * DAY_MINUTES
        shift = steady_shift(zone, day)
        if shift is not None:
            for start, end in spans:
                self.found.add((midnight + start - shift, midnight + end - shift))
            return
        for start, end in spans:
            first, last = self._instant(clause, zone, day, start, False), self._instant(clause, zone, day, end, True)
            if first is not None and last is not None and first < last:
                self.found.add((first, last))

    def _instant(self, clause: Clause, zone: tzinfo, day: int, minute: int, is_end: bool) -> int | None:
        """The instant of a wall time on a day when the clocks change."""
        wall = datetime.fromordinal(day) + timedelta(minutes=minute)
        early, late = wall.replace(tzinfo=zone, fold=0).utcoffset(), wall.replace(tzinfo=zone, fold=1).utcoffset()
        if early is None or late is None:
            return None
        instant = int((wall - early - datetime(1970, 1, 1)).total_seconds()) // MINUTE  # noqa: DTZ001
        if early == late:
            return instant
        if early > late:
            choice = f"{show(day)} {around(minute)}, the first time"
            self.reports.doubts.append((clause.first, clause.end, choice, ("the second time",)))
            return instant
        before = (wall - timedelta(minutes=1)).replace(tzinfo=zone)
        exists_before = before.replace(fold=0).utcoffset() == before.replace(fold=1).utcoffset()
        if is_end and exists_before:
            return instant  # the moment at which the clocks are put forward
        self.reports.unparsed.append((clause.first, clause.end))
        return None


def combined(times: list[Time], links: list[str]) -> list[Time]:
    """The times of a clause, with a period word and the clock beside it made one."""
    result: list[Time] = []
    for time, link in zip(times, links, strict=True):
        last = result[-1] if result else None
        beside = link in ("", "-") or (link == "," and last is not None and last.kind == "period")
        if last and beside and last.period and time.clocked() and _fits(time, last.period, link):
            bound = time.kind in ("after", "from", "before")
            result[-1] = replace(time, hint=time.hint or last.period, narrows=bound)
        elif last and beside and time.period and last.clocked() and not last.hint and _fits(last, time.period, link):
            result[-1] = replace(last, hint=time.period)
        elif last and link == "or" and _carries(last, time):
            result[-1] = replace(last, first=_with_half_of(last, time))
            result.append(time)
        else:
            result.append(time)
    return result


def _with_half_of(last: Time, time: Time) -> Clock | None:
    return replace(last.first, half=time.first.half) if last.first and time.first else last.first


def _fits(time: Time, period: str, link: str) -> bool:
    """Whether a clock and a period word beside it can mean the same time."""
    found = replace(time, hint=period).wall(1)
    if found is None:
        return False
    low, high = PERIODS[period]
    if link == "":
        return time.first is None or time.first.half is None or (found[0] < high and found[1] > low)
    return found[0] < high and found[1] > low


def _carries(last: Time, time: Time) -> bool:
    """`8 or 9pm`: the am or pm of the later one is also that of the one before."""
    return bool(
        last.kind == time.kind == "start"
        and last.first
        and time.first
        and last.first.bare
        and time.first.half
        and last.first.hour % 12 < time.first.hour % 12
    )


def bounded(times: list[Time], spans: list[Span]) -> list[Span]:
    """`after 2 and before 5` is one span; `before 10 and after 4` are two."""
    if (
        len(times) == 2
        and len(spans) == 2
        and {times[0].kind in ("after", "from"), times[1].kind in ("after", "from")} == {True, False}
    ):
        opens, closes = (0, 1) if times[0].kind in ("after", "from") else (1, 0)
        if times[closes].kind == "before" and spans[opens][0] < spans[closes][1]:
            return [(spans[opens][0], spans[closes][1])]
    return spans


@lru_cache(maxsize=8192)
def steady_shift(zone: tzinfo, day: int) -> int | None:
    """Minutes that a zone is ahead of UTC from a day's start through the next day; None when the clocks change."""
    start = datetime.fromordinal(day)
    offsets = {
        (start + timedelta(hours=hours)).replace(tzinfo=zone, fold=fold).utcoffset()
        for hours in (0, 12, 24, 36, 48)
        for fold in (0, 1)
    }
    if len(offsets) != 1:
        return None
    offset = offsets.pop()
    return None if offset is None or offset.seconds % MINUTE else int(offset.total_seconds()) // MINUTE


def as_intervals(spans: list[Span]) -> tuple[Interval, ...]:
    """Minutes since 1970 UTC as instants."""
    return tuple(Interval(EPOCH + timedelta(minutes=start), EPOCH + timedelta(minutes=end)) for start, end in spans)


__all__ = ["Interval", "Resolver", "as_intervals", "combined", "merged", "steady_shift", "without"]
