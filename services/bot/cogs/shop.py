"""Spending points: shop, redeem, redemptions, milestones, and the buttons under their answers.

Nothing is spent by a command: it asks, and the button under the question redeems. The question's own message names the
wish, so pressing its button twice, or two at once, redeems once.
"""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands

from fleet.contracts.rewards import CancelRedemption, GetCatalogue, GetIncentive, GetRedemptions, Redeem
from services.bot.calls import Call, ClickCall, apologise, fresh_listing
from services.bot.cards import Rendered
from services.bot.client import PropelClient
from services.bot.commands import Option, command
from services.bot.refusals import Usage
from services.bot.shop_presenters import CANCEL, CATEGORIES, LEAVE, LEFT, LOOK, PREFIX, REDEEM

GROUP = "Rewards"
SHOP_PAGE, MILESTONES_PAGE, MOST_MEANT = 10, 25, 5


@command(
    "shop",
    "What you can get for your points, and what is missing for the rest",
    Option("category", "choice", "only these", choices=tuple(CATEGORIES)),
    group=GROUP,
)
async def shop(call: Call, category: Any = None) -> None:
    """The shop as the caller may use it, cheapest first."""
    await call.ask(
        lambda _session, me: GetCatalogue(member_id=me, category=category, limit=SHOP_PAGE),
        "shop",
        listing=fresh_listing(),
        category=category,
    )


@command(
    "redeem",
    "Get a reward for your points; you are asked before they are spent",
    Option("reward", "reward", "which: its name, or a part of it", True),
    group=GROUP,
)
async def redeem(call: Call, reward: str) -> None:
    """By its id, which the suggestions give, or by words of its name."""
    try:
        chosen = UUID(reward.strip())
    except ValueError:
        words = reward.strip()[:100]
        await call.ask(lambda _session, me: GetCatalogue(member_id=me, words=words, limit=MOST_MEANT), "redeem_which")
        return
    await call.ask(lambda _session, me: GetIncentive(member_id=me, incentive_id=chosen), "redeem_question")


@command("redemptions", "What you asked for, and how it stands", group=GROUP)
async def redemptions(call: Call) -> None:
    """The caller's own, newest first."""
    await call.ask(lambda _session, me: GetRedemptions(member_id=me), "redemptions", listing=fresh_listing())


@command("milestones", "The rewards you have reached, and the next ones", group=GROUP)
async def milestones(call: Call) -> None:
    """Cheapest first, so what was reached comes before what is ahead."""
    await call.ask(
        lambda _session, me: GetCatalogue(member_id=me, limit=MILESTONES_PAGE), "milestones", listing=fresh_listing()
    )


def parse(custom_id: str) -> tuple[str, UUID | None]:
    """Action and subject of a button's id. Raises Usage for one that is not ours (any more)."""
    try:
        action, subject = custom_id.removeprefix(PREFIX).split(":", 1)
        return action, UUID(subject) if subject else None
    except ValueError as error:
        raise Usage("This button is not known any more. The shop: /shop") from error


class ShopButtons(commands.Cog):
    """Takes the clicks under the shop, under the question before spending, and under one's redemptions."""

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
            message_id = interaction.message.id if interaction.message else interaction.id
            await self._carry_out(call, *parse(custom_id), message_id)
        except Exception as error:
            await apologise(call, error)

    async def _carry_out(self, call: ClickCall, action: str, subject: UUID | None, message_id: int) -> None:
        if action == LEAVE:
            await call.answer(Rendered(LEFT))
        elif subject is None:
            raise Usage("This button is not known any more. The shop: /shop")
        elif action == LOOK:
            await call.ask(lambda _session, me: GetIncentive(member_id=me, incentive_id=subject), "redeem_question")
        elif action == REDEEM:
            # Whose wish it is, too: were the question ever read by somebody else, their press would be their own.
            wish = f"{message_id}:{call.person.discord_id}"
            await call.ask(lambda _session, me: Redeem(member_id=me, incentive_id=subject, reference=wish), "redeemed")
        elif action == CANCEL:
            await call.ask(
                lambda _session, me: CancelRedemption(member_id=me, redemption_id=subject), "redemption_cancelled"
            )
        else:
            raise Usage("This button is not known any more. The shop: /shop")
