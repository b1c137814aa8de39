"""One web application of four parts: Discord's REST, its gateway, ``/local/``, and the chat page that draws it."""

from __future__ import annotations

import hmac
import logging
import math
import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from . import acting, answers, control, files, front, gateway, listening, live, rest, viewing
from .control import THROTTLES
from .gateway import HUB, Hub
from .interactions import INTERACTIONS, Interactions
from .problems import DiscordError, LocalError, answer
from .world import WORLD, World

log = logging.getLogger("local_discord")
API = "/api/v10"
# Base64 makes a file a third larger, and ten of them may come at once.
LARGEST_REQUEST = 64 * 1024 * 1024
# Here the token in the path is the credential, as with Discord.
_OPEN_PATHS = ("/interactions/", "/webhooks/")


def build(world: World, token: str) -> web.Application:
    """The application for one world and one bot token."""
    api = web.Application(middlewares=[_discord(token)], client_max_size=LARGEST_REQUEST)
    api.add_routes(answers.routes)
    api.add_routes(rest.routes)
    app = web.Application(middlewares=[front.own_visitors, _local], client_max_size=LARGEST_REQUEST)
    app.add_subapp(API, api)
    for part in (control, acting, listening, viewing):
        app.add_routes(part.routes)
    app.router.add_get("/gateway", gateway.connect)
    app.router.add_get("/gateway/", gateway.connect)
    app.router.add_get(r"/attachments/{channel:\d{1,19}}/{file:\d{1,19}}/{filename}", files.serve)
    app.router.add_get("/local/live", live.connect)
    app.router.add_get("/", front.index)
    app.router.add_get("/page/{name}", front.file)
    app[live.LOOKING_ON] = set()
    app.on_shutdown.append(live.leave)
    interactions, hub, throttles = Interactions(world), Hub(world, token), list[control.Throttle]()
    for one in (app, api):
        one[WORLD], one[INTERACTIONS], one[HUB], one[THROTTLES] = world, interactions, hub, throttles
    return app


@web.middleware
async def _local(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith("/local/"):
        return await handler(request)
    try:
        return await handler(request)
    except LocalError as problem:
        return problem.response()
    except DiscordError as problem:
        return LocalError(422, problem.message).response()
    except web.HTTPNotFound:
        paths = {resource.canonical for resource in request.app.router.resources()}
        there = ", ".join(sorted(path for path in paths if path.startswith("/local/")))
        return LocalError(404, f"Nothing is at {request.path}; there is {there}.").response()
    except web.HTTPMethodNotAllowed as problem:
        allowed = ", ".join(sorted(problem.allowed_methods))
        return LocalError(405, f"{request.path} takes {allowed}.").response()
    except web.HTTPRequestEntityTooLarge:
        return LocalError(413, f"A request may have {LARGEST_REQUEST} bytes.").response()


def _discord(token: str) -> Middleware:
    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        path = request.path.removeprefix(API)
        for throttle in request.app[THROTTLES]:
            if throttle.takes(path):
                return _too_many(throttle.retry_after)
        given = request.headers.get("Authorization", "")
        if not path.startswith(_OPEN_PATHS) and not hmac.compare_digest(given.encode(), f"Bot {token}".encode()):
            return answer({"message": "401: Unauthorized", "code": 0}, 401)
        try:
            return await handler(request)
        except DiscordError as problem:
            return problem.response()
        except web.HTTPException as problem:
            return answer({"message": f"{problem.status}: {problem.reason}", "code": 0}, problem.status)
        except Exception:
            log.exception("%s %s failed", request.method, path.split("/")[1])
            return answer({"message": "500: Internal Server Error", "code": 0}, 500)

    return check


def _too_many(retry_after: float) -> web.Response:
    # nextcord takes a 429 without Via for a ban by Discord's front end and gives up, and reads the bucket headers.
    headers = {
        "Retry-After": str(math.ceil(retry_after)),
        "Via": "1.1 local",
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{time.time() + retry_after:.3f}",
        "X-RateLimit-Reset-After": f"{retry_after:.3f}",
        "X-RateLimit-Scope": "user",
    }
    body = {"message": "You are being rate limited.", "retry_after": retry_after, "global": False}
    return answer(body, 429, headers)
