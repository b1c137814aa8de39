"""What the bot asks of entries of the points log."""

from sqlalchemy.orm import Session

from fleet.contracts import points
from fleet.messages import Envelope
from services.points import reports
from services.points.heard import subscriptions


@subscriptions.handles(points.GetReceipt)
def get_receipt(session: Session, question: Envelope[points.GetReceipt]) -> points.Receipt:
    """Why an entry is there."""
    return reports.receipt(session, question.data.member_id, question.data.number)
