"""The button beside a mention: shows a notice to the one it is for, and to nobody else."""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands

from services.bot import notices
from services.bot.calls import ClickCall, apologise
from services.bot.cards import Rendered
from services.bot.client import PropelClient
from services.bot.notice_kinds import kinds
from services.bot.notifying import SHOW
from services.bot.off_loop import transact
from services.bot.presenters import presenter
from services.bot.refusals import Usage


@presenter("notice")
def show_notice(words: Any, arguments: dict[str, Any]) -> Rendered:
    """A notice in the words of its kind."""
    return Rendered(kinds[arguments["kind"]].card(arguments["data"], words))


class NoticeButtons(commands.Cog):
    """Answers presses of "Show it to me"; the answer is seen by who pressed alone."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take the presses that are ours."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is not nextcord.InteractionType.component or not custom_id.startswith(SHOW):
            return
        call = ClickCall(self.client, interaction)
        try:
            await self._show(call, custom_id.removeprefix(SHOW))
        except Exception as error:
            await apologise(call, error)

    async def _show(self, call: ClickCall, words: str) -> None:
        await call.acknowledge()
        try:
            job = await transact(notices.find, UUID(words))
        except ValueError:
            job = None
        kind = kinds.get(job.kind) if job else None
        if job is None or kind is None:
            raise Usage("This notice is too old: it is not kept any more.")
        if job.reach.discord_id != call.person.discord_id:
            raise Usage("This notice is for somebody else.")
        if kind.question is None:
            await call.answer(Rendered(kind.card(job.data, None)))
            return
        question = kind.question(job.data)
        await call.ask(lambda _session, _me: question, "notice", kind=kind.name, data=job.data)
