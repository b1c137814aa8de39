"""The Discord client: nextcord with our intents, our commands, and nothing kept of what people write."""

from collections import OrderedDict
from contextlib import nullcontext
from typing import Any

import nextcord
from nextcord.ext import commands

from fleet import logs, tracing
from fleet.messages import now
from services.bot import slash
from services.bot.answering import Answering
from services.bot.calls import SlashCall, apologise, carry_out
from services.bot.commands import Command, registry
from services.bot.delivery import Delivery
from services.bot.gathering import Gathering
from services.bot.notifying import Notifying
from services.bot.settings import BotSettings

log = logs.get(__name__)

AUTHORS_KEPT = 50_000
# nextcord waits this long for one more server before it calls itself ready.
LAST_GUILD_S = 0.5
# We do not speak; the warning about it would be the first line of every start.
nextcord.VoiceClient.warn_nacl = False


class Authors:
    """Who wrote the latest messages, by message id: what a reaction needs to know. No text."""

    def __init__(self) -> None:
        self._authors: OrderedDict[int, int] = OrderedDict()

    def note(self, message_id: int, author_id: int) -> None:
        """Remember the author, forgetting the oldest when there are too many."""
        self._authors[message_id] = author_id
        if len(self._authors) > AUTHORS_KEPT:
            self._authors.popitem(last=False)

    def of(self, message_id: int) -> int | None:
        """The author of a message, if it is remembered."""
        return self._authors.get(message_id)


def _named(interaction: nextcord.Interaction[Any]) -> str:
    """What an interaction is called in traces: the command, or what a button or form begins with; no ids."""
    data: Any = interaction.data or {}
    return f"interaction {data.get('name') or str(data.get('custom_id', '')).partition(':')[0] or 'unknown'}"


def intents(settings: BotSettings) -> nextcord.Intents:
    """What the bot asks Discord to be told: no presence, no typing, no voice."""
    wanted = nextcord.Intents.none()
    wanted.guilds = wanted.members = wanted.guild_messages = wanted.dm_messages = wanted.guild_reactions = True
    wanted.message_content = settings.message_content
    return wanted


class PropelClient(commands.Bot):
    """nextcord's client; the cogs listen, `delivery` speaks, `gathering` writes down, `answering` shows answers."""

    def __init__(self, settings: BotSettings, gathering: Gathering) -> None:
        super().__init__(
            command_prefix=(),
            help_command=None,
            intents=intents(settings),
            # No message and no member is kept: what events carry is enough, and text is nobody's business.
            max_messages=None,
            member_cache_flags=nextcord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=LAST_GUILD_S,
            allowed_mentions=nextcord.AllowedMentions.none(),
            activity=nextcord.Activity(type=nextcord.ActivityType.watching, name="/help"),
        )
        self.started_at = now()
        self.gathering = gathering
        self.delivery = Delivery(self)
        self.answering = Answering(self.delivery)
        self.notifying = Notifying(self, self.delivery)
        self.authors = Authors()
        self.slash = [slash.slash_command(command, self._start) for command in registry.values()]
        self._connected = False
        self._rolled_out: set[int] = set()
        self._note_authors_of_reactions()

    @property
    def serving(self) -> bool:
        """True when the gateway session stands and every server has its commands."""
        return self._connected and self.is_ready() and all(guild.id in self._rolled_out for guild in self.guilds)

    async def renew_commands(self) -> None:
        """The table of commands has changed: give every server what it is now."""
        fresh = [slash.slash_command(command, self._start) for command in registry.values()]
        self.slash = fresh
        for guild in self.guilds:
            await self.on_guild_available(guild)

    def expect_answers(self) -> None:
        """Somebody asked something: look for the answer."""
        self.answering.expect()

    async def _start(self, interaction: nextcord.Interaction[Any], command: Command, given: dict[str, Any]) -> None:
        call = SlashCall(self, interaction)
        self.gathering.saw(call.person, by_command=True)
        try:
            options = await slash.slash_options(call, command, given)
        except Exception as error:
            await apologise(call, error)
            return
        await carry_out(call, command, options)

    def _note_authors_of_reactions(self) -> None:
        """Discord names the author of the message in each reaction; nextcord drops that, and asking costs a request."""
        parsers = self._connection.parsers
        parse = parsers["MESSAGE_REACTION_ADD"]

        def note_and_parse(data: Any) -> None:
            if author := data.get("message_author_id"):
                self.authors.note(int(data["message_id"]), int(author))
            parse(data)

        parsers["MESSAGE_REACTION_ADD"] = note_and_parse

    # What nextcord calls

    def dispatch(self, event_name: str, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """An event of Discord: what its listeners do for an interaction is one trace, which begins here."""
        with tracing.span(_named(args[0]), "server") if event_name == "interaction" else nullcontext():
            # Each listener is a task of its own, and takes the trace with it as it is made.
            super().dispatch(event_name, *args, **kwargs)

    async def on_connect(self) -> None:
        """Commands live in the servers, where they appear at once; a global one would be shown a second time."""
        assert self.application_id is not None
        if await self.http.get_global_commands(self.application_id):
            await self.http.bulk_upsert_global_commands(self.application_id, [])

    async def on_guild_available(self, guild: nextcord.Guild) -> None:
        """A server is there: give it its commands."""
        try:
            await slash.roll_out(self, self.slash, guild.id)
            log.info("commands_rolled_out", guild_id=guild.id, commands=len(self.slash))
        except nextcord.Forbidden:
            # Invited without the scope for commands: `!` works there, and no other server must wait for it.
            log.error("commands_forbidden", guild_id=guild.id)
        self._rolled_out.add(guild.id)

    async def on_guild_join(self, guild: nextcord.Guild) -> None:
        """The bot was invited somewhere."""
        await self.on_guild_available(guild)

    async def on_ready(self) -> None:
        """A new gateway session."""
        self._connected = True
        log.info("gateway_ready", guilds=len(self.guilds))

    async def on_resumed(self) -> None:
        """The session goes on after an interruption, with everything that happened meanwhile."""
        self._connected = True
        log.info("gateway_resumed")

    async def on_disconnect(self) -> None:
        """The connection is gone; nextcord opens it again."""
        if self._connected:
            log.warning("gateway_disconnected")
        self._connected = False

    async def on_message(self, message: nextcord.Message) -> None:
        """nextcord's own prefix commands are not used; the cogs listen."""

    async def on_error(self, event_method: str, *_arguments: Any, **_named: Any) -> None:
        """A listener failed: log it, without what it was called with."""
        log.exception("event_failed", handler=event_method)

    async def on_application_command_error(self, interaction: nextcord.Interaction[Any], exception: Exception) -> None:
        """nextcord could not even begin a command (options it does not know, mostly)."""
        log.error("command_not_begun", error=type(exception).__name__)
        await apologise(SlashCall(self, interaction), exception)
