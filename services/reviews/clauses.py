"""Phrases to clauses: which times belong to which days, what is excluded, and in which zone.

Left to right: a time applies to the day list before it, else to the one after it; a further time belongs to the same
days. A clause that holds something impossible is empty, and is reported whole.
"""

from dataclasses import replace
from datetime import tzinfo

from services.reviews.days import SOME_DAYS, Days
from services.reviews.phrases import STRENGTH, Phrase
from services.reviews.scopes import Clause, Reports, scoped
from services.reviews.times import Time

AFFIRMING = frozenset(
    {"fine", "ok", "okay", "works", "good", "free", "great", "yes", "perfect", "available", "open", "can"}
)


class ClauseReader:
    """Makes clauses of the phrases of one text."""

    def __init__(self, phrases: list[Phrase], reports: Reports) -> None:
        self.phrases = phrases
        self.reports = reports
        self.clauses: list[Clause] = []
        self.zone: tzinfo | None = None
        self.run = 0
        self.ends: dict[int, str] = {}
        self.runs_into_time = self._look_ahead()
        self.sep = ""
        self._begin_run()

    def read(self) -> list[Clause]:
        """The clauses in order, exclusions attached to what they exclude from."""
        for at, phrase in enumerate(self.phrases):
            if phrase.kind == "break":
                self.ends[self.run] = phrase.value
                self._end_run()
            elif phrase.kind == "sep":
                self.sep = max(self.sep, phrase.value, key=lambda one: STRENGTH[one])
            elif phrase.kind == "unknown":
                self.reports.unparsed.append((phrase.first, phrase.end))
            elif phrase.kind == "filler":
                if phrase.value in AFFIRMING and self.current is not None and not self.current.negative:
                    self.current.affirmed = len(self.current.days)
            else:
                getattr(self, f"_on_{phrase.kind}")(at, phrase)
                self.sep = "" if phrase.kind != "not" else self.sep
        self._end_run()
        return scoped(self.clauses, self.ends, self.reports)

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
        if days.trouble == SOME_DAYS and any(one.negative for one in self.clauses):
            days = replace(days, trouble=None)
        if self.window is not None and days.weekly and not clause.negative:
            days = replace(days, days=days.days & self.window, outside=not days.days & self.window)
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
        if self.sep and self._affirmed(at):
            return self._open()
        if clause.times:
            return self._open(negative=self.sep in ("and", "or") and not self._is_new(days))
        possible = self._is_new(days) and not all(self._is_new(one) for one in clause.days)
        if self.sep == "but" or possible or (self.sep == "," and self._followed_by_time(at)):
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
        if phrase.value.kind == "same":
            self._repeat(clause)
        else:
            clause.links.append(self.sep)
            clause.times.append(phrase.value)
        clause.cover(phrase)
        if phrase.value.kind == "trouble":
            clause.trouble = True

    def _repeat(self, clause: Clause) -> None:
        """`Tuesday same time`: the times of the clause before."""
        earlier = next(
            (one for one in reversed(self.clauses[-3:]) if one is not clause and one.times and not one.negative), None
        )
        if earlier is None or clause.times:
            clause.trouble = True
            return
        clause.times, clause.links, clause.zone = list(earlier.times), list(earlier.links), earlier.zone

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
        if self.sep == "":
            self.reports.doubts.append((clause.first, clause.end, "on the days that are left", ("excluded only then",)))
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
        if clause.time_first:
            return True
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
        """`Tuesday is fine`, `free on weekends`: said to be possible."""
        near = [phrase.value for phrase in self.phrases[max(at - 2, 0) : at] if phrase.kind == "filler"]
        after = [phrase.value for phrase in self.phrases[at + 1 : at + 3] if phrase.kind == "filler"]
        return any(word in AFFIRMING for word in (*near, *after))

    def _on_zone(self, at: int, phrase: Phrase) -> None:
        clause = self.current
        if clause is None or not (clause.times or clause.days):
            self.run_zone = (phrase.value,)
            if phrase.value is None:
                self.reports.unparsed.append((phrase.first, phrase.end))
            return
        if clause.zoned and len(clause.times) > clause.zoned:
            clause = self._split(clause)
        clause.cover(phrase)
        self._set_zone(clause, phrase.value)
        clause.zoned = len(clause.times)
        if clause.joined in ("and", "or") and len(self.clauses) > self.run_start + 1:
            self._set_zone(self.clauses[-2], phrase.value, weak=True)

    def _split(self, clause: Clause) -> Clause:
        """`3pm EST or 4pm PST`: the later times of the clause, in a zone of their own."""
        rest = self._open()
        rest.days = list(clause.days)
        rest.times, rest.links = clause.times[clause.zoned :], clause.links[clause.zoned :]
        del clause.times[clause.zoned :], clause.links[clause.zoned :]
        rest.times_after_days, rest.time_first, rest.first, rest.end = (
            clause.times_after_days,
            clause.time_first,
            clause.first,
            clause.end,
        )
        return rest

    def _set_zone(self, clause: Clause, zone: tzinfo | None, weak: bool = False) -> None:
        if weak and clause.zone is not None:
            return
        if zone is None:
            clause.trouble = True
        clause.zone = zone

    def _on_length(self, at: int, phrase: Phrase) -> None:
        clause = self.current
        last = clause.times[-1] if clause and clause.times else None
        following = self.phrases[at + 1] if at + 1 < len(self.phrases) else None
        if (
            following
            and following.kind == "time"
            and following.value.kind in ("start", "from")
            and not following.value.length
        ):
            following.value = Time("start", following.value.first, hint=following.value.hint, length=phrase.value)
            following.first = phrase.first
            return
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
            if clause.affirmed and len(clause.days) > clause.affirmed and not clause.times:
                # "Monday is good, Tuesday isn't": only what was said since.
                refused = clause.days[clause.affirmed :]
                del clause.days[clause.affirmed :]
                clause = self._open()
                clause.days = refused
            clause.negative = True
            clause.cover(phrase)
            return
        self.reports.unparsed.append((phrase.first, phrase.end))
