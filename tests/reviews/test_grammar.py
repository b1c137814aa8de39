"""What people write about their time, as exact intervals; what is not understood is reported."""

import json
import random
import sys
from datetime import UTC, date, datetime, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reviews.grammar import Parsed, parse
from services.reviews.horizon import Horizon
from services.reviews.phrases import PhraseReader
from services.reviews.tokens import tokenise
from tests.reviews.phrase_table import FIRST, LAST, ROWS, Row

pytestmark = pytest.mark.static
NEW_YORK = "America/New_York"


def read(text: str, zone: str = NEW_YORK, first: date = FIRST, last: date = LAST, **more: Any) -> Parsed:
    return parse(text, zone, first, last, **more)


def wall(parsed: Parsed, zone: str = NEW_YORK) -> list[str]:
    place = ZoneInfo(zone)
    return [f"{one.start.astimezone(place):%d %b %H:%M}-{one.end.astimezone(place):%H:%M}" for one in parsed.intervals]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.phrase[:60].replace("\n", "/"))
def test_a_phrase_means_exactly_its_intervals(row: Row) -> None:
    parsed = read(row.phrase)
    assert [(one.start, one.end) for one in parsed.intervals] == list(row.intervals)
    assert parsed.unparsed == row.unparsed
    assert bool(parsed.ambiguous) == row.ambiguous


def test_the_table_has_more_than_250_different_phrases() -> None:
    assert len({row.phrase for row in ROWS}) >= 250


def test_readback_tells_weekly_times_once_and_single_days_with_their_date() -> None:
    assert read("Mondays 2-3pm, Wed 10-11").readback == "Mon 14:00-15:00, Wed 10:00-11:00"
    assert read("the 8th at 2").readback == "Tue 8 Dec 14:00-14:30"
    assert read("Mon 2-3pm ET", "Europe/Berlin").readback == "Mon 20:00-21:00"


def test_the_duration_is_the_length_of_a_start_alone() -> None:
    assert wall(read("the 8th at 2", duration_minutes=45)) == ["08 Dec 14:00-14:45"]
    assert wall(read("the 8th at 2 for an hour", duration_minutes=45)) == ["08 Dec 14:00-15:00"]


def test_the_locale_decides_between_month_and_day() -> None:
    assert wall(read("12/9 at 2", locale="en-US")) == ["09 Dec 14:00-14:30"]
    assert wall(read("9/12 at 2", locale="en-GB")) == ["09 Dec 14:00-14:30"]
    assert wall(read("9/12 at 2", locale="de")) == ["09 Dec 14:00-14:30"]


def test_a_clause_without_days_is_for_the_preferred_days() -> None:
    tuesdays = read("after 5", preferred_days={1})
    assert {one.start.astimezone(ZoneInfo(NEW_YORK)).weekday() for one in tuesdays.intervals} == {1}
    assert len(read("every day after 5", preferred_days={1}).intervals) == 14


def test_the_horizon_is_today_and_fourteen_days_by_default() -> None:
    assert len(parse("daily 9-10", "UTC", FIRST).intervals) == 15


def test_a_range_past_midnight_belongs_to_its_first_day_also_at_the_end_of_the_horizon() -> None:
    parsed = read("Sunday 22:00-02:00")
    assert wall(parsed) == ["06 Dec 22:00-02:00", "13 Dec 22:00-02:00"]
    assert parsed.intervals[-1].end.astimezone(ZoneInfo(NEW_YORK)).date() == LAST + timedelta(days=1)


def test_nothing_recognisable_gives_the_whole_text_back() -> None:
    for text in ("no idea yet, sorry", "see my calendar", "Ω", "  hello  "):
        parsed = read(text)
        assert parsed.intervals == () and parsed.unparsed == (text.strip(),) and parsed.readback == ""
    assert read("   ").unparsed == ()


# Daylight saving

SPRING, AUTUMN = date(2026, 3, 8), date(2026, 11, 1)


def test_wall_time_is_kept_over_both_changes_of_the_clocks() -> None:
    for change in (SPRING, AUTUMN):
        parsed = read("daily 9-17", first=change - timedelta(days=3), last=change + timedelta(days=3))
        assert [text[7:] for text in wall(parsed)] == ["09:00-17:00"] * 7
        assert len({one.start.hour for one in parsed.intervals}) == 2


def test_a_time_that_does_not_exist_is_left_out_and_reported() -> None:
    parsed = read("02:30 on Sundays", first=SPRING, last=SPRING + timedelta(days=7))
    assert wall(parsed) == ["15 Mar 02:30-03:00"]
    assert parsed.unparsed == ("02:30 on Sundays",)


def test_a_range_over_the_missing_hour_keeps_its_wall_times() -> None:
    parsed = read("Sunday 1am-4am", first=SPRING, last=SPRING)
    assert wall(parsed) == ["08 Mar 01:00-04:00"]
    assert parsed.intervals[0].end - parsed.intervals[0].start == timedelta(hours=2)


def test_a_range_may_end_as_the_clocks_are_put_forward() -> None:
    parsed = read("Sunday 01:00-02:00", first=SPRING, last=SPRING)
    assert parsed.intervals[0].end - parsed.intervals[0].start == timedelta(hours=1)
    assert parsed.unparsed == ()


def test_a_time_that_exists_twice_is_the_first_one_and_is_told_as_a_doubt() -> None:
    parsed = read("Sunday 01:30", first=AUTUMN, last=AUTUMN)
    assert parsed.intervals[0].start == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert parsed.ambiguous[0].alternatives == ("the second time",)


def test_midnight_that_does_not_exist_is_only_an_end() -> None:
    """In Beirut the clocks go forward at midnight: 28 March has no 00:00, and 27 March still ends there."""
    change = date(2026, 3, 29)
    assert len(read("Saturday 22:00-24:00", "Asia/Beirut", change - timedelta(days=1), change).intervals) == 1
    assert read("Sunday midnight", "Asia/Beirut", change, change).intervals == ()


# What is not understood is reported

WORDLESS = {"filler", "sep", "break"}


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.intervals and not row.unparsed][::3], ids=lambda row: row.phrase[:50]
)
def test_replacing_a_recognised_word_by_nonsense_is_reported(row: Row) -> None:
    horizon = Horizon.between(FIRST, LAST, None, None)
    tokens = tokenise(row.phrase)
    for phrase in PhraseReader(row.phrase, tokens, horizon).read():
        if phrase.kind in WORDLESS or phrase.end == phrase.first:
            continue
        broken = row.phrase[: tokens[phrase.first].start] + " xqzv " + row.phrase[tokens[phrase.end - 1].end :]
        assert any("xqzv" in fragment for fragment in read(broken).unparsed), broken


@given(st.sampled_from([row for row in ROWS if row.intervals]), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_an_unknown_word_put_anywhere_is_reported(row: Row, place: int) -> None:
    tokens = tokenise(row.phrase)
    at = tokens[place % len(tokens)].start
    assert any("xqzv" in fragment for fragment in read(f"{row.phrase[:at]} xqzv {row.phrase[at:]}").unparsed)


# Hostile text

ALPHABET = st.one_of(
    st.characters(),
    st.sampled_from("0123456789:-–/.,; amp\n'"),
    st.sampled_from([row.phrase for row in ROWS]),
    st.sampled_from(["not ", "next ", "mon ", "8 "]),
)


@given(
    st.lists(ALPHABET, max_size=60).map("".join),
    st.sampled_from(["UTC", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe"]),
)
@settings(max_examples=600, deadline=None)
def test_no_text_raises_and_intervals_are_sorted_and_apart(text: str, zone: str) -> None:
    parsed = read(text, zone, SPRING - timedelta(days=5), SPRING + timedelta(days=20))
    assert all(one.start < one.end for one in parsed.intervals)
    assert all(one.end < other.start for one, other in zip(parsed.intervals, parsed.intervals[1:], strict=False))


HOSTILE = (
    "mon ", "not ", "2-", "8, ", "1a ", "but not mon ", "next week ", "wednesdai ", "m/", "a/b/", "after ", "about ", ";a;",
    "tue\n9\n", "2pm ET 3pm PT ", "the ", "next this ", "every other ", "first ", "(", "ﷺ", "½", "8 or ", "half past ",
    "mon next week ", "same time ", "mon morning, not mon morning ", "-",
)  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE, ids=json.dumps)
def test_twice_the_text_is_at_most_about_twice_the_work(unit: str) -> None:
    read("warm up Monday 2pm Europe/Berlin")
    short, long = (calls_of((unit * size)[:size]) for size in (1000, 2000))
    assert long <= 2.6 * short + 2000
    assert long < 400_000


def calls_of(text: str) -> int:
    """How many functions are called while a text is read: work that no busy machine changes."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        read(text, last=FIRST + timedelta(days=30))
    finally:
        sys.setprofile(None)
    return count


def test_the_seeded_soup_of_words_never_raises(seed: int) -> None:
    words = sorted({word for row in ROWS for word in row.phrase.split()})
    chance = random.Random(seed)
    for _ in range(400):
        read("".join(chance.choice(words) + chance.choice(("", " ", " ")) for _ in range(chance.randrange(1, 20))))
