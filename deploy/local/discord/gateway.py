"""The gateway: websocket sessions, what they were sent, and what they are sent again when they resume."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
import zlib
from collections import deque
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from . import wire
from .journal import BOT
from .people import User
from .problems import JSON
from .world import World

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, REQUEST_MEMBERS, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 8, 9, 10, 11
_IGNORED = (3, 4, 14, 31, 43)  # presence, voice, soundboard and other things no test of ours looks at
HEARTBEAT_MS = 41_250
REPLAY = 50_000
RESUME_SECONDS = 180.0
CHUNK = 1000


class Connection:
    """One websocket. Everything goes through its queue, so nothing overtakes anything."""

    def __init__(self, socket: web.WebSocketResponse, compress: bool) -> None:
        self.socket = socket
        self.session: Session | None = None
        self._deflate = zlib.compressobj(level=1) if compress else None
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def send(self, text: str) -> None:
        """Queues one payload."""
        self._queue.put_nowait(text)

    def signal(self, op: int, data: Any = None) -> None:
        """Queues a payload that is not an event."""
        self.send(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the socket at once; what was queued is lost here and kept by the session."""
        self._writer.cancel()
        await self.socket.close(code=code, message=reason.encode())

    async def flush(self) -> None:
        """Returns when everything queued so far was handed to the socket."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), 2)

    async def _write(self) -> None:
        try:
            while True:
                text = await self._queue.get()
                if self._deflate is None:
                    await self.socket.send_str(text)
                else:
                    # One deflate stream for the whole connection; a sync flush ends each payload.
                    packed = self._deflate.compress(text.encode()) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
                    await self.socket.send_bytes(packed)
                self._queue.task_done()
        except (ConnectionError, RuntimeError):
            return  # the reader sees the same end and takes leave of the session


class Session:
    """What one identified client has been told, kept until it is known to have read it."""

    def __init__(self, connection: Connection) -> None:
        self.id = secrets.token_hex(16)
        self.sequence = 0
        self.sent: deque[tuple[int, str]] = deque(maxlen=REPLAY)
        self.connection: Connection | None = connection
        self.left_at = 0.0
        self.ready = False

    def dispatch(self, event: str, data: str) -> None:
        """Tells one event, now or when the client resumes."""
        self.sequence += 1
        text = f'{{"op":0,"t":"{event}","s":{self.sequence},"d":{data}}}'
        self.sent.append((self.sequence, text))
        if self.connection is not None:
            self.connection.send(text)

    def has_read(self, sequence: Any) -> None:
        """Lets go of what the client says it has."""
        while self.sent and type(sequence) is int and self.sent[0][0] <= sequence:
            self.sent.popleft()

    def can_replay(self, sequence: Any) -> bool:
        """Whether everything after a sequence number is still here."""
        if type(sequence) is not int or not 0 <= sequence <= self.sequence:
            return False
        return sequence == self.sequence or bool(self.sent and self.sent[0][0] <= sequence + 1)

    def detach(self) -> None:
        """The connection is gone; the session waits for a while."""
        self.connection, self.left_at = None, time.monotonic()


class Hub:
    """All sessions. The world tells it of events and it tells everybody connected."""

    def __init__(self, world: World, token: str) -> None:
        self.world, self.token = world, token
        self.sessions: dict[str, Session] = {}
        self.connections: set[Connection] = set()
        world.tell = self.dispatch

    @property
    def ready(self) -> bool:
        """Whether a bot is connected and was told of the guild."""
        return any(session.ready and session.connection for session in self.sessions.values())

    def dispatch(self, event: str, data: JSON) -> None:
        """Tells all sessions; the JSON is made once."""
        if not self.sessions:
            return
        horizon = time.monotonic() - RESUME_SECONDS
        for session in [s for s in self.sessions.values() if s.connection is None and s.left_at < horizon]:
            del self.sessions[session.id]
        text = json.dumps(data)
        for session in self.sessions.values():
            session.dispatch(event, text)

    async def drop(self, *, resumable: bool, politely: bool) -> int:
        """Cuts every connection, so that clients resume, or must begin anew."""
        victims = list(self.connections)
        if not resumable:
            self.sessions.clear()
        for connection in victims:
            if connection.session is not None:
                connection.session.detach()
            if politely:
                connection.signal(RECONNECT if resumable else INVALID, None if resumable else False)
                await connection.flush()
            await connection.close(4000, "Unknown error")
        self.world.journal.note(BOT)
        return len(victims)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """GET /gateway: one client from HELLO to its end."""
        # nextcord never answers our close frame, it just connects again: so do not wait for that answer.
        socket = web.WebSocketResponse(compress=False, max_msg_size=64 * 1024, timeout=0.1)
        await socket.prepare(request)
        connection = Connection(socket, request.query.get("compress") == "zlib-stream")
        self.connections.add(connection)
        connection.signal(HELLO, {"heartbeat_interval": HEARTBEAT_MS, "_trace": ["local"]})
        try:
            async for received in socket:
                if received.type is not WSMsgType.TEXT:
                    await connection.close(4002, "Decode error")
                    break
                code = self._hear(connection, received.data)
                if code is not None:
                    await connection.flush()
                    await connection.close(*code)
        finally:
            self.connections.discard(connection)
            self._take_leave(connection)
            await connection.close(WSCloseCode.GOING_AWAY)
        return socket

    def _take_leave(self, connection: Connection) -> None:
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.detach()
        self.world.journal.note(BOT)
        # A client that says good-bye properly ends its session; one that just vanishes may come back to it.
        if connection.socket.close_code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY):
            self.sessions.pop(session.id, None)

    def _hear(self, connection: Connection, text: str) -> tuple[int, str] | None:
        try:
            payload = json.loads(text)
            op, data = payload["op"], payload.get("d")
        except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return 4002, "Error while decoding payload."
        session = connection.session
        if op == HEARTBEAT:
            if session is not None:
                session.has_read(data)
            connection.signal(ACK)
        elif op in (IDENTIFY, RESUME):
            if session is not None:
                return 4005, "Already authenticated."
            if not isinstance(data, dict) or str(data.get("token", "")).removeprefix("Bot ") != self.token:
                return 4004, "Authentication failed."
            if op == IDENTIFY:
                return self._identify(connection, data)
            self._resume(connection, data)
        elif session is None:
            return 4003, "Not authenticated."
        elif op == REQUEST_MEMBERS:
            self._members(session, data if isinstance(data, dict) else {})
        elif op not in _IGNORED:
            return 4001, "Unknown opcode."
        return None

    def _identify(self, connection: Connection, data: JSON) -> tuple[int, str] | None:
        if type(data.get("intents")) is not int:
            return 4013, "Invalid intent(s)."
        world = self.world
        session = connection.session = Session(connection)
        self.sessions[session.id] = session
        ready = {
            "v": 10,
            "user": wire.user(world.bot) | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": str(world.guild_id), "unavailable": True}],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": gateway_url(world),
            "application": {"id": str(world.bot.id), "flags": 1 << 18 | 1 << 14 | 1 << 12},
            "private_channels": [],
            "relationships": [],
            "_trace": ["local"],
        }
        session.dispatch("READY", json.dumps(ready))
        threshold = data.get("large_threshold")
        threshold = threshold if type(threshold) is int and 50 <= threshold <= 250 else 50
        session.dispatch("GUILD_CREATE", json.dumps(wire.guild_create(world, threshold)))
        session.ready = True
        world.journal.note(BOT)
        return None

    def _resume(self, connection: Connection, data: JSON) -> None:
        session = self.sessions.get(str(data.get("session_id")))
        sequence = data.get("seq")
        if session is None or not session.can_replay(sequence):
            # Discord would close with 4007 for a number from the future; nextcord answers that by resuming once more,
            # for ever. "Start anew" is what both mean.
            connection.signal(INVALID, False)
            return
        if session.connection is not None:
            session.connection.session = None
        session.connection, connection.session = connection, session
        session.has_read(sequence)
        for _, text in session.sent:
            connection.send(text)
        session.dispatch("RESUMED", '{"_trace":["local"]}')
        self.world.journal.note(BOT)

    def _members(self, session: Session, data: JSON) -> None:
        people, missing = self.world.members(), []
        wanted = data.get("user_ids")
        if wanted is not None:
            ids = [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]
            found = {str(person.id): person for person in people}
            people, missing = [found[one] for one in ids if one in found], [one for one in ids if one not in found]
        else:
            query, limit = str(data.get("query") or "").casefold(), data.get("limit") or 0
            people = [person for person in people if matches(person, query)]
            people = people[:limit] if type(limit) is int and limit > 0 else people
        pages = [people[start : start + CHUNK] for start in range(0, len(people), CHUNK)] or [[]]
        for index, page in enumerate(pages):
            chunk: JSON = {
                "guild_id": str(self.world.guild_id),
                "members": [wire.member(self.world, person) for person in page],
                "chunk_index": index,
                "chunk_count": len(pages),
                "not_found": missing,
            }
            if data.get("nonce") is not None:
                chunk["nonce"] = data["nonce"]
            session.dispatch("GUILD_MEMBERS_CHUNK", json.dumps(chunk))


def matches(person: User, query: str) -> bool:
    """Whether a member search finds a person, by either of their names."""
    return person.name.casefold().startswith(query) or person.username.casefold().startswith(query)


def gateway_url(world: World) -> str:
    """Where clients connect."""
    return world.origin.replace("http", "ws", 1) + "/gateway"


HUB: web.AppKey[Hub] = web.AppKey("hub", Hub)


async def connect(request: web.Request) -> web.WebSocketResponse:
    """The websocket's route."""
    return await request.app[HUB].serve(request)
