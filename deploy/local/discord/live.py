"""``/local/live``: a websocket on which the chat page hears what changed, as one person may see it."""

from __future__ import annotations

import asyncio
import json
import logging

from aiohttp import WSCloseCode, web

from . import journal, viewing
from .gateway import HUB
from .interactions import INTERACTIONS
from .journal import Entry
from .people import User
from .problems import JSON
from .reading import find_user
from .world import WORLD, World

log = logging.getLogger("local_discord")
LOOKING_ON: web.AppKey[set[web.WebSocketResponse]] = web.AppKey("looking_on", set)
HEARTBEAT_SECONDS = 20.0
# So many changes go in one frame; a reader that was away for long gets several.
BATCH = 200


async def connect(request: web.Request) -> web.WebSocketResponse:
    """GET /local/live?user=&after=: frames of changes after a cursor, each with the cursor to go on from.

    The first frame comes at once. ``{"reset": true}`` in it means that the cursor is of another run of this server or
    too old: read ``/local/view`` and the histories again.
    """
    user = find_user(request.app[WORLD], request.query.get("user"))
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, max_msg_size=1024)
    await socket.prepare(request)
    request.app[LOOKING_ON].add(socket)
    telling = asyncio.create_task(_tell(request.app, socket, user, request.query.get("after", "")))
    try:
        async for _ in socket:
            continue  # the page says nothing here; reading is how its leaving is noticed
    finally:
        telling.cancel()
        request.app[LOOKING_ON].discard(socket)
    return socket


async def leave(app: web.Application) -> None:
    """Closes every connection, so that stopping does not wait for those who look on."""
    sockets = app[LOOKING_ON].copy()
    for socket in sockets:
        await socket.close(code=WSCloseCode.GOING_AWAY)


async def _tell(app: web.Application, socket: web.WebSocketResponse, user: User, cursor: str) -> None:
    world = app[WORLD]
    first = True
    try:
        while True:
            coming, now = world.journal.coming, world.journal.cursor
            entries = world.journal.since(cursor)
            if entries is None:
                await socket.send_str(json.dumps({"reset": True, "cursor": now}))
                return
            cursor = now
            for start in range(0, len(entries), BATCH) or (range(1) if first else ()):
                batch = entries[start : start + BATCH]
                # Only the last frame moves the cursor: who loses the connection in between gets all of them again.
                last = start + BATCH >= len(entries)
                frame = changes(app, world, user, batch) | ({"cursor": now} if last else {})
                await socket.send_str(json.dumps(frame))
            first = False
            await coming.wait()
    except ConnectionError:
        return
    except Exception:
        log.exception("somebody who looks on could not be told what changed")
        await socket.close(code=WSCloseCode.INTERNAL_ERROR)


def changes(app: web.Application, world: World, user: User, entries: list[Entry]) -> JSON:
    """What has to be drawn anew, as it is now and as far as the user may see it."""
    frame: JSON = {"bot_ready": app[HUB].ready}
    for kind, thing in entries:
        if kind == journal.MESSAGE:
            note = world.messages.get(thing)
            if note is None:
                frame.setdefault("gone", []).append(str(thing))
            elif world.can_see(user, note):
                frame.setdefault("messages", []).append(viewing.message(world, user, note))
        elif kind == journal.PERSON:
            frame.setdefault("people", []).append(viewing.person(world.users[thing]))
        elif kind == journal.COMMANDS:
            frame["commands"] = viewing.commands(world, user)
        elif kind == journal.INTERACTION:
            made = app[INTERACTIONS].by_id.get(thing)
            if made is not None and made.user_id == user.id:
                told = {"id": str(made.id), "answered": made.answered, "modal": made.modal}
                frame.setdefault("interactions", []).append(told)
    return frame
