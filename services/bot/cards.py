"""What the bot says, as plain data: text, one embed, buttons. Cut to Discord's limits here, in one place.

Names and notes of members are foreign text: `name_of` and `plain` make them harmless (no markdown, no mention, no link,
no writing direction that runs into our own words).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CONTENT, TITLE, DESCRIPTION, FIELD_NAME, FIELD_VALUE, FOOTER = 2000, 256, 4096, 256, 1024, 2048
FIELDS, EMBED_TOTAL = 25, 6000
NAME = 48
# Buttons in a row, rows under a message, and the characters on a button.
ROW, ROWS, LABEL = 5, 5, 80

# Styles of buttons.
PLAIN, GOOD, BAD = 2, 3, 4
GREEN, BLUE, AMBER, RED, GOLD = 0x2ECC71, 0x3498DB, 0xFFAA00, 0xE74C3C, 0xFFD700

_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<:@.+-])")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")
# Isolates keep a right-to-left name from turning the number after it round.
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"


def cut(text: str, length: int) -> str:
    """The text, ended by an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def plain(text: str, length: int = 200) -> str:
    """Foreign text on one line, cut, and without any power over how the rest looks."""
    return _MARKDOWN.sub(r"\\\1", cut(_CONTROLS.sub(" ", text).strip(), length))


def label(text: str, length: int = 60) -> str:
    """Foreign text for a button, where nothing is formatted: on one line, and cut."""
    return cut(_CONTROLS.sub(" ", text).strip() or "?", length)


def name_of(name: str) -> str:
    """A member's name, ready to stand in a sentence."""
    return f"{_ISOLATE}{plain(name, NAME) or 'somebody'}{_END_ISOLATE}"


def points(number: int) -> str:
    """`1 point`, `1,200 points`."""
    return f"{number:,} {'point' if abs(number) == 1 else 'points'}"


def signed(number: int) -> str:
    """`+5`, `−5`."""
    return f"+{number:,}" if number >= 0 else f"−{-number:,}"


def moment(at: datetime, style: str = "f") -> str:
    """An instant in the reader's own time zone and language."""
    return f"<t:{int(at.timestamp())}:{style}>"


@dataclass(frozen=True)
class Button:
    """A button that is found again by its id, whatever process made it."""

    label: str
    custom_id: str
    enabled: bool = True
    style: int = PLAIN

    def payload(self) -> dict[str, Any]:
        """The button as Discord takes it."""
        return {
            "type": 2,
            "style": self.style,
            "label": cut(self.label, LABEL),
            "custom_id": self.custom_id,
            "disabled": not self.enabled,
        }


@dataclass(frozen=True)
class Card:
    """One message: some text, or an embed with title, text and fields, and perhaps a row of buttons."""

    title: str = ""
    text: str = ""
    fields: Sequence[tuple[str, str]] = ()
    footer: str = ""
    colour: int = BLUE
    content: str = ""
    buttons: Sequence[Button] = ()
    # Buttons of what stands in the card, in rows of their own above the others.
    choices: Sequence[Button] = ()
    # The name of a file that goes with the card and is shown in it.
    picture: str = ""
    # The only account that is pinged by a mention in `content`.
    ping: str = ""

    def payload(self) -> dict[str, Any]:
        """The body Discord takes. Nobody but `ping` is pinged by it; what it does not have, an edit removes."""
        body: dict[str, Any] = {
            "content": cut(self.content, CONTENT),
            "embeds": [self._embed()] if self.title or self.text or self.fields else [],
            "allowed_mentions": {"parse": [], "replied_user": False},
        }
        if self.ping:
            body["allowed_mentions"]["users"] = [self.ping]
        rows = [self.choices[start : start + ROW] for start in range(0, len(self.choices), ROW)][: ROWS - 1]
        body["components"] = [
            {"type": 1, "components": [one.payload() for one in row]} for row in (*rows, self.buttons[:ROW]) if row
        ]
        return body

    def _embed(self) -> dict[str, Any]:
        embed: dict[str, Any] = {"title": cut(self.title, TITLE), "color": self.colour}
        left = EMBED_TOTAL - len(embed["title"])
        if self.footer:
            embed["footer"] = {"text": cut(self.footer, min(FOOTER, left))}
            left -= len(embed["footer"]["text"])
        if self.text:
            embed["description"] = cut(self.text, min(DESCRIPTION, left))
            left -= len(embed["description"])
        if self.picture:
            embed["image"] = {"url": f"attachment://{self.picture}"}
        fields = []
        for name, value in list(self.fields)[:FIELDS]:
            name, value = cut(name, FIELD_NAME) or "\u200b", cut(value, FIELD_VALUE) or "\u200b"
            if len(name) + len(value) > left:
                break
            fields.append({"name": name, "value": value, "inline": False})
            left -= len(name) + len(value)
        return embed | ({"fields": fields} if fields else {})


@dataclass(frozen=True)
class Rendered:
    """An answer as it is shown. With `short`, it is for its reader alone: typed in a channel, `short` is what everybody
    sees there, and the card goes by direct message. `next_cursor` is where the page after this one begins."""

    card: Card
    short: str | None = None
    next_cursor: str | None = None


@dataclass
class Lines:
    """Lines put together into fields that each keep within Discord's limit."""

    name: str
    lines: list[str] = field(default_factory=list)

    def fields(self) -> Iterable[tuple[str, str]]:
        """One field, or as many as the lines need."""
        name, value = self.name, ""
        for line in self.lines:
            line = cut(line, FIELD_VALUE)
            if value and len(value) + 1 + len(line) > FIELD_VALUE:
                yield name, value
                name, value = f"{self.name} (continued)", ""
            value = f"{value}\n{line}" if value else line
        if value:
            yield name, value
