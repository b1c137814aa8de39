"""The state in a file, so that a restart forgets nobody: the ledger keeps the ids that were made here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
from pathlib import Path
from typing import Any, TypeVar

from .interactions import Interaction, Interactions
from .people import Attachment, Channel, Message, User
from .problems import JSON
from .snowflakes import Snowflakes
from .world import World

log = logging.getLogger("local_discord")
VERSION = 1
# Messages with buttons are all kept, as an approval card may be weeks old; of the others the newest.
KEPT_MESSAGES = 2000
INTERVAL_SECONDS = 1.0
Thing = TypeVar("Thing")


def dump(world: World, interactions: Interactions) -> str:
    """The whole state as JSON."""
    order = sorted(world.messages.values(), key=lambda message: message.arrived or message.id)
    kept = [one for one in order[:-KEPT_MESSAGES] if one.components] + order[-KEPT_MESSAGES:]
    files = {file for message in kept for file in message.attachments}
    known = {message.id for message in kept} | set(interactions.by_id) | set(world.users)
    return json.dumps(
        {
            "version": VERSION,
            "guild": [world.guild_id, world.staff_role_id, world.bot_role_id, world.bot.id],
            "manager_role": world.manager_role_id,
            "last": world.ids.last,
            "past": list(world.ids.past.items()),
            "position": world.arrivals.position,
            "positions": [[thing, at] for thing, at in world.arrivals.positions.items() if thing in known],
            "users": _plain(world.users),
            "channels": _plain(world.channels),
            "messages": [_record(message) for message in kept],
            "attachments": [_record(file) for file in world.attachments.values() if file.id in files],
            "commands": list(world.commands.values()),
            "interactions": _plain(interactions.by_id),
        }
    )


def load(text: str, world: World, interactions: Interactions) -> None:
    """Fills an empty world from a snapshot."""
    saved: JSON = json.loads(text)
    if saved["version"] != VERSION:
        raise ValueError(f"version {saved['version']}")
    world.users = {user.id: user for user in _made(User, saved["users"])}
    world.usernames = {user.username for user in world.users.values()}
    world.guild_id, world.staff_role_id, world.bot_role_id, bot_id = saved["guild"]
    world.bot = world.users[bot_id]
    world.ids = Snowflakes(saved["last"], dict(saved["past"]))
    # States of before there was such a role have none.
    world.manager_role_id = saved.get("manager_role") or world.ids.now()
    for channel in _made(Channel, saved["channels"]):
        world.add_channel(channel)
    for message in _made(Message, saved["messages"]):
        world.messages[message.id] = world.by_channel[message.channel_id][message.id] = message
    world.attachments = {file.id: file for file in _made(Attachment, saved["attachments"])}
    world.commands = {int(command["id"]): command for command in saved["commands"]}
    world.arrivals.position = saved["position"]
    world.arrivals.positions = dict(saved["positions"])
    world.arrivals.restore([message for message in world.messages.values() if not message.loading])
    for interaction in _made(Interaction, saved["interactions"]):
        interactions.restore(interaction)


def _plain(things: dict[int, Any]) -> list[JSON]:
    return [_record(thing) for thing in things.values()]


def _record(thing: Any) -> JSON:
    return {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}


def _made(kind: type[Thing], records: list[JSON]) -> list[Thing]:
    return [kind(**record) for record in records]


def write(path: Path, text: str) -> None:
    """Writes the file whole or not at all."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


async def keep(path: Path, world: World, interactions: Interactions, stop: asyncio.Event) -> None:
    """Saves whenever something changed, about once a second, and once more at the end."""
    saved = -1
    while True:
        last = stop.is_set()
        if world.changes != saved:
            saved = world.changes
            # The text is made here, where nothing else runs; only the disk is waited for elsewhere.
            try:
                await asyncio.to_thread(write, path, dump(world, interactions))
            except OSError as problem:
                saved = -1
                log.error("the state could not be saved: %s", problem)
        if last:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), INTERVAL_SECONDS)
