"""The order in which things happened, as opposed to the order of ids: a message may be dated into the past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .people import Message

PAGE = 100
Wanted = Callable[[Message], bool]


class Arrivals:
    """What arrived and what changed, each in its order, and who waits for more.

    Two orderings are kept because they answer two questions without a scan: "the newest hundred" walks ``_shown`` from
    its end, "what is new since" walks ``_changed`` from its end until it meets the position asked about.
    """

    def __init__(self) -> None:
        self.position = 0
        self.positions: dict[int, int] = {}
        self._shown: dict[int, Message] = {}
        self._changed: dict[int, Message] = {}
        self._waiting: dict[asyncio.Future[None], Wanted] = {}

    def mark(self, thing: int) -> int:
        """Notes that a user or an interaction arrived, so that ``after`` can name it."""
        self.position += 1
        self.positions.setdefault(thing, self.position)
        return self.position

    def show(self, message: Message) -> None:
        """A message can be seen from now on."""
        message.arrived = message.changed = self.mark(message.id)
        self.positions[message.id] = message.arrived
        self._shown[message.id] = self._changed[message.id] = message
        self._wake(message)

    def restore(self, messages: list[Message]) -> None:
        """Puts the messages of a snapshot back into both orders."""
        self._shown = {message.id: message for message in sorted(messages, key=lambda message: message.arrived)}
        self._changed = {message.id: message for message in sorted(messages, key=lambda message: message.changed)}

    def touch(self, message: Message) -> None:
        """A message was edited."""
        self.position += 1
        message.changed = self.position
        self._changed.pop(message.id, None)
        self._changed[message.id] = message
        self._wake(message)

    def forget(self, message: Message) -> None:
        """A message was deleted. Its position stays, as somebody may still ask what came after it."""
        self._shown.pop(message.id, None)
        self._changed.pop(message.id, None)

    def newest(self, wanted: Wanted) -> list[Message]:
        """The newest hundred that are wanted, oldest first."""
        found: list[Message] = []
        for message in reversed(self._shown.values()):
            if wanted(message):
                found.append(message)
                if len(found) == PAGE:
                    break
        return found[::-1]

    def since(self, position: int, wanted: Wanted) -> list[Message]:
        """What arrived or was edited after a position, oldest arrival first, the newest hundred."""
        found: list[Message] = []
        for message in reversed(self._changed.values()):
            if message.changed <= position:
                break
            if wanted(message):
                found.append(message)
        return sorted(found, key=lambda message: message.arrived)[-PAGE:]

    async def next(self, wanted: Wanted, seconds: float) -> None:
        """Returns when something wanted arrives or is edited, or when the time is over."""
        coming: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[coming] = wanted
        try:
            await asyncio.wait_for(coming, seconds)
        except TimeoutError:
            pass
        finally:
            self._waiting.pop(coming, None)

    def _wake(self, message: Message) -> None:
        for coming, wanted in self._waiting.items():
            if not coming.done() and wanted(message):
                coming.set_result(None)
