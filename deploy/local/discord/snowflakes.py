"""Ids: one strictly increasing sequence, as Discord's, in which every id tells the moment it was made."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

EPOCH_MS = 1_420_070_400_000
_TIME_SHIFT = 22
# Ids of the present count up from the bottom of a millisecond and ids of the past from its middle, so the two can
# never meet, even when somebody dates a message to the millisecond that is just passing.
_PAST_HALF = 1 << (_TIME_SHIFT - 1)


class Snowflakes:
    """Gives out ids; ``last`` and ``past`` are its whole memory and go into the snapshot."""

    def __init__(self, last: int = 0, past: dict[int, int] | None = None) -> None:
        self.last = last
        self.past: dict[int, int] = past or {}

    def now(self) -> int:
        """The next id of the present, greater than every one before, also when the clock was set back."""
        self.last = max(self.last + 1, (int(time.time() * 1000) - EPOCH_MS) << _TIME_SHIFT)
        return self.last

    def at(self, moment: datetime) -> int:
        """An unused id that says it was made at ``moment``."""
        milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
        taken = self.past.get(milliseconds, 0)
        self.past[milliseconds] = taken + 1
        return (milliseconds << _TIME_SHIFT) + _PAST_HALF + taken


_EPOCH = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)


def moment_of(snowflake: int) -> datetime:
    """The moment an id was made, in UTC."""
    return _EPOCH + timedelta(milliseconds=snowflake >> _TIME_SHIFT)


def timestamp(snowflake: int) -> str:
    """The moment of an id as Discord writes it in a message."""
    return moment_of(snowflake).isoformat(timespec="milliseconds")
