"""How the shop looks: what there is and what each lacks, the question before spending, and what became of a redemption.

Buttons carry what they are about in their ids, so they work after any restart. The question carries a wish of its own, a
name made once: however often its button is pressed, and by whichever answer it is told, the wish is granted once.
"""

from typing import Any, get_args
from uuid import UUID

from fleet.contracts.rewards import (
    Catalogue,
    CatalogueEntry,
    Category,
    Milestones,
    RedemptionEntry,
    RedemptionOutcome,
    Redemptions,
)
from services.bot.cards import AMBER, BAD, BLUE, GOLD, GOOD, GREEN, Button, Card, Rendered, label, moment, plain
from services.bot.cards import points as in_points
from services.bot.presenters import leafing, presenter
from services.bot.refusals import SENT_DIRECTLY, Usage
from services.bot.suggesting import the_one

CATEGORIES: tuple[str, ...] = get_args(Category)
PREFIX = "shop:"
WANT, YES, DETAILS, NO, CANCEL = "want", "yes", "details", "no", "cancel"
# While a member may still take it back themselves.
OPEN = ("requested", "pending")
STATES = {
    "requested": ("⏳", "points are being reserved"),
    "pending": ("⏳", "waits for the staff"),
    "approved": ("✅", "approved"),
    "shipped": ("📦", "on its way"),
    "delivered": ("🎁", "delivered"),
    "declined": ("❌", "declined"),
    "cancelled": ("↩️", "cancelled"),
    "rejected": ("❌", "not approved"),
    "expired": ("⌛", "expired"),
    "refunded": ("↩️", "refunded"),
}
_NEXT_STEP = {
    "insufficient-points": "How to earn some: `/pointvalues`.",
    "locked": "How to earn more: `/pointvalues`.",
    "out-of-stock": "Ask the staff whether more are coming, or choose another one: `/shop`.",
    "limit-reached": "What else there is: `/shop`.",
    "suspended": "Until when: `/points`.",
    "retired": "What there is: `/shop`.",
}


def want_id(incentive_id: UUID) -> str:
    """The id of a button that asks for a reward."""
    return f"{PREFIX}{WANT}:{incentive_id}"


def wish_id(action: str, incentive_id: UUID, price: int, wish: str) -> str:
    """The id of a button under the question before spending: which reward, at which price, by which wish."""
    return f"{PREFIX}{action}:{incentive_id}:{price}:{wish}"


def cancel_id(redemption_id: UUID) -> str:
    """The id of a button that takes a redemption back."""
    return f"{PREFIX}{CANCEL}:{redemption_id}"


def lacks(entry: CatalogueEntry, lifetime: int | None = None) -> str:
    """What stands between the member and a reward, in words; empty when nothing does."""
    if entry.reason == "insufficient-points":
        return f"you need {in_points(entry.points_missing)} more"
    if entry.reason == "locked":
        level = entry.min_lifetime_points or 0
        so_far = "" if lifetime is None else f"; so far you have earned {lifetime:,}"
        return f"locked: for members who have earned {in_points(level)} in all{so_far}"
    words = {
        "out-of-stock": "out of stock",
        "limit-reached": f"you have had as many as one may have ({entry.per_member_limit or 0:,})",
        "suspended": "you are suspended and cannot spend points",
        "retired": "not in the shop any more",
    }
    return words.get(entry.reason or "", "")


def _stock(entry: CatalogueEntry) -> str:
    if entry.stock is None:
        return ""
    return f", {entry.stock:,} left" if entry.stock else ""


@presenter("shop")
def show_shop(shop: Catalogue, arguments: dict[str, Any]) -> Rendered:
    """A page of the shop, cheapest first, with a button for each reward that the member can have now."""
    page, category = int(arguments.get("page", 1)), str(arguments.get("argument", ""))
    title = f"The shop: {category.replace('_', ' ')}" if category else "The shop"
    if not shop.items:
        text = "There is nothing here at the moment. Everything there is: `/shop`" if category else "The shop is empty."
        return Rendered(Card(title=title, text=text), short=SENT_DIRECTLY)
    lines = []
    for entry in shop.items:
        missing = lacks(entry, shop.lifetime)
        state = f"🔒 {missing}" if missing else "✅ you can have it"
        lines.append(f"**{plain(entry.name, 100)}**: {in_points(entry.points_required)}{_stock(entry)}\n{state}")
    choices = [
        Button(f"Redeem {label(entry.name)}", want_id(entry.incentive_id), style=GOOD)
        for entry in shop.items
        if entry.can_redeem
    ]
    card = Card(
        title=title,
        text="\n".join(lines),
        footer=f"Page {page} · You have {in_points(shop.available)} · Spend some: /redeem",
        colour=GOLD,
        choices=choices,
        buttons=leafing("shop", category, arguments, shop.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=shop.next_cursor)


@presenter("redeem_named")
def show_named(found: Catalogue, arguments: dict[str, Any]) -> Rendered:
    """The question about the reward that somebody named, if it is clear which one they mean."""
    try:
        return show_question(the_one(found.items, str(arguments.get("words", ""))), arguments)
    except Usage as unclear:
        return Rendered(Card(title="Which reward?", text=str(unclear), colour=AMBER), short=SENT_DIRECTLY)


@presenter("redeem_question")
def show_question(entry: CatalogueEntry, arguments: dict[str, Any]) -> Rendered:
    """Whether the points are really to be spent; or why they cannot be."""
    name = plain(entry.name, 100)
    if not entry.can_redeem:
        text = (
            f"{name} costs {in_points(entry.points_required)}: {lacks(entry)}. {_NEXT_STEP.get(entry.reason or '', '')}"
        )
        return Rendered(Card(title="Not yet", text=text, colour=AMBER), short=SENT_DIRECTLY)
    price, wish = entry.points_required, str(arguments["wish"])
    fields = [("What it is", plain(entry.description, 1000))] if entry.description else []
    if entry.limit_left is not None:
        fields.append(("How often", f"You can have it {entry.limit_left:,} more {_times(entry.limit_left)}."))
    card = Card(
        title=f"Spend {in_points(price)} on {name}?",
        text="The points are reserved at once and spent when the staff approve. Until then you can take it back: "
        "`/redemptions`.",
        fields=fields,
        colour=BLUE,
        buttons=[
            Button(f"Yes, spend {in_points(price)}", wish_id(YES, entry.incentive_id, price, wish), style=GOOD),
            Button("Yes, with delivery details", wish_id(DETAILS, entry.incentive_id, price, wish)),
            Button("No", f"{PREFIX}{NO}"),
        ],
    )
    return Rendered(card, short=SENT_DIRECTLY)


def _times(number: int) -> str:
    return "time" if number == 1 else "times"


NOTHING_SPENT = Card(title="Nothing was spent", text="You keep your points. What else there is: `/shop`")


@presenter("redeemed")
def show_redeemed(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """What became of the wish, with what is left."""
    name, sign = plain(outcome.name, 100), STATES[outcome.status][0]
    if outcome.status != "pending":
        return Rendered(_as_it_stands(outcome), short=SENT_DIRECTLY)
    left = "" if outcome.remaining_points is None else f" You have {in_points(outcome.remaining_points)} left."
    card = Card(
        title=f"{sign} Asked for: {name}",
        text=f"{in_points(outcome.points_spent)} are reserved.{left} The staff look at it next; I will tell you what they say.",
        footer="How it stands, and taking it back: /redemptions",
        colour=GREEN,
    )
    return Rendered(card, short=f"Asked for: **{name}**. {SENT_DIRECTLY}")


def _as_it_stands(outcome: RedemptionOutcome) -> Card:
    sign, state = STATES[outcome.status]
    back = " Your points are available again, or will be in a moment." if outcome.status == "cancelled" else ""
    return Card(
        title=f"{sign} {plain(outcome.name, 100)}: {state}",
        text=f"It cost {in_points(outcome.points_spent)}.{back}",
        footer="All of yours: /redemptions",
        colour=BLUE,
    )


@presenter("redemption_cancelled")
def show_cancelled(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """The member took it back."""
    return Rendered(_as_it_stands(outcome), short=SENT_DIRECTLY)


@presenter("redemption_decided")
def show_decided(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """What the one who decided reads; everybody else of the staff sees it on the card."""
    sign, state = STATES[outcome.status]
    text = f"{sign} {plain(outcome.name, 100)} ({in_points(outcome.points_spent)}): {state}. The member is told."
    return Rendered(Card(title="Decided", text=text, colour=GREEN), short=SENT_DIRECTLY)


@presenter("redemptions")
def show_redemptions(found: Redemptions, arguments: dict[str, Any]) -> Rendered:
    """What a member redeemed, newest first, with a button for each that they may still take back."""
    if not found.items:
        text = "You have not redeemed anything yet. What your points can become: `/shop`"
        return Rendered(Card(title="Your redemptions", text=text), short=SENT_DIRECTLY)
    page = int(arguments.get("page", 1))
    lines = [line for entry in found.items for line in _lines(entry)]
    choices = [
        Button(f"Cancel {label(entry.name)}", cancel_id(entry.redemption_id), style=BAD)
        for entry in found.items
        if entry.status in OPEN
    ]
    card = Card(
        title="Your redemptions",
        text="\n".join(lines),
        footer=f"Page {page} · {found.pending:,} waiting for the staff · More: /shop",
        choices=choices,
        buttons=leafing("redemptions", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


def _lines(entry: RedemptionEntry) -> list[str]:
    sign, state = STATES[entry.status]
    lines = [
        f"{sign} **{plain(entry.name, 100)}**, {in_points(entry.points_spent)}: {state}, asked for "
        f"{moment(entry.requested_at, 'd')}"
    ]
    if entry.note:
        lines.append(f"  They wrote: {plain(entry.note, 200)}")
    if entry.tracking_info:
        lines.append(f"  Tracking: {plain(entry.tracking_info, 200)}")
    if entry.estimated_delivery and entry.status == "shipped":
        lines.append(f"  Expected: {entry.estimated_delivery.isoformat()}")
    return lines


@presenter("milestones")
def show_milestones(found: Milestones, _arguments: dict[str, Any]) -> Rendered:
    """What the member's points have reached, and what comes next."""
    fields: list[tuple[str, str]] = []
    if found.unlocked:
        lines = [
            f"**{plain(entry.name, 100)}**, {in_points(entry.points_required)}"
            + (f", {moment(entry.unlocked_at, 'd')}" if entry.unlocked_at else "")
            for entry in found.unlocked
        ]
        more = found.unlocked_count - len(found.unlocked)
        fields.append(
            (f"Unlocked: {found.unlocked_count:,}", "\n".join(lines + ([f"and {more:,} more"] if more else [])))
        )
    if found.following:
        ahead = [
            f"**{plain(entry.name, 100)}**, {in_points(entry.points_required)}: {_distance(entry, found)}"
            for entry in found.following
        ]
        fields.append(("Next", "\n".join(ahead)))
    card = Card(
        title="Your milestones",
        text="" if fields else "There are no rewards at the moment. Have a look again soon.",
        fields=fields,
        footer=f"You have {in_points(found.available)} · All rewards: /shop · How to earn: /pointvalues",
        colour=GOLD,
    )
    return Rendered(card, short=SENT_DIRECTLY)


def _distance(entry: CatalogueEntry, found: Milestones) -> str:
    level = entry.min_lifetime_points or 0
    parts = [f"{in_points(entry.points_missing)} to go"] if entry.points_missing else []
    if found.lifetime < level:
        parts.append(f"{in_points(level - found.lifetime)} more to earn in all")
    return ", ".join(parts)
