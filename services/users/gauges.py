"""What users counts of itself: see fleet/survey.py."""

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import mail
from services.users.models import Member
from services.users.privacy_models import Erasure

members = Gauge("members", "People with an account or known from Discord")
erasures = Gauge("erasures_unfinished", "People who are being forgotten")
erasure_age = Gauge(
    "erasures_oldest_unfinished_seconds", "Age of the oldest wish to be forgotten that is not fulfilled"
)


def count(session: Session) -> None:
    """Set all of them, and those of the mail."""
    members.set(session.scalar(select(func.count()).select_from(Member)) or 0)
    age = func.coalesce(func.extract("epoch", func.now() - func.min(Erasure.requested_at)), 0)
    unfinished = session.execute(select(func.count(), age).where(Erasure.finished_at.is_(None))).one()
    for gauge, value in zip((erasures, erasure_age), unfinished, strict=True):
        gauge.set(value)
    mail.count(session)
