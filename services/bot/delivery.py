"""Cards on their way to Discord: the edit of a deferred answer, a reply in a channel, a direct message.

Messages carry a nonce that Discord enforces: a card that is sent again after a crash is the same message, not a second.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import aiohttp
import nextcord
from nextcord.http import Route
from nextcord.webhook.async_ import async_context

from fleet import tracing
from services.bot import traffic
from services.bot.cards import Card

DIRECT_MESSAGES_CLOSED = 50007
# As far back as a message is looked for that may have been sent before a crash.
LOOKED_THROUGH = 50
INVALID_TOKEN = 50027


class Closed(Exception):
    """This person takes no direct messages from the bot."""


class Gone(Exception):
    """What was to be answered is not there any more: the message, the channel, or the interaction's token."""


@dataclass(frozen=True)
class Sent:
    """Where a message is."""

    channel_id: str
    message_id: str


@dataclass(frozen=True)
class Picture:
    """A file that goes with a card."""

    filename: str
    content: bytes


class Delivery:
    """Sends cards through the client's own REST connection, so that its rate limits hold for all of them."""

    def __init__(self, client: nextcord.Client) -> None:
        self._client = client
        self._session: aiohttp.ClientSession | None = None
        self._direct_channels: dict[str, int] = {}

    async def close(self) -> None:
        """Close the connection that interactions are answered through."""
        if self._session is not None:
            await self._session.close()

    async def edit_answer(self, token: str, card: Card) -> None:
        """Make `card` the answer to the interaction of `token`; raises Gone when Discord does not know it any more."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=20), trace_configs=[traffic.counting()]
            )
        application = self._client.application_id
        assert application is not None
        try:
            with tracing.span("discord edit answer", "client"):
                await async_context.get().edit_original_interaction_response(
                    application, token, session=self._session, payload=card.payload()
                )
        except nextcord.NotFound as error:
            raise Gone("the interaction") from error
        except nextcord.HTTPException as error:
            if error.status == 401 or error.code == INVALID_TOKEN:
                raise Gone("the interaction") from error
            raise

    async def reply(self, channel_id: str, message_id: str | None, card: Card, nonce: str | None = None) -> Sent:
        """Send `card` into a channel, as a reply to a message; raises Gone when the channel cannot be written to."""
        payload = card.payload()
        if message_id is not None:
            payload["message_reference"] = {"message_id": message_id, "fail_if_not_exists": False}
        try:
            return await self._send(int(channel_id), payload, nonce)
        except (nextcord.NotFound, nextcord.Forbidden) as error:
            if error.code == DIRECT_MESSAGES_CLOSED:
                raise Closed from error
            raise Gone("the channel") from error

    async def post(self, channel_id: str, card: Card, nonce: str, picture: Picture | None = None) -> Sent:
        """Send `card` into a channel, with a picture; raises Gone when the channel cannot be written to."""
        try:
            return await self._send(int(channel_id), card.payload(), nonce, picture)
        except (nextcord.NotFound, nextcord.Forbidden) as error:
            raise Gone("the channel") from error

    async def edit(self, where: Sent, card: Card) -> None:
        """Make an earlier message look like `card`; raises Gone when it was deleted or its channel is closed to us."""
        route = Route(
            "PATCH",
            "/channels/{channel_id}/messages/{message_id}",
            channel_id=int(where.channel_id),
            message_id=where.message_id,
        )
        try:
            await self._client.http.request(route, json=card.payload())
        except (nextcord.NotFound, nextcord.Forbidden) as error:
            raise Gone("the message") from error

    async def direct(self, discord_id: str, card: Card, nonce: str | None = None) -> Sent:
        """Send `card` to a person alone; raises Closed when they do not take direct messages."""
        try:
            return await self._send(await self._direct_channel(discord_id), card.payload(), nonce)
        except (nextcord.NotFound, nextcord.Forbidden) as error:
            raise Closed from error
        except nextcord.HTTPException as error:
            if error.code == DIRECT_MESSAGES_CLOSED:
                raise Closed from error
            raise

    async def _direct_channel(self, discord_id: str) -> int:
        if discord_id not in self._direct_channels:
            opened = await self._client.http.start_private_message(int(discord_id))
            self._direct_channels[discord_id] = int(opened["id"])
        return self._direct_channels[discord_id]

    async def direct_channel(self, discord_id: str) -> str:
        """The channel of the direct messages with a person."""
        return str(await self._direct_channel(discord_id))

    async def said_before(self, channel_id: str, card: Card, since: datetime) -> Sent | None:
        """The message that says the same as `card`, if this bot sent it since then.

        Discord forgets a nonce after minutes; who comes back later from a crash, between speaking and writing down that
        it spoke, has only this.
        """
        after = nextcord.utils.time_snowflake(since)
        route = Route("GET", "/channels/{channel_id}/messages", channel_id=int(channel_id))
        try:
            found = await self._client.http.request(route, params={"after": str(after), "limit": LOOKED_THROUGH})
        except (nextcord.NotFound, nextcord.Forbidden):
            return None
        wanted = _words(card.payload())
        for message in found:
            if str(message["author"]["id"]) == str(self._client.application_id) and _words(message) == wanted:
                return Sent(str(message["channel_id"]), str(message["id"]))
        return None

    async def _send(
        self, channel_id: int, payload: dict[str, Any], nonce: str | None, picture: Picture | None = None
    ) -> Sent:
        if nonce is not None:
            payload |= {"nonce": nonce, "enforce_nonce": True}
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id)
        with tracing.span("discord send message", "client"):
            if picture is None:
                made = await self._client.http.request(route, json=payload)
            else:
                made = await self._client.http.request(route, form=_form(payload, picture))
        return Sent(str(made["channel_id"]), str(made["id"]))


def _form(payload: dict[str, Any], picture: Picture) -> list[dict[str, Any]]:
    payload = payload | {"attachments": [{"id": 0, "filename": picture.filename}]}
    return [
        {"name": "payload_json", "value": nextcord.utils.to_json(payload)},
        {
            "name": "files[0]",
            "value": picture.content,
            "filename": picture.filename,
            "content_type": "application/octet-stream",
        },
    ]


def _words(message: dict[str, Any]) -> tuple[str, Sequence[tuple[Any, ...]]]:
    """What a message says, without what Discord adds to it."""
    said = [
        (
            embed.get("title", ""),
            embed.get("description", ""),
            [(one["name"], one["value"]) for one in embed.get("fields", [])],
        )
        for embed in message.get("embeds", [])
    ]
    return message.get("content", ""), said


def nonce_of(message_id: UUID, part: str) -> str:
    """A nonce for one part (a letter or two) of what is said about a message; Discord takes 25 characters."""
    return base64.urlsafe_b64encode(message_id.bytes).rstrip(b"=").decode() + part
