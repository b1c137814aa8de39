"""What rewards says. A redemption's events carry what it is as well as what happened, so that each can be understood
without the others; their subject is the redemption, and `sequence` its version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest
from fleet.contracts.rewards_requests import (  # noqa: F401 this module names all of rewards
    AddIncentive,
    CancelRedemption,
    Catalogue,
    CatalogueEntry,
    Category,
    DecideRedemption,
    DeclineReason,
    EditIncentive,
    GetCatalogue,
    GetIncentive,
    GetMilestones,
    GetRedemption,
    GetRedemptions,
    IncentiveOutcome,
    Milestones,
    Redeem,
    RedemptionEntry,
    RedemptionOutcome,
    Redemptions,
    RedemptionStatus,
    RetireIncentive,
    SetStock,
)


@event("rewards.redemption_requested.v1")
@dataclass(frozen=True)
class RedemptionRequested:
    """A member wants a reward: stock is taken, and its points are being reserved."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    requested_at: datetime


@event("rewards.reward_redeemed.v1", public=True)
@dataclass(frozen=True)
class RewardRedeemed:
    """Points are held and stock is taken: the redemption is pending and waits for staff."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    requested_at: datetime


@event("rewards.redemption_declined.v1", public=True)
@dataclass(frozen=True)
class RedemptionDeclined:
    """The points were not reserved: nothing was spent, and the stock is back. `reason` is a code, no free text."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    reason: DeclineReason
    requested_at: datetime
    declined_at: datetime


@event("rewards.redemption_decided.v1", public=True)
@dataclass(frozen=True)
class RedemptionDecided:
    """A redemption was approved, or ended: in all states but approved its points have come back or are about to."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    status: Literal["approved", "rejected", "cancelled", "expired", "refunded"]
    requested_at: datetime
    decided_at: datetime


@event("rewards.redemption_fulfilled.v1", public=True)
@dataclass(frozen=True)
class RedemptionFulfilled:
    """An approved redemption is on its way, or has arrived."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    status: Literal["shipped", "delivered"]
    requested_at: datetime
    fulfilled_at: datetime


@event("rewards.incentive_unlocked.v1", public=True)
@dataclass(frozen=True)
class IncentiveUnlocked:
    """A member's available points reached an incentive for the first time. Told once for each of them, ever. Subject:
    the member. Several that one award unlocked together have the same `unlocked_at`, and are one piece of news."""

    member_id: UUID
    incentive_id: UUID
    points_required: int
    unlocked_at: datetime


@event("rewards.incentive_changed.v1", public=True)
@dataclass(frozen=True)
class IncentiveChanged:
    """The catalogue changed by an admin's hand (what redemptions take from the stock is not told). Subject: the
    incentive; `sequence`: its version. `stock` null: unlimited."""

    incentive_id: UUID
    change: Literal["created", "changed", "restocked", "retired", "reactivated"]
    points_required: int
    category: Category
    is_active: bool
    changed_at: datetime
    stock: int | None = None
    tier: int | None = None


@command("rewards.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what rewards holds on a member."""


@command("rewards.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget the person in rewards: what they still wait for is cancelled, what they had stays without a word."""
