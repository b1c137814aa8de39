"""What rewards is asked and told to do; a part of `rewards`, which names all of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, question

Category = Literal["merchandise", "gift_cards", "experiences", "services", "digital", "other"]
DeclineReason = Literal["insufficient-points", "suspended", "locked"]
RedemptionStatus = Literal[
    "requested",
    "pending",
    "approved",
    "shipped",
    "delivered",
    "declined",
    "cancelled",
    "rejected",
    "expired",
    "refunded",
]


@dataclass(frozen=True)
class CatalogueEntry:
    """An incentive as one member sees it.

    `stock` null: unlimited; `limit_left` null: no limit. `reason` says in a code why it cannot be redeemed now, null when
    it can: locked (the level is not reached), out-of-stock, limit-reached, suspended, insufficient-points, retired.
    """

    incentive_id: UUID
    name: str
    points_required: int
    category: Category
    can_redeem: bool
    points_missing: int
    is_active: bool
    description: str = ""
    stock: int | None = None
    tier: int | None = None
    sponsor: str | None = None
    image_url: str | None = None
    per_member_limit: int | None = None
    min_lifetime_points: int | None = None
    limit_left: int | None = None
    reason: str | None = None
    unlocked_at: datetime | None = None


@dataclass(frozen=True)
class Catalogue:
    """A page of the shop, cheapest first; `available` and `lifetime` are the viewer's points as rewards knows them."""

    items: list[CatalogueEntry]
    available: int
    lifetime: int
    next_cursor: str | None = None


@question("rewards.get_catalogue.v1", senders=("bot",), answer=Catalogue)
@dataclass(frozen=True)
class GetCatalogue:
    """The shop as `member_id` may see it. `words` looks in names (for autocomplete); `retired` shows what is switched off
    too, to admins only. `unlocked` keeps what the member has unlocked."""

    member_id: UUID
    category: Category | None = None
    words: str | None = None
    unlocked: bool = False
    retired: bool = False
    limit: int = 10
    cursor: str | None = None


@question("rewards.get_incentive.v1", senders=("bot",), answer=CatalogueEntry)
@dataclass(frozen=True)
class GetIncentive:
    """One incentive as `member_id` sees it, retired or not."""

    member_id: UUID
    incentive_id: UUID


@dataclass(frozen=True)
class Milestones:
    """What a member has reached, the newest first, and what is next, the nearest first. `unlocked_count` is of all; entries
    are of rewards that are in the shop."""

    available: int
    lifetime: int
    unlocked: list[CatalogueEntry]
    unlocked_count: int
    following: list[CatalogueEntry]


@question("rewards.get_milestones.v1", senders=("bot",), answer=Milestones)
@dataclass(frozen=True)
class GetMilestones:
    """Which rewards has this member unlocked, and which come next?"""

    member_id: UUID


@dataclass(frozen=True)
class RedemptionEntry:
    """A redemption with its texts, for its member and for staff. `reason` says why it was declined."""

    redemption_id: UUID
    member_id: UUID
    display_name: str | None
    reward_id: UUID
    name: str
    category: Category
    points_spent: int
    status: RedemptionStatus
    requested_at: datetime
    image_url: str | None = None
    decided_at: datetime | None = None
    note: str | None = None
    reason: DeclineReason | None = None
    tracking_info: str | None = None
    estimated_delivery: date | None = None


@question("rewards.get_redemption.v1", senders=("bot",), answer=RedemptionEntry)
@dataclass(frozen=True)
class GetRedemption:
    """One redemption: of `member_id` themselves, any for an admin, or for a card in the staff channel (`staff_channel`:
    the bot vouches that only staff read it)."""

    redemption_id: UUID
    member_id: UUID | None = None
    staff_channel: bool = False


@dataclass(frozen=True)
class Redemptions:
    """A page of redemptions; `pending` counts what waits for staff (all of it in the queue, else the member's own)."""

    items: list[RedemptionEntry]
    pending: int
    next_cursor: str | None = None


@question("rewards.get_redemptions.v1", senders=("bot",), answer=Redemptions)
@dataclass(frozen=True)
class GetRedemptions:
    """A member's own redemptions, newest first; or, `queue`, what waits for a decision, oldest first, for admins."""

    member_id: UUID
    queue: bool = False
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True)
class RedemptionOutcome:
    """A redemption as it stands after a command. `remaining_points` is there once its points are reserved."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    name: str
    points_spent: int
    status: RedemptionStatus
    remaining_points: int | None = None


@command("rewards.redeem.v1", senders=("bot",), answer=RedemptionOutcome)
@dataclass(frozen=True)
class Redeem:
    """A member spends points on a reward. `reference` (the interaction's id) names the wish: the same one redeems once.

    The answer comes when points has answered, and is then final: pending, or the problem that declined it
    (insufficient-points, out-of-stock, limit-reached, locked, suspended). `expected_points`: the price that the member
    was shown and agreed to; another one meanwhile is refused (price-changed).
    """

    member_id: UUID
    incentive_id: UUID
    reference: str
    delivery_details: str | None = None
    expected_points: int | None = None


@command("rewards.cancel_redemption.v1", senders=("bot",), answer=RedemptionOutcome)
@dataclass(frozen=True)
class CancelRedemption:
    """A member takes a redemption of theirs back, before staff have decided."""

    member_id: UUID
    redemption_id: UUID


@command("rewards.decide_redemption.v1", senders=("bot",), answer=RedemptionOutcome)
@dataclass(frozen=True)
class DecideRedemption:
    """An admin moves a redemption on. The actor must have the role admin here, whatever Discord says of them."""

    actor_member_id: UUID
    redemption_id: UUID
    decision: Literal["approve", "reject", "ship", "deliver"]
    note: str | None = None
    tracking_info: str | None = None
    estimated_delivery: date | None = None


@dataclass(frozen=True)
class IncentiveOutcome:
    """An incentive as it is after a change by an admin."""

    incentive_id: UUID
    name: str
    points_required: int
    category: Category
    is_active: bool
    version: int
    stock: int | None = None
    tier: int | None = None


@command("rewards.add_incentive.v1", senders=("bot",), answer=IncentiveOutcome)
@dataclass(frozen=True)
class AddIncentive:
    """An admin adds to the catalogue. `stock` null: unlimited. `reference` (the interaction's id): the same adds once."""

    actor_member_id: UUID
    reference: str
    name: str
    points_required: int
    stock: int | None = None
    category: Category = "other"
    description: str = ""
    tier: int | None = None
    sponsor: str | None = None
    image_url: str | None = None
    per_member_limit: int | None = None
    min_lifetime_points: int | None = None


@command("rewards.edit_incentive.v1", senders=("bot",), answer=IncentiveOutcome)
@dataclass(frozen=True)
class EditIncentive:
    """An admin changes an incentive; null leaves a field as it is. `is_active` true brings a retired one back."""

    actor_member_id: UUID
    incentive_id: UUID
    name: str | None = None
    points_required: int | None = None
    category: Category | None = None
    description: str | None = None
    tier: int | None = None
    sponsor: str | None = None
    image_url: str | None = None
    per_member_limit: int | None = None
    min_lifetime_points: int | None = None
    is_active: bool | None = None


@command("rewards.set_stock.v1", senders=("bot",), answer=IncentiveOutcome)
@dataclass(frozen=True)
class SetStock:
    """An admin says how many there are now; null: unlimited."""

    actor_member_id: UUID
    incentive_id: UUID
    stock: int | None = None


@command("rewards.retire_incentive.v1", senders=("bot",), answer=IncentiveOutcome)
@dataclass(frozen=True)
class RetireIncentive:
    """An admin takes an incentive out of the shop; redemptions of it go on."""

    actor_member_id: UUID
    incentive_id: UUID
    note: str | None = None
