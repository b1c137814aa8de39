"""REST again: what needs an interaction's token (callbacks, follow-ups), the editing of messages, and the commands."""

from __future__ import annotations

import json
from collections.abc import Callable

from aiohttp import web

from . import registered, wire
from .files import read_form
from .interactions import INTERACTIONS, Interaction
from .journal import COMMANDS
from .people import Message
from .problems import JSON, DiscordError, answer, unknown
from .rest import NOTHING, Handler, message_of, number
from .world import WORLD

routes = web.RouteTableDef()
_WEBHOOK = "/webhooks/{application}/{token}"


@routes.post("/interactions/{interaction}/{token}/callback")
async def callback(request: web.Request) -> web.Response:
    """The first response to an interaction."""
    interactions = request.app[INTERACTIONS]
    made = interactions.find(number(request, "interaction"), request.match_info["token"])
    body, files = await read_form(request)
    message = interactions.respond(made, body, files)
    if request.query.get("with_response") not in ("true", "1"):
        return web.Response(status=NOTHING)
    outcome: JSON = {"id": str(made.id), "type": made.kind, "activity_instance_id": None}
    resource: JSON = {"type": made.answered}
    if message is not None:
        outcome |= {
            "response_message_id": str(message.id),
            "response_message_ephemeral": message.ephemeral_to is not None,
        }
        resource["message"] = wire.message(request.app[WORLD], message)
    return answer({"interaction": outcome, "resource": resource})


def _behind(request: web.Request) -> Interaction:
    return request.app[INTERACTIONS].behind(request.match_info["application"], request.match_info["token"])


def _named(request: web.Request) -> Message:
    return request.app[INTERACTIONS].message(_behind(request), request.match_info["message"])


@routes.post(_WEBHOOK)
async def follow_up(request: web.Request) -> web.Response:
    """A further answer. Those to interactions are shown whether or not ``wait`` asks for it."""
    made = _behind(request)
    body, files = await read_form(request)
    message = request.app[INTERACTIONS].follow_up(made, body, files)
    return answer(wire.message(request.app[WORLD], message))


@routes.get(_WEBHOOK + "/messages/{message}")
async def read_answer(request: web.Request) -> web.Response:
    """An answer as it stands."""
    return answer(wire.message(request.app[WORLD], _named(request)))


@routes.patch(_WEBHOOK + "/messages/{message}")
async def edit_answer(request: web.Request) -> web.Response:
    """Edits an answer; a deferred one gets its content so."""
    message = _named(request)
    body, files = await read_form(request)
    return answer(wire.message(request.app[WORLD], request.app[INTERACTIONS].change(message, body, files)))


@routes.delete(_WEBHOOK + "/messages/{message}")
async def delete_answer(request: web.Request) -> web.Response:
    """Takes an answer back."""
    request.app[WORLD].delete(_named(request))
    return web.Response(status=NOTHING)


@routes.patch("/channels/{channel}/messages/{message}")
async def edit_message(request: web.Request) -> web.Response:
    """The bot edits a message of its own."""
    world, message = message_of(request)
    if message.author_id != world.bot.id:
        raise DiscordError(403, 50005, "Cannot edit a message authored by another user")
    body, files = await read_form(request)
    return answer(wire.message(world, request.app[INTERACTIONS].change(message, body, files)))


def _scope(request: web.Request) -> str | None:
    world = request.app[WORLD]
    if number(request, "application") != world.bot.id:
        raise DiscordError(403, 20012, "You are not authorized to perform this action on this application")
    guild = request.match_info.get("guild")
    if guild is not None and number(request, "guild") != world.guild_id:
        raise unknown("Guild")
    return guild


def _commands(method: str, path: str = "") -> Callable[[Handler], Handler]:
    """Registers one handler for the global commands and for those of a guild."""

    def both(handler: Handler) -> Handler:
        for prefix in ("/applications/{application}/commands", "/applications/{application}/guilds/{guild}/commands"):
            routes.route(method, prefix + path)(handler)
        return handler

    return both


@_commands("GET")
async def get_commands(request: web.Request) -> web.Response:
    """What is registered."""
    return answer(registered.in_scope(request.app[WORLD], _scope(request)))


@_commands("POST")
async def post_command(request: web.Request) -> web.Response:
    """Registers one command."""
    scope = _scope(request)
    body, _ = await read_form(request)
    command, new = registered.register(request.app[WORLD], body, scope)
    return answer(command, 201 if new else 200)


@_commands("PUT")
async def put_commands(request: web.Request) -> web.Response:
    """Registers exactly these."""
    scope = _scope(request)
    try:
        bodies = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise DiscordError(400, 50109, "The request body contains invalid JSON.") from None
    if not isinstance(bodies, list) or len(bodies) > 100:
        raise DiscordError(400, 50035, "Invalid Form Body")
    return answer(registered.replace_all(request.app[WORLD], bodies, scope))


@_commands("GET", "/{command}")
async def get_command(request: web.Request) -> web.Response:
    """One command."""
    return answer(registered.find(request.app[WORLD], number(request, "command"), _scope(request)))


@_commands("PATCH", "/{command}")
async def patch_command(request: web.Request) -> web.Response:
    """Changes one command."""
    scope = _scope(request)
    registered.find(request.app[WORLD], number(request, "command"), scope)
    body, _ = await read_form(request)
    return answer(registered.change(request.app[WORLD], number(request, "command"), body, scope))


@_commands("DELETE", "/{command}")
async def delete_command(request: web.Request) -> web.Response:
    """Forgets one command."""
    command = registered.find(request.app[WORLD], number(request, "command"), _scope(request))
    del request.app[WORLD].commands[int(command["id"])]
    request.app[WORLD].changed(COMMANDS)
    return web.Response(status=NOTHING)
