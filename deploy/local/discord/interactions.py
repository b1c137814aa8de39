"""Interactions: how long the bot has, what it may answer, and the messages that come of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from . import wire
from .files import store
from .journal import INTERACTION
from .limits import check_message, check_modal, text_inputs
from .people import EPHEMERAL, LOADING, Channel, Message, User
from .problems import JSON, DiscordError, FormErrors, unknown
from .registered import check_choices
from .world import World

FIRST_ANSWER_SECONDS = 3.0
TOKEN_SECONDS = 15 * 60.0
COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
PONG, MESSAGE, LATER, UPDATE_LATER, UPDATE, CHOICES, MODAL = 1, 4, 5, 6, 7, 8, 9
# Which answers suit which interaction; the rest is a mistake that Discord refuses too.
_SUITABLE = {
    COMMAND: (MESSAGE, LATER, MODAL),
    COMPONENT: (MESSAGE, LATER, UPDATE_LATER, UPDATE, MODAL),
    AUTOCOMPLETE: (CHOICES,),
    MODAL_SUBMIT: (MESSAGE, LATER, UPDATE_LATER, UPDATE),
}
Upload = tuple[int, str, str, bytes]


@dataclass(slots=True)
class Interaction:
    """One use of a command, component, autocompletion or modal, and how far its answer has come."""

    id: int
    kind: int
    token: str
    user_id: int
    channel_id: int
    name: str
    created: float  # seconds since 1970, so that a snapshot can carry it over a restart
    source_id: int | None = None  # the message whose component was used
    answered: int | None = None  # the type of the first response
    original_id: int | None = None  # the message that first response made
    modal: JSON | None = None
    choice_type: int = 0


class Interactions:
    """All interactions younger than a while, found by id and by token."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.by_id: dict[int, Interaction] = {}
        self.by_token: dict[str, Interaction] = {}
        self.open_modals: dict[tuple[int, str], Interaction] = {}
        self._offers: dict[int, asyncio.Future[list[JSON]]] = {}

    def open(
        self, kind: int, user: User, channel: Channel, data: JSON, name: str, source: Message | None = None
    ) -> Interaction:
        """A member does something that the bot must answer: it is told, and its three seconds begin."""
        self._forget_old()
        world = self.world
        made = Interaction(
            world.ids.now(),
            kind,
            secrets.token_urlsafe(48),
            user.id,
            channel.id,
            name,
            time.time(),
            source.id if source else None,
        )
        self.restore(made)
        world.arrivals.mark(made.id)
        world.changed()
        direct = channel.recipient is not None
        event: JSON = {
            "id": str(made.id),
            "application_id": str(world.bot.id),
            "type": kind,
            "data": data,
            "channel_id": str(channel.id),
            "channel": wire.channel(world, channel),
            "token": made.token,
            "version": 1,
            "locale": "en-US",
            "app_permissions": str(wire.ALL_PERMISSIONS),
            "entitlements": [],
            "attachment_size_limit": 10_485_760,
            "authorizing_integration_owners": {"0": "0" if direct else str(world.guild_id)},
            "context": 1 if direct else 0,
        }
        if direct:
            event["user"] = wire.user(user)
        else:
            event["guild_id"] = str(world.guild_id)
            event["guild"] = {"id": str(world.guild_id), "locale": "en-US", "features": []}
            event["guild_locale"] = "en-US"
            event["member"] = wire.member(world, user) | {"permissions": str(wire.permissions(world, user))}
        if source is not None:
            event["message"] = wire.message(world, source)
        world.tell("INTERACTION_CREATE", event)
        return made

    def restore(self, made: Interaction) -> None:
        """Puts an interaction into every index."""
        self.by_id[made.id] = self.by_token[made.token] = made
        if made.modal is not None:
            self.open_modals[made.user_id, made.modal["custom_id"]] = made

    def offers(self, made: Interaction) -> asyncio.Future[list[JSON]]:
        """The choices the bot will offer for an autocompletion."""
        return self._offers.setdefault(made.id, asyncio.get_running_loop().create_future())

    # The bot's side

    def find(self, interaction_id: int, token: str) -> Interaction:
        """The interaction a first response is for."""
        made = self.by_id.get(interaction_id)
        if made is None or made.token != token:
            raise unknown("Interaction")
        return made

    def behind(self, application_id: str, token: str) -> Interaction:
        """The interaction a follow-up is for: answered already, and not too long ago."""
        if application_id != str(self.world.bot.id):
            raise unknown("Webhook")
        made = self.by_token.get(token)
        if made is None or time.time() - made.created > TOKEN_SECONDS:
            raise DiscordError(401, 50027, "Invalid Webhook Token")
        if made.answered is None:
            raise unknown("Webhook")
        return made

    def respond(self, made: Interaction, body: JSON, files: list[Upload]) -> Message | None:
        """The first response. A refused form does not use it up; a second one is refused."""
        if made.answered is not None:
            raise DiscordError(400, 40060, "Interaction has already been acknowledged.")
        if time.time() - made.created > FIRST_ANSWER_SECONDS:
            raise unknown("Interaction")
        kind, data = body.get("type"), body.get("data") or {}
        if not isinstance(data, dict) or (kind != PONG and kind not in _SUITABLE[made.kind]):
            errors = FormErrors()
            errors.add(("type",), "INTERACTION_CALLBACK_TYPE", f"Type {kind!r:.20} is no answer to this interaction.")
            errors.settle()
        if kind in (UPDATE, UPDATE_LATER) and made.source_id is None:
            raise DiscordError(400, 50035, "Invalid Form Body")
        message: Message | None = None
        if kind == MESSAGE:
            check_message(data, len(files))
            message = self._say(made, data, files)
            made.original_id = message.id
        elif kind == LATER:
            message = self._say(made, {"flags": _flags(data) & EPHEMERAL | LOADING}, [])
            made.original_id = message.id
        elif kind == UPDATE:
            message = self.change(self._source(made), data, files)
            made.original_id = made.source_id
        elif kind == UPDATE_LATER:
            made.original_id = made.source_id
        elif kind == CHOICES:
            self._offer(made, data)
        elif kind == MODAL:
            check_modal(data)
            made.modal = data
            self.open_modals[made.user_id, data["custom_id"]] = made
        made.answered = kind
        self.world.changed(INTERACTION, made.id)
        return message

    def follow_up(self, made: Interaction, body: JSON, files: list[Upload]) -> Message:
        """A further message. The first one after a deferred answer takes the place of its "thinking"."""
        original = self.world.messages.get(made.original_id or 0)
        if original is not None and original.loading:
            return self.change(original, body, files)
        check_message(body, len(files))
        return self._say(made, body, files)

    def message(self, made: Interaction, which: str) -> Message:
        """A message this interaction made, or the one its component sits on."""
        wanted = made.original_id if which == "@original" else int(which) if which.isdecimal() else None
        message = self.world.messages.get(wanted or 0)
        if message is None or (made.id != message.interaction_id and message.id != made.source_id):
            raise unknown("Message")
        return message

    def change(self, message: Message, body: JSON, files: list[Upload]) -> Message:
        """An edit: what is given replaces what was, the rest stays."""
        kept = list(message.attachments)
        if isinstance(body.get("attachments"), list):
            named = {str(item.get("id")) for item in body["attachments"] if isinstance(item, dict)}
            kept = [file for file in kept if str(file) in named]
        body = {key: value for key, value in body.items() if key != "attachments"}
        check_message(body, len(files), message.carries() | {"attachments": kept})
        parts: dict[str, Any] = {"attachments": kept + store(self.world, message.channel_id, body, files)}
        parts |= {
            key: body[key] or empty
            for key, empty in (("content", ""), ("embeds", []), ("components", []))
            if key in body
        }
        return self.world.edit(message, parts)

    def _source(self, made: Interaction) -> Message:
        message = self.world.messages.get(made.source_id or 0)
        if message is None:
            raise unknown("Message")
        return message

    def _say(self, made: Interaction, body: JSON, files: list[Upload]) -> Message:
        world, user = self.world, self.world.users[made.user_id]
        flags = _flags(body)
        return world.post(
            world.bot,
            world.channels[made.channel_id],
            content=body.get("content") or "",
            embeds=body.get("embeds") or [],
            components=body.get("components") or [],
            attachments=store(world, made.channel_id, body, files),
            flags=flags,
            ephemeral_to=made.user_id if flags & EPHEMERAL else None,
            interaction_id=made.id,
            interaction={"id": str(made.id), "type": made.kind, "name": made.name, "user": wire.user(user)},
        )

    def _offer(self, made: Interaction, data: JSON) -> None:
        errors = FormErrors()
        choices = errors.objects(("data", "choices"), data.get("choices"), 25)
        check_choices(errors, ("data", "choices"), choices, made.choice_type)
        errors.settle()
        coming = self._offers.pop(made.id, None)
        if coming is not None and not coming.done():
            coming.set_result(choices)

    def _forget_old(self) -> None:
        # Kept a little past their end, so that a late answer hears the right reason. Oldest first, so this stops early.
        horizon = time.time() - TOKEN_SECONDS - 60
        while self.by_id and (oldest := next(iter(self.by_id.values()))).created < horizon:
            del self.by_id[oldest.id], self.by_token[oldest.token]
            self._offers.pop(oldest.id, None)
            if oldest.modal and self.open_modals.get((oldest.user_id, oldest.modal["custom_id"])) is oldest:
                del self.open_modals[oldest.user_id, oldest.modal["custom_id"]]


def _flags(body: JSON) -> int:
    flags = body.get("flags")
    return flags if type(flags) is int else 0


def modal_data(modal: JSON, fields: dict[str, str]) -> JSON:
    """A filled-in modal as Discord sends it, in rows or under labels as the bot built it."""
    rows: list[JSON] = []
    for holder, field in zip(modal["components"], text_inputs(modal), strict=False):
        value = {"type": 4, "custom_id": field["custom_id"], "value": fields.get(field["custom_id"], "")}
        labelled = field.get("labelled")
        rows.append({"type": holder["type"], "component": value} if labelled else {"type": 1, "components": [value]})
    return {"custom_id": modal["custom_id"], "components": rows}


INTERACTIONS: web.AppKey[Interactions] = web.AppKey("interactions", Interactions)
