"""How the shop looks in Discord: the catalogue as its viewer may use it, the question before points are spent, and what
became of a redemption."""

from typing import Any
from uuid import UUID

from fleet.contracts.rewards import Catalogue, CatalogueEntry, RedemptionEntry, RedemptionOutcome, Redemptions
from services.bot.cards import AMBER, BAD, BLUE, GOLD, GOOD, GREEN, Button, Card, Rendered, moment, plain
from services.bot.cards import points as in_points
from services.bot.presenters import leafing, presenter
from services.bot.refusals import SENT_DIRECTLY

# Ids of buttons: `shop:look:<reward>`, `shop:redeem:<reward>`, `shop:cancel:<redemption>`; `shop:leave:` has no subject.
PREFIX = "shop:"
LOOK, REDEEM, CANCEL, LEAVE = "look", "redeem", "cancel", "leave"
CATEGORIES = {
    "merchandise": "Merchandise",
    "gift_cards": "Gift cards",
    "experiences": "Experiences",
    "services": "Services",
    "digital": "Digital",
    "other": "Other",
}
# A row has five buttons, and two of them leaf.
MOST_BUTTONS = 3
_SIGNS = {
    **dict.fromkeys(("requested", "pending"), "⏳"),
    **dict.fromkeys(("approved", "shipped", "delivered"), "✅"),
    **dict.fromkeys(("declined", "rejected", "expired"), "❌"),
    **dict.fromkeys(("cancelled", "refunded"), "↩️"),
}
_STATES = {
    "requested": "is being checked",
    "pending": "waits for the staff",
    "declined": "was not possible",
}


def button_id(action: str, subject: UUID | None = None) -> str:
    """The id of a button: `shop:redeem:<id>`."""
    return f"{PREFIX}{action}:{subject or ''}"


def _label(words: str, name: str) -> str:
    """A button's text, within Discord's 80 characters. It is shown as it is: nothing in it has power."""
    text = f"{words} {' '.join(name.split())}"
    return text if len(text) <= 80 else f"{text[:79]}…"


def lacking(entry: CatalogueEntry) -> str:
    """What stands between the viewer and the reward, in words; empty when nothing does."""
    return {
        None: "",
        "insufficient-points": f"{in_points(entry.points_missing)} missing",
        "locked": f"from {in_points(entry.min_lifetime_points or 0)} earned in all",
        "out-of-stock": "none left at the moment",
        "limit-reached": "you have had all that one member may have",
        "suspended": "not while you are suspended",
        "retired": "not in the shop any more",
    }.get(entry.reason, "not for you at the moment")


def _line(entry: CatalogueEntry) -> str:
    few = f", {entry.stock:,} left" if entry.stock is not None and 0 < entry.stock <= 10 else ""
    missing = lacking(entry)
    sign = "🔓" if entry.can_redeem else "🔒"
    return f"{sign} **{plain(entry.name, 80)}** {in_points(entry.points_required)}{few}" + (
        f": {missing}" if missing else ""
    )


@presenter("shop")
def show_shop(found: Catalogue, arguments: dict[str, Any]) -> Rendered:
    """A page of the shop, cheapest first, with what each reward lacks, and buttons for those within reach."""
    category = str(arguments.get("category") or "")
    category = category if category in CATEGORIES else ""
    where = f": {CATEGORIES[category]}" if category else ""
    if not found.items:
        text = "Nothing here at the moment. The whole shop: /shop" if where else "The shop is empty at the moment."
        return Rendered(Card(title=f"Rewards{where}", text=text), short=SENT_DIRECTLY)
    within_reach = [entry for entry in found.items if entry.can_redeem][:MOST_BUTTONS]
    buttons = leafing("shop", category, arguments, found.next_cursor)
    buttons += [
        Button(_label("Get", entry.name), button_id(LOOK, entry.incentive_id), style=GOOD) for entry in within_reach
    ]
    card = Card(
        title=f"Rewards{where}",
        text="\n".join(_line(entry) for entry in found.items),
        footer=f"Page {int(arguments.get('page', 1))} · You have {in_points(found.available)} · Get one: /redeem",
        colour=GOLD,
        buttons=buttons,
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


@presenter("redeem_which")
def show_which(found: Catalogue, _arguments: dict[str, Any]) -> Rendered:
    """The reward that was named: the question whether to spend the points, or which of several is meant."""
    if not found.items:
        return Rendered(
            Card(title="No such reward", text="Nothing in the shop is called that. What there is: /shop", colour=AMBER),
            short=SENT_DIRECTLY,
        )
    if len(found.items) == 1:
        return _question(found.items[0], found.available)
    buttons = [Button(_label("", entry.name).strip(), button_id(LOOK, entry.incentive_id)) for entry in found.items]
    text = "\n".join(_line(entry) for entry in found.items)
    return Rendered(Card(title="Which one do you mean?", text=text, buttons=buttons), short=SENT_DIRECTLY)


@presenter("redeem_question")
def show_question(entry: CatalogueEntry, _arguments: dict[str, Any]) -> Rendered:
    """A reward that was chosen by its button."""
    return _question(entry, None)


def _question(entry: CatalogueEntry, available: int | None) -> Rendered:
    """Nothing is spent before this is answered."""
    fields = [("Price", in_points(entry.points_required))]
    if entry.limit_left is not None:
        fields.append(("You may still have", f"{entry.limit_left:,}"))
    if not entry.can_redeem:
        card = Card(
            title=plain(entry.name, 120),
            text=f"{plain(entry.description, 1000)}\n\nNot possible now: {lacking(entry)}.".strip(),
            fields=fields,
            footer="How to earn more: /pointvalues" if entry.points_missing else "All rewards: /shop",
            colour=AMBER,
        )
        return Rendered(card, short=SENT_DIRECTLY)
    if available is not None:
        fields.append(("You have afterwards", in_points(available - entry.points_required)))
    card = Card(
        title=f"{plain(entry.name, 120)} for {in_points(entry.points_required)}?",
        text=plain(entry.description, 1000),
        fields=fields,
        footer="The points are reserved at once, and spent when the staff approve.",
        colour=BLUE,
        buttons=[
            Button(f"Yes, for {in_points(entry.points_required)}", button_id(REDEEM, entry.incentive_id), style=GOOD),
            Button("Not now", button_id(LEAVE)),
        ],
    )
    return Rendered(card, short=SENT_DIRECTLY)


LEFT = Card(title="Nothing was spent", text="The reward is still in the shop: /shop")


@presenter("redeemed")
def show_redeemed(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """The points are reserved, and what happens next."""
    name = plain(outcome.name, 120)
    if outcome.status != "pending":
        return Rendered(
            Card(title=name, text=f"This one {state(outcome.status)}.", footer="All of yours: /redemptions")
        )
    left = f" You have **{in_points(outcome.remaining_points)}** left." if outcome.remaining_points is not None else ""
    text = f"{in_points(outcome.points_spent)} are reserved.{left} The staff look at it next, and I will tell you."
    card = Card(
        title=f"Asked for: {name}", text=text, footer="How it stands, or take it back: /redemptions", colour=GREEN
    )
    return Rendered(card, short=f"Asked for **{name}**. {SENT_DIRECTLY}")


def state(status: str) -> str:
    """How a redemption stands, as the end of a sentence about it."""
    return _STATES.get(status, f"is {status}")


@presenter("redemptions")
def show_redemptions(found: Redemptions, arguments: dict[str, Any]) -> Rendered:
    """What somebody asked for, newest first; what still waits can be taken back."""
    if not found.items:
        text = "You have not asked for a reward yet. What there is: /shop"
        return Rendered(Card(title="Your rewards", text=text), short=SENT_DIRECTLY)
    waiting = [entry for entry in found.items if entry.status == "pending"][:MOST_BUTTONS]
    buttons = leafing("redemptions", "", arguments, found.next_cursor)
    buttons += [
        Button(_label("Take back", entry.name), button_id(CANCEL, entry.redemption_id), style=BAD) for entry in waiting
    ]
    card = Card(
        title="Your rewards",
        text="\n".join(_redemption_line(entry) for entry in found.items),
        footer=f"Page {int(arguments.get('page', 1))} · More rewards: /shop",
        buttons=buttons,
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


def _redemption_line(entry: RedemptionEntry) -> str:
    said = [f"asked for {moment(entry.requested_at, 'd')}"]
    if entry.tracking_info:
        said.append(f"tracking: {plain(entry.tracking_info, 100)}")
    if entry.note:
        said.append(f"“{plain(entry.note, 120)}”")
    name, price = plain(entry.name, 80), in_points(entry.points_spent)
    return f"{_SIGNS[entry.status]} **{name}** ({price}) {state(entry.status)}: {', '.join(said)}"


@presenter("redemption_cancelled")
def show_cancelled(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """It was taken back."""
    text = f"**{plain(outcome.name, 120)}** is taken back, and your {in_points(outcome.points_spent)} are yours again."
    return Rendered(
        Card(title="Taken back", text=text, footer="What you have: /points", colour=GREEN), short=SENT_DIRECTLY
    )


@presenter("redemption_decided")
def show_decided(outcome: RedemptionOutcome, _arguments: dict[str, Any]) -> Rendered:
    """What the one who pressed a button reads; everybody else sees it on the card."""
    text = f"**{plain(outcome.name, 120)}**, {in_points(outcome.points_spent)}: it {state(outcome.status)}."
    return Rendered(Card(title=outcome.status.capitalize(), text=text, colour=GREEN))


@presenter("milestones")
def show_milestones(found: Catalogue, arguments: dict[str, Any]) -> Rendered:
    """Which rewards have come into reach so far, and which come next."""
    reached = [entry for entry in found.items if entry.unlocked_at is not None]
    ahead = [entry for entry in found.items if entry.unlocked_at is None]
    fields = []
    if reached:
        lines = [
            f"🔓 **{plain(entry.name, 80)}** {in_points(entry.points_required)}, {moment(entry.unlocked_at, 'd')}"
            for entry in reached
            if entry.unlocked_at is not None
        ]
        fields.append(("Reached", "\n".join(lines)))
    if ahead:
        fields.append(("Next", "\n".join(_ahead(entry) for entry in ahead[:5])))
    if not fields:
        fields.append(("Next", "The shop is empty at the moment."))
    card = Card(
        title="Your milestones",
        text=f"You have {in_points(found.available)} to spend, and earned {in_points(found.lifetime)} in all.",
        fields=fields,
        footer="How to earn more: /pointvalues · The shop: /shop",
        colour=GOLD,
        buttons=leafing("milestones", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


def _ahead(entry: CatalogueEntry) -> str:
    missing = lacking(entry)
    return f"🔒 **{plain(entry.name, 80)}** {in_points(entry.points_required)}" + (f": {missing}" if missing else "")
