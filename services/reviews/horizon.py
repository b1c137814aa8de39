"""The days that a text can speak of: from a first day until a last one, both included, as day numbers."""

from dataclasses import dataclass
from datetime import date

from services.reviews.vocabulary import WEEK


@dataclass(frozen=True)
class Horizon:
    """The days from `first` to `last` (proleptic ordinals), with the days of each weekday at hand."""

    first: int
    last: int
    day_first: bool
    days: frozenset[int]
    by_weekday: tuple[frozenset[int], ...]
    preferred: frozenset[int]

    @classmethod
    def between(cls, from_: date, until: date, locale: str | None, preferred_days: frozenset[int] | None) -> "Horizon":
        """The horizon of a form: dates inclusive, the locale's order of day and month, the weekdays it prefers."""
        first, last = from_.toordinal(), until.toordinal()
        days = range(first, last + 1)
        by_weekday = tuple(frozenset(day for day in days if (day - 1) % 7 == weekday) for weekday in range(7))
        preferred = frozenset().union(*(by_weekday[weekday] for weekday in (preferred_days or WEEK)))
        return cls(first, last, is_day_first(locale), frozenset(days), by_weekday, preferred)

    def of(self, weekdays: frozenset[int] | set[int]) -> frozenset[int]:
        """The days of some weekdays (Monday is 0)."""
        return frozenset().union(*(self.by_weekday[weekday] for weekday in weekdays))

    def span(self, first: int, last: int) -> frozenset[int]:
        """The days from first to last that lie in the horizon."""
        return frozenset(range(max(first, self.first), min(last, self.last) + 1))

    def week(self, offset: int) -> frozenset[int]:
        """The days of the week (Monday first) that is `offset` weeks after the first day's."""
        monday = self.first - (self.first - 1) % 7 + 7 * offset
        return self.span(monday, monday + 6)

    def next_of(self, weekday: int) -> int:
        """The first day of a weekday, the first day of the horizon counted."""
        return self.first + (weekday - (self.first - 1)) % 7

    def resolve(self, year: int | None, month: int | None, day: int) -> int | None:
        """The day that a date means, the next one when parts are missing; None when there is no such date."""
        start = date.fromordinal(self.first)
        if year is not None and month is not None:
            return _ordinal(year, month, day)
        if month is not None:
            for candidate in range(start.year, start.year + 9):
                found = _ordinal(candidate, month, day)
                if found is not None and found >= self.first:
                    return found
            return None
        for step in range(13):
            years, months = divmod(start.month - 1 + step, 12)
            found = _ordinal(start.year + years, months + 1, day)
            if found is not None and found >= self.first:
                return found
        return None


def is_day_first(locale: str | None) -> bool:
    """Whether a locale writes the day before the month. English without a country, and the United States, do not."""
    if not locale:
        return False
    parts = locale.replace("_", "-").lower().split("-")
    if len(parts) == 1:
        return parts[0] not in ("en", "fil", "c", "posix")
    return parts[-1] not in ("us", "ph", "pw", "fm", "mh") and parts[0] not in ("ja", "zh", "ko", "hu", "lt")


def weekday_of(day: int) -> int:
    """The weekday of a day number, Monday being 0."""
    return (day - 1) % 7


def show(day: int) -> str:
    """A day for people: `Mon 8 Dec`."""
    found = date.fromordinal(day)
    return f"{found:%a} {found.day} {found:%b}"


def _ordinal(year: int, month: int, day: int) -> int | None:
    try:
        return date(year, month, day).toordinal()
    except (ValueError, OverflowError):
        return None
