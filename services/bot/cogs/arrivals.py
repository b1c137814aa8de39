"""People come and go: registration on joining, and a welcome by direct message, once in a person's life."""

import asyncio

import aiohttp
import nextcord
from nextcord.ext import commands

from fleet import logs
from fleet.database import is_outage
from services.bot import people
from services.bot.calls import person_of
from services.bot.client import PropelClient
from services.bot.cogs.general import WELCOME
from services.bot.delivery import Closed
from services.bot.off_loop import transact

log = logs.get(__name__)

# After a join: until the gathering has written it down. Otherwise: for what could not be sent the last time.
SOON_S, LOOK_AGAIN_S = 0.2, 5.0


class Arrivals(commands.Cog):
    """Registers who joins, and welcomes them; the welcome owed is in the database, so it survives a restart."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client
        self._somebody = asyncio.Event()

    @commands.Cog.listener()
    async def on_member_join(self, member: nextcord.Member) -> None:
        """Somebody joined; other bots are not members."""
        if not member.bot:
            self.client.gathering.saw(person_of(member), joined=True)
            self._somebody.set()

    @commands.Cog.listener()
    async def on_raw_member_remove(self, payload: nextcord.RawMemberRemoveEvent) -> None:
        """Somebody left; nothing they earned is touched."""
        await transact(people.left, str(payload.user.id))

    async def welcome_all(self) -> None:
        """Send the welcomes that are owed, one after the other: Discord minds bots that open many conversations."""
        await self.client.wait_until_ready()
        while True:
            try:
                while await self._welcome_some():
                    pass
            except Exception as error:
                if not is_outage(error):
                    log.exception("welcomes_interrupted")
            try:
                await asyncio.wait_for(self._somebody.wait(), LOOK_AGAIN_S)
            except TimeoutError:
                pass
            self._somebody.clear()
            await asyncio.sleep(SOON_S)

    async def _welcome_some(self) -> int:
        """Welcome those who wait longest; returns how many were dealt with."""
        dealt = 0
        for discord_id in await transact(people.owed_welcomes):
            try:
                # The nonce makes a welcome that is sent again after a crash the same message.
                await self.client.delivery.direct(discord_id, WELCOME, f"w{discord_id}")
            except Closed:
                log.info("welcome_undeliverable")
            except (nextcord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("welcome_postponed", error=type(error).__name__)
                continue
            await transact(people.welcomed, discord_id)
            dealt += 1
        return dealt
