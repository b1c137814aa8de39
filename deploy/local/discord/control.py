"""``/local/``: the state, the people, and the troubles one can ask for."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from .gateway import HUB
from .interactions import INTERACTIONS, TOKEN_SECONDS
from .people import User
from .problems import JSON, LocalError, answer
from .reading import Body, find_user, identifier, read
from .world import WORLD

routes = web.RouteTableDef()


@dataclass
class Throttle:
    """The 429s still to be given: to requests whose path contains ``route``, so many, for so long."""

    route: str = ""
    left: int = 0
    retry_after: float = 1.0

    def takes(self, path: str) -> bool:
        """Whether this request is one of them; counts it when so."""
        if self.left <= 0 or self.route not in path:
            return False
        self.left -= 1
        return True


THROTTLES: web.AppKey[list[Throttle]] = web.AppKey("throttles", list)


def _shown(user: User) -> JSON:
    known = {"id": str(user.id), "name": user.name, "staff": user.staff, "manager": user.manager}
    return known | {"username": user.username, "bot": user.bot, "in_guild": user.in_guild, "dms_open": user.dms_open}


@routes.get("/local/state")
async def state(request: web.Request) -> web.Response:
    """Who and what there is, and whether the bot is connected."""
    world = request.app[WORLD]
    return answer(
        {
            "guild_id": str(world.guild_id),
            "channels": {one.name: str(one.id) for one in world.channels.values() if one.recipient is None},
            "users": [_shown(user) for user in world.users.values() if user is not world.bot],
            "bot_ready": request.app[HUB].ready,
            "bot": {"id": str(world.bot.id), "name": world.bot.name},
            "roles": {"Staff": str(world.staff_role_id), "Manager": str(world.manager_role_id)},
        }
    )


def _name(body: Body, default: str | None, field: str = "name") -> str | None:
    if field not in body and default is None:
        return None
    name = body.text(field, 1, 32).strip()
    if not name or any(character in name for character in "\r\n\t"):
        raise LocalError(422, f"'{field}' must have 1 to 32 characters on one line, and not only spaces.")
    return name


@routes.post("/local/users")
async def add_user(request: web.Request) -> web.Response:
    """A new person, or another bot; joins the guild unless ``joins`` is false."""
    world = request.app[WORLD]
    body = await read(request, world, "name", "staff", "manager", "joins", "bot")
    name = _name(body, "")
    user = world.add_user(
        name or "",
        staff=body.flag("staff", False),
        manager=body.flag("manager", False),
        bot=body.flag("bot", False),
        joins=body.flag("joins", True),
    )
    return answer({"id": str(user.id)}, 201)


@routes.post("/local/users/{user}")
async def change_user(request: web.Request) -> web.Response:
    """Renames, makes staff or manager, opens and closes DMs, leaves and joins."""
    world = request.app[WORLD]
    user = find_user(world, request.match_info["user"])
    if user is world.bot:
        raise LocalError(422, "That is the bot itself; change another user.")
    body = await read(request, world, "dms_open", "name", "username", "staff", "manager", "leaves", "joins")
    leaves, joins = body.flag("leaves", False), body.flag("joins", False)
    if leaves and joins:
        raise LocalError(422, "Either leaves or joins, in one request.")
    if (leaves and not user.in_guild) or (joins and user.in_guild):
        raise LocalError(422, f"{user.name} {'is not' if leaves else 'already is'} in the guild.")
    world.change_user(
        user,
        _name(body, None),
        body.flag("staff", None),
        body.flag("dms_open", None),
        body.flag("manager", None),
        _name(body, None, "username"),
    )
    if leaves:
        world.leave(user)
    if joins:
        world.join(user)
    return answer(_shown(user))


@routes.post("/local/limits")
async def limits(request: web.Request) -> web.Response:
    """The next so many REST requests (whose path contains ``route``) answer 429. ``next: 0`` calls it off."""
    body = await read(request, request.app[WORLD], "route", "next", "retry_after")
    rule = Throttle(
        body.text("route", 1, 200, ""), int(body.number("next", 0, 10_000, 1)), body.number("retry_after", 0, 600, 1.0)
    )
    throttles = request.app[THROTTLES]
    throttles[:] = [one for one in throttles if one.left > 0 and one.route != rule.route]
    if rule.left:
        throttles.append(rule)
    return answer([{"route": one.route, "next": one.left, "retry_after": one.retry_after} for one in throttles])


@routes.post("/local/drop")
async def drop(request: web.Request) -> web.Response:
    """Cuts the gateway connections; ``resumable: false`` forgets the sessions, ``politely`` asks to reconnect first."""
    body = await read(request, request.app[WORLD], "resumable", "politely")
    resumable, politely = body.flag("resumable", True), body.flag("politely", False)
    return answer({"dropped": await request.app[HUB].drop(resumable=resumable, politely=politely)})


@routes.get("/local/commands")
async def commands(request: web.Request) -> web.Response:
    """What the bot registered, as Discord would give it back."""
    return answer({"items": list(request.app[WORLD].commands.values())})


@routes.get("/local/interactions/{interaction}")
@routes.post("/local/interactions/{interaction}")
async def interaction(request: web.Request) -> web.Response:
    """How far an interaction has come, and the modal it opened; POST ``{expired: true}`` ends its token now."""
    made = request.app[INTERACTIONS].by_id.get(identifier(request.match_info["interaction"]))
    if made is None:
        raise LocalError(404, "No such interaction; it may be older than a quarter of an hour.")
    if request.method == "POST":
        body = await read(request, request.app[WORLD], "expired")
        if body.flag("expired", False):
            made.created -= TOKEN_SECONDS + 1
    known: JSON = {"id": str(made.id), "type": made.kind, "user": str(made.user_id), "answered": made.answered}
    return answer(known | {"message": str(made.original_id) if made.original_id else None, "modal": made.modal})
