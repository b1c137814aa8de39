"""The catalogue from Discord, for admins: rewards decides who is one, and what a reward may be.

A reward is chosen from the list, or named: exactly, or by a part of its name that only one has.
"""

from typing import Any, Literal

from fleet.contracts.rewards import AddIncentive, Category, EditIncentive, RetireIncentive, SetStock
from services.bot import catalogue_presenters, staff_listings  # noqa: F401 presenters by name
from services.bot.calls import Call
from services.bot.commands import STAFF, Option, command, whole_number
from services.bot.refusals import Usage
from services.bot.shop_presenters import CATEGORIES
from services.bot.suggesting import reward_meant

UNLIMITED = "unlimited"
LARGEST = 1_000_000_000
REWARD = Option("reward", "any_reward", "which one: choose it from the list, or write its name", True)
# What may be said of a reward beside its name and price.
DETAILS = (
    Option("category", "choice", "what kind of thing it is", choices=CATEGORIES, named=True),
    Option("description", "text", "what it is, in a few sentences", named=True),
    Option("sponsor", "text", "who gives it", named=True),
    Option("tier", "number", "1 to 4", named=True, least=1, most=4),
    Option("limit", "number", "how many of it one member may have", named=True, least=1, most=10_000),
    Option("level", "number", "lifetime points from which on it can be had", named=True, least=1, most=LARGEST),
    Option("image", "text", "the address of a picture", named=True),
)
# As the contract calls what is shorter to type.
_FIELDS = {
    "limit": "per_member_limit",
    "level": "min_lifetime_points",
    "image": "image_url",
    "points": "points_required",
}


def fields_of(given: dict[str, Any]) -> dict[str, Any]:
    """Options by the names of the fields they are for."""
    return {_FIELDS.get(name, name): value for name, value in given.items() if value is not None}


def stock_of(words: str) -> int | None:
    """How many there are, None for unlimited. Raises Usage."""
    cleaned = words.strip().lower()
    if cleaned and UNLIMITED.startswith(cleaned) and len(cleaned) > 1:
        return None
    return whole_number(Option("stock", "number", f"or `{UNLIMITED}`", least=0, most=LARGEST), words)


@command("rewards", "The whole catalogue, with what is retired", group=STAFF)
async def rewards(call: Call) -> None:
    """Cheapest first."""
    await staff_listings.ask_page(call, "catalogue")


@command(
    "add_reward",
    "Put a new reward into the shop",
    Option("points", "number", "what it costs", True, least=1, most=LARGEST),
    Option("name", "text", "what it is called", True),
    Option("stock", "text", f"how many there are; {UNLIMITED} when left out", named=True),
    *DETAILS,
    group=STAFF,
)
async def add_reward(
    call: Call,
    points: int,
    name: str,
    stock: str = UNLIMITED,
    category: Category | None = None,
    description: str | None = None,
    sponsor: str | None = None,
    tier: int | None = None,
    limit: int | None = None,
    level: int | None = None,
    image: str | None = None,
) -> None:
    """Once for each time the command is given."""
    said = {"category": category, "description": description, "sponsor": sponsor, "tier": tier}
    fields = fields_of(said | {"limit": limit, "level": level, "image": image})
    count, reference = stock_of(stock), call.correlation
    await call.ask(
        lambda _session, me: AddIncentive(me, reference, name.strip(), points, count, **fields),
        "incentive",
        done="added",
    )


@command(
    "edit_reward",
    "Change a reward; what you do not name stays as it is",
    REWARD,
    Option("name", "text", "its new name", named=True),
    Option("points", "number", "what it costs from now on", named=True, least=1, most=LARGEST),
    *DETAILS,
    Option("active", "choice", "whether it is in the shop", choices=("yes", "no"), named=True),
    group=STAFF,
)
async def edit_reward(
    call: Call,
    reward: str,
    name: str | None = None,
    points: int | None = None,
    category: Category | None = None,
    description: str | None = None,
    sponsor: str | None = None,
    tier: int | None = None,
    limit: int | None = None,
    level: int | None = None,
    image: str | None = None,
    active: Literal["yes", "no"] | None = None,
) -> None:
    """Price and name hold for redemptions from now on."""
    said = {"name": name, "points": points, "category": category, "description": description, "sponsor": sponsor}
    fields = fields_of(said | {"tier": tier, "limit": limit, "level": level, "image": image})
    if active is not None:
        fields["is_active"] = active == "yes"
    if not fields:
        raise Usage("Say what is to change, for example `/edit_reward` with points, or `!edit_reward Mug points: 80`.")
    await call.acknowledge()
    incentive_id = await reward_meant(call.person, reward)
    await call.ask(lambda _session, me: EditIncentive(me, incentive_id, **fields), "incentive", done="changed")


@command(
    "set_stock",
    "Say how many of a reward there are now",
    Option("stock", "text", f"the number that is there, or {UNLIMITED}", True),
    REWARD,
    group=STAFF,
)
async def set_stock(call: Call, stock: str, reward: str) -> None:
    """The number itself, not what comes in addition."""
    count = stock_of(stock)
    await call.acknowledge()
    incentive_id = await reward_meant(call.person, reward)
    await call.ask(lambda _session, me: SetStock(me, incentive_id, count), "incentive", done="stocked")


@command(
    "retire_reward",
    "Take a reward out of the shop; redemptions of it go on",
    REWARD,
    Option("note", "text", "why, for its history", named=True),
    group=STAFF,
)
async def retire_reward(call: Call, reward: str, note: str | None = None) -> None:
    """Nothing is deleted: /edit_reward brings it back."""
    await call.acknowledge()
    incentive_id = await reward_meant(call.person, reward)
    await call.ask(lambda _session, me: RetireIncentive(me, incentive_id, note), "incentive", done="retired")
