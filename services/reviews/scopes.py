"""What clauses say to one another: headings above times, and exclusions.

A clause of days alone is a heading for the times below it. An exclusion is of the clauses before it between the same hard
breaks, else of those after it there, else of all before, else of all after.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import tzinfo

from services.reviews.days import Days
from services.reviews.phrases import Phrase
from services.reviews.times import Time


@dataclass
class Clause:
    """Days with their times. `links`: what joins each time to the one before. `negative`: what it names is excluded."""

    negative: bool = False
    days: list[Days] = field(default_factory=list)
    times: list[Time] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
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
    zoned: int = 0
    affirmed: int = 0

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


def scoped(clauses: list[Clause], ends: dict[int, str], reports: Reports) -> list[Clause]:
    """The clauses that say when, each with what is excluded from it. `ends`: what ended each run of clauses."""
    positive = [clause for clause in clauses if not clause.negative]
    runs = Counter(clause.run for clause in positive)
    before: Clause | None = None
    for clause in positive:
        alone = not clause.days and bool(clause.times) and not clause.everything and runs[clause.run] == 1
        if alone and before is not None and before.run < clause.run and before.days:
            _under(before, clause, ends, reports)
        else:
            before = clause
    if len(positive) == 2 and len(runs) == 2 and not positive[0].days and positive[1].days and not positive[1].times:
        positive[0].days = list(positive[1].days)
        positive[1].superseded = True
    left = [clause for clause in clauses if not clause.superseded]
    _exclude(left, reports)
    return [clause for clause in left if not clause.negative]


def _under(before: Clause, clause: Clause, ends: dict[int, str], reports: Reports) -> None:
    """Times alone below days: theirs when those are a heading, and after a semicolon or on a new line."""
    if before.superseded or not before.times:
        before.superseded = not before.times
        clause.days = list(before.days)
        if before.trouble:
            clause.trouble, clause.first = True, before.first
    elif ends.get(before.run) in (";", "line"):
        clause.days = list(before.days)
        reports.doubts.append((clause.first, clause.end, "on the days before", ("on every day",)))
    else:
        reports.doubts.append((clause.first, clause.end, "on every day", ("on the days before",)))


def _exclude(clauses: list[Clause], reports: Reports) -> None:
    for place, clause in enumerate(clauses):
        if not clause.negative:
            continue
        targets = _targets(clauses, place, clause)
        if clause.trouble or not targets:
            reports.unparsed.append((clause.first, clause.end))
        for target in targets:
            target.excluded.append(clause)


def _targets(clauses: list[Clause], place: int, clause: Clause) -> list[Clause]:
    before = [one for one in clauses[:place] if not one.negative]
    after = [one for one in clauses[place + 1 :] if not one.negative]
    near = [one for one in before if one.run == clause.run] or [one for one in after if one.run == clause.run]
    return near or before or after
