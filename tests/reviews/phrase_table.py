"""Reads phrases.txt: what people write, and the intervals that it means, told independently of the grammar."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

TABLE = Path(__file__).with_name("phrases.txt")
ZONE = ZoneInfo("America/New_York")
FIRST, LAST = date(2026, 11, 30), date(2026, 12, 13)
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SETS = {"daily": range(7), "weekdays": range(5), "weekend": (5, 6)}
PART = re.compile(r"(?:(\d+) (Nov|Dec)|(\w+)) (\d\d:\d\d)-(\d\d:\d\d)")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    phrase: str
    intervals: tuple[tuple[datetime, datetime], ...]
    unparsed: tuple[str, ...]
    ambiguous: bool


def read_rows() -> list[Row]:
    """All lines: `phrase => intervals ! unparsed | unparsed`, `?` when a doubt must be told."""
    return [_row(line) for line in TABLE.read_text("utf-8").splitlines() if line.strip() and not line.startswith("# ")]


def _row(line: str) -> Row:
    phrase, _, meaning = line.partition(" => ")
    meaning, _, unparsed = meaning.partition("!")
    ambiguous = meaning.rstrip().endswith("?")
    parts = [part.strip() for part in meaning.rstrip(" ?").split(",") if part.strip()]
    spans = sorted(span for part in parts for span in _spans(part))
    merged: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    fragments = tuple(one.strip().replace("\\n", "\n") for one in unparsed.split(" | ") if one.strip())
    return Row(phrase.replace("\\n", "\n"), tuple(merged), fragments, ambiguous)


def _spans(part: str) -> list[tuple[datetime, datetime]]:
    found = PART.fullmatch(part)
    assert found, f"not an interval: {part}"
    day, month, name, start, end = found.groups()
    days = [FIRST + timedelta(days=step) for step in range((LAST - FIRST).days + 1)]
    if day:
        chosen = [one for one in days if one == date(2026, 11 if month == "Nov" else 12, int(day))]
        assert chosen
    else:
        weekdays = SETS[name] if name in SETS else (NAMES.index(name),)
        chosen = [one for one in days if one.weekday() in weekdays]
    return [(_instant(one, start), _instant(one if end > start else one + timedelta(days=1), end)) for one in chosen]


def _instant(day: date, clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).astimezone(UTC)


ROWS = read_rows()
