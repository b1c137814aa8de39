"""``/local/view`` and ``/local/history``: the server as one person sees it, for the chat page to draw."""

from __future__ import annotations

from aiohttp import web

from . import listening, wire
from .gateway import HUB
from .people import Message, User
from .problems import JSON, LocalError, answer
from .reading import find_channel, find_user, identifier
from .typed import usable
from .world import GUILD_NAME, WORLD, World

routes = web.RouteTableDef()
PAGE = 50
# Of an earlier message that one replies to, and of those who reacted so.
_SNIPPET, _NAMED = 200, 20


@routes.get("/local/view")
async def view(request: web.Request) -> web.Response:
    """Everything but the messages, for ``user``; without one, who there is to be."""
    world = request.app[WORLD]
    me = find_user(world, request.query["user"]) if request.query.get("user") else None
    return answer(
        {
            "cursor": world.journal.cursor,
            "guild": {"id": str(world.guild_id), "name": GUILD_NAME},
            "bot": str(world.bot.id),
            "bot_ready": request.app[HUB].ready,
            "people": [person(one) for one in world.users.values()],
            "roles": [{"id": role["id"], "name": role["name"]} for role in wire.roles(world)],
            "channels": channels(world, me) if me else [],
            "commands": commands(world, me) if me else [],
        }
    )


@routes.get("/local/history")
async def history(request: web.Request) -> web.Response:
    """The newest messages of a channel by id, or those ``before`` one, oldest first; ``more`` when there are others."""
    world, query = request.app[WORLD], request.query
    user = find_user(world, query.get("user"))
    channel = find_channel(world, query.get("channel"), user)
    if not world.can_enter(user, channel):
        raise LocalError(403, f"{user.name} cannot read #{channel.name}.")
    before = identifier(query.get("before")) or 1 << 64
    stored = world.by_channel[channel.id].values()
    ids = sorted(one.id for one in stored if one.id < before and world.can_see(user, one))
    items = [message(world, user, world.messages[one]) for one in ids[-PAGE:]]
    return answer({"items": items, "more": len(ids) > PAGE})


def person(user: User) -> JSON:
    """A person as the page shows one."""
    flags = {"bot": user.bot, "staff": user.staff, "manager": user.manager}
    where = {"in_guild": user.in_guild, "dms_open": user.dms_open, "joined_at": user.joined_at}
    return {"id": str(user.id), "name": user.name, "username": user.username} | flags | where


def channels(world: World, user: User) -> list[JSON]:
    """The channels of the guild that a person can enter."""
    return [
        {"id": str(one.id), "name": one.name, "staff_only": one.staff_only}
        for one in world.channels.values()
        if one.recipient is None and world.can_enter(user, one)
    ]


def commands(world: World, user: User) -> list[JSON]:
    """The slash commands a person may use, each with whether it works in the guild and in direct messages."""
    in_guild, in_direct = (usable(world, user, direct=direct) for direct in (False, True))
    return [
        {
            "name": one["name"],
            "description": one["description"],
            "options": one.get("options", []),
            "in_guild": one in in_guild,
            "in_direct": one in in_direct,
        }
        for one in world.commands.values()
        if one in in_guild or one in in_direct
    ]


def message(world: World, user: User, note: Message) -> JSON:
    """A message as a person sees it: as on ``/local/messages``, with what a reader wants to know around it."""
    reactions = [
        {"emoji": emoji, "count": len(who), "me": user.id in who, "people": [str(one) for one in who[:_NAMED]]}
        for emoji, who in note.reactions.items()
    ]
    return listening.item(world, note) | {
        "loading": note.loading,
        "flags": note.flags,
        "reactions": reactions,
        "reply": _reply(world, user, note),
        "used": _used(note),
    }


def _reply(world: World, user: User, note: Message) -> JSON | None:
    earlier = world.messages.get(note.reply_to or 0)
    if earlier is None or not world.can_see(user, earlier):
        return None
    return {"id": str(earlier.id), "author": str(earlier.author_id), "content": earlier.content[:_SNIPPET]}


def _used(note: Message) -> JSON | None:
    if not note.interaction or note.interaction["type"] != 2:
        return None
    return {"user": note.interaction["user"]["id"], "name": note.interaction["name"]}
