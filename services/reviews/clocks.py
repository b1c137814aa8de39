"""Clocks: `2pm`, `14:00`, `1400`, `13h`, `half past two`, `noon`, and what two of them mean as a range.

A clock is kept as it was written until its company is known: am and pm carry within a range, and a period word says which
half of the day is meant.
"""

from dataclasses import dataclass

from services.reviews.tokens import Token
from services.reviews.vocabulary import COUNTED, MINUTE_WORDS, NUMBERS, PERIOD_HALVES

NOON = 12 * 60
MIDNIGHT = 24 * 60


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as written.

    `half` is am, pm or None. `exact`: on 24 hours, or noon. `bare`: a number alone, a time only in company.
    `wrong`: written like a time, but there is none such (25:00, 13 pm).
    """

    hour: int
    minute: int = 0
    half: str | None = None
    exact: bool = False
    bare: bool = False
    wrong: bool = False
    midnight: bool = False
    compact: bool = False


def read_clock(tokens: list[Token], at: int, hour_mark: bool = True) -> tuple[Clock, int] | None:
    """The clock that begins at a token, and the place after it."""
    if at >= len(tokens):
        return None
    token = tokens[at]
    if token.kind == "word":
        found = _spoken(tokens, at)
    elif token.kind == "number":
        found = _digits(tokens, at, hour_mark)
    else:
        found = None
    return found


def _spoken(tokens: list[Token], at: int) -> tuple[Clock, int] | None:
    word = tokens[at].text
    if word in ("noon", "midday", "noontime"):
        return Clock(12, exact=True), at + 1
    if word == "midnight":
        return Clock(0, exact=True, midnight=True), at + 1
    if word == "a" and _text(tokens, at + 1) == "quarter":
        at, word = at + 1, "quarter"
    if word in ("half", "quarter"):
        return _fraction(tokens, at, word)
    if (
        word in MINUTE_WORDS
        and _text(tokens, at + 1) in ("past", "to")
        and not (word in NUMBERS and _text(tokens, at + 1) == "to")
    ):
        return _fraction(tokens, at, word)
    if word in NUMBERS:
        return _named_hour(tokens, at)
    return None


def _fraction(tokens: list[Token], at: int, word: str) -> tuple[Clock, int] | None:
    """`half past two`, `quarter to three`, `twenty past one`."""
    relation = _text(tokens, at + 1)
    minutes = {"half": 30, "quarter": 15}.get(word) or MINUTE_WORDS[word]
    if relation in ("past", "after") or (word == "quarter" and relation == "of"):
        forward = relation != "of"
    elif relation in ("to", "till", "before") and word != "half":
        forward = False
    else:
        return None
    target = tokens[at + 2] if at + 2 < len(tokens) else None
    if target is None:
        return None
    hour = NUMBERS.get(target.text) or (int(target.text) if target.kind == "number" and len(target.text) <= 2 else None)
    if hour is None and target.text in ("noon", "midday"):
        return Clock(12 if forward else 11, minutes if forward else 60 - minutes, exact=True), at + 3
    if hour is None:
        return None
    end = at + 3
    half, end = _half(tokens, end)
    wrong = not 1 <= hour <= 23
    exact = hour > 12
    if forward:
        return Clock(hour, minutes, half, exact, wrong=wrong), end
    earlier = 12 if hour == 1 else hour - 1
    if half and earlier == 11:
        half = {"am": "pm", "pm": "am"}[half]
    return Clock(earlier, 60 - minutes, half, exact, wrong=wrong), end


def _named_hour(tokens: list[Token], at: int) -> tuple[Clock, int] | None:
    """`two`, `two thirty`, `two fifteen pm`, `two o'clock`."""
    hour, end, minute, bare = NUMBERS[tokens[at].text], at + 1, 0, True
    if _text(tokens, end) == "-" and _glued(tokens, end) and _text(tokens, end + 1) in ("thirty", "fifteen", "forty"):
        end += 1
    following = _text(tokens, end)
    if following in ("fifteen", "twenty", "thirty", "forty", "fifty"):
        minute, end, bare = MINUTE_WORDS[following], end + 1, False
        step = end + 1 if _text(tokens, end) == "-" else end
        if following != "fifteen" and _text(tokens, step) == "five":
            minute, end = minute + 5, step + 1
    half, end = _half(tokens, end)
    if _text(tokens, end) in ("oclock",):
        bare, end = False, end + 1
        half, end = _half(tokens, end) if half is None else (half, end)
    if bare and half is None and _text(tokens, end) in COUNTED:
        return None
    return Clock(hour, minute, half, bare=bare and half is None), end


def _digits(tokens: list[Token], at: int, hour_mark: bool) -> tuple[Clock, int] | None:
    digits = tokens[at].text
    if len(digits) > 4:
        return None
    end, compact, bare, separated, marked = at + 1, len(digits) > 2, len(digits) <= 2, False, False
    if compact:
        hour, minute = int(digits[:-2]), int(digits[-2:])
    else:
        hour, minute = int(digits), 0
        minutes = _minutes(tokens, end)
        if minutes is not None:
            minute, end, bare, separated = minutes, end + 2, False, True
            if _text(tokens, end) == ":" and _number_glued(tokens, end + 1, 2):
                end += 2  # seconds
        elif hour_mark and _text(tokens, end) in ("h", "u") and _glued(tokens, end):
            end, bare, separated, marked = end + 1, False, True, True
            if _number_glued(tokens, end, 2):
                minute, end = int(tokens[end].text), end + 1
            elif hour < 8:
                return None  # "2h" is a length
    half, end = _half(tokens, end)
    if _text(tokens, end) == "oclock" or (_text(tokens, end) == "o" and _text(tokens, end + 1) == "clock"):
        end += 1 if _text(tokens, end) == "oclock" else 2
        bare, compact = False, False
        half, end = _half(tokens, end) if half is None else (half, end)
    if (
        half is None
        and _text(tokens, end) in ("h", "hrs", "hours", "hour", "hr")
        and (compact or (separated and _text(tokens, end) != "hour"))
    ):
        end, compact = end + 1, False
    if bare and half is None and (_text(tokens, end) in COUNTED or _text(tokens, end) == "%"):
        return None
    leading = digits[0] == "0" and len(digits) > 1
    exact = half is None and (leading or marked or hour > 12 or hour == 0)
    wrong = (
        minute > 59
        or hour > 24
        or (hour == 24 and minute > 0)
        or (half is not None and (hour > 12 or (hour == 0 and half == "pm")))
    )
    if compact and half is None and ((minute % 5 and minute != 59) or wrong):
        return None  # a telephone number or a year rather than a time
    return Clock(
        hour, minute, half, exact, bare and half is None, wrong, hour == 24 and not wrong, compact and half is None
    ), end


def _half(tokens: list[Token], at: int) -> tuple[str | None, int]:
    text = _text(tokens, at)
    if text in ("am", "pm"):
        return text, at + 1
    if text in ("a", "p") and _glued(tokens, at):
        return text + "m", at + 1
    return None, at


def _minutes(tokens: list[Token], at: int) -> int | None:
    """The minutes after `:` or `.`, written without a space."""
    if _text(tokens, at) in (":", ".") and _glued(tokens, at) and _number_glued(tokens, at + 1, 2):
        return int(tokens[at + 1].text)
    return None


def _number_glued(tokens: list[Token], at: int, digits: int) -> bool:
    return at < len(tokens) and tokens[at].kind == "number" and tokens[at].glued and len(tokens[at].text) == digits


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""


def _glued(tokens: list[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].glued


def readings(clock: Clock) -> tuple[int, ...]:
    """The minutes of the day that a clock may mean."""
    minutes = clock.hour * 60 + clock.minute
    if clock.half:
        return (clock.hour % 12 * 60 + clock.minute + (NOON if clock.half == "pm" else 0),)
    if clock.midnight:
        return (0,)
    if clock.exact:
        return (minutes,)
    morning = clock.hour % 12 * 60 + clock.minute
    return (morning, morning + NOON)


def default(clock: Clock) -> int:
    """A clock alone: 1-7 is afternoon, 8-11 morning, 12 noon."""
    choices = readings(clock)
    if len(choices) == 1:
        return choices[0]
    return choices[1] if clock.hour == 12 or clock.hour < 8 else choices[0]


def start_of(clock: Clock, period: str | None) -> int:
    """The minute at which a clock alone begins, in the half of the day that a period word names."""
    choices = readings(clock)
    if period and len(choices) > 1:
        low, high = PERIOD_HALVES[period]
        for choice in sorted((*choices, choices[0] + MIDNIGHT)):
            if low <= choice < high:
                return choice
    return default(clock)


def span_of(first: Clock, last: Clock, period: str | None) -> tuple[int, int] | None:
    """A range in minutes of its first day; the end may lie on the next day. None: end = start, no such time."""
    starts = readings(first)
    pairs = []
    for start in starts:
        for end in readings(last):
            late = end if end > start else end + MIDNIGHT
            pairs.append((start, late))
    if len(starts) == 1 and len(readings(last)) == 1:
        whole = pairs[0][1] - pairs[0][0] == MIDNIGHT and last.hour != 24
        return None if whole else pairs[0]
    pairs = [pair for pair in pairs if pair[1] - pair[0] < MIDNIGHT]
    if period and len(starts) > 1 and len(readings(last)) > 1:
        low, high = PERIOD_HALVES[period]
        pairs.extend([(start + MIDNIGHT, end + MIDNIGHT) for start, end in pairs if start < 6 * 60])
        return max(
            pairs, key=lambda pair: (min(pair[1], high) - max(pair[0], low) > 0, pair[0] - pair[1], pair[0] >= low)
        )
    if len(starts) == 1 or len(readings(last)) == 1:
        return _beside_exact(first, last, pairs)
    return _both_open(first, last)


def _beside_exact(first: Clock, last: Clock, pairs: list[tuple[int, int]]) -> tuple[int, int]:
    """One side is certain. A side on 24 hours makes the other one such; am and pm carry by the shortest range."""
    if last.exact and last.hour > 12 and not last.midnight and first.half is None and not first.exact:
        start, end = first.hour * 60 + first.minute, last.hour * 60 + last.minute
        if start < end:
            return start, end
    return min(pairs, key=lambda pair: pair[1] - pair[0])


def _both_open(first: Clock, last: Clock) -> tuple[int, int] | None:
    if (first.hour, first.minute) == (last.hour, last.minute):
        return None
    start = default(first)
    end = min((choice if choice > start else choice + MIDNIGHT) for choice in readings(last))
    if end >= MIDNIGHT and start >= NOON and first.hour != 12:
        start -= NOON  # 7-3 is a working day, and 7-12 a morning, not a night
        end -= NOON
    return start, end
