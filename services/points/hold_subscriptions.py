"""What rewards asks of points: hold, capture, release, refund, each with an event as its outcome; and what is held."""

from sqlalchemy.orm import Session

from fleet.contracts import points
from fleet.messages import Envelope
from services.points import holds
from services.points.heard import subscriptions


@subscriptions.handles(points.PlaceHold)
def place_hold(session: Session, command: Envelope[points.PlaceHold]) -> None:
    """Reserve the points of a redemption."""
    asked = command.data
    holds.place(session, asked.redemption_id, asked.member_id, asked.points, asked.min_lifetime_points)


@subscriptions.handles(points.CaptureHold)
def capture_hold(session: Session, command: Envelope[points.CaptureHold]) -> None:
    """Spend what is held."""
    holds.capture(session, command.data.redemption_id)


@subscriptions.handles(points.ReleaseHold)
def release_hold(session: Session, command: Envelope[points.ReleaseHold]) -> None:
    """Give back what is held."""
    holds.release(session, command.data.redemption_id, command.data.member_id)


@subscriptions.handles(points.Refund)
def refund(session: Session, command: Envelope[points.Refund]) -> None:
    """Give back what was spent."""
    holds.refund(session, command.data.redemption_id, command.data.points, command.data.reason)


@subscriptions.handles(points.GetHolds)
def get_holds(session: Session, question: Envelope[points.GetHolds]) -> points.Holds:
    """A page of holds, for the comparison with redemptions."""
    found, more = holds.listed(session, question.data.after, question.data.limit)
    items = [
        points.HoldEntry(
            redemption_id=hold.redemption_id,
            member_id=hold.member_id,
            state=hold.state,  # type: ignore[arg-type]
            points=hold.points,
            refunded_points=hold.refunded_points,
            changed_at=hold.changed_at,
        )
        for hold in found
    ]
    return points.Holds(items, more)
