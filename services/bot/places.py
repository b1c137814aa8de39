"""Where things are said that are not said to one person alone: the channels that staff set up.

With one server it is that one. With several, what concerns a member is said only in a server they are in; Discord is
asked, because the bot keeps no lists of members.
"""

import nextcord

from services.bot import guilds
from services.bot.off_loop import transact


class Places:
    """Finds channels; asks Discord about membership through the client's own connection."""

    def __init__(self, client: nextcord.Client) -> None:
        self._client = client

    async def staff_channel(self, discord_id: str | None) -> str | None:
        """The staff channel for what concerns this account; who is in no server (a web member) concerns the first."""
        found = [guild for guild in await transact(guilds.all_set_up) if guild.staff_channel_id]
        if len(found) > 1 and discord_id is not None:
            for guild in found:
                if await self._is_in(guild.guild_id, discord_id):
                    return guild.staff_channel_id
        return found[0].staff_channel_id if found else None

    async def announcement_channel(self, discord_id: str) -> str | None:
        """The channel in which this account can be mentioned: of a server they are in."""
        for guild in await transact(guilds.all_set_up):
            if guild.announcement_channel_id and await self._is_in(guild.guild_id, discord_id):
                return guild.announcement_channel_id
        return None

    async def _is_in(self, guild_id: str, discord_id: str) -> bool:
        try:
            await self._client.http.get_member(int(guild_id), int(discord_id))
        except nextcord.NotFound:
            return False
        return True
