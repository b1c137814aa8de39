"""The availability grammar: what people write about their time, as exact intervals, and what was not understood.

Text to tokens (tokens.py), tokens to phrases (phrases.py), phrases to clauses (clauses.py), clauses to intervals
(intervals.py). Pure functions, linear in the length of the text; no text raises. What is not understood is reported,
never guessed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta, tzinfo

from services.reviews.clauses import ClauseReader
from services.reviews.horizon import Horizon
from services.reviews.intervals import Interval, Resolver, as_intervals
from services.reviews.phrases import PhraseReader
from services.reviews.places import zone_named
from services.reviews.readback import read_back
from services.reviews.scopes import Reports
from services.reviews.tokens import Token, tokenise

DEFAULT_MINUTES = 30
DEFAULT_DAYS = 14


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Something that can be read in several ways: what was taken, and what else it could be."""

    fragment: str
    chosen: str
    alternatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text says: intervals in UTC (sorted, merged), told back in the zone, and what is open."""

    intervals: tuple[Interval, ...]
    readback: str
    unparsed: tuple[str, ...]
    ambiguous: tuple[Ambiguity, ...]


def parse(
    text: str,
    zone: str | tzinfo,
    from_: date,
    until: date | None = None,
    duration_minutes: int = DEFAULT_MINUTES,
    locale: str | None = None,
    preferred_days: Collection[int] | None = None,
) -> Parsed:
    """What a text says about somebody's time between two dates, both included.

    `zone`: IANA name, the wall time meant where the text names none. `until`: 14 days after `from_` when absent.
    `duration_minutes`: the length of a start alone. `locale`: decides between 12/9 and 9/12. `preferred_days`: weekdays
    (Monday is 0) of a clause that names no day.

    Raises ValueError for an unknown zone; never for the text.
    """
    place = zone_named(zone) if isinstance(zone, str) else zone
    last = until if until is not None else from_ + timedelta(days=DEFAULT_DAYS)
    horizon = Horizon.between(from_, last, locale, frozenset(preferred_days) if preferred_days else None)
    tokens = tokenise(text)
    reports = Reports()
    phrases = PhraseReader(text, tokens, horizon).read()
    if not any(phrase.kind in ("days", "time") for phrase in phrases):
        whole = text.strip()
        return Parsed((), "", (whole,) if whole else (), ())
    reader = ClauseReader(phrases, reports)
    clauses = reader.read()
    intervals = as_intervals(Resolver(horizon, reader.zone or place, duration_minutes, reports).resolve(clauses))
    return Parsed(
        intervals,
        read_back(intervals, place, horizon),
        _fragments(text, tokens, reports),
        _doubts(text, tokens, reports),
    )


def _fragments(text: str, tokens: list[Token], reports: Reports) -> tuple[str, ...]:
    """The reported parts of the text, in its order; neighbours and parts of parts are one."""
    joined: list[list[int]] = []
    for first, end in sorted(set(reports.unparsed)):
        if joined and first <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([first, end])
    fragments = (text[tokens[first].start : tokens[end - 1].end].strip() for first, end in joined if end > first)
    return tuple(fragment for fragment in fragments if fragment)


def _doubts(text: str, tokens: list[Token], reports: Reports) -> tuple[Ambiguity, ...]:
    found: dict[Ambiguity, None] = {}
    for first, end, chosen, alternatives in reports.doubts:
        ambiguity = Ambiguity(text[tokens[first].start : tokens[max(end, first + 1) - 1].end], chosen, alternatives)
        found[ambiguity] = None
    return tuple(found)
