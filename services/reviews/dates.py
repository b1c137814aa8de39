"""Dates in a text: ISO, `Dec 8`, `8 December`, `12/9` by locale, `the 8th`, and lists and ranges of them."""

from dataclasses import dataclass

from services.reviews.horizon import Horizon
from services.reviews.tokens import Token
from services.reviews.vocabulary import DURATION_UNITS, MONTHS, ORDINAL_NOUNS, ORDINAL_SUFFIXES

LIST_MARKS = frozenset({",", "and", "&", "or", "+"})
RANGE_MARKS = frozenset({"-", "to", "thru", "through", "until", "till"})


@dataclass(frozen=True, slots=True)
class Written:
    """A date as written; `day` is None when there can be no such date."""

    year: int | None
    month: int | None
    day: int | None


def read_date(tokens: list[Token], at: int, horizon: Horizon) -> tuple[list[Written], bool, int] | None:
    """The dates that begin at a token: (dates, whether they are the two ends of a range, the place after)."""
    token = _at(tokens, at)
    if token is None:
        return None
    if token.kind == "number":
        return _numeric(tokens, at, horizon) or _day_then_month(tokens, at, horizon) or _ordinal_alone(tokens, at)
    if token.text in MONTHS:
        return _month_then_day(tokens, at, horizon)
    if token.text in ("the", "on") and _kind(tokens, at + 1) == "number":
        return _day_then_month(tokens, at + 1, horizon) or _ordinal_alone(tokens, at + 1)
    return None


def _numeric(tokens: list[Token], at: int, horizon: Horizon) -> tuple[list[Written], bool, int] | None:
    """`2025-12-08`, `2025/12/8`, `12/9`, `12/9/25`, `8.12.2025`."""
    mark = _text(tokens, at + 1)
    if (
        mark not in ("-", "/", ".")
        or not (_glued(tokens, at + 1) and _glued(tokens, at + 2))
        or _kind(tokens, at + 2) != "number"
    ):
        return None
    parts, end = [tokens[at].text, tokens[at + 2].text], at + 3
    if (
        _text(tokens, end) == mark
        and _glued(tokens, end)
        and _kind(tokens, end + 1) == "number"
        and _glued(tokens, end + 1)
    ):
        parts.append(tokens[end + 1].text)
        end += 2
    numbers = [int(part) if len(part) <= 4 else 0 for part in parts]
    if len(parts[0]) == 4 and len(parts) == 3 and mark in ("-", "/"):
        return [Written(numbers[0], numbers[1], numbers[2])], False, end
    if any(len(part) > 2 for part in parts[:2]) or (mark in (".", "-") and (len(parts) < 3 or len(parts[2]) != 4)):
        return None
    if mark == "/" and len(parts) == 2 and _text(tokens, end) in ("am", "pm", ":", "a", "p"):
        return None
    if len(parts) == 3 and len(parts[2]) not in (2, 4):
        return None
    year = (numbers[2] + 2000 if len(parts[2]) == 2 else numbers[2]) if len(parts) == 3 else None
    day_first = horizon.day_first or mark == "."
    day, month = (numbers[0], numbers[1]) if day_first else (numbers[1], numbers[0])
    if month > 12 >= day:
        day, month = month, day  # only one order gives a date
    return [Written(year, month, day)], False, end


def _month_then_day(tokens: list[Token], at: int, horizon: Horizon) -> tuple[list[Written], bool, int] | None:
    """`Dec 8`, `Dec. 8th, 2025`, `Dec 8-12`, `Dec 8, 10 and 12`."""
    month, end = MONTHS[tokens[at].text], at + 1
    if _text(tokens, end) == ".":
        end += 1
    if _text(tokens, end) == "the":
        end += 1
    first = _day_number(tokens, end)
    if first is None or _clock_mark(tokens, first[1], first[2]):
        return None
    days, ordinal, end = [first[0]], first[2], first[1]
    ranged = False
    if _text(tokens, end) in RANGE_MARKS:
        last = _day_number(tokens, end + 1)
        if (
            last
            and last[0] > days[0]
            and not _clock_mark(tokens, last[1], last[2])
            and _text(tokens, last[1]) not in ("-", "to")
        ):
            days, end, ranged = [days[0], last[0]], last[1], True
    while not ranged:
        more = _listed_day(tokens, end, days[-1], ordinal)
        if more is None:
            break
        days.append(more[0])
        end = more[1]
    year, end = _year(tokens, end, horizon)
    return [Written(year, month, day) for day in days], ranged, end


def _listed_day(tokens: list[Token], at: int, before: int, ordinal: bool) -> tuple[int, int] | None:
    """One more day of a list after a month's day: (day, place after)."""
    step = at
    while _text(tokens, step) in LIST_MARKS:
        step += 1
    if step == at:
        return None
    comma = all(_text(tokens, place) == "," for place in range(at, step))
    found = _day_number(tokens, step)
    if (
        found is None
        or found[0] <= before
        or _clock_mark(tokens, found[1], found[2])
        or _text(tokens, found[1]) in ("-", "to")
    ):
        return None
    if comma and not found[2] and not (ordinal and found[2]):
        following = _text(tokens, found[1])
        if following not in LIST_MARKS or _day_number(tokens, found[1] + 1) is None:
            return None  # "Dec 8, 10" may as well be ten o'clock
    return found[0], found[1]


def _day_then_month(tokens: list[Token], at: int, horizon: Horizon) -> tuple[list[Written], bool, int] | None:
    """`8 December`, `8th of Dec 2025`, `8-12 Dec`, `8, 9 and 10 December`."""
    days, ranged, step = [], False, at
    for _ in range(8):
        found = _day_number(tokens, step)
        if found is None:
            return None
        days.append(found[0])
        step = found[1]
        place = step + 1 if _text(tokens, step) == "of" else step
        if _text(tokens, place) in MONTHS and not (
            _text(tokens, place) == "may" and _kind(tokens, place + 1) == "word"
        ):
            if ranged and len(days) != 2:
                return None
            end = place + 1
            if _text(tokens, end) == "." and _kind(tokens, end + 1) != "line":
                end += 1
            year, end = _year(tokens, end, horizon)
            return [Written(year, MONTHS[tokens[place].text], day) for day in days], ranged, end
        if _text(tokens, step) in RANGE_MARKS and len(days) == 1:
            ranged, step = True, step + 1
        elif _text(tokens, step) in LIST_MARKS and not ranged:
            while _text(tokens, step) in LIST_MARKS:
                step += 1
        else:
            return None
        if _text(tokens, step) == "the":
            step += 1
    return None


def _ordinal_alone(tokens: list[Token], at: int) -> tuple[list[Written], bool, int] | None:
    """`8th`."""
    found = _day_number(tokens, at)
    if found is None or not found[2] or _text(tokens, found[1]) in ORDINAL_NOUNS:
        return None
    return [Written(None, None, found[0])], False, found[1]


def _day_number(tokens: list[Token], at: int) -> tuple[int, int, bool] | None:
    """A day of a month: (day, place after, whether written as an ordinal)."""
    token = _at(tokens, at)
    if token is None or token.kind != "number" or len(token.text) > 2:
        return None
    if _text(tokens, at + 1) in ORDINAL_SUFFIXES and _glued(tokens, at + 1):
        return int(token.text), at + 2, True
    return int(token.text), at + 1, False


def _clock_mark(tokens: list[Token], at: int, ordinal: bool) -> bool:
    """Whether what follows a number shows that it is a time."""
    text = _text(tokens, at)
    if ordinal or not text:
        return False
    if text in ("am", "pm", "oclock", "h") or text in DURATION_UNITS:
        return True
    return (
        text in (":", "a", "p")
        and _glued(tokens, at)
        and (text != ":" or (_kind(tokens, at + 1) == "number" and _glued(tokens, at + 1)))
    )


def _year(tokens: list[Token], at: int, horizon: Horizon) -> tuple[int | None, int]:
    place = at + 1 if _text(tokens, at) == "," else at
    token = _at(tokens, place)
    if token is None or token.kind != "number" or len(token.text) != 4 or _text(tokens, place + 1) == ":":
        return None, at
    start = horizon.first // 365.2425 + 1
    if not start - 2 <= int(token.text) <= start + 3:
        return None, at
    return int(token.text), place + 1


def _at(tokens: list[Token], at: int) -> Token | None:
    return tokens[at] if 0 <= at < len(tokens) else None


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


def _kind(tokens: list[Token], at: int) -> str:
    return tokens[at].kind if 0 <= at < len(tokens) else ""


def _glued(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].glued
