"""``/local/``: what a member does in a channel: writes, types a command, clicks, fills in a modal, reacts."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from . import registered
from .files import make_up
from .interactions import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    FIRST_ANSWER_SECONDS,
    INTERACTIONS,
    MODAL_SUBMIT,
    modal_data,
)
from .limits import BUTTON, CONTENT, STRING_SELECT, text_inputs
from .people import Channel, Message, User
from .problems import JSON, LocalError, answer
from .reading import Body, read
from .typed import Typed, reference
from .world import WORLD, World

routes = web.RouteTableDef()
_CHOSEN_FROM = {5: registered.USER, 6: registered.ROLE, 7: registered.MENTIONABLE, 8: registered.CHANNEL}
_LINK = 5


@routes.post("/local/messages")
async def write(request: web.Request) -> web.Response:
    """A member writes a message, now or at a moment of the past."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "content", "channel", "attachments", "at", "reply_to")
    user = body.user()
    channel = body.channel(user)
    content = body.text("content", 0, CONTENT, "")
    moment = body.moment("at")
    reply_to = None
    if "reply_to" in body:
        reply_to = Body(world, {"message": body.data["reply_to"]}, ("message",)).message(user).id
    given = body.items("attachments", 10)
    if not content.strip() and not given:
        raise LocalError(422, "A message needs content or attachments.")
    # Every file is looked at before the message exists, so that a refused one leaves nothing behind.
    files = [make_up(world, channel, one, f"attachments[{index}]").id for index, one in enumerate(given)]
    message = world.post(user, channel, at=moment, content=content, attachments=files, reply_to=reply_to)
    return answer({"id": str(message.id)}, 201)


@routes.patch("/local/messages/{message}")
async def rewrite(request: web.Request) -> web.Response:
    """A member edits a message of their own."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "content")
    user, message = _own(request, body)
    content = body.text("content", 0, CONTENT)
    if message.author_id != user.id or (not content.strip() and not message.attachments):
        raise LocalError(422, "One edits one's own messages, and something must be left; delete it otherwise.")
    world.edit(message, {"content": content})
    return answer({"id": str(message.id)})


@routes.delete("/local/messages/{message}")
async def take_back(request: web.Request) -> web.Response:
    """A member deletes a message of their own; staff delete anybody's in the guild."""
    world = request.app[WORLD]
    user, message = _own(request, await read(request, world, "user"))
    direct = world.channels[message.channel_id].recipient is not None
    if message.author_id != user.id and (direct or not user.staff):
        raise LocalError(403, f"{user.name} cannot delete what somebody else wrote; staff can, in the guild.")
    world.delete(message)
    return answer({"id": str(message.id)})


def _own(request: web.Request, body: Body) -> tuple[User, Message]:
    user = body.user()
    message = Body(body.world, {"message": request.match_info["message"]}, ("message",)).message(user)
    body.in_guild(user)
    if message.ephemeral_to is not None:
        raise LocalError(422, "An answer that only one member sees is the bot's to change.")
    return user, message


@routes.post("/local/commands")
async def command(request: web.Request) -> web.Response:
    """A member uses a slash command; a subcommand is named after its command, with a space between."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "name", "options", "channel")
    user = body.user()
    channel = body.channel(user)
    typed = Typed(world, user, channel, body.text("name", 1, 100), body.mapping("options"))
    made = request.app[INTERACTIONS].open(COMMAND, user, channel, typed.data, body.data["name"].removeprefix("/"))
    return answer({"id": str(made.id)}, 201)


@routes.post("/local/autocomplete")
async def autocomplete(request: web.Request) -> web.Response:
    """A member types into an option (``options[option]`` is what stands there so far); answers the bot's choices."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "name", "option", "options", "channel")
    user = body.user()
    channel = body.channel(user)
    name, option = body.text("name", 1, 100), body.text("option", 1, 32)
    typed = Typed(world, user, channel, name, body.mapping("options"), option)
    interactions = request.app[INTERACTIONS]
    made = interactions.open(AUTOCOMPLETE, user, channel, typed.data, name)
    made.choice_type = typed.focused_kind()
    try:
        choices = await asyncio.wait_for(interactions.offers(made), FIRST_ANSWER_SECONDS)
    except TimeoutError:
        raise LocalError(422, "The bot offered no choices within three seconds.") from None
    return answer({"id": str(made.id), "choices": choices})


@routes.post("/local/clicks")
async def click(request: web.Request) -> web.Response:
    """A member presses a button, or chooses ``values`` in a select."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "message", "custom_id", "values")
    user = body.user()
    message = body.message(user)
    custom_id = body.text("custom_id", 1, 100)
    found = {
        item["custom_id"]: item
        for row in message.components
        for item in row["components"]
        if item.get("custom_id") and item.get("style") != _LINK
    }
    item = found.get(custom_id)
    if item is None:
        has = ", ".join(found) or "none"
        raise LocalError(404, f"Message {message.id} has no component {custom_id!r}; it has: {has}.")
    if item.get("disabled"):
        raise LocalError(422, f"{custom_id!r} is disabled.")
    channel = world.channels[message.channel_id]
    data: JSON = {"custom_id": custom_id, "component_type": item["type"]}
    if item["type"] == BUTTON:
        if "values" in body:
            raise LocalError(422, f"{custom_id!r} is a button and takes no values.")
    else:
        data |= _chosen(world, channel, item, body.items("values", 25))
    made = request.app[INTERACTIONS].open(COMPONENT, user, channel, data, custom_id, message)
    return answer({"id": str(made.id)}, 201)


def _chosen(world: World, channel: Channel, item: JSON, values: list[Any]) -> JSON:
    low, high = item.get("min_values", 1), item.get("max_values", 1)
    if not low <= len(values) <= high or len({str(value) for value in values}) != len(values):
        raise LocalError(422, f"Choose {low} to {high} different values in {item['custom_id']!r}.")
    if item["type"] == STRING_SELECT:
        known = [option["value"] for option in item["options"]]
        if any(value not in known for value in values):
            raise LocalError(422, f"{item['custom_id']!r} offers {', '.join(known)}.")
        return {"values": values}
    resolved: JSON = {}
    ids = [reference(world, channel, _CHOSEN_FROM[item["type"]], value, resolved) for value in values]
    if None in ids:
        raise LocalError(422, f"{item['custom_id']!r} takes ids of what it lets one choose (users, roles or channels).")
    return {"values": ids, "resolved": resolved}


@routes.post("/local/modals")
async def modal(request: web.Request) -> web.Response:
    """A member submits the modal that the bot opened for them, ``fields`` by custom id."""
    world, interactions = request.app[WORLD], request.app[INTERACTIONS]
    body = await read(request, world, "user", "custom_id", "fields")
    user, custom_id = body.user(), body.text("custom_id", 1, 100)
    opener = interactions.open_modals.get((user.id, custom_id))
    if opener is None or opener.modal is None:
        mine = ", ".join(name for owner, name in interactions.open_modals if owner == user.id) or "none"
        raise LocalError(404, f"{user.name} has no modal {custom_id!r} open; open: {mine}.")
    fields = _filled_in(opener.modal, body.mapping("fields"))
    del interactions.open_modals[user.id, custom_id]
    channel, source = world.channels[opener.channel_id], world.messages.get(opener.source_id or 0)
    made = interactions.open(MODAL_SUBMIT, user, channel, modal_data(opener.modal, fields), custom_id, source)
    return answer({"id": str(made.id)}, 201)


def _filled_in(form: JSON, given: JSON) -> dict[str, str]:
    inputs = {field["custom_id"]: field for field in text_inputs(form)}
    for name in given:
        if name not in inputs:
            raise LocalError(422, f"The modal has no field {name!r:.60}; it has {', '.join(inputs)}.")
    filled: dict[str, str] = {}
    for name, field in inputs.items():
        value = given.get(name, field.get("value") or "")
        required = field.get("required", True)
        low, high = max(field.get("min_length") or 0, int(required)), field.get("max_length") or 4000
        if not isinstance(value, str) or ((value or required) and not low <= len(value) <= high):
            raise LocalError(422, f"Field {name!r} must be a text of {low} to {high} characters.")
        filled[name] = value
    return filled


@routes.post("/local/reactions")
async def react(request: web.Request) -> web.Response:
    """A member reacts to a message, or takes the reaction back with ``remove``."""
    world = request.app[WORLD]
    body = await read(request, world, "user", "message", "emoji", "remove")
    user = body.user()
    message = body.message(user)
    emoji = body.text("emoji", 1, 64)
    if any(character.isspace() for character in emoji) or (message.ephemeral_to is not None):
        raise LocalError(
            422, "An emoji has no spaces in it, and an answer that only one member sees takes no reactions."
        )
    changed = world.react(user, message, emoji, remove=body.flag("remove", False))
    return answer({"message": str(message.id), "emoji": emoji, "changed": changed}, 201)
