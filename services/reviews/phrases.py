"""Tokens to phrases: days, times, zones, exclusions, what joins and what ends them, and what is not understood."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from services.reviews.days import DayReader, Days
from services.reviews.horizon import Horizon, weekday_of
from services.reviews.places import read_zone
from services.reviews.times import Time, TimeReader
from services.reviews.tokens import BULLETS, Token
from services.reviews.vocabulary import (
    AND_WORDS,
    COUNTED,
    DOTTED,
    FILLERS,
    NEGATION_PAIRS,
    NEGATIONS,
    NUMBERS,
    OR_WORDS,
    OTHERWISE,
    PERIOD_WORDS,
    UNIVERSAL,
)

QUIET_MARKS = frozenset("()[]{}:\"“”„«»*_=<>\\…#'") | BULLETS
MARKS_WITH_MEANING = frozenset("@~+")
SENTENCE_STARTS = FILLERS | AND_WORDS | OR_WORDS
SENTENCE_ENDS = frozenset(".!?")
# After "after" and "before" these say nothing about time; "after work" does, but only to the writer.
ORDINARY_BOUNDS = FILLERS - {"work", "school", "meeting", "call"}
STRENGTH = {"": 0, "-": 0, "/": 1, "and": 2, "or": 2, ",": 3, "but": 4}


@dataclass(slots=True)
class Phrase:
    """One phrase: its kind, the first token and the one after it, and what it means."""

    kind: str
    first: int
    end: int
    value: Any = None


@dataclass
class PhraseReader:
    """Reads the phrases of one text, from left to right, each token once."""

    text: str
    tokens: list[Token]
    horizon: Horizon
    found: list[Phrase] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.days = DayReader(self.text, self.tokens, self.horizon)
        self.times = TimeReader(self.tokens)

    def read(self) -> list[Phrase]:
        """All phrases; together they cover every token."""
        place = 0
        while place < len(self.tokens):
            for phrase in self._next(place):
                self.found.append(phrase)
                place = phrase.end
        return self.found

    def _next(self, at: int) -> Iterator[Phrase]:
        token = self.tokens[at]
        if token.kind == "line":
            yield Phrase("break", at, at + 1, "line")
        elif (
            token.kind == "number"
            and self._at_line_start()
            and self._word(at + 1) in (")", ".")
            and not self._glued(at + 2)
        ):
            yield Phrase("filler", at, at + 2)
        elif token.kind == "mark" and token.text not in MARKS_WITH_MEANING:
            yield self._mark(at) or self._rest(at)
        else:
            yield self._meaning(at) or self._mark(at) or self._rest(at)

    def _meaning(self, at: int) -> Phrase | None:
        """The first reading that fits, in the order in which one would otherwise hide another."""
        return (
            self._zone(at)
            or self._today_period(at)
            or self._any(at)
            or self._negation(at)
            or self._bound(at)
            or self._day(at)
            or self._time(at)
        )

    def _any(self, at: int) -> Phrase | None:
        end = self.times.any_time(at)
        if end is None:
            return None
        opened = self.times.opening(end)
        if opened and opened[0] != "at":
            return Phrase("filler", at, end)  # "anytime after 3" is "after 3"
        return Phrase("time", at, end, Time("any"))

    def _zone(self, at: int) -> Phrase | None:
        found = read_zone(self.text, self.tokens, at, self._last_meaning() in ("time", "zone"))
        return Phrase("zone", at, found[1], found[0]) if found else None

    def _today_period(self, at: int) -> Phrase | None:
        """`tonight`, `this afternoon`: only the day is read here, the time by the next phrase."""
        if self._word(at) in ("tonight", "tonite"):
            self.found.append(Phrase("days", at, at, self._today()))
            return Phrase("time", at, at + 1, Time("period", period="night"))
        if self._word(at) == "this" and self._word(at + 1) in PERIOD_WORDS:
            return Phrase("days", at, at + 1, self._today())
        return None

    def _today(self) -> Days:
        first = self.horizon.first
        return Days(frozenset({first}), weekday_of(first), dated=True)

    def _negation(self, at: int) -> Phrase | None:
        word, following = self._word(at), self._word(at + 1)
        if self.times.opening(at):
            return None
        if (word, following) in NEGATION_PAIRS:
            if word in ("n", "out", "is", "are") and self._last_meaning() is None:
                return None
            return Phrase("not", at, at + 2)
        if word == "but" and self.found and self._before_but():
            return Phrase("not", at, at + 1)
        if word in ("can", "do", "does", "could", "would", "will", "is", "are") and following in ("t", "not"):
            return None if following == "t" else Phrase("not", at, at + 2)
        if word in ("no", "not") and following in ("problem", "worries", "preference", "only", "matter"):
            return None
        if word == "n" and following == "/" and self._word(at + 2) == "a":
            return Phrase("not", at, at + 3)
        return Phrase("not", at, at + 1) if word in NEGATIONS else None

    def _before_but(self) -> bool:
        """`any day but Friday`: right before "but" stands a word that means all."""
        last = self.found[-1]
        word = self._word(last.end - 1)
        return word in UNIVERSAL and last.kind in ("days", "time")

    def _bound(self, at: int) -> Phrase | None:
        """`until Friday`, `after the 8th`, `from Monday on`: a part of the horizon; `from Monday to Friday` is a list."""
        opened = self.times.opening(at)
        if opened is None or opened[0] in ("at", "about"):
            return None
        kind, place = opened
        if kind == "between":
            return self._between(at, place)
        found = self.days.read(place)
        if found is None or found[0].window or found[0].plural or found[0].trouble:
            return None
        days, end = found
        if kind == "from" and (len(days.days) > 1 and days.weekday is None):
            return Phrase("days", at, end, days)
        start = (
            self.horizon.next_of(days.weekday)
            if days.weekly and days.weekday is not None
            else min(days.days, default=None)
        )
        if start is None:
            return None
        horizon = self.horizon
        if kind == "from":
            end += self._word(end) in ("on", "onward", "onwards") and self._word(end + 1) not in ("the",)
        if self._word(at) == "before" or kind == "after":
            span = horizon.span(start + 1, horizon.last) if kind == "after" else horizon.span(horizon.first, start - 1)
        else:
            span = horizon.span(start, horizon.last) if kind == "from" else horizon.span(horizon.first, start)
        return Phrase("days", at, end, Days(span, window=True, outside=not span))

    def _between(self, at: int, place: int) -> Phrase | None:
        first = self.days.read(place)
        if first is None or self._word(first[1]) not in ("and", "&", "to", "-"):
            return (
                Phrase("days", at, first[1], first[0])
                if first and len(first[0].days) > 1 and first[0].weekday is None
                else None
            )
        last = self.days.read(first[1] + 1)
        if last is None or last[0].trouble or first[0].trouble:
            return None
        return Phrase("days", at, last[1], self.days.spanning(first[0], last[0]))

    def _day(self, at: int) -> Phrase | None:
        found = self.days.read(at, self._joined_to_day())
        return Phrase("days", at, found[1], found[0]) if found else None

    def _time(self, at: int) -> Phrase | None:
        if self._word(at) == "same" and self._word(at + 1) in ("time", "times", "hours", "hour", "thing"):
            return Phrase("time", at, at + 2, Time("same"))
        if self._word(at) == "ditto":
            return Phrase("time", at, at + 1, Time("same"))
        found = self.times.read(at, self._company(at))
        if found:
            return self._checked(at, *found)
        period = self.times.period(at)
        if period:
            time = Time("period", period=period[0]) if period[0] else Time("trouble")
            return Phrase("time", at, period[1], time)
        opened = self.times.opening(at)
        if opened and opened[0] in ("after", "before") and self._word(at) != "by":
            return self._undefined_bound(at, opened[1])
        length = self.times.length(at)
        return Phrase("length", at, length[1], length[0]) if length else None

    def _checked(self, at: int, time: Time, end: int) -> Phrase | None:
        """A number of four digits near this year is a year, not a time, unless something says that it is one."""
        clock = time.first
        if time.kind == "start" and clock and clock.compact and end == at + 1:
            year = date.fromordinal(self.horizon.first).year
            if year - 2 <= clock.hour * 100 + clock.minute <= year + 3:
                return None
        return Phrase("time", at, end, time)

    def _undefined_bound(self, at: int, place: int) -> Phrase | None:
        """`after class`: a bound that only the writer knows."""
        while self._word(place) in ("my", "the", "our", "a"):
            place += 1
        if place < len(self.tokens) and self.tokens[place].kind == "word" and self._word(place) not in ORDINARY_BOUNDS:
            return Phrase("time", at, place + 1, Time("trouble"))
        return None

    def _company(self, at: int) -> bool:
        """Whether a number alone is a time here: after a day, beside another time, before `on Monday`."""
        if self.found and self.found[-1].kind == "unknown":
            return False  # "room 5"
        last = self._last_meaning()
        if last in ("days", "time"):
            return True
        return self._listed_with_clock(at)

    def _listed_with_clock(self, at: int) -> bool:
        """`2, 3 or 4pm`, `10 on Tuesday`, `10 Tuesday`."""
        for _ in range(8):
            if not (self.tokens[at].kind == "number" or self._word(at) in NUMBERS):
                return False
            at += 1
            if self._word(at) in ("am", "pm", ":"):
                return True
            if self._word(at) not in ("and", "or", ",", "/", "&"):
                return bool(self.days.read(at + 1 if self._word(at) in ("on", "this", "every") else at))
            while self._word(at) in ("and", "or", ",", "/", "&"):
                at += 1
            if at >= len(self.tokens):
                return False
        return False

    def _mark(self, at: int) -> Phrase | None:
        token = self.tokens[at]
        if token.kind != "mark":
            return self._joining_word(at)
        text = token.text
        if text == ";":
            return Phrase("break", at, at + 1, ";")
        if text in SENTENCE_ENDS:
            ends = not self._glued(at + 1) and not (
                text == "." and self._word(at - 1) in DOTTED and not self._new_sentence(at + 1)
            )
            return Phrase("break" if ends and at + 1 < len(self.tokens) else "filler", at, at + 1, text)
        if text in (",", "|", "、", "，"):
            return Phrase("sep", at, at + 1, ",")
        if text in ("/", "&", "+"):
            return Phrase("sep", at, at + 1, "/" if text == "/" else "and")
        if text == "-":
            return Phrase("filler" if self._at_line_start() else "sep", at, at + 1, "-")
        if text in QUIET_MARKS or text in ("@", "~"):
            return Phrase("filler", at, at + 1)
        return None

    def _new_sentence(self, at: int) -> bool:
        """Whether a capital begins a sentence: `Wed. Also`, and not `Mon. Tue.` or `Dec. 8`."""
        if at >= len(self.tokens) or self.tokens[at].kind != "word":
            return False
        word, capital = self._word(at), self.text[self.tokens[at].start].isupper()
        return capital and word in SENTENCE_STARTS and self.days.read(at) is None

    def _joining_word(self, at: int) -> Phrase | None:
        word = self._word(at)
        if word in ("but", "however", "though", "although"):
            return Phrase("sep", at, at + 1, "but")
        if word in OR_WORDS:
            return Phrase("sep", at, at + 1, "or")
        if word in AND_WORDS:
            return Phrase("sep", at, at + 1, "and")
        if word in OTHERWISE:
            return Phrase("otherwise", at, at + 1)
        return None

    def _rest(self, at: int) -> Phrase:
        token = self.tokens[at]
        if token.text == "t" and token.glued and self._glued(at + 1) and self._last_meaning() == "days":
            return Phrase("filler", at, at + 1)  # the T of an ISO date and time
        if token.kind == "word" and token.text in FILLERS:
            return Phrase("filler", at, at + 1, token.text)
        end = at + 1
        if token.kind == "number" and self._word(end) in COUNTED:
            end += 1
        return Phrase("unknown", at, end)

    def _last_meaning(self) -> str | None:
        for phrase in reversed(self.found[-6:]):
            if phrase.kind in ("days", "time", "zone", "length"):
                return phrase.kind
            if phrase.kind in ("unknown", "break"):
                return None
        return None

    def _joined_to_day(self) -> bool:
        """Whether a day and one joining mark stand right before."""
        return len(self.found) > 1 and self.found[-1].kind == "sep" and self.found[-2].kind == "days"

    def _at_line_start(self) -> bool:
        return not self.found or self.found[-1].kind == "break"

    def _word(self, at: int) -> str:
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def _glued(self, at: int) -> bool:
        return at < len(self.tokens) and self.tokens[at].glued
