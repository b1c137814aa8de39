"""Discord's REST v10, as far as nextcord and Propel's bot use it: users, the guild, channels and messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import wire
from .files import read_form, store
from .gateway import gateway_url, matches
from .limits import check_message
from .people import Message, User
from .problems import JSON, DiscordError, FormErrors, answer, unknown
from .reading import identifier
from .world import WORLD, World

routes = web.RouteTableDef()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
NOTHING = 204


def number(request: web.Request, name: str) -> int:
    """An id of the path."""
    return identifier(request.match_info[name])


def count(request: web.Request, name: str, default: int, most: int) -> int:
    """A number of the query, from 1 to ``most``."""
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= most:
        errors = FormErrors()
        errors.add((name,), "NUMBER_TYPE_RANGE", f"int value should be between 1 and {most}.")
        errors.settle()
    return int(text)


def _bound(request: web.Request, name: str, default: int) -> int:
    return identifier(request.query.get(name)) or default


def _guild(request: web.Request) -> World:
    world = request.app[WORLD]
    if number(request, "guild") != world.guild_id:
        raise unknown("Guild")
    return world


def _member(request: web.Request) -> tuple[World, User]:
    world = _guild(request)
    text = request.match_info["user"]
    user = world.bot if text == "@me" else world.users.get(number(request, "user"))
    if user is None or not user.in_guild:
        raise unknown("Member")
    return world, user


@routes.get("/gateway")
@routes.get("/gateway/bot")
async def gateway(request: web.Request) -> web.Response:
    """Where to connect."""
    starts = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    return answer({"url": gateway_url(request.app[WORLD]), "shards": 1, "session_start_limit": starts})


@routes.get("/users/@me")
@routes.patch("/users/@me")
async def me(request: web.Request) -> web.Response:
    """The bot itself."""
    return answer(wire.user(request.app[WORLD].bot) | {"verified": True, "email": None, "mfa_enabled": False})


@routes.get("/users/@me/guilds")
async def my_guilds(request: web.Request) -> web.Response:
    """The one guild."""
    world = request.app[WORLD]
    rights = {"owner": False, "permissions": str(wire.ALL_PERMISSIONS), "features": [], "icon": None}
    return answer([{"id": str(world.guild_id), "name": "Propel University"} | rights])


@routes.get("/oauth2/applications/@me")
@routes.get("/applications/@me")
async def application(request: web.Request) -> web.Response:
    """The bot's application, which has the bot's id as those made today have."""
    bot = request.app[WORLD].bot
    owner = wire.user(bot) | {"username": "local_owner"}
    described: JSON = {"name": bot.name, "icon": None, "description": "", "summary": "", "rpc_origins": []}
    rights = {"bot_public": False, "bot_require_code_grant": False, "verify_key": "0" * 64, "flags": 1 << 18}
    return answer({"id": str(bot.id), "owner": owner, "team": None} | described | rights)


@routes.post("/users/@me/channels")
async def open_dm(request: web.Request) -> web.Response:
    """Opens direct messages. Closed DMs show only when something is sent, as with Discord."""
    world = request.app[WORLD]
    body, _ = await read_form(request)
    user = world.users.get(identifier(body.get("recipient_id")))
    if user is None:
        raise unknown("User")
    if user is world.bot:
        raise DiscordError(400, 50007, "Cannot send messages to this user")
    return answer(wire.channel(world, world.dm(user)))


@routes.get("/users/{user}")
async def get_user(request: web.Request) -> web.Response:
    """Any user, member or not."""
    user = request.app[WORLD].users.get(number(request, "user"))
    if user is None:
        raise unknown("User")
    return answer(wire.user(user))


@routes.get("/guilds/{guild}")
async def get_guild(request: web.Request) -> web.Response:
    """The guild."""
    world = _guild(request)
    counts = {"approximate_member_count": len(world.members()), "approximate_presence_count": 1}
    return answer(wire.guild(world) | (counts if request.query.get("with_counts") else {}))


@routes.get("/guilds/{guild}/channels")
async def get_channels(request: web.Request) -> web.Response:
    """Its channels."""
    return answer(wire.guild_channels(_guild(request)))


@routes.get("/guilds/{guild}/roles")
async def get_roles(request: web.Request) -> web.Response:
    """Its roles."""
    return answer(wire.roles(_guild(request)))


@routes.get("/guilds/{guild}/members")
async def get_members(request: web.Request) -> web.Response:
    """Its members by id, a page at a time."""
    world, after = _guild(request), _bound(request, "after", 0)
    later = [user for user in world.members() if user.id > after]
    return answer([wire.member(world, user) for user in later[: count(request, "limit", 1, 1000)]])


@routes.get("/guilds/{guild}/members/search")
async def search_members(request: web.Request) -> web.Response:
    """Members whose name begins so."""
    world, query = _guild(request), request.query.get("query", "").casefold()
    found = [user for user in world.members() if matches(user, query)]
    return answer([wire.member(world, user) for user in found[: count(request, "limit", 1, 1000)]])


@routes.get("/guilds/{guild}/members/{user}")
@routes.patch("/guilds/{guild}/members/{user}")
async def get_member(request: web.Request) -> web.Response:
    """One member. Nicknames and timeouts are accepted and not kept."""
    world, user = _member(request)
    return answer(wire.member(world, user))


@routes.put("/guilds/{guild}/members/{user}/roles/{role}")
@routes.delete("/guilds/{guild}/members/{user}/roles/{role}")
async def change_role(request: web.Request) -> web.Response:
    """Gives or takes the Staff role, the only one a bot can give here."""
    world, user = _member(request)
    if number(request, "role") != world.staff_role_id:
        raise unknown("Role")
    world.change_user(user, None, request.method == "PUT", None)
    return web.Response(status=NOTHING)


@routes.get("/channels/{channel}")
async def get_channel(request: web.Request) -> web.Response:
    """A channel."""
    world = request.app[WORLD]
    return answer(wire.channel(world, world.channel_or_404(number(request, "channel"))))


@routes.post("/channels/{channel}/typing")
async def typing(request: web.Request) -> web.Response:
    """Typing is noticed by nobody."""
    request.app[WORLD].channel_or_404(number(request, "channel"))
    return web.Response(status=NOTHING)


@routes.get("/channels/{channel}/messages")
async def list_messages(request: web.Request) -> web.Response:
    """Messages by id, newest first; before, after or around one."""
    world = request.app[WORLD]
    channel = world.channel_or_404(number(request, "channel"))
    limit = count(request, "limit", 50, 100)
    stored = [message for message in world.by_channel[channel.id].values() if message.ephemeral_to is None]
    stored.sort(key=lambda message: message.id, reverse=True)
    if "around" in request.query:
        middle = _bound(request, "around", 0)
        newer = [message for message in stored if message.id > middle][-(limit // 2) :] if limit > 1 else []
        older = [message for message in stored if message.id <= middle][: limit - len(newer)]
        page = newer + older
    elif "after" in request.query:
        page = [message for message in stored if message.id > _bound(request, "after", 0)][-limit:]
    else:
        before = _bound(request, "before", 1 << 64)
        page = [message for message in stored if message.id < before][:limit]
    return answer([wire.message(world, message) for message in page])


@routes.post("/channels/{channel}/messages")
async def send_message(request: web.Request) -> web.Response:
    """The bot posts, in a channel or by DM; once only when it says so with ``enforce_nonce``."""
    world = request.app[WORLD]
    channel = world.channel_or_404(number(request, "channel"))
    body, files = await read_form(request)
    check_message(body, len(files))
    world.must_reach(channel)
    nonce = body.get("nonce")
    parts: dict[str, Any] = {
        "content": body.get("content") or "",
        "embeds": body.get("embeds") or [],
        "components": body.get("components") or [],
        "attachments": store(world, channel.id, body, files),
        "reply_to": _reply_to(world, channel.id, body.get("message_reference")),
        "nonce": nonce,
        "flags": body.get("flags") or 0,
    }
    parts["flags"] &= 0b1_0000_0000_0100  # suppressed embeds and notifications; ephemeral is for interactions alone
    if body.get("enforce_nonce") and nonce is not None:
        message = world.post_once(world.bot, channel, str(nonce), **parts)
    else:
        message = world.post(world.bot, channel, **parts)
    return answer(wire.message(world, message))


def _reply_to(world: World, channel_id: int, reference: Any) -> int | None:
    if not isinstance(reference, dict):
        return None
    wanted = identifier(reference.get("message_id"))
    if wanted in world.by_channel[channel_id]:
        return wanted
    if reference.get("fail_if_not_exists", True):
        errors = FormErrors()
        errors.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        errors.settle()
    return None


def message_of(request: web.Request) -> tuple[World, Message]:
    """The world and the message a path names."""
    world = request.app[WORLD]
    return world, world.message_or_404(number(request, "channel"), number(request, "message"))


@routes.get("/channels/{channel}/messages/{message}")
async def get_message(request: web.Request) -> web.Response:
    """One message."""
    world, message = message_of(request)
    return answer(wire.message(world, message))


@routes.delete("/channels/{channel}/messages/{message}")
async def delete_message(request: web.Request) -> web.Response:
    """Deletes a message: in the guild anybody's, in DMs the bot's own."""
    world, message = message_of(request)
    if world.channels[message.channel_id].recipient is not None and message.author_id != world.bot.id:
        raise DiscordError(403, 50003, "Cannot execute action on a DM channel")
    world.delete(message)
    return web.Response(status=NOTHING)


@routes.post("/channels/{channel}/messages/bulk-delete")
async def bulk_delete(request: web.Request) -> web.Response:
    """Deletes up to a hundred messages."""
    world = request.app[WORLD]
    stored = world.by_channel[world.channel_or_404(number(request, "channel")).id]
    body, _ = await read_form(request)
    named = body.get("messages")
    wanted = {identifier(one) for one in named} if isinstance(named, list) else set()
    for message in [message for message in stored.values() if message.id in wanted]:
        world.delete(message)
    return web.Response(status=NOTHING)


@routes.put("/channels/{channel}/pins/{message}")
@routes.delete("/channels/{channel}/pins/{message}")
async def pin(request: web.Request) -> web.Response:
    """Pins or unpins."""
    _, message = message_of(request)
    message.pinned = request.method == "PUT"
    return web.Response(status=NOTHING)


@routes.put("/channels/{channel}/messages/{message}/reactions/{emoji}/@me")
@routes.delete("/channels/{channel}/messages/{message}/reactions/{emoji}/{user}")
async def react(request: web.Request) -> web.Response:
    """The bot's reactions, and taking back anybody's."""
    world, message = message_of(request)
    who = request.match_info.get("user", "@me")
    user = world.bot if who == "@me" else world.users.get(number(request, "user"))
    if user is None:
        raise unknown("User")
    world.react(user, message, request.match_info["emoji"], remove=request.method == "DELETE")
    return web.Response(status=NOTHING)


@routes.get("/channels/{channel}/messages/{message}/reactions/{emoji}")
async def get_reactions(request: web.Request) -> web.Response:
    """Who reacted so."""
    world, message = message_of(request)
    users = message.reactions.get(request.match_info["emoji"], [])
    return answer([wire.user(world.users[user]) for user in users[: count(request, "limit", 25, 100)]])
