"""What points counts of itself: see fleet/survey.py."""

from typing import Any

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.points.correction_models import Hold
from services.points.submission_models import Evidence, Submission

submissions = Gauge("submissions_pending", "Submissions that wait for staff")
submission_age = Gauge("submissions_oldest_pending_seconds", "Age of the oldest submission that waits for staff")
evidence = Gauge("evidence_fetching", "Attachments of Discord that are still to be fetched")
holds = Gauge("holds_open", "Redemptions for which points are reserved")
points_held = Gauge("points_held", "Points that are reserved for redemptions")
hold_age = Gauge("holds_oldest_open_seconds", "Age of the oldest reservation that is open")


def count(session: Session) -> None:
    """Set all of them."""
    pending = select(func.count(), _age(func.min(Submission.submitted_at))).where(Submission.status == "pending")
    held = select(func.count(), func.coalesce(func.sum(Hold.points), 0), _age(func.min(Hold.created_at)))
    fetching = select(func.count()).select_from(Evidence).where(Evidence.status == "fetching")
    for gauge, value in zip((submissions, submission_age), session.execute(pending).one(), strict=True):
        gauge.set(value)
    open_ones = session.execute(held.where(Hold.state == "held")).one()
    for gauge, value in zip((holds, points_held, hold_age), open_ones, strict=True):
        gauge.set(value)
    evidence.set(session.scalar(fetching) or 0)


def _age(oldest: Any) -> Any:
    return func.coalesce(func.extract("epoch", func.now() - oldest), 0)
