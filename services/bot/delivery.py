"""Cards on their way to Discord: the edit of a deferred answer, a reply in a channel, a direct message.

Messages carry a nonce that Discord enforces: a card that is sent again after a crash is the same message, not a second.
"""

import base64
from typing import Any
from uuid import UUID

import aiohttp
import nextcord
from nextcord.http import Route
from nextcord.webhook.async_ import async_context

from services.bot.cards import Card

DIRECT_MESSAGES_CLOSED = 50007
INVALID_TOKEN = 50027


class Closed(Exception):
    """This person takes no direct messages from the bot."""


class Gone(Exception):
    """What was to be answered is not there any more: the message, the channel, or the interaction's token."""


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
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        application = self._client.application_id
        assert application is not None
        try:
            await async_context.get().edit_original_interaction_response(
                application, token, session=self._session, payload=card.payload()
            )
        except nextcord.NotFound as error:
            raise Gone("the interaction") from error
        except nextcord.HTTPException as error:
            if error.status == 401 or error.code == INVALID_TOKEN:
                raise Gone("the interaction") from error
            raise

    async def reply(self, channel_id: str, message_id: str | None, card: Card, nonce: str | None = None) -> None:
        """Send `card` into a channel, as a reply to a message; raises Gone when the channel cannot be written to."""
        payload = card.payload()
        if message_id is not None:
            payload["message_reference"] = {"message_id": message_id, "fail_if_not_exists": False}
        try:
            await self._send(int(channel_id), payload, nonce)
        except (nextcord.NotFound, nextcord.Forbidden) as error:
            if error.code == DIRECT_MESSAGES_CLOSED:
                raise Closed from error
            raise Gone("the channel") from error

    async def direct(self, discord_id: str, card: Card, nonce: str | None = None) -> None:
        """Send `card` to a person alone; raises Closed when they do not take direct messages."""
        try:
            await self._send(await self._direct_channel(discord_id), card.payload(), nonce)
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

    async def _send(self, channel_id: int, payload: dict[str, Any], nonce: str | None) -> None:
        if nonce is not None:
            payload |= {"nonce": nonce, "enforce_nonce": True}
        await self._client.http.request(
            Route("POST", "/channels/{channel_id}/messages", channel_id=channel_id), json=payload
        )


def nonce_of(message_id: UUID, part: str) -> str:
    """A nonce for one part (a letter or two) of what is said about a message; Discord takes 25 characters."""
    return base64.urlsafe_b64encode(message_id.bytes).rstrip(b"=").decode() + part
