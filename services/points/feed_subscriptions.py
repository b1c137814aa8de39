"""What points hears of the shop and of review sessions: for the activity feed, and for the next reward in reach."""

from sqlalchemy.orm import Session

from fleet.contracts.reviews import SessionCompleted
from fleet.contracts.rewards import IncentiveChanged, RedemptionDecided, RedemptionFulfilled, RewardRedeemed
from fleet.messages import Envelope
from services.points import feed, shop_prices
from services.points.heard import subscriptions


@subscriptions.handles(RewardRedeemed)
def on_reward_redeemed(session: Session, event: Envelope[RewardRedeemed]) -> None:
    """A redemption waits for staff."""
    feed.note_redemption(session, event.data, "pending", event.data.requested_at, event.sequence or 0)


@subscriptions.handles(RedemptionDecided)
def on_redemption_decided(session: Session, event: Envelope[RedemptionDecided]) -> None:
    """A redemption was approved, or ended."""
    feed.note_redemption(session, event.data, event.data.status, event.data.decided_at, event.sequence or 0)


@subscriptions.handles(RedemptionFulfilled)
def on_redemption_fulfilled(session: Session, event: Envelope[RedemptionFulfilled]) -> None:
    """A redemption was shipped or delivered."""
    feed.note_redemption(session, event.data, event.data.status, event.data.fulfilled_at, event.sequence or 0)


@subscriptions.handles(SessionCompleted)
def on_session_completed(session: Session, event: Envelope[SessionCompleted]) -> None:
    """A review session took place."""
    feed.note_session(session, event.data, event.sequence or 0)


@subscriptions.handles(IncentiveChanged)
def on_incentive_changed(session: Session, event: Envelope[IncentiveChanged]) -> None:
    """A reward came into the shop, changed its price or was retired."""
    shop_prices.note(session, event.data, event.sequence or 0)
