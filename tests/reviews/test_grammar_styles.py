"""Intervals printed the way people write them, in many styles, are read back as the same intervals."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reviews.grammar import parse

pytestmark = pytest.mark.static
EXAMPLES = int(os.environ.get("GRAMMAR_EXAMPLES", "2000"))
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CODES = ("M", "T", "W", "Th", "F", "Sa", "Su")
FIRST = date(2026, 10, 19)  # the clocks change on 25 October in Europe, on 1 November in America
LAST = FIRST + timedelta(days=20)
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")
NAMED = {
    "": None,
    " ET": "America/New_York",
    " PST": "America/Los_Angeles",
    " UTC": "UTC",
    " Europe/Berlin": "Europe/Berlin",
    " Central time": "America/Chicago",
}


@dataclass(frozen=True)
class Said:
    """A text and what it means: weekdays with minutes of the day."""

    text: str
    days: frozenset[int]
    start: int
    end: int


def clock12(minute: int, mark: str) -> str:
    hour, rest = divmod(minute % 1440, 60)
    half = ("am", "pm")[hour >= 12] if mark[0] != "A" else ("AM", "PM")[hour >= 12]
    half = half if "." not in mark else f"{half[0]}.m."
    space = " " if " " in mark else ""
    return f"{(hour - 1) % 12 + 1}{f':{rest:02}' if rest or ':' in mark else ''}{space}{half}"


def clock24(minute: int, mark: str) -> str:
    hour, rest = divmod(minute % 1440, 60)
    if mark == "h":
        return f"{hour}h{rest:02}" if rest or hour < 8 else f"{hour}h"
    return f"{hour:02}{rest:02}" if mark == "compact" else f"{hour:02}:{rest:02}"


@st.composite
def times(draw: st.DrawFn) -> tuple[str, int, int]:
    """A range or a bound as text, with its minutes."""
    start = draw(st.integers(0, 287)) * 5
    end = start + draw(st.integers(1, 120)) * 5
    if draw(st.booleans()):
        mark = draw(st.sampled_from(("a", "a ", "A", "a:", "a. ", "A: ")))
        one, two = clock12(start, mark), clock12(end, mark)
    else:
        mark = draw(st.sampled_from((":", "compact", "h")))
        one, two = clock24(start, mark), clock24(end, mark)
    shape = draw(
        st.sampled_from(
            (
                "{}-{}",
                "{} - {}",
                "{}–{}",
                "{} to {}",
                "{} until {}",
                "from {} to {}",
                "between {} and {}",
                "{} through {}",
                "from {} till {}",
            )
        )
    )
    if draw(st.integers(0, 5)) == 0 and start < 1260:
        return (
            draw(st.sampled_from(("after {}", "from {} on", "{} onwards", "not before {}", "{} or later"))).format(one),
            start,
            1260,
        )
    if draw(st.integers(0, 5)) == 0 and start > 480:
        return draw(st.sampled_from(("before {}", "until {}", "no later than {}", "up to {}"))).format(one), 480, start
    return shape.format(one, two), start, end


@st.composite
def day_lists(draw: st.DrawFn) -> tuple[str, frozenset[int]]:
    """Weekdays as text."""
    style = draw(st.integers(0, 8))
    if style == 0:
        first, length = draw(st.integers(0, 6)), draw(st.integers(1, 5))
        last = (first + length) % 7
        short = draw(st.sampled_from((9, 3)))
        joiner = draw(st.sampled_from((" to ", "-", " - ", " through ", "–", " thru ")))
        return NAMES[first][:short] + joiner + NAMES[last][:short], frozenset(
            (first + step) % 7 for step in range(length + 1)
        )
    if style == 1:
        return draw(
            st.sampled_from(
                (
                    ("weekdays", frozenset(range(5))),
                    ("weekends", frozenset({5, 6})),
                    ("every day", frozenset(range(7))),
                    ("daily", frozenset(range(7))),
                )
            )
        )
    days = sorted(draw(st.sets(st.integers(0, 6), min_size=1, max_size=4)))
    if style == 2 and len(days) > 1:
        code = "".join(CODES[day] for day in days)
        if code not in ("MT", "TW"):
            return code, frozenset(days)
    if style == 3 and len(days) > 1:
        return "/".join(CODES[day] for day in days), frozenset(days)
    form = draw(st.sampled_from(("{}", "{}s", "3", "every {}", "3.")))
    words = [NAMES[day][:3] + form[1:] if form[0] == "3" else form.format(NAMES[day]) for day in days]
    if draw(st.booleans()):
        words = [word.lower() for word in words]
    if len(words) == 1:
        return words[0], frozenset(days)
    joiner = draw(st.sampled_from((", ", " and ", "/", " & ", " or ", ", and ")))
    return joiner.join(words), frozenset(days)


@st.composite
def clauses(draw: st.DrawFn) -> Said:
    """Days and a time, in one order or the other, with the words that people put around them."""
    (days, weekdays), (time, start, end) = draw(day_lists()), draw(times())
    order = draw(
        st.sampled_from(
            (
                "{days} {time}",
                "{days}, {time}",
                "{days}: {time}",
                "{days} ({time})",
                "{time} on {days}",
                "I can do {days} {time}",
                "free {days} {time}",
            )
        )
    )
    return Said(order.format(days=days, time=time), weekdays, start, end)


def expected(said: list[Said], zone: tzinfo) -> list[tuple[datetime, datetime]]:
    spans = []
    for one in said:
        for step in range((LAST - FIRST).days + 1):
            day = FIRST + timedelta(days=step)
            if day.weekday() in one.days:
                midnight = datetime.fromordinal(day.toordinal())
                begin, finish = (midnight + timedelta(minutes=minute) for minute in (one.start, one.end))
                spans.append((begin.replace(tzinfo=zone).astimezone(UTC), finish.replace(tzinfo=zone).astimezone(UTC)))
    merged: list[tuple[datetime, datetime]] = []
    for begin, finish in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(finish, merged[-1][1]))
        elif begin < finish:
            merged.append((begin, finish))
    return merged


def changes(zone: tzinfo, said: list[Said]) -> bool:
    """Whether a wall time falls into the hours in which the clocks change (their own tests are elsewhere)."""
    return any((one.start % 1440 < 240 or one.end % 1440 <= 240) for one in said) and str(zone) != "UTC"


@given(
    st.lists(clauses(), min_size=1, max_size=3),
    st.sampled_from(("; ", "\n", ". Also ")),
    st.sampled_from(sorted(NAMED)),
    st.sampled_from(ZONES),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_is_printed_is_read_back(said: list[Said], joiner: str, suffix: str, zone: str) -> None:
    place = ZoneInfo(NAMED[suffix] or zone)
    if changes(place, said):
        place, suffix, zone = ZoneInfo("UTC"), "", "UTC"
    text = joiner.join(one.text + suffix for one in said)
    parsed = parse(text, zone, FIRST, LAST)
    assert parsed.unparsed == (), text
    assert [(one.start, one.end) for one in parsed.intervals] == expected(said, place), text


@given(
    clauses(),
    st.sampled_from((" except {}", ", but not {}", ", not on {}", " excluding {}", "; not {}")),
    st.integers(0, 6),
)
@settings(max_examples=max(EXAMPLES // 10, 50), deadline=None)
def test_an_excluded_day_is_taken_out(said: Said, form: str, day: int) -> None:
    left = Said(said.text, said.days - {day}, said.start, said.end)
    parsed = parse(said.text + form.format(NAMES[day] + "s"), "UTC", FIRST, LAST)
    assert [(one.start, one.end) for one in parsed.intervals] == expected([left], ZoneInfo("UTC")), said.text
