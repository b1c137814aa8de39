"""Time zones named in a text: American ones as wall time, UTC and its offsets, IANA names; others are not guessed."""

from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from services.reviews.tokens import Token
from services.reviews.vocabulary import (
    DAY_NAMES,
    DAY_SETS,
    FILLERS,
    MONTHS,
    PERIOD_WORDS,
    SHORT_DAYS,
    UNKNOWN_ZONES,
    ZONE_NOUNS,
    ZONES,
    ZONES_IN_CAPITALS,
)

ENDS_OF_NAME = frozenset(" \t\n\r,;()[]")
LONGEST_NAME = 40
# Words that make no place of "... time".
ORDINARY = (
    FILLERS
    | SHORT_DAYS.keys()
    | DAY_SETS.keys()
    | MONTHS.keys()
    | PERIOD_WORDS.keys()
    | set(DAY_NAMES)
    | {f"{day}s" for day in DAY_NAMES}
)


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones() if "/" in name}


@lru_cache(maxsize=512)
def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    Raises ValueError for any other text.
    """
    if name in ("UTC", "Etc/UTC"):
        return ZoneInfo("UTC")
    known = _names().get(name.lower())
    if known is None and name not in _single_names():
        raise ValueError("not the name of a time zone")
    return ZoneInfo(known or name)


@lru_cache(maxsize=1)
def _single_names() -> frozenset[str]:
    return frozenset(
        name for name in available_timezones() if "/" not in name and name not in ("localtime", "Factory", "posixrules")
    )


def read_zone(text: str, tokens: list[Token], at: int, after_time: bool) -> tuple[tzinfo | None, int] | None:
    """The zone that begins at a token (None in its place: a zone that nobody can know) and the place after it."""
    token = tokens[at]
    if token.kind == "mark":
        return _offset_after_clock(tokens, at) if after_time else None
    if token.kind != "word":
        return None
    following = _text(tokens, at + 1)
    if following == "/" and tokens[at + 1].glued and not (token.glued and _text(tokens, at - 1) == "/"):
        named = _iana(text, tokens, at)
        if named:
            return named
    capital = text[token.start : token.end].isupper()
    if token.text in ZONES and (capital or token.text not in ZONES_IN_CAPITALS):
        if token.text in ZONE_NOUNS and not after_time and following not in ("time", "standard", "daylight"):
            return None
        if token.text in ("z", "zulu") and not after_time:
            return None
        if ZONES[token.text] == "UTC" and following in ("+", "-"):
            offset = _offset(tokens, at + 1)
            if offset:
                return offset
        return ZoneInfo(ZONES[token.text]), _noun(tokens, at + 1)
    if token.text in UNKNOWN_ZONES and (capital or (token.text not in ZONES_IN_CAPITALS and after_time)):
        return None, _noun(tokens, at + 1)
    if (
        after_time
        and capital
        and 3 <= len(token.text) <= 4
        and token.text.endswith("t")
        and token.text not in ("sat", "oct", "sept", "asst")
    ):
        return None, _noun(tokens, at + 1)
    return _somewhere(text, tokens, at) if after_time else None


def _somewhere(text: str, tokens: list[Token], at: int) -> tuple[None, int] | None:
    """`London time`, `New York time`, `your time`: a zone, but nobody said which."""
    for place in range(at, min(at + 3, len(tokens) - 1)):
        token = tokens[place]
        known = token.text in ORDINARY or token.text in ZONES
        if token.kind != "word" or (token.text != "your" and (known or not text[token.start].isupper())):
            return None
        if tokens[place + 1].text == "time":
            return None, place + 2
    return None


def _noun(tokens: list[Token], at: int) -> int:
    if _text(tokens, at) in ("standard", "daylight") and _text(tokens, at + 1) == "time":
        return at + 2
    return at + 1 if _text(tokens, at) in ("time", "timezone", "tz") else at


def _iana(text: str, tokens: list[Token], at: int) -> tuple[tzinfo, int] | None:
    start = tokens[at].start
    end = start
    while end < len(text) and end - start < LONGEST_NAME and text[end] not in ENDS_OF_NAME:
        end += 1
    for name in (text[start:end], text[start:end].rstrip(".:!?")):
        known = _names().get(name.lower())
        if known:
            place = at
            while place < len(tokens) and tokens[place].start < start + len(name):
                place += 1
            return ZoneInfo(known), _noun(tokens, place)
    return None


def _offset(tokens: list[Token], at: int) -> tuple[tzinfo, int] | None:
    """`+2`, `-05:30` right after UTC or GMT."""
    if not tokens[at].glued or at + 1 >= len(tokens) or tokens[at + 1].kind != "number" or not tokens[at + 1].glued:
        return None
    digits, end = tokens[at + 1].text, at + 2
    if len(digits) > 4:
        return None
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if _text(tokens, end) == ":" and _text(tokens, end + 1).isdecimal():
        minutes, end = int(tokens[end + 1].text[:3]), end + 2
    if hours > 14 or minutes > 59:
        return None
    shift = timedelta(hours=hours, minutes=minutes)
    return timezone(shift if tokens[at].text == "+" else -shift), end


def _offset_after_clock(tokens: list[Token], at: int) -> tuple[tzinfo, int] | None:
    """`14:00+02:00`: only with both parts, a single number is something else."""
    if tokens[at].text != "+" or _text(tokens, at + 2) != ":":
        return None
    return _offset(tokens, at)


def _text(tokens: list[Token], at: int) -> str:
    return tokens[at].text if 0 <= at < len(tokens) else ""
