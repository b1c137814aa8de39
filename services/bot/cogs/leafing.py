"""The buttons under lists. They carry where to go in their id, so they work after any restart."""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands

from fleet.contracts.points import GetHistory, GetLeaderboard, GetSubmissions
from fleet.contracts.rewards import GetCatalogue, GetRedemptions
from services.bot import answers, staff_listings
from services.bot.calls import ClickCall, apologise, fresh_listing
from services.bot.cards import Rendered
from services.bot.client import PropelClient
from services.bot.cogs.general import HELP, help_page
from services.bot.off_loop import transact
from services.bot.presenters import PERIODS
from services.bot.shop_presenters import CATEGORIES

PREFIX = "page:"


def question_of(kind: str, argument: str, member_id: UUID, cursor: str | None) -> Any:
    """What to ask for a page of this kind of list; LookupError for kinds there are no more."""
    if kind == "leaderboard":
        period: Any = argument if argument in PERIODS else "all_time"
        return GetLeaderboard(member_id=member_id, period=period, cursor=cursor)
    if kind == "history":
        return GetHistory(member_id=member_id, cursor=cursor)
    if kind == "submissions":
        return GetSubmissions(member_id=member_id, cursor=cursor)
    if kind == "shop":
        category: Any = argument if argument in CATEGORIES else None
        return GetCatalogue(member_id=member_id, category=category, cursor=cursor)
    if kind == "redemptions":
        return GetRedemptions(member_id=member_id, cursor=cursor)
    raise LookupError(kind)


def parse(custom_id: str) -> tuple[str, str, str, int]:
    """Kind, argument, list and page of a button's id."""
    _, kind, argument, listing, page = custom_id.split(":", 4)
    return kind, argument, listing, int(page)


class Leafing(commands.Cog):
    """Answers clicks on Previous and Next with that page, as the one who clicks may see it."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take the clicks that are ours."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is not nextcord.InteractionType.component or not custom_id.startswith(PREFIX):
            return
        call = ClickCall(self.client, interaction)
        try:
            await self._turn_to(call, *parse(custom_id))
        except Exception as error:
            await apologise(call, error)

    async def _turn_to(self, call: ClickCall, kind: str, argument: str, listing: str, page: int) -> None:
        if kind in HELP:
            await call.answer(Rendered(help_page(kind, page)))
            return
        cursor = await transact(answers.page_start, listing, page) if page > 1 else None
        if cursor is None and page > 1:
            # A list from so long ago that its pages are forgotten: begin anew.
            listing, page = fresh_listing(), 1
        if kind in staff_listings.LISTS:
            await staff_listings.ask_page(call, kind, argument, cursor, listing, page)
            return
        await call.ask(
            lambda _session, me: question_of(kind, argument, me, cursor),
            kind,
            listing=listing,
            page=page,
            argument=argument,
        )
