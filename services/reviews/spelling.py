"""Misspelt day names: the one name that a word is near to, or nothing.

Near means: the same first letter and few edits (insert, delete, change, swap of neighbours). A word as near to two names
is no day, and words of the language that happen to be near ("sundae") are none either.
"""

from functools import lru_cache

from services.reviews.vocabulary import DAY_NAMES

# English words within the allowed distance of a day name.
NOT_DAYS = frozenset(
    {"sundry", "sundae", "sundaes", "sunray", "sundial", "frida", "money", "monda", "saturate", "saturated", "mundane"}
)
# How many edits a name of so many letters forgives.
ALLOWED = {6: 1, 7: 1, 8: 2, 9: 2}
TOMORROW = frozenset(
    {"tomorrow", "tmrw", "tmr", "tmrrw", "tmw", "tomo", "tmro", "tomoz", "tomorow", "tommorow", "tomorrows", "tmoro"}
)


def distance(one: str, other: str, limit: int) -> int:
    """Edits between two words (optimal string alignment), or `limit + 1` when there are more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for row, mine in enumerate(one, 1):
        current = [row]
        for column, theirs in enumerate(other, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (mine != theirs))
            if row > 1 and column > 1 and mine == other[column - 2] and one[row - 2] == theirs:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before_last, last = last, current
    return last[-1]


@lru_cache(maxsize=4096)
def misspelt_day(word: str) -> int | None:
    """The weekday (Monday is 0) that a misspelt name means, or None."""
    if word in NOT_DAYS or not 5 <= len(word) <= 12:
        return None
    stem = word[:-1] if word.endswith("s") and len(word) > 5 else word
    found: list[tuple[int, int]] = []
    for weekday, name in enumerate(DAY_NAMES):
        allowed = ALLOWED[len(name)]
        if stem[0] == name[0]:
            edits = min(distance(stem, name, allowed), distance(word, name, allowed))
            if edits <= allowed:
                found.append((edits, weekday))
    found.sort()
    if not found or (len(found) > 1 and found[0][0] == found[1][0]):
        return None
    return found[0][1]


@lru_cache(maxsize=4096)
def is_tomorrow(word: str) -> bool:
    """Whether a word is "tomorrow", misspelt or short."""
    return word in TOMORROW or (word[:2] == "to" and 6 <= len(word) <= 10 and distance(word, "tomorrow", 2) <= 2)


@lru_cache(maxsize=4096)
def misspelt(word: str, names: tuple[str, ...]) -> str | None:
    """The one longer keyword (seven letters or more) that a word is one edit from, or None."""
    if len(word) < 6 or word in ("mourning", "mournings", "leavening"):
        return None
    near = [name for name in names if name[0] == word[0] and len(name) >= 7 and distance(word, name, 1) <= 1]
    return near[0] if len(near) == 1 else None
