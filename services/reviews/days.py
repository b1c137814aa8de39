"""Days in a text: names and their short forms, academic codes, ranges, weeks, and dates beside a weekday."""

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from services.reviews.dates import RANGE_MARKS, Written, read_date
from services.reviews.horizon import Horizon, show, weekday_of
from services.reviews.spelling import is_tomorrow, misspelt, misspelt_day
from services.reviews.tokens import Token
from services.reviews.vocabulary import (
    CODE_PARTS,
    COUNTS,
    DAY_NAMES,
    DAY_SETS,
    DAYS_BY_COMPANY,
    EVERY,
    LETTER_DAYS,
    LOWER_CODES,
    MONTHS,
    RARE_DAYS,
    SHORT_DAYS,
    WEEKDAYS,
    WORKING,
)

SET_NAMES = ("weekday", "weekdays", "weekend", "weekends", "everyday")
JOINERS = frozenset({"/", "-", ",", "&", "+", "and", "or"})
NEXT = frozenset({"next", "following"})
# "every other Monday": one in two, or, after an exclusion, all the others.
SOME_DAYS = "some of the days"
THIS = frozenset({"this", "coming", "upcoming", "current"})


@dataclass(frozen=True, slots=True)
class Days:
    """Days named by a phrase.

    `weekly`: named by weekday, so a week may narrow it. `window`: a week or so, which narrows other days. `trouble`: why it
    cannot be used. `doubt`: (chosen, alternatives) when it can be read in two ways.
    """

    days: frozenset[int]
    weekday: int | None = None
    weekly: bool = False
    window: bool = False
    plural: bool = False
    dated: bool = False
    trouble: str | None = None
    doubt: tuple[str, tuple[str, ...]] | None = None
    outside: bool = False


@dataclass(frozen=True)
class DayReader:
    """Reads days from the tokens of one text."""

    text: str
    tokens: list[Token]
    horizon: Horizon

    def read(self, at: int, after_day: bool = False) -> tuple[Days, int] | None:
        """The days that begin at a token and the place after; `after_day`: a day and a joining mark stand before."""
        found = self._one(at, after_day)
        if found is None:
            return None
        first, end = found
        if first.trouble or first.window:
            return found
        chain, place = [first], end
        while (following := self._range_end(place)) is not None:
            chain.append(following[0])
            place = following[1]
            if following[0].trouble:
                return following[0], place
        if len(chain) == 1:
            return first, end
        return self._range(chain), place

    def _range_end(self, at: int) -> tuple[Days, int] | None:
        at += self._word(at) == "." and self._word(at - 1) in SHORT_DAYS
        if self._word(at) not in RANGE_MARKS:
            return None
        found = self._one(at + 1, after_day=True)
        if found is None or found[0].window or (not found[0].days and not found[0].outside):
            return None
        return found if found[0].weekday is not None or found[0].dated else None

    def _range(self, chain: list[Days]) -> Days:
        first, last = chain[0], chain[-1]
        if len(chain) > 2:
            days = frozenset().union(*(one.days for one in chain))
            return Days(days, weekly=True, doubt=("each of the days", ("all days from the first to the last",)))
        if first.dated and last.dated and first.days and last.days:
            return Days(self.horizon.span(min(first.days), max(last.days)), dated=True)
        if first.dated or last.dated:
            return self._half_dated(first, last)
        if first.weekday is None or last.weekday is None:
            return Days(frozenset(), trouble="no range of days")
        span = (last.weekday - first.weekday) % 7
        return Days(self.horizon.of({(first.weekday + step) % 7 for step in range(span + 1)}), weekly=True)

    def spanning(self, first: Days, last: Days) -> Days:
        """The days between two, both included (`between Monday and Wednesday`)."""
        return self._range([first, last])

    def _half_dated(self, first: Days, last: Days) -> Days:
        """`today to Friday`, `Dec 8 to Friday`; a range whose one end lies outside ends with the horizon."""
        if first.dated and first.days and last.weekday is not None and not last.dated:
            start = min(first.days)
            return Days(self.horizon.span(start, start + (last.weekday - weekday_of(start)) % 7), dated=True)
        if first.dated and last.dated and first.days:
            return Days(self.horizon.span(min(first.days), self.horizon.last), dated=True)
        return Days(frozenset(), trouble="no range of days")

    def _one(self, at: int, after_day: bool = False) -> tuple[Days, int] | None:
        word, following = self._word(at), self._word(at + 1)
        if not word:
            return None
        if word in ("the", "on") and following not in ("the", "on"):
            return (
                self._dated(at)
                or self._week(at)
                or (self._one(at + 1, after_day) if self._kind(at + 1) == "word" else None)
            )
        if word in EVERY or word in RARE_DAYS or word in ("biweekly", "fortnightly", "twice"):
            return self._every(at)
        return self._week(at) or self._relative(at) or self._dated(at) or self._named(at, after_day)

    def _every(self, at: int) -> tuple[Days, int] | None:
        """`every day`, `any other day`, `all week`; `every other Monday` is not understood, and says so."""
        place = at
        every = self._word(place) in EVERY
        place += every
        rare = place
        while self._word(rare) in RARE_DAYS and rare < place + 3:
            rare += 1
        other = rare > place
        noun = self._word(rare)
        if noun in WORKING and self._word(rare + 1) in ("day", "days"):
            return Days(self.horizon.of({0, 1, 2, 3, 4}), weekly=True, plural=True), rare + 2
        if noun in ("day", "days") and (every or other):
            if other and self._word(at) == "every":
                return Days(self.horizon.days, trouble=SOME_DAYS), rare + 1
            return (Days(self.horizon.days, weekly=True, plural=True), rare + 1) if every else None
        if every and not other and noun in ("week", "wk") and self._word(at) == "all":
            return Days(self.horizon.days, weekly=True, plural=True), rare + (
                2 if self._word(rare + 1) == "long" else 1
            )
        if not every and not other:
            return None
        found = self._named(rare, False)
        if found is None:
            return None
        if other and not (self._word(at) in ("any", "all") and rare == place + 1 and self._word(place) == "other"):
            return replace(found[0], trouble=SOME_DAYS), found[1]
        return replace(found[0], plural=True), found[1]

    def _named(self, at: int, after_day: bool) -> tuple[Days, int] | None:
        word = self._word(at)
        if word in DAY_SETS or (self._kind(at) == "word" and misspelt(word, SET_NAMES)):
            weekdays = DAY_SETS.get(word) or DAY_SETS[misspelt(word, SET_NAMES) or word]
            return Days(self.horizon.of(weekdays), weekly=True, plural=True), at + 1
        weekday = self._weekday(at, after_day)
        if weekday is not None:
            end = at + 1
            return self._beside_date(
                Days(self.horizon.by_weekday[weekday], weekday, True, plural=self._plural(word)), end
            )
        code = self._code(at)
        if code is not None:
            return Days(self.horizon.of(code), weekly=True, plural=True), at + 1
        if (
            self._kind(at) == "word"
            and len(word) > 5
            and word.endswith(("day", "days"))
            and word not in ("midday", "allday")
        ):
            return Days(frozenset(), trouble="no day of that name"), at + 1
        return None

    def _plural(self, word: str) -> bool:
        return word.endswith("days") or word in ("mons", "fris", "sats", "suns")

    def _weekday(self, at: int, after_day: bool = False) -> int | None:
        """The weekday that one token names, by its company where the word alone could be something else."""
        word = self._word(at)
        if self._kind(at) != "word":
            return None
        if word in LETTER_DAYS:
            return LETTER_DAYS[word] if self._letter_in_company(at, after_day) else None
        if word in DAYS_BY_COMPANY:
            joined = self._word(at + 1) in ("/", "-", ",", "&") and self._short(at + 2)
            listed = after_day and (self._kind(at + 1) != "word" or self._word(at + 1) in JOINERS)
            return SHORT_DAYS[word] if joined or listed or self._kind(at + 1) == "number" else None
        return named_day(word)

    def _short(self, at: int) -> bool:
        word = self._word(at)
        return word in SHORT_DAYS or word in LETTER_DAYS or named_day(word) is not None

    def _letter_in_company(self, at: int, after_day: bool) -> bool:
        token, following = self.tokens[at], self._word(at + 1)
        if token.glued and at and self.tokens[at - 1].kind == "number":
            return False
        capital = self.text[token.start].isupper()
        if following in ("/", "-") and self._short(at + 2) and (capital or self.tokens[at + 1].glued):
            return True
        if after_day and (capital or self._word(at - 1) in ("/", "-")):
            return True
        if not capital or (self._capital(at + 1) and (following in LETTER_DAYS or following in ("th", "tu"))):
            return capital
        return (
            following in (",", "&", "and", "or", "+") and self._short(at + 2) and self._capital(at + 2)
        ) or self._kind(at + 1) == "number"

    def _capital(self, at: int) -> bool:
        return at < len(self.tokens) and self.text[self.tokens[at].start].isupper()

    def _code(self, at: int) -> frozenset[int] | None:
        if self._kind(at) != "word":
            return None
        token = self.tokens[at]
        if not 2 <= len(token.text) <= 12:
            return None
        raw = self.text[token.start : token.end]
        if raw[0].isupper() or token.text in LOWER_CODES:
            return academic_code(token.text) if token.text not in ("mt", "tw") else None
        return None

    def _relative(self, at: int) -> tuple[Days, int] | None:
        """`today`, `tomorrow`, `the day after tomorrow`, `this Tuesday`, `next Tuesday`."""
        word, first = self._word(at), self.horizon.first
        if word in ("today", "todays"):
            return self._single(first), at + 1
        if self._kind(at) == "word" and is_tomorrow(word):
            return self._single(first + 1), at + 1
        if word == "day" and self._word(at + 1) == "after" and is_tomorrow(self._word(at + 2) or "?"):
            return self._single(first + 2), at + 3
        if word == "yesterday":
            return Days(frozenset(), trouble="past"), at + 1
        if word not in THIS and word not in NEXT:
            return None
        place = at + 1
        if self._word(place) in THIS:
            place += 1
        weekday = self._weekday(place)
        if weekday is None:
            return None
        soon = self.horizon.next_of(weekday)
        if word in THIS:
            return self._beside_date(self._single(soon, weekday), place + 1)
        monday = first - weekday_of(first) + 7
        far = monday + weekday
        other = soon if soon != far else far + 7
        doubtful = replace(self._single(far, weekday), doubt=(show(far), (show(other),)))
        return self._beside_date(doubtful, place + 1)

    def _single(self, day: int, weekday: int | None = None) -> Days:
        days = frozenset({day}) & self.horizon.days
        return Days(days, weekday_of(day) if weekday is None else weekday, dated=True, outside=not days)

    def _week(self, at: int) -> tuple[Days, int] | None:
        """`this week`, `next two weeks`, `the week of Dec 8`, `this weekend`, `in December`."""
        place = at + (self._word(at) == "the")
        word, following = self._word(place), self._word(place + 1)
        if word in ("rest", "remainder") and following == "of":
            place += 2 + (self._word(place + 2) in ("the", "this"))
            if self._word(place) in ("week", "wk"):
                return Days(self.horizon.week(0), window=True), place + 1
            return None
        if word in ("during", "in") and following == "the" and self._word(place + 2) == "week":
            return Days(self.horizon.of(WEEKDAYS), weekly=True, plural=True), place + 3
        if word == "week" and following in ("of", "commencing", "beginning", "starting"):
            found = read_date(self.tokens, place + 2, self.horizon)
            day = self._resolve(found[0][0]) if found and len(found[0]) == 1 else None
            if found is None or day is None:
                return None
            days = self.horizon.span(day - weekday_of(day), day - weekday_of(day) + 6)
            return Days(days, window=True, outside=not days), found[2]
        if word == "week" and following == "after" and self._word(place + 2) == "next":
            return Days(self.horizon.week(2), window=True), place + 3
        if word in THIS or word in NEXT:
            return self._named_week(place, word)
        if word in ("in", "during", "throughout") and following in MONTHS and self._kind(place + 2) != "number":
            days = frozenset(day for day in self.horizon.days if _month(day) == MONTHS[following])
            return Days(days, window=True, outside=not days), place + 2
        return None

    def _named_week(self, place: int, word: str) -> tuple[Days, int] | None:
        step = place + 1
        step += self._word(step) in THIS
        noun, offset = self._word(step), 0 if word in THIS else 1
        if noun in ("week", "wk", "weeks"):
            return Days(self.horizon.week(offset), window=True), step + 1
        if noun in ("weekend", "wkend"):
            saturday = self.horizon.first - weekday_of(self.horizon.first) + 5
            days = self.horizon.span(saturday + 7 * offset, saturday + 7 * offset + 1)
            doubt = (show(saturday + 7), (show(saturday),)) if offset else None
            return Days(days, dated=True, plural=True, doubt=doubt, outside=not days), step + 1
        count = int(noun) if noun.isdecimal() and len(noun) < 3 else COUNTS.get(noun)
        if word == "next" and count:
            unit = self._word(step + 1)
            length = {"week": 7, "weeks": 7, "day": 1, "days": 1}.get(unit)
            if length:
                return Days(
                    self.horizon.span(self.horizon.first, self.horizon.first + count * length - 1), window=True
                ), step + 2
        return None

    def _dated(self, at: int) -> tuple[Days, int] | None:
        found = read_date(self.tokens, at, self.horizon)
        if found is None:
            return None
        written, ranged, end = found
        numbers = [self._resolve(one) for one in written]
        if any(number is None for number in numbers):
            return Days(frozenset(), trouble="no such date"), end
        known = [number for number in numbers if number is not None]
        days = self.horizon.span(known[0], known[-1]) if ranged else frozenset(known) & self.horizon.days
        dated = Days(
            days,
            weekday_of(known[0]) if len(known) == 1 else None,
            dated=True,
            outside=not days or not days >= set(known),
        )
        return self._beside_weekday(dated, known[0], end) if len(known) == 1 else (dated, end)

    def _resolve(self, written: Written) -> int | None:
        return self.horizon.resolve(written.year, written.month, written.day or 0)

    def _beside_date(self, named: Days, at: int) -> tuple[Days, int]:
        """`Monday Dec 8`, `Mon the 8th`, `Monday, 8 December`: one day, if the two agree."""
        if named.plural or named.weekday is None:
            return named, at
        place = at + (self._word(at) == "." and self._word(at - 1) in SHORT_DAYS)
        while self._word(place) in (",", "(", "the", "on"):
            place += 1
        found = read_date(self.tokens, place, self.horizon)
        if found is None or len(found[0]) != 1 or found[1]:
            return named, at
        end = found[2] + (self._word(found[2]) == ")")
        day = self._resolve(found[0][0])
        if day is None:
            return Days(frozenset(), trouble="no such date"), end
        if weekday_of(day) != named.weekday:
            return Days(frozenset(), trouble="the weekday disagrees with the date"), end
        return self._single(day), end

    def _beside_weekday(self, dated: Days, day: int, at: int) -> tuple[Days, int]:
        """`Dec 8 (Monday)`, `12/8 Mon`."""
        mark = self._word(at)
        place = at + (mark in ("(", ","))
        weekday = self._weekday(place)
        if weekday is None or self._plural(self._word(place)) or self._word(place + 1) in ("-", "/"):
            return dated, at
        end = place + 1 + (mark == "(" and self._word(place + 1) == ")")
        if weekday == weekday_of(day):
            return dated, end
        if mark == ",":
            return dated, at
        return Days(frozenset(), trouble="the weekday disagrees with the date"), end

    def _word(self, at: int) -> str:
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def _kind(self, at: int) -> str:
        return self.tokens[at].kind if 0 <= at < len(self.tokens) else ""


@lru_cache(maxsize=4096)
def named_day(word: str) -> int | None:
    """The weekday of a name, a plural, a short form or a misspelling; single letters and codes are not read here."""
    if word in SHORT_DAYS:
        return SHORT_DAYS[word]
    if word in DAY_SETS or word in ("today", "midday", "noonday"):
        return None
    for weekday, name in enumerate(DAY_NAMES):
        if word in (name, name + "s"):
            return weekday
    return misspelt_day(word)


@lru_cache(maxsize=1024)
def academic_code(word: str) -> frozenset[int] | None:
    """`mwf`, `tth`, `mtwthf`: at least two days in the order of the week, or None."""
    found: list[int] = []
    place = 0
    while place < len(word):
        part = next(((text, day) for text, day in CODE_PARTS if word.startswith(text, place)), None)
        if part is None or (found and part[1] <= found[-1]):
            return None
        found.append(part[1])
        place += len(part[0])
    return frozenset(found) if len(found) > 1 else None


def _month(day: int) -> int:
    return date.fromordinal(day).month
