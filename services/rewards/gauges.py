"""What rewards counts of itself: see fleet/survey.py."""

from typing import Any

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import mail
from services.rewards.models import Redemption
from services.rewards.statistics import STATUSES

redemptions = Gauge("redemptions", "Redemptions, by their state", ["status"])
pending_age = Gauge("redemptions_oldest_pending_seconds", "Age of the oldest redemption that waits for staff")
settling = Gauge("redemptions_settling", "Redemptions that wait for an answer of points")
settling_age = Gauge("redemptions_oldest_settling_seconds", "How long the longest of them has waited")


def count(session: Session) -> None:
    """Set all of them, and those of the mail."""
    found = dict(session.execute(select(Redemption.status, func.count()).group_by(Redemption.status)).all())
    for status in STATUSES:
        redemptions.labels(status).set(found.get(status, 0))
    pending_age.set(session.scalar(select(_age(Redemption.requested_at)).where(Redemption.status == "pending")) or 0)
    waiting = select(func.count(), _age(Redemption.changed_at)).where(Redemption.resend_at.is_not(None))
    for gauge, value in zip((settling, settling_age), session.execute(waiting).one(), strict=True):
        gauge.set(value)
    mail.count(session)


def _age(since: Any) -> Any:
    return func.coalesce(func.extract("epoch", func.now() - func.min(since)), 0)
