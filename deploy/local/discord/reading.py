"""Reading what is sent to ``/local/``: every wrong field is refused with a sentence that says what it should be."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from .people import Channel, Message, User
from .problems import JSON, LocalError
from .snowflakes import EPOCH_MS
from .world import World

_FIRST_MOMENT = datetime.fromtimestamp(EPOCH_MS / 1000, UTC)
REQUIRED: Any = object()


def identifier(value: Any) -> int:
    """An id as a number, from a text or a number; 0, which is nobody's, from anything else."""
    text = str(value)
    whole = isinstance(value, str | int) and not isinstance(value, bool)
    return int(text) if whole and text.isascii() and text.isdecimal() and len(text) < 20 else 0


class Body:
    """The JSON object of one request. ``known`` are the fields it may have, so that a misspelt one is noticed."""

    def __init__(self, world: World, data: Any, known: tuple[str, ...]) -> None:
        if not isinstance(data, dict):
            raise LocalError(422, f"Send a JSON object with {', '.join(known)}.")
        for name in data:
            if name not in known:
                raise LocalError(422, f"Unknown field {name!r:.60}; known here: {', '.join(known)}.")
        self.world, self.data = world, data

    def __contains__(self, name: str) -> bool:
        return self.data.get(name) is not None

    def _get(self, name: str, default: Any) -> Any:
        value = self.data.get(name)
        if value is None:
            if default is REQUIRED:
                raise LocalError(422, f"{name!r} is missing.")
            return default
        return value

    def text(self, name: str, low: int, high: int, default: Any = REQUIRED) -> str:
        """A text of so many characters."""
        value = self._get(name, default)
        if value is default:
            return value
        if not isinstance(value, str) or not low <= len(value) <= high:
            raise LocalError(422, f"{name!r} must be a text of {low} to {high} characters.")
        if any("\ud800" <= character <= "\udfff" or character == "\0" for character in value):
            raise LocalError(422, f"{name!r} holds characters that no text can have (NUL or half an emoji).")
        return value

    def flag(self, name: str, default: Any) -> Any:
        """True or false."""
        value = self._get(name, default)
        if value is not default and not isinstance(value, bool):
            raise LocalError(422, f"{name!r} must be true or false.")
        return value

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """A number within bounds."""
        value = self._get(name, default)
        if type(value) not in (int, float) or not low <= value <= high:
            raise LocalError(422, f"{name!r} must be a number from {low} to {high}.")
        return float(value)

    def mapping(self, name: str) -> JSON:
        """An object."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise LocalError(422, f"{name!r} must be an object {{name: value}}.")
        return value

    def items(self, name: str, most: int) -> list[Any]:
        """A list."""
        value = self._get(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise LocalError(422, f"{name!r} must be a list of at most {most}.")
        return value

    def moment(self, name: str) -> datetime | None:
        """A moment of the past."""
        value = self._get(name, None)
        if value is None:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            moment = None
        if moment is None or moment.tzinfo is None:
            raise LocalError(422, f"{name!r} must be a moment like 2025-03-03T09:30:00Z, with its offset.")
        if not _FIRST_MOMENT < moment <= datetime.now(UTC) + timedelta(seconds=1):
            raise LocalError(422, f"{name!r} must lie in the past, and after 2015, when Discord's ids begin.")
        return moment.astimezone(UTC)

    def user(self) -> User:
        """The person who acts: anybody but Propel's own bot."""
        user = find_user(self.world, self._get("user", REQUIRED))
        if user is self.world.bot:
            raise LocalError(422, "That is the bot itself; it acts through Discord's API. Name another user.")
        return user

    def channel(self, user: User) -> Channel:
        """Where they act: a channel of the guild by name or id, or ``dm``."""
        channel = find_channel(self.world, self._get("channel", "general"), user)
        self.in_guild(user)
        if not self.world.can_enter(user, channel):
            raise LocalError(403, f"{user.name} is not staff and cannot enter #{channel.name}.")
        return channel

    def in_guild(self, user: User) -> None:
        """Refuses who left: nobody without a guild in common with the bot can reach it."""
        if not user.in_guild:
            raise LocalError(422, f'{user.name} is not in the guild: POST /local/users/{user.id} {{"joins": true}}.')

    def message(self, user: User) -> Message:
        """A message that the user can see."""
        given = self._get("message", REQUIRED)
        message = self.world.messages.get(identifier(given))
        if message is None or message.loading or not self.world.can_see(user, message):
            raise LocalError(
                404, f"{user.name} sees no message {given!r:.40}; GET /local/messages?user={user.id} lists them."
            )
        return message


async def read(request: web.Request, world: World, *known: str) -> Body:
    """Reads the body of a request, which may be empty."""
    raw = await request.read()
    try:
        data = json.loads(raw, parse_constant=_no_constant) if raw else {}
    except (ValueError, RecursionError):
        raise LocalError(422, f"The body is not JSON. Send an object with {', '.join(known)}.") from None
    return Body(world, data, known)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def find_user(world: World, given: Any) -> User:
    """A user by id."""
    user = world.users.get(identifier(given))
    if user is None:
        raise LocalError(404, f"No user {given!r:.40}: POST /local/users makes one, GET /local/state lists them.")
    return user


def find_channel(world: World, given: Any, user: User | None) -> Channel:
    """A channel by name or id; ``dm`` is the user's direct messages with the bot."""
    if given == "dm":
        if user is None:
            raise LocalError(422, "channel=dm needs user: whose direct messages?")
        return world.dm(user)
    for channel in world.channels.values():
        if channel.recipient is None and given in (channel.name, channel.id, str(channel.id)):
            return channel
    direct = world.channels.get(identifier(given))
    if direct is not None and user is not None and direct.recipient == user.id:
        return direct
    names = ", ".join(channel.name for channel in world.channels.values() if channel.recipient is None)
    raise LocalError(404, f"No channel {given!r:.40}; there are {names} and dm.")
