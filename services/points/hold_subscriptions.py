"""What rewards asks of points: hold, capture, release, refund. The outcome of each is an event."""

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
