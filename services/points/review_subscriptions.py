"""What points hears of review requests: they earn, and a resume with one earns once more."""

from sqlalchemy.orm import Session

from fleet import logs
from fleet.contracts.reviews import ReviewRequested
from fleet.messages import Envelope
from fleet.problems import Problem
from services.points import deeds
from services.points.heard import subscriptions

log = logs.get(__name__)


@subscriptions.handles(ReviewRequested)
def on_review_requested(session: Session, event: Envelope[ReviewRequested]) -> None:
    """Award resume_review_request, and resume_upload when a resume is attached, where their rules allow it now.

    A cooldown, a cap or a suspension is no failure of the message: the request stands, it only earns nothing.
    """
    asked = event.data
    codes = ("resume_review_request", "resume_upload") if asked.has_resume else ("resume_review_request",)
    for code in codes:
        reference = f"review:{asked.review_request_id}:{code}"
        try:
            with session.begin_nested():
                deeds.award_deed(session, asked.member_id, code, asked.requested_at, reference)
        except Problem as problem:
            log.info("review_not_awarded", activity=code, reason=problem.slug)
