"""Text to tokens: words, numbers, marks and line ends, each with its place in the text.

One pass over the characters. Dashes, quotes and full-width forms are folded one character at a time, so that a token's
place is its place in what the person wrote.
"""

import unicodedata
from dataclasses import dataclass

DASHES = frozenset("→⟶➔➜-‐‑‒–—―−﹘﹣－")
QUOTES = frozenset("'’‘ʼ`´′")
BULLETS = frozenset("•·*▪‣◦●○■□–—")
IGNORED_CATEGORIES = frozenset({"Cf", "Cc", "Mn", "Cs", "Co", "Cn"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a number, a mark or a line end. `glued`: nothing stands between it and the token before."""

    kind: str
    text: str
    start: int
    end: int
    glued: bool


def fold(character: str) -> str:
    """A character as the grammar compares it: compatibility form and lower case where that is one character."""
    if character.isascii():
        return character.lower()
    if character in DASHES:
        return "-"
    if character in QUOTES:
        return "'"
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    if len(plain) != 1:
        return character
    lowered = plain.lower()
    return lowered if len(lowered) == 1 else plain


def tokenise(text: str) -> list[Token]:
    """The tokens of a text, in order. Any text has tokens; none is refused."""
    folded = [fold(character) for character in text]
    tokens: list[Token] = []
    place, size, glued = 0, len(folded), False
    while place < size:
        character = folded[place]
        if character == "\n":
            tokens.append(Token("line", "\n", place, place + 1, False))
            place, glued = place + 1, False
        elif character.isspace() or unicodedata.category(character) in IGNORED_CATEGORIES:
            place, glued = place + 1, False if character.isspace() else glued
        else:
            token = _read(folded, place, glued, tokens)
            tokens.append(token)
            place, glued = token.end, True
    return tokens


def _read(folded: list[str], place: int, glued: bool, before: list[Token]) -> Token:
    character = folded[place]
    if _digit(character):
        end = place
        while end < len(folded) and _digit(folded[end]):
            end += 1
        return Token("number", "".join(folded[place:end]), place, end, glued)
    if character.isalpha() or (character == "'" and _alpha(folded, place + 1) and not glued):
        return _word(folded, place, glued, before)
    return Token("mark", character, place, place + 1, glued)


def _word(folded: list[str], place: int, glued: bool, before: list[Token]) -> Token:
    meridiem = _meridiem(folded, place) if before and before[-1].kind in ("number", "word") else None
    if meridiem:
        return Token("word", folded[place] + "m", place, meridiem, glued)
    end = place
    while end < len(folded) and (
        folded[end].isalpha()
        or (folded[end] in ("'", "_") and _alpha(folded, end + 1))
        or unicodedata.combining(folded[end])
    ):
        end += 1
    text = "".join(folded[place:end]).replace("'", "")
    if text in ("pmish", "amish") and glued and before and before[-1].kind == "number":
        return Token("word", text[:2], place, place + 2, glued)
    return Token("word", text, place, max(end, place + 1), glued)


def _meridiem(folded: list[str], place: int) -> int | None:
    """Where "a.m.", "p. m.", "p m" ends, or None."""
    if folded[place] not in ("a", "p"):
        return None
    step = place + 1
    dotted = step < len(folded) and folded[step] == "."
    step += dotted
    spaced = step < len(folded) and folded[step] == " "
    step += spaced
    if not (dotted or spaced) or step >= len(folded) or folded[step] != "m" or _alpha(folded, step + 1):
        return None
    step += 1
    return step + 1 if dotted and step < len(folded) and folded[step] == "." else step


def _digit(character: str) -> bool:
    return "0" <= character <= "9"


def _alpha(folded: list[str], place: int) -> bool:
    return place < len(folded) and folded[place].isalpha()
