"""What rewards says. A redemption's events carry what it is as well as what happened, so that each can be understood
without the others; their subject is the redemption, and `sequence` its version."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import event


@event("rewards.reward_redeemed.v1", public=True)
@dataclass(frozen=True)
class RewardRedeemed:
    """Points are held and stock is taken: the redemption is pending and waits for staff."""

    redemption_id: UUID
    member_id: UUID
    reward_id: UUID
    points_spent: int
    requested_at: datetime


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
