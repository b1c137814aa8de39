"""``GET /local/messages``: what a member sees, now or as soon as there is something new."""

from __future__ import annotations

import time

from aiohttp import web

from . import wire
from .people import Channel, Message, User
from .problems import JSON, LocalError, answer
from .reading import find_channel, find_user, identifier
from .world import WORLD, World

routes = web.RouteTableDef()
LONGEST_WAIT = 60.0
_KNOWN = ("channel", "user", "after", "wait")


@routes.get("/local/messages")
async def messages(request: web.Request) -> web.Response:
    """Items after a point in the order of events, held up to ``wait`` seconds until there is one.

    ``after`` names an item or an interaction: what arrived or was edited since *that* arrived comes, an item that was
    edited again and again each time. Who wants every change exactly once sends back the ``cursor`` of the last answer
    instead; the chat page does.
    """
    world, query = request.app[WORLD], request.query
    for name in query:
        if name not in _KNOWN:
            raise LocalError(422, f"Unknown parameter {name!r:.60}; known here: {', '.join(_KNOWN)}.")
    user = find_user(world, query["user"]) if query.get("user") else None
    channel = find_channel(world, query["channel"], user) if query.get("channel") else None
    after = _position(world, query["after"]) if query.get("after") else None
    deadline = time.monotonic() + _seconds(query.get("wait") or "0")

    def wanted(message: Message) -> bool:
        return _shows(world, user, channel, message)

    while True:
        position = world.arrivals.position
        found = world.arrivals.newest(wanted) if after is None else world.arrivals.since(after, wanted)
        left = deadline - time.monotonic()
        if found or left <= 0:
            return answer({"items": [item(world, message) for message in found], "cursor": f"c{position}"})
        await world.arrivals.next(wanted, left)


def _position(world: World, given: str) -> int:
    if given.startswith("c") and given[1:].isascii() and given[1:].isdecimal() and len(given) < 20:
        return int(given[1:])
    position = world.arrivals.positions.get(identifier(given))
    if position is None:
        raise LocalError(404, f"'after' names no message, interaction or user: {given!r:.40}.")
    return position


def _seconds(given: str) -> float:
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        raise LocalError(422, f"'wait' must be a number of seconds from 0 to {LONGEST_WAIT:.0f}.")
    return seconds


def _shows(world: World, user: User | None, channel: Channel | None, message: Message) -> bool:
    if channel is not None and message.channel_id != channel.id:
        return False
    if user is not None:
        return world.can_see(user, message)
    return message.ephemeral_to is None and world.channels[message.channel_id].recipient is None


def item(world: World, message: Message) -> JSON:
    """A message as ``/local/`` shows it: ids as texts, the author by id, the channel by name."""
    return {
        "id": str(message.id),
        "channel": world.channels[message.channel_id].name,
        "author": str(message.author_id),
        "author_name": world.users[message.author_id].name,
        "content": message.content,
        "embeds": message.embeds,
        "components": message.components,
        "attachments": [wire.attachment(world, world.attachments[file]) for file in message.attachments],
        "ephemeral_to": _text(message.ephemeral_to),
        "reply_to": _text(message.reply_to),
        "interaction": _text(message.interaction_id),
        "edited": message.edited_at is not None,
        "reactions": {emoji: len(users) for emoji, users in message.reactions.items()},
        "timestamp": wire.timestamp(message.id),
    }


def _text(thing: int | None) -> str | None:
    return None if thing is None else str(thing)
