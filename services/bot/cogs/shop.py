"""The shop in Discord: what there is, spending points after a question, what was redeemed, milestones.

A wish is named when its question is asked, and the name travels in the buttons: pressed twice, or told twice to rewards,
it redeems once. The price travels too, so nobody spends more than they were shown.
"""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands
from sqlalchemy.orm import Session

from fleet.contracts.rewards import (
    CancelRedemption,
    Category,
    GetCatalogue,
    GetIncentive,
    GetMilestones,
    GetRedemptions,
    Redeem,
)
from services.bot.calls import Call, ClickCall, apologise, fresh_listing
from services.bot.cards import Rendered
from services.bot.client import PropelClient
from services.bot.commands import Option, command
from services.bot.forms import PARAGRAPH, filled_in, form, open_form
from services.bot.refusals import Usage
from services.bot.shop_presenters import (
    CANCEL,
    CATEGORIES,
    DETAILS,
    NO,
    NOTHING_SPENT,
    PREFIX,
    WANT,
    YES,
    wish_id,
)
from services.bot.suggesting import as_id

GROUP = "Rewards"
LONGEST_DETAILS = 1000


@command(
    "shop",
    "What your points can become, and what each reward still lacks",
    Option("category", "choice", "one kind of reward only", choices=CATEGORIES),
    group=GROUP,
)
async def shop(call: Call, category: Category | None = None) -> None:
    """The rewards there are, cheapest first."""
    await call.ask(
        lambda _session, me: GetCatalogue(member_id=me, category=category),
        "shop",
        listing=fresh_listing(),
        argument=category or "",
    )


@command(
    "redeem",
    "Spend points on a reward; you are asked before anything is spent",
    Option("reward", "reward", "which one: choose it from the list, or write its name", True),
    group=GROUP,
)
async def redeem(call: Call, reward: str) -> None:
    """Asks whether the points are to be spent; the button does it."""
    await ask_first(call, reward)


async def ask_first(call: Call, reward: str) -> None:
    """The question before spending, about a reward by its id or name."""
    wish = fresh_listing()
    if (incentive_id := as_id(reward)) is not None:
        await call.ask(lambda _session, me: GetIncentive(me, incentive_id), "redeem_question", wish=wish)
        return
    words = reward.strip()[:100]
    if not words:
        raise Usage("Tell me which reward: choose it from the list, or write its name. All of them: `/shop`.")
    await call.ask(
        lambda _session, me: GetCatalogue(member_id=me, words=words, limit=25), "redeem_named", wish=wish, words=words
    )


@command("redemptions", "What you redeemed, how it stands, and taking it back", group=GROUP)
async def redemptions(call: Call) -> None:
    """The caller's own, newest first."""
    await call.ask(lambda _session, me: GetRedemptions(member_id=me), "redemptions", listing=fresh_listing())


@command("milestones", "Which rewards you have unlocked, and which come next", group=GROUP)
async def milestones(call: Call) -> None:
    """Reached and ahead."""
    await call.ask(lambda _session, me: GetMilestones(member_id=me), "milestones")


def parse(custom_id: str) -> tuple[str, list[str]]:
    """What a button of the shop does, and the words it carries."""
    action, *words = custom_id.removeprefix(PREFIX).split(":")
    return action, words


def details_form(custom_id: str) -> dict[str, Any]:
    """Asks where it should go."""
    words = {
        "custom_id": "details",
        "style": PARAGRAPH,
        "label": "Where should it go? Only the staff read this.",
        "required": True,
        "max_length": LONGEST_DETAILS,
    }
    return form(custom_id, "Delivery details", words)


class ShopButtons(commands.Cog):
    """Takes what is pressed in the shop: asking for a reward, saying yes or no, taking one back."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take what is ours."""
        data: Any = interaction.data or {}
        if not str(data.get("custom_id", "")).startswith(PREFIX):
            return
        call = ClickCall(self.client, interaction)
        try:
            action, words = parse(str(data["custom_id"]))
            if action == DETAILS and interaction.type is nextcord.InteractionType.component:
                await open_form(self.client, interaction, details_form(wish_id(DETAILS, UUID(words[0]), *_wish(words))))
            else:
                await self._pressed(call, action, words, filled_in(data).get("details", "").strip() or None)
        except (ValueError, IndexError):
            await apologise(call, Usage("This button is not known any more. What there is: `/shop`"))
        except Exception as error:
            await apologise(call, error)

    async def _pressed(self, call: ClickCall, action: str, words: list[str], details: str | None) -> None:
        if action == WANT:
            await ask_first(call, words[0])
        elif action in (YES, DETAILS):
            await _spend(call, UUID(words[0]), *_wish(words), details)
        elif action == CANCEL:
            redemption_id = UUID(words[0])
            await call.ask(lambda _session, me: CancelRedemption(me, redemption_id), "redemption_cancelled")
        elif action == NO:
            await call.answer(Rendered(NOTHING_SPENT))
        else:
            raise ValueError(action)


def _wish(words: list[str]) -> tuple[int, str]:
    """The price that was shown, and the name of the wish."""
    return int(words[1]), words[2]


async def _spend(call: ClickCall, incentive_id: UUID, price: int, wish: str, details: str | None) -> None:
    presser = call.person.discord_id

    def build(_session: Session, me: UUID) -> Redeem:
        reference = f"{presser}:{wish}"
        return Redeem(me, incentive_id, reference, delivery_details=details, expected_points=price)

    await call.ask(build, "redeemed")
