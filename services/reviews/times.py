"""Times in a text: clocks with what stands before and after them, periods of the day, and lengths."""

from dataclasses import dataclass, replace

from services.reviews.clocks import MIDNIGHT, NOON, Clock, read_clock, span_of, start_of
from services.reviews.spelling import misspelt
from services.reviews.tokens import Token
from services.reviews.vocabulary import (
    AFTER,
    APPROXIMATE,
    BEFORE,
    COUNTED,
    COUNTS,
    DAY,
    DURATION_UNITS,
    FROM,
    PERIOD_WORDS,
    PERIODS,
    QUALIFIERS,
    RANGE_WORDS,
    UNDEFINED_HOURS,
    UNDEFINED_TIMES,
)

PERIOD_NAMES = ("morning", "mornings", "evening", "evenings", "afternoon", "afternoons")
# Words before a clock, and what they make of it.
OPENINGS = {
    "from": (
        "not before", "no earlier than", "not earlier than", "no sooner than", "not until", "not till", "nothing before", "as of",
        "as early as", "starting at", "starting from", "beginning at", "earliest", *FROM,
    ),
    "before": (
        "not after", "no later than", "not later than", "not past", "nothing after", "as late as", "up to", "up until", "up till",
        "prior to", "earlier than", "latest", "through", "thru", *BEFORE,
    ),
    "after": ("later than", *AFTER),
    "between": ("between the hours of", "between", "btwn", "btw", "b / w"),
    "about": tuple(APPROXIMATE),
    "at": ("at", "@"),
}  # fmt: skip
# Words after a clock alone.
ENDINGS = {
    "from": (
        "and on", "or later", "and later", "or after", "and after", "and beyond", "and onwards", "and onward", "onwards", "onward",
        "forward", "at the earliest", "earliest",
    ),
    "before": ("or earlier", "and earlier", "or before", "and before", "at the latest", "latest"),
}  # fmt: skip


def _by_first_word(table: dict[str, tuple[str, ...]]) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """Phrases by their first word, the longest first."""
    result: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for kind, phrases in table.items():
        for phrase in phrases:
            words = tuple(phrase.split())
            result.setdefault(words[0], []).append((words, kind))
    return {word: sorted(found, key=lambda one: -len(one[0])) for word, found in result.items()}


OPENINGS_BY_WORD = _by_first_word(OPENINGS)
ENDINGS_BY_WORD = _by_first_word(ENDINGS)
SOFT = frozenset({*APPROXIMATE, "at", "the", "say", "like", "@"})


@dataclass(frozen=True, slots=True)
class Time:
    """A time as a phrase says it.

    `kind`: range, start, from, after, before, period, any, or trouble (nobody can say when that is). `hint`: the period word
    that tells the half of the day. `narrows`: the period stands for itself, so that `after 3` in it ends with it.
    """

    kind: str
    first: Clock | None = None
    last: Clock | None = None
    period: str | None = None
    hint: str | None = None
    length: int | None = None
    about: bool = False
    narrows: bool = False

    def clocked(self) -> bool:
        """Whether it names a clock."""
        return self.first is not None

    def wall(self, session: int) -> tuple[int, int] | None:
        """Start and end in minutes of the first day; None when there is no such time. `session`: minutes of a start alone."""
        found = self._plain(session)
        if found and self.narrows and self.hint:
            low, high = PERIODS[self.hint]
            inside = max(found[0], low), min(found[1], high)
            found = inside if inside[0] < inside[1] else found
        return found if found and found[0] < found[1] else None

    def _plain(self, session: int) -> tuple[int, int] | None:
        if self.kind == "any":
            return DAY
        if self.kind == "period" and self.period:
            return PERIODS[self.period]
        if self.first is None or self.first.wrong or (self.last and self.last.wrong):
            return None
        if self.kind == "range" and self.last:
            return None if self.first.hour == 24 else span_of(self.first, self.last, self.hint)
        if self.kind == "before":
            return DAY[0], MIDNIGHT if self.first.midnight else start_of(self.first, self.hint)
        if self.first.hour == 24:
            return None
        begin = start_of(self.first, self.hint)
        if self.kind == "start" or self.length:
            return begin, begin + (self.length or session)
        return begin, DAY[1]


@dataclass(frozen=True)
class TimeReader:
    """Reads times from the tokens of one text."""

    tokens: list[Token]

    def any_time(self, at: int) -> int | None:
        """The place after `anytime`, `all day` or their like, or None."""
        word, following = self.word(at), self.word(at + 1)
        if word in ("anytime", "whenever", "anytimes") or (word == "allday"):
            return at + 1
        if word == "anything" and following in ("but", "except", "besides", "after", "before", "between", "from"):
            return at + 1
        if word in ("any", "what") and following in ("time", "hour"):
            return at + 2
        if word == "at" and following == "all" and self.word(at + 2) == "times":
            return at + 3
        if (
            word in ("all", "whole", "entire", "full")
            and following == "day"
            and self.word(at + 2) not in ("s", "except")
        ):
            return at + 3 if self.word(at + 2) == "long" else at + 2
        if word == "all" and following == "-" and self.word(at + 2) == "day":
            return at + 3
        if word == "all" and following in ("the", "of") and self.word(at + 2) in ("day", "time"):
            return at + 3
        if word == "24" and following == "/" and self.word(at + 2) == "7":
            return at + 3
        return None

    def period(self, at: int) -> tuple[str | None, int] | None:
        """The part of the day named at a token; its name is None when nobody defined it (`late morning`)."""
        word, place, qualifier = self.word(at), at, None
        if word in QUALIFIERS:
            qualifier = "early" if word == "earlier" else "late" if word == "later" else word
            place = at + 1 + (self.word(at + 1) == "-")
            word = self.word(place)
        name = PERIOD_WORDS.get(word) or PERIOD_WORDS.get(misspelt(word, PERIOD_NAMES) or "")
        if name is None:
            return self._undefined(at)
        end = place + 1
        if self.word(end) in ("time", "times", "hour", "hours", "break"):
            end += 1
        if qualifier is None:
            return name, end
        defined = f"{qualifier} {name}"
        return (defined if defined in PERIODS else None), end

    def _undefined(self, at: int) -> tuple[None, int] | None:
        word, following = self.word(at), self.word(at + 1)
        if word in UNDEFINED_HOURS and following in ("hours", "hrs"):
            return None, at + 2
        if word in UNDEFINED_TIMES:
            return None, at + 1 + (following in ("time", "times"))
        if (word, following) in (("first", "thing"), ("end", "of"), ("close", "of"), ("mid", "day")) and word != "mid":
            return None, at + 2 + (self.word(at + 2) in ("day", "business", "the"))
        return None

    def opening(self, at: int) -> tuple[str, int] | None:
        """The words before a clock (`after`, `no earlier than`, `at`) and the place after them."""
        for words, kind in OPENINGS_BY_WORD.get(self.word(at), ()):
            if all(self.word(at + step) == word for step, word in enumerate(words)):
                return kind, at + len(words)
        return None

    def read(self, at: int, company: bool) -> tuple[Time, int] | None:
        """The time that begins at a token; `company`: a number alone is a time here."""
        anytime = self.any_time(at)
        if anytime:
            return Time("any"), anytime
        opened = self.opening(at)
        kind, place = opened or ("", at)
        about = kind == "about"
        while opened and self.word(place) in SOFT and place < at + 8:
            about = about or self.word(place) in APPROXIMATE
            place += 1
        found = read_clock(self.tokens, place)
        if found is None:
            return self._unclocked(at, kind, place)
        first, end = found
        ranged = self._range_end(end, kind)
        if ranged:
            last, end = ranged
            if self._goes_on(end) or (first.bare and last.bare and self._unit(end)):
                return (Time("trouble"), self._chain_end(end)) if self._goes_on(end) else None
            return self._hinted(Time("range", first, last, about=about), end)
        if kind == "between" or self._broken_range(end, first):
            return None
        return self._single(first, end, kind, company or bool(opened), about)

    def _single(self, first: Clock, end: int, kind: str, company: bool, about: bool) -> tuple[Time, int] | None:
        if self.word(end) == "ish" or (self.word(end) == "-" and self.word(end + 1) == "ish"):
            about, end = True, end + (1 if self.word(end) == "ish" else 2)
        time, end = self._hinted(
            Time({"at": "start", "about": "start", "": "start"}.get(kind, kind), first, about=about), end
        )
        ending = self._ending(end)
        if ending and time.kind != "start":
            # "from 9 at the earliest", "until 5 at the latest": the same said twice.
            return time, ending[1] if ending[0] == {"after": "from"}.get(time.kind, time.kind) else end
        if (first.bare or first.compact) and not (company or time.hint or about or ending):
            return None
        return (replace(time, kind=ending[0]), ending[1]) if ending else (time, end)

    def _ending(self, at: int) -> tuple[str, int] | None:
        for words, kind in ENDINGS_BY_WORD.get(self.word(at), ()):
            if all(self.word(at + step) == word for step, word in enumerate(words)):
                if words[-1] in ("after", "before", "on") and read_clock(self.tokens, at + len(words)):
                    return None
                if words == ("and", "on") and self._kind(at + 2) == "word":
                    return None
                return kind, at + len(words)
        if self.word(at) == "on" and self.word(at + 1) in ("", ",", ".", ";", "\n", "and", "or", "but", "except", ")"):
            return "from", at + 1
        if self.word(at) == "+" and self.tokens[at].glued and self._kind(at + 1) != "number":
            return "from", at + 1
        return None

    def _range_end(self, at: int, kind: str) -> tuple[Clock, int] | None:
        place = at
        if self.word(place) == "-":
            while self.word(place) in ("-", ">"):
                place += 1
        elif self.word(place) in RANGE_WORDS or (kind == "between" and self.word(place) in ("and", "&")):
            place += 1
        else:
            return None
        while self.word(place) in SOFT and place < at + 6:
            place += 1
        return read_clock(self.tokens, place)

    def _broken_range(self, at: int, first: Clock) -> bool:
        """`30-minute`, `2-4 people`: a number and a dash that make no range of times."""
        return (
            (first.bare or first.compact)
            and self.word(at) == "-"
            and (self._kind(at + 1) == "number" or self.word(at + 1) in COUNTED)
        )

    def _goes_on(self, at: int) -> bool:
        return self.word(at) == "-" and self._kind(at + 1) == "number" and self.tokens[at].glued

    def _chain_end(self, at: int) -> int:
        while self.word(at) == "-" or self._kind(at) == "number":
            at += 1
        return at

    def _unit(self, at: int) -> bool:
        return self.word(at) in COUNTED

    def _hinted(self, time: Time, at: int) -> tuple[Time, int]:
        """`in the afternoon`, `at night` after a clock."""
        place = at
        if self.word(place) in ("in", "of", "during") and self.word(place + 1) == "the":
            place += 2
        elif self.word(place) in ("in", "at"):
            place += 1
        else:
            return time, at
        found = self.period(place)
        if found is None or found[0] is None:
            return time, at
        return replace(time, hint=found[0]), found[1]

    def _unclocked(self, at: int, kind: str, place: int) -> tuple[Time, int] | None:
        found = self.period(place)
        if not kind or kind in ("at", "about", "between"):
            if found is None or (kind == "between"):
                return None
            return (Time("period", period=found[0]) if found[0] else Time("trouble")), found[1]
        if found is None:
            return None
        if found[0] == "lunch" and kind in ("after", "before", "from"):
            clock = Clock(13 if kind == "after" else 12, exact=True)
            return Time("from" if kind == "after" else kind, clock), found[1]
        return Time("trouble"), found[1]

    def length(self, at: int) -> tuple[int, int] | None:
        """`for 90 minutes`, `1.5 hours`, `half an hour`: minutes and the place after."""
        place = at + (self.word(at) == "for")
        if self.word(place) == "half" or (self.word(place) == "a" and self.word(place + 1) == "half"):
            place += 1 if self.word(place) == "half" else 2
            place += self.word(place) in ("a", "an", "-")
            return (30, place + 1) if self.word(place) in ("hour", "hr") else None
        number = self._amount(place)
        if number is None:
            return None
        amount, place = number
        place += self.word(place) == "-"
        unit = DURATION_UNITS.get(self.word(place))
        if unit is None:
            return None
        minutes, place = amount * unit, place + 1
        if self.word(place) == "and" and self.word(place + 1) == "a" and self.word(place + 2) == "half" and unit == 60:
            return int(minutes + 30), place + 3
        step = place + (self.word(place) == "and")
        more = self._amount(step) if unit == 60 else None
        if more and (
            DURATION_UNITS.get(self.word(more[1])) == 1 or (self.tokens[step].glued and self.word(place - 1) == "h")
        ):
            return int(minutes + more[0]), more[1] + (DURATION_UNITS.get(self.word(more[1])) == 1)
        return int(minutes), place

    def _amount(self, at: int) -> tuple[float, int] | None:
        word = self.word(at)
        if self._kind(at) == "number" and len(word) <= 3:
            if (
                self.word(at + 1) in (".", ",")
                and self._kind(at + 2) == "number"
                and self.tokens[at + 2].glued
                and len(self.word(at + 2)) == 1
            ):
                return float(f"{word}.{self.word(at + 2)}"), at + 3
            return float(word), at + 1
        tens = {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "sixty": 60, "ninety": 90}
        if word in COUNTS or word in tens:
            return float(COUNTS.get(word) or tens[word]), at + 1
        return None

    def word(self, at: int) -> str:
        """The text of a token, empty outside."""
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def _kind(self, at: int) -> str:
        return self.tokens[at].kind if 0 <= at < len(self.tokens) else ""


def around(minute: int) -> str:
    """A minute of a day for people: `14:05`; minutes of the next day count on from midnight."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"


__all__ = ["MIDNIGHT", "NOON", "Time", "TimeReader", "around"]
