"""What admins correct from Discord."""

from sqlalchemy.orm import Session

from fleet.contracts import points
from fleet.messages import Envelope
from services.points import corrections
from services.points.heard import subscriptions


@subscriptions.handles(points.AdjustPoints)
def adjust_points(session: Session, command: Envelope[points.AdjustPoints]) -> points.AdjustmentOutcome:
    """Correct a member's points, within what one admin may move by Discord."""
    asked = command.data
    made = corrections.adjust_by_discord(
        session, asked.member_id, asked.points, asked.reason, actor=asked.actor_member_id
    )
    return points.AdjustmentOutcome(
        status="applied" if made.transfer else "pending",
        adjustment_id=made.adjustment.id,
        points=asked.points,
        available=made.balance.available,
        lifetime=made.balance.lifetime,
    )
