"""Attachments: taken from whoever posts, served at an address of ours, made up when only a size was given."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
from typing import Any

from aiohttp import web

from .people import Attachment, Channel
from .problems import JSON, DiscordError, LocalError
from .world import WORLD, World

LARGEST = 25 * 1024 * 1024
_SHOWN = ("image/png", "image/jpeg", "image/gif", "image/webp", "video/mp4", "video/webm", "audio/mpeg", "audio/ogg")
# What a reader looks at to tell a kind of file from another; the rest of a made-up file is filler.
_BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "application/pdf": b"%PDF-1.7\n",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"PK\x03\x04",
}


def make_up(world: World, channel: Channel, given: Any, what: str) -> Attachment:
    """An attachment as ``/local/`` describes it: ``{filename, content_type, size or base64}``."""
    usage = f"{what}: a file is {{filename, content_type, size or base64}}"
    if not isinstance(given, dict) or set(given) - {"filename", "content_type", "size", "base64"}:
        raise LocalError(422, usage + ".")
    filename, kind = given.get("filename"), given.get("content_type", "application/octet-stream")
    data, size = given.get("base64"), given.get("size")
    if not isinstance(filename, str) or not 1 <= len(filename) <= 200 or "/" in filename or not filename.isprintable():
        raise LocalError(422, usage + "; filename has 1 to 200 characters and no slash.")
    if not isinstance(kind, str) or not kind.isascii() or not kind.isprintable() or "/" not in kind:
        raise LocalError(422, usage + "; content_type is like image/png.")
    if (data is None) == (size is None):
        raise LocalError(422, usage + "; give either size or base64.")
    if data is not None:
        try:
            size = len(base64.b64decode(data, validate=True))
        except (TypeError, ValueError, binascii.Error):
            raise LocalError(422, usage + "; base64 cannot be read.") from None
    if type(size) is not int or not 0 <= size <= LARGEST:
        raise LocalError(422, usage + f"; size is from 0 to {LARGEST} bytes.")
    return _keep(world, Attachment(world.ids.now(), channel.id, filename, kind, size, data))


def _keep(world: World, file: Attachment) -> Attachment:
    world.attachments[file.id] = file
    return file


async def read_form(request: web.Request) -> tuple[JSON, list[tuple[int, str, str, bytes]]]:
    """The JSON of a bot's request and its files (index, name, type, bytes), whichever way it was sent."""
    files: list[tuple[int, str, str, bytes]] = []
    if not request.content_type.startswith("multipart/"):
        return _parsed(await request.read()), files
    body: JSON = {}
    async for part in await request.multipart():
        name = getattr(part, "name", None) or ""
        if name == "payload_json":
            body = _parsed(await part.read())  # type: ignore[union-attr]
        elif name.startswith("files["):
            index = name[6:].rstrip("]")
            raw = bytes(await part.read())  # type: ignore[union-attr]
            filename = part.filename or "file"  # type: ignore[union-attr]
            # nextcord labels every upload a stream of bytes, and Discord too goes by the name.
            kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
            files.append((int(index) if index.isdecimal() else len(files), filename, kind, raw))
    if any(len(raw) > LARGEST for *_, raw in files):
        raise DiscordError(413, 40005, "Request entity too large")
    return body, files


def _parsed(raw: bytes) -> JSON:
    try:
        body = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        raise DiscordError(400, 50109, "The request body contains invalid JSON.") from None
    if not isinstance(body, dict):
        wrong = {"code": "DICT_TYPE_CONVERT", "message": "Only dictionaries may be used in a DictType"}
        raise DiscordError(400, 50035, "Invalid Form Body", {"_errors": [wrong]})
    return body


def store(world: World, channel_id: int, body: JSON, files: list[tuple[int, str, str, bytes]]) -> list[int]:
    """Keeps a bot's uploads; descriptions are found in ``attachments`` by index. Returns their ids."""
    said = {item.get("id"): item for item in body.get("attachments") or [] if isinstance(item, dict)}
    ids = []
    for index, filename, kind, raw in files:
        about = said.get(index) or said.get(str(index)) or {}
        encoded = base64.b64encode(raw).decode()
        file = Attachment(world.ids.now(), channel_id, filename, kind, len(raw), encoded, about.get("description"))
        ids.append(_keep(world, file).id)
    return ids


def content(file: Attachment) -> bytes:
    """The bytes of a file: always the same for one attachment, and different for two."""
    if file.data is not None:
        return base64.b64decode(file.data)
    seed = hashlib.sha256(str(file.id).encode()).hexdigest().encode() + b"\n"
    whole = _BEGINNINGS.get(file.content_type, b"") + seed * (file.size // len(seed) + 1)
    return whole[: file.size]


async def serve(request: web.Request) -> web.Response:
    """GET /attachments/{channel}/{id}/{filename}, open to whoever has the address, as Discord's are."""
    file = request.app[WORLD].attachments.get(int(request.match_info["file"]))
    if file is None or file.filename != request.match_info["filename"]:
        return web.Response(status=404, text="This content is no longer available.")
    # A member's file must never run as a page of this address, whatever it says it is.
    shown = "inline" if file.content_type in _SHOWN else "attachment"
    headers = {"Content-Type": file.content_type, "Content-Disposition": shown, "X-Content-Type-Options": "nosniff"}
    return web.Response(
        body=content(file), headers=headers | {"Content-Security-Policy": "sandbox; default-src 'none'"}
    )
