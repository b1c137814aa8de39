"""How the catalogue looks to the admins who keep it."""

from typing import Any

from fleet.contracts.rewards import Catalogue, CatalogueEntry, IncentiveOutcome
from services.bot.cards import AMBER, BLUE, GREEN, Card, Rendered, plain
from services.bot.cards import points as in_points
from services.bot.presenters import leafing, presenter
from services.bot.refusals import SENT_DIRECTLY

_DONE = {
    "added": "is in the shop",
    "changed": "is changed",
    "stocked": "has a new stock",
    "retired": "is out of the shop",
}


def _stock(stock: int | None) -> str:
    return "unlimited" if stock is None else f"{stock:,} left"


@presenter("catalogue")
def show_catalogue(found: Catalogue, arguments: dict[str, Any]) -> Rendered:
    """All rewards, in the shop or not: a page of lines, however many there are."""
    if not found.items:
        text = "The catalogue is empty. Put something in: `/add_reward`"
        return Rendered(Card(title="Catalogue", text=text), short=SENT_DIRECTLY)
    page = int(arguments.get("page", 1))
    card = Card(
        title="Catalogue",
        text="\n".join(_line(entry) for entry in found.items),
        footer=f"Page {page} · /edit_reward, /set_stock and /retire_reward take a name",
        colour=BLUE,
        buttons=leafing("catalogue", "", arguments, found.next_cursor),
    )
    return Rendered(card, short=SENT_DIRECTLY, next_cursor=found.next_cursor)


def _line(entry: CatalogueEntry) -> str:
    said = [in_points(entry.points_required), _stock(entry.stock), entry.category.replace("_", " ")]
    if entry.tier is not None:
        said.append(f"tier {entry.tier}")
    if entry.per_member_limit is not None:
        said.append(f"at most {entry.per_member_limit:,} each")
    if entry.min_lifetime_points is not None:
        said.append(f"from {entry.min_lifetime_points:,} lifetime points")
    if entry.sponsor:
        said.append(f"by {plain(entry.sponsor, 40)}")
    sign = "🟢" if entry.is_active else "⚪ retired"
    return f"{sign} **{plain(entry.name, 80)}**: {', '.join(said)}"


@presenter("incentive")
def show_incentive(outcome: IncentiveOutcome, arguments: dict[str, Any]) -> Rendered:
    """What a reward is after a change."""
    done = _DONE[str(arguments.get("done", "changed"))]
    card = Card(
        title=f"{plain(outcome.name, 100)} {done}",
        fields=[
            ("Costs", in_points(outcome.points_required)),
            ("Stock", _stock(outcome.stock)),
            ("Category", outcome.category.replace("_", " ")),
            ("In the shop", "Yes" if outcome.is_active else "No"),
        ],
        footer=f"Version {outcome.version:,} · The whole catalogue: /rewards",
        colour=GREEN if outcome.is_active else AMBER,
    )
    return Rendered(card, short=SENT_DIRECTLY)
