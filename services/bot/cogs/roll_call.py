"""Keeps the roster of the server: calls the roll at each new session, and follows who comes, goes and is renamed."""

import asyncio
from itertools import islice
from typing import Any

import aiohttp
import nextcord
from nextcord.ext import commands
from sqlalchemy.orm import Session

from fleet import logs
from fleet.database import is_outage
from services.bot import roster
from services.bot.calls import person_of
from services.bot.client import PropelClient
from services.bot.off_loop import transact
from services.bot.people import Person

log = logs.get(__name__)

GATHER_S = 0.05
CONFIRM_EVERY_S = 5.0
PAUSE_S = 2.0
AT_MOST = 1000

Changes = dict[str, Person | None]


class RollCall(commands.Cog):
    """All changes go through one writer, in the order in which Discord told them; a list that was fetched gives way to
    whatever was told since the fetching began, because it may be older.
    """

    def __init__(self, client: PropelClient) -> None:
        self.client = client
        self._waiting: Changes = {}
        # What was told since the roll call under way began, and whom it found: None while there is none.
        self._told: Changes | None = None
        self._only: set[str] | None = None
        self._connected = self._complete = False
        self._called, self._work = asyncio.Event(), asyncio.Event()
        self._hear_of_changed_members()

    def _hear_of_changed_members(self) -> None:
        """nextcord tells of changed members only those it keeps, and it keeps none."""
        parsers = self.client._connection.parsers
        parse = parsers["GUILD_MEMBER_UPDATE"]

        def hear_and_parse(data: Any) -> None:
            parse(data)
            if guild := self.client.get_guild(int(data["guild_id"])):
                self._tell(nextcord.Member(data=data, guild=guild, state=self.client._connection))

        parsers["GUILD_MEMBER_UPDATE"] = hear_and_parse

    def _tell(self, member: Any) -> None:
        if not member.bot:
            self._note(str(member.id), person_of(member))

    def _note(self, discord_id: str, person: Person | None) -> None:
        self._waiting[discord_id] = person
        if self._told is not None:
            self._told[discord_id] = person
        self._work.set()

    @commands.Cog.listener()
    async def on_member_join(self, member: nextcord.Member) -> None:
        """Somebody came."""
        self._tell(member)

    @commands.Cog.listener()
    async def on_raw_member_remove(self, payload: nextcord.RawMemberRemoveEvent) -> None:
        """Somebody went."""
        self._note(str(payload.user.id), None)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """A new session: whatever happened before it was told to nobody."""
        self._connected = True
        self._call()

    @commands.Cog.listener()
    async def on_guild_join(self, _guild: nextcord.Guild) -> None:
        """One more server, with people of its own."""
        self._call()

    @commands.Cog.listener()
    async def on_guild_remove(self, _guild: nextcord.Guild) -> None:
        """A server less."""
        self._call()

    @commands.Cog.listener()
    async def on_resumed(self) -> None:
        """The session goes on, and what happened meanwhile was told before this."""
        self._connected = True

    @commands.Cog.listener()
    async def on_disconnect(self) -> None:
        """Nothing is told for now."""
        self._connected = False

    def _call(self) -> None:
        self._complete = False
        self._called.set()
        self._work.set()

    async def call_rolls(self) -> None:
        """Fetch the whole list whenever it is called for, until it is there."""
        while True:
            await self._called.wait()
            self._called.clear()
            try:
                await self._call_roll()
            except (
                nextcord.HTTPException,
                nextcord.ClientException,
                aiohttp.ClientError,
                OSError,
                TimeoutError,
            ) as error:
                log.warning("roll_call_interrupted", error=type(error).__name__)
                await asyncio.sleep(PAUSE_S)
                self._called.set()

    async def _call_roll(self) -> None:
        found: set[str] = set()
        told = self._told = {}
        for guild in list(self.client.guilds):
            async for member in guild.fetch_members(limit=None):
                discord_id = str(member.id)
                if not member.bot and discord_id not in told:
                    found.add(discord_id)
                    self._waiting[discord_id] = person_of(member)
                    self._work.set()
        # From here on nothing waits, so nothing can be told in between.
        self._told = None
        if not self._called.is_set():
            self._only = {one for one in found if one not in told} | {one for one, who in told.items() if who}
            self._complete = True
            self._work.set()
            log.info("roll_called", members=len(self._only))

    async def keep(self) -> None:
        """Write down what changed, in order, and confirm every few seconds that it is all."""
        # At once: what an earlier process confirmed says nothing about what happened since.
        self._work.set()
        while True:
            try:
                await asyncio.wait_for(self._work.wait(), CONFIRM_EVERY_S)
            except TimeoutError:
                pass
            self._work.clear()
            await asyncio.sleep(GATHER_S)
            await self._write()

    async def _write(self) -> None:
        waiting, only = self._waiting, self._only
        self._waiting, self._only = {}, None
        complete = self._complete and self._connected
        changes = iter(waiting.items())
        while part := dict(islice(changes, AT_MOST)):
            await self._written(roster.change, part)
        await self._written(_settle, only, complete)

    async def _written(self, work: Any, *arguments: Any) -> None:
        """Do it, however long the database is away; what it does not take at all is made good by a new roll call."""
        while True:
            try:
                await transact(work, *arguments)
                return
            except Exception as error:
                if not is_outage(error):
                    log.exception("roster_not_written")
                    await asyncio.sleep(PAUSE_S)
                    self._call()
                    return
                log.warning("roster_held")
                await asyncio.sleep(PAUSE_S)


def _settle(session: Session, only: set[str] | None, complete: bool) -> None:
    if only is not None:
        roster.keep_only(session, only)
    roster.confirm(session, complete=complete)
