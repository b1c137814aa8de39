"""When two can meet, as bits: five minutes each, in one whole number, so that a pair costs a few machine instructions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.reviews.availability import Span, minute_of

MINUTES = 5


@dataclass(frozen=True)
class Raster:
    """The instants from `begin` on, in steps of five minutes, `size` of them; bit n is the n-th step."""

    begin: datetime
    size: int

    @classmethod
    def between(cls, begin: datetime, end: datetime) -> "Raster":
        """The steps from the first full five minutes at or after `begin` until `end`."""
        start = -(-minute_of(begin) // MINUTES) * MINUTES + (MINUTES if begin.second and begin.minute % 5 == 0 else 0)
        first = datetime.fromtimestamp(start * 60, begin.tzinfo)
        return cls(first, max(int((end - first) / timedelta(minutes=MINUTES)), 0))

    def bits(self, spans: Iterable[Span]) -> int:
        """Spans in minutes since 1970 UTC as bits: whole steps inside them."""
        zero, found = minute_of(self.begin), 0
        for start, end in spans:
            low = max(-(-(start - zero) // MINUTES), 0)
            high = min((end - zero) // MINUTES, self.size)
            if high > low:
                found |= (1 << high) - (1 << low)
        return found

    def span_bits(self, begin: datetime, end: datetime) -> int:
        """The steps that begin in [begin, end)."""
        low = min(max(int((begin - self.begin) / timedelta(minutes=MINUTES)), 0), self.size)
        high = min(max(int((end - self.begin) / timedelta(minutes=MINUTES)), 0), self.size)
        return (1 << high) - (1 << low)

    def moment(self, bit: int) -> datetime:
        """The instant of a step."""
        return self.begin + timedelta(minutes=MINUTES * bit)


def starts(free: int, steps: int) -> int:
    """Where a stretch of so many free steps may begin."""
    found, done = free, 1
    while done < steps:
        step = min(done, steps - done)
        found &= found >> step
        done += step
    return found


def first(bits: int) -> int | None:
    """The lowest step that is set."""
    return (bits & -bits).bit_length() - 1 if bits else None
