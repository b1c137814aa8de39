"""The second door: `!name` in a message runs what `/name` runs."""

from typing import Any

import nextcord
from nextcord.ext import commands

from services.bot import people
from services.bot.calls import TypedCall, apologise, carry_out, person_of
from services.bot.client import PropelClient
from services.bot.cogs.activity import written_by_person
from services.bot.commands import Command, called, mentioned_id, typed_options
from services.bot.off_loop import transact
from services.bot.people import Person
from services.bot.refusals import Usage


class Typed(commands.Cog):
    """Reads `!` lines; words that are no command of ours are somebody else's business."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_message(self, message: nextcord.Message) -> None:
        """Run the command a person typed, in a server or by direct message."""
        found = called(message.content) if written_by_person(message) else None
        if found is None:
            return
        command, rest = found
        call = TypedCall(self.client, message)
        if call.in_guild:
            self.client.gathering.saw(call.person, by_command=True)
        try:
            options = await self._options(message, command, rest)
        except Exception as error:
            await apologise(call, error)
            return
        await carry_out(call, command, options)

    async def _options(self, message: nextcord.Message, command: Command, rest: str) -> dict[str, Any]:
        given: dict[str, Any] = dict(typed_options(command, rest))
        for option in command.options:
            if option.kind == "member" and option.name in given:
                given[option.name] = await self._person(message, given[option.name])
        return given

    async def _person(self, message: nextcord.Message, words: str) -> Person:
        wanted = mentioned_id(words)
        for mentioned in message.mentions:
            if str(mentioned.id) == wanted:
                return person_of(mentioned)
        found = await transact(people.find, wanted or words)
        if found is None:
            raise Usage("I do not know whom you mean. Mention them with @, or write their user name exactly.")
        return found
