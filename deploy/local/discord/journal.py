"""What changed lately, in order, for those who look on: the chat page reads here what it must draw anew.

An entry names a thing and not what became of it, so a reader that was away gets each thing once, as it is now.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque

KEPT = 20_000
# What an entry can be about: a message (new, edited, reacted to, gone), a person, an interaction, the commands, the bot.
MESSAGE, PERSON, INTERACTION, COMMANDS, BOT = "message", "person", "interaction", "commands", "bot"
Entry = tuple[str, int]


class Journal:
    """The newest entries. A cursor names this run and a position in it; one of another run tells nothing here."""

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self.position = 0
        self.coming = asyncio.Event()
        self._entries: deque[tuple[int, Entry]] = deque(maxlen=KEPT)

    @property
    def cursor(self) -> str:
        """Where the journal ends now."""
        return f"{self.run}.{self.position}"

    def note(self, kind: str, thing: int = 0) -> None:
        """Something changed; whoever waits on ``coming`` wakes up, and waits on a new one next time."""
        self.position += 1
        self._entries.append((self.position, (kind, thing)))
        self.coming.set()
        self.coming = asyncio.Event()

    def since(self, cursor: str) -> list[Entry] | None:
        """What changed after a cursor, each thing once, in the order of its last change.

        None when the journal does not reach back that far: everything has to be read again.
        """
        run, _, text = cursor.partition(".")
        position = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
        oldest = self._entries[0][0] if self._entries else self.position + 1
        if run != self.run or not oldest - 1 <= position <= self.position:
            return None
        changed: dict[Entry, None] = {}
        for at, entry in reversed(self._entries):
            if at <= position:
                break
            changed.setdefault(entry)
        return list(changed)[::-1]
