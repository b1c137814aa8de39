"""Intervals told back in words: `Mon 14:00-15:00, Wed 10:00-11:00`, so that the writer sees what was understood."""

from collections import defaultdict
from datetime import date, datetime, tzinfo

from services.reviews.horizon import Horizon
from services.reviews.intervals import Interval

NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def read_back(intervals: tuple[Interval, ...], zone: tzinfo, horizon: Horizon) -> str:
    """The intervals in wall time of a zone. What holds on every day of a weekday is told once, the rest with dates."""
    by_shape: dict[tuple[int, str], set[int]] = defaultdict(set)
    for interval in intervals:
        start, end = interval.start.astimezone(zone), interval.end.astimezone(zone)
        by_shape[start.weekday(), _shape(start, end)].add(start.toordinal())
    weekly: list[tuple[int, str]] = []
    dated: list[tuple[int, str]] = []
    for (weekday, shape), days in by_shape.items():
        if horizon.by_weekday[weekday] and days >= horizon.by_weekday[weekday]:
            weekly.append((weekday, shape))
        else:
            dated.extend((day, shape) for day in days)
    parts = [f"{NAMES[weekday]} {shape}" for weekday, shape in sorted(weekly)]
    parts += [f"{_day(day)} {shape}" for day, shape in sorted(dated)]
    return ", ".join(parts)


def _shape(start: datetime, end: datetime) -> str:
    shape = f"{start:%H:%M}-{end:%H:%M}"
    days = (end.date() - start.date()).days
    if days > 1 or (days == 1 and (end.hour, end.minute) > (start.hour, start.minute)):
        shape += f" ({end:%a} {end.day} {end:%b})"
    return shape


def _day(ordinal: int) -> str:
    day = date.fromordinal(ordinal)
    return f"{NAMES[day.weekday()]} {day.day} {day:%b}"
