"""Phrases to clauses: which times belong to which days, what is excluded, and in which zone.

Left to right: a time applies to the day list before it, else to the one after it; a further time belongs to the same
days. A clause that holds something impossible is empty, and is reported whole.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import tzinfo

from services.reviews.days import Days
from services.reviews.phrases import STRENGTH, Phrase
from services.reviews.times import Time


@dataclass
class Clause:
    """Days with their times. `links`: what joins each time to the one before. `negative`: what it names is excluded."""

    negative: bool = False
    days: list[Days] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    windows: list[frozenset[int]] = field(default_factory=list)
    zone: tzinfo | None = None
    trouble: bool = False
    time_first: bool = False
    everything: bool = False
    first: int = -1
    end: int = -1
    bound_days: int = 0
    excluded: list["Clause"] = field(default_factory=list)
    run: int = 0
    times_after_days: bool = False
    joined: str = ""
    superseded: bool = False

    def cover(self, phrase: Phrase) -> None:
        """Widen the part of the text that the clause is."""
        self.first = phrase.first if self.first < 0 else min(self.first, phrase.first)
        self.end = max(self.end, phrase.end)

    def chosen(self) -> frozenset[int]:
        """All days that its day phrases name."""
        return frozenset().union(*(one.days for one in self.days))


@dataclass
class Reports:
    """What is told to the writer: parts of the text, as ranges of tokens, and doubts."""

    unparsed: list[tuple[int, int]] = field(default_factory=list)
    doubts: list[tuple[int, int, str, tuple[str, ...]]] = field(default_factory=list)


class ClauseReader:
    """Makes clauses of the phrases of one text."""

    def __init__(self, phrases: list[Phrase], reports: Reports) -> None:
        self.phrases = phrases
        self.reports = reports
        self.clauses: list[Clause] = []
        self.zone: tzinfo | None = None
        self.run = 0
        self.runs_into_time = self._look_ahead()
        self._begin_run()

    def read(self) -> list[Clause]:
        """The clauses in order, exclusions attached to what they exclude from."""
        for at, phrase in enumerate(self.phrases):
            if phrase.kind == "break":
                self._end_run()
            elif phrase.kind == "sep":
                self.sep = max(self.sep, phrase.value, key=lambda one: STRENGTH[one])
            elif phrase.kind == "unknown":
                self.reports.unparsed.append((phrase.first, phrase.end))
            elif phrase.kind != "filler":
                getattr(self, f"_on_{phrase.kind}")(at, phrase)
                self.sep = "" if phrase.kind != "not" else self.sep
        self._end_run()
        self._headings()
        self._exclude()
        return [clause for clause in self.clauses if not clause.negative]

    # Runs: what stands between hard breaks

    def _begin_run(self) -> None:
        self.current: Clause | None = None
        self.sep = ""
        self.window: frozenset[int] | None = None
        self.run_zone: tuple[tzinfo | None] | None = None
        self.run_start = len(self.clauses)
        self.said: set[int] = set()
        self.run += 1

    def _end_run(self) -> None:
        mine = self.clauses[self.run_start :]
        if self.run_zone is not None:
            for clause in mine:
                self._set_zone(clause, self.run_zone[0], weak=True)
            if not mine:
                self.zone = self.run_zone[0]
        self._begin_run()

    def _open(self, negative: bool = False) -> Clause:
        clause = Clause(negative=negative, run=self.run, joined=self.sep)
        if self.window is not None and not negative:
            clause.windows.append(self.window)
        self.clauses.append(clause)
        self.current = clause
        return clause

    # Phrases

    def _on_days(self, at: int, phrase: Phrase) -> None:
        days: Days = phrase.value
        if days.window and not days.trouble:
            self._on_window(at, phrase, days)
            return
        clause = self._clause_for_days(at, days)
        clause.days.append(days)
        clause.cover(phrase)
        if not clause.negative:
            self.said |= days.days
        if clause.times and not clause.times_after_days:
            clause.time_first = True
        if days.trouble:
            clause.trouble = True
        if days.outside:
            self.reports.unparsed.append((phrase.first, phrase.end))
        if days.doubt:
            self.reports.doubts.append((phrase.first, phrase.end, *days.doubt))

    def _clause_for_days(self, at: int, days: Days) -> Clause:
        clause = self.current
        if clause is None:
            return self._open()
        if clause.negative:
            return self._after_negative(at, days, clause)
        if clause.times and (clause.times_after_days or (clause.time_first and self._followed_by_time(at))):
            return self._open()
        return clause

    def _after_negative(self, at: int, days: Days, clause: Clause) -> Clause:
        """Another day after an exclusion: one more excluded day, or the beginning of what is possible."""
        if not clause.days:
            return clause if not clause.times or self.sep == "" else self._open()
        if clause.times:
            return self._open(negative=self.sep in ("and", "or") and not self._is_new(days))
        if self.sep == "but" or self._is_new(days) or (self.sep == "," and self._followed_by_time(at)) or self._affirmed(at):
            return self._open()
        return clause

    def _is_new(self, days: Days) -> bool:
        """Whether days lie outside of all that was said to be possible: excluding them would say nothing."""
        return bool(self.said) and self.said.isdisjoint(days.days)

    def _on_window(self, at: int, phrase: Phrase, days: Days) -> None:
        if days.outside:
            self.reports.unparsed.append((phrase.first, phrase.end))
        clause = self.current
        before = self.sep in (",", "but") and self._days_follow(at)
        if clause is None or clause.negative or before:
            if clause is not None and clause.negative and not before and not clause.days and not clause.times:
                clause.days.append(Days(days.days))
                clause.cover(phrase)
                return
            self.window = days.days
            if not self._days_follow(at) and not self._time_follows(at):
                self._open().days.append(Days(days.days, weekly=True))
                self.current.cover(phrase)  # type: ignore[union-attr]
            elif self._time_follows(at):
                opened = self._open()
                opened.cover(phrase)
                opened.days.append(Days(days.days, weekly=True))
            return
        self._narrow(clause, phrase, days.days)

    def _narrow(self, clause: Clause, phrase: Phrase, window: frozenset[int]) -> None:
        """`Monday next week`, `Mon 2-4 and Wed 3-5 next week`: the days named so far, within the week."""
        clause.cover(phrase)
        if not clause.days:
            clause.days.append(Days(window, weekly=True))
            clause.time_first = bool(clause.times)
            clause.bound_days = 1
            return
        if clause.bound_days < len(clause.days):
            for one in (each for each in self.clauses[self.run_start :] if not each.negative):
                for place in range(one.bound_days, len(one.days)):
                    kept = one.days[place].days & window
                    one.days[place] = Days(kept, weekly=True, trouble=one.days[place].trouble)
                one.bound_days = len(one.days)
            return
        clause.days.append(Days(window, weekly=True))
        clause.bound_days = len(clause.days)

    def _on_time(self, at: int, phrase: Phrase) -> None:
        clause = self._clause_for_time(at, phrase.value)
        if clause.days:
            clause.times_after_days = True
        clause.links.append(self.sep)
        clause.times.append(phrase.value)
        clause.cover(phrase)
        if phrase.value.kind == "trouble":
            clause.trouble = True

    def _clause_for_time(self, at: int, time: Time) -> Clause:
        clause = self.current
        if clause is None:
            return self._open()
        if clause.negative:
            return self._time_after_negative(clause, time)
        if clause.days and self._belongs_forward(at, clause):
            return self._open()
        return clause

    def _time_after_negative(self, clause: Clause, time: Time) -> Clause:
        """`weekdays except Friday, 2-4pm`: the time is of the weekdays; `except Friday mornings` is of the exclusion."""
        if not clause.days:
            return clause if not clause.times or self.sep in ("and", "or") else self._open()
        waiting = next((one for one in reversed(self.clauses[self.run_start :]) if not one.negative), None)
        if self.sep == "" and (time.kind == "period" or waiting is None or waiting.times):
            return clause
        if clause.times and self.sep in ("and", "or"):
            return clause
        if waiting is None:
            return self._open()
        self.current = waiting
        return waiting

    def _belongs_forward(self, at: int, clause: Clause) -> bool:
        """Whether a time belongs to the days after it, although days stand before it."""
        place, on = at + 1, False
        while place < len(self.phrases) and self.phrases[place].kind in ("filler", "zone", "length"):
            on = on or self.phrases[place].value in ("on", "every", "each")
            place += 1
        if place >= len(self.phrases) or self.phrases[place].kind != "days" or self.phrases[place].value.window:
            return False
        if clause.time_first and self.sep:
            return not self._followed_by_time(place) or on
        if not clause.times:
            return on and self.sep in (",", "and", "or", "but")
        return on or (bool(self.sep) and not self._followed_by_time(place))

    def _followed_by_time(self, at: int) -> bool:
        """Whether a list of days runs right into a time of its own."""
        return self.runs_into_time[at]

    def _look_ahead(self) -> list[bool]:
        """For each phrase, whether what follows it is a time, further days or fillers aside."""
        leads = [False] * (len(self.phrases) + 1)
        for at in range(len(self.phrases) - 2, -1, -1):
            following = self.phrases[at + 1]
            if following.kind == "time":
                leads[at] = True
            elif following.kind in ("filler", "zone", "days") or (following.kind == "sep" and following.value == "-"):
                leads[at] = leads[at + 1]
            elif following.kind == "sep":
                more = at + 2 < len(self.phrases) and self.phrases[at + 2].kind == "days"
                leads[at] = more and leads[at + 2]
        return leads

    def _days_follow(self, at: int) -> bool:
        return self._next_kind(at) == "days"

    def _time_follows(self, at: int) -> bool:
        return self._next_kind(at) == "time"

    def _next_kind(self, at: int, joined: bool = True) -> str | None:
        for phrase in self.phrases[at + 1 : at + 12]:
            if phrase.kind == "filler" or (joined and phrase.kind == "sep" and phrase.value in (",", "-")):
                continue
            return phrase.kind
        return None

    def _affirmed(self, at: int) -> bool:
        """`Tuesday is fine`: said to be possible."""
        following = [phrase.value for phrase in self.phrases[at + 1 : at + 3] if phrase.kind == "filler"]
        return any(word in ("fine", "ok", "okay", "works", "good", "free", "great", "yes", "perfect") for word in following) or following[:2] in (
            ["is", "fine"],
            ["is", "good"],
        )

    def _on_zone(self, at: int, phrase: Phrase) -> None:
        clause = self.current
        if clause is None or not (clause.times or clause.days):
            self.run_zone = (phrase.value,)
            if phrase.value is None:
                self.reports.unparsed.append((phrase.first, phrase.end))
            return
        clause.cover(phrase)
        self._set_zone(clause, phrase.value)
        if clause.joined in ("and", "or") and len(self.clauses) > self.run_start + 1:
            self._set_zone(self.clauses[-2], phrase.value, weak=True)

    def _set_zone(self, clause: Clause, zone: tzinfo | None, weak: bool = False) -> None:
        if weak and clause.zone is not None:
            return
        if zone is None:
            clause.trouble = True
        clause.zone = zone

    def _on_length(self, at: int, phrase: Phrase) -> None:
        clause = self.current
        last = clause.times[-1] if clause and clause.times else None
        if clause is None or last is None or last.kind not in ("start", "from") or last.length:
            self.reports.unparsed.append((phrase.first, phrase.end))
            return
        clause.times[-1] = Time("start", last.first, hint=last.hint, length=phrase.value, about=last.about)
        clause.cover(phrase)

    def _on_otherwise(self, at: int, phrase: Phrase) -> None:
        if any(clause.negative for clause in self.clauses) and self._next_kind(at, joined=True) not in ("days", "time"):
            self._open().everything = True
            self.current.cover(phrase)  # type: ignore[union-attr]
        elif self.current is not None and self.current.negative:
            self.current = None

    def _on_not(self, at: int, phrase: Phrase) -> None:
        following = self._next_kind(at, joined=False)
        if following in ("days", "time"):
            self._open(negative=True).cover(phrase)
            return
        if following == "not":
            return
        clause = self.current
        if clause is not None and (clause.days or clause.times) and self.sep not in (",", "but"):
            clause.negative = True
            clause.cover(phrase)
            return
        self.reports.unparsed.append((phrase.first, phrase.end))

    # What runs say to one another

    def _headings(self) -> None:
        """`Monday:` on one line and its times on the next; `2-4pm` on the only line before the days."""
        positive = [clause for clause in self.clauses if not clause.negative]
        heading: Clause | None = None
        runs = Counter(clause.run for clause in positive)
        for clause in positive:
            alone = not clause.days and clause.times and not clause.everything
            if alone and heading is not None and heading.run < clause.run and runs[clause.run] == 1:
                clause.days, clause.windows = list(heading.days), list(heading.windows)
                heading.superseded = True
            elif clause.days and not clause.times and not clause.trouble:
                heading = clause
            else:
                heading = None
        if len(positive) == 2 and len(runs) == 2 and not positive[0].days and positive[1].days and not positive[1].times:
            positive[0].days = list(positive[1].days)
            positive[1].superseded = True
        self.clauses = [clause for clause in self.clauses if not clause.superseded]

    def _exclude(self) -> None:
        """Attach each exclusion to the clauses before it in its run, else after it, else to all before, else to all after."""
        for place, clause in enumerate(self.clauses):
            if not clause.negative:
                continue
            if clause.trouble:
                self.reports.unparsed.append((clause.first, clause.end))
            targets = self._targets(place, clause)
            for target in targets:
                target.excluded.append(clause)
            if not targets and not clause.trouble:
                self.reports.unparsed.append((clause.first, clause.end))

    def _targets(self, place: int, clause: Clause) -> list[Clause]:
        before = [one for one in self.clauses[:place] if not one.negative]
        after = [one for one in self.clauses[place + 1 :] if not one.negative]
        near = [one for one in before if one.run == clause.run] or [one for one in after if one.run == clause.run]
        return near or before or after
