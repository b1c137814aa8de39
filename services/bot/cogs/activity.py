"""What earns points by itself: messages and reactions. Only who, when and where is looked at, never the text."""

import nextcord
from nextcord.ext import commands

from fleet import logs
from fleet.messages import now
from services.bot.calls import person_of
from services.bot.client import PropelClient

log = logs.get(__name__)

_WRITTEN_BY_PEOPLE = (nextcord.MessageType.default, nextcord.MessageType.reply)


def written_by_person(message: nextcord.Message) -> bool:
    """False for bots, webhooks, and what Discord itself posts (joins, pins, boosts)."""
    return not message.author.bot and message.webhook_id is None and message.type in _WRITTEN_BY_PEOPLE


class Activity(commands.Cog):
    """Gathers first messages of the day and reactions to what others wrote, in servers only."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_message(self, message: nextcord.Message) -> None:
        """A message counts on the day it was written, also when it arrives after midnight."""
        if message.guild is None:
            return
        self.client.authors.note(message.id, message.author.id)
        if written_by_person(message):
            self.client.gathering.wrote(person_of(message.author), message.created_at)

    @commands.Cog.listener()
    async def on_raw_reaction_add(self, payload: nextcord.RawReactionActionEvent) -> None:
        """A reaction counts when a person gave it to what somebody else wrote."""
        at = now()
        if payload.guild_id is None or payload.member is None or payload.member.bot:
            return
        person = person_of(payload.member)
        self.client.gathering.saw(person)
        if not self.client.gathering.may_like(person.discord_id, at):
            return
        author_id = await self._author(payload)
        # Looked at once more: while Discord was asked, another reaction may have come.
        if author_id not in (None, payload.user_id) and self.client.gathering.may_like(person.discord_id, at):
            self.client.gathering.liked(person, str(payload.message_id), at)

    async def _author(self, payload: nextcord.RawReactionActionEvent) -> int | None:
        known = self.client.authors.of(payload.message_id)
        if known is not None:
            return known
        try:
            message = await self.client.http.get_message(payload.channel_id, payload.message_id)
        except nextcord.HTTPException as error:
            log.info("reaction_ignored", status=error.status)
            return None
        author_id = int(message["author"]["id"])
        self.client.authors.note(payload.message_id, author_id)
        return author_id
