"""What points tells: balances, which unlock, and what became of holds, which moves redemptions on.

A balance is applied before the redemption's step, so that whoever is answered then hears what is left.
"""

from typing import Any

from sqlalchemy.orm import Session

from fleet import logs
from fleet.contracts.points import (
    ActivityLogged,
    BalanceJoined,
    HoldCaptured,
    HoldRefused,
    HoldReleased,
    PointsAdjusted,
    PointsHeld,
    PointsRefunded,
)
from fleet.messages import Envelope
from fleet.problems import NotFound
from services.rewards import redemptions, unlocks
from services.rewards.heard import subscriptions

log = logs.get(__name__)


def _balance(event: Envelope[Any]) -> unlocks.Heard:
    data = event.data
    return unlocks.Heard(data.member_id, event.sequence or 0, data.available, data.lifetime)


def on_balance(session: Session, event: Envelope[Any]) -> None:
    """A member's balance is another one now."""
    unlocks.keep(session, [_balance(event)])


subscriptions.handles(ActivityLogged)(on_balance)
subscriptions.handles(PointsAdjusted)(on_balance)
subscriptions.handles(BalanceJoined)(on_balance)


@subscriptions.handles_together(ActivityLogged)
def on_activities_logged(session: Session, events: list[Envelope[ActivityLogged]]) -> list[None]:
    """Many awards at once: one statement for all of their members."""
    unlocks.keep(session, [_balance(event) for event in events])
    return [None] * len(events)


def on_hold(session: Session, event: Envelope[Any]) -> None:
    """Points said what became of a redemption's hold."""
    unlocks.keep(session, [_balance(event)])
    try:
        redemptions.advance(session, event.data.redemption_id, event.data, redemptions.POINTS)
    except NotFound:
        # Nothing is held before its redemption was committed: this database was set back. The reconciler mends it.
        log.error("redemption_not_known", redemption_id=str(event.data.redemption_id), word=event.type)


for _word in (PointsHeld, HoldRefused, HoldCaptured, HoldReleased, PointsRefunded):
    subscriptions.handles(_word)(on_hold)
