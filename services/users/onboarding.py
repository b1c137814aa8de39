"""What a member does once or from time to time: consent, onboarding, and being active at all."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, update
from sqlalchemy.orm import Session

from fleet.messages import now
from services.users import accounts, audit
from services.users.models import Member


def consent(session: Session, member_id: UUID, given: bool, address: str | None) -> Member:
    """Give or withdraw the media consent. Repeating it changes nothing; each change is in the audit trail."""
    member = accounts.get(session, member_id, lock=True)
    before = {"media_consent_at": member.media_consent_at, "media_consent_from": member.media_consent_from}
    if given == (member.media_consent_at is not None):
        return member
    member.media_consent_at, member.media_consent_from = (now(), address) if given else (None, None)
    after = {"media_consent_at": member.media_consent_at, "media_consent_from": member.media_consent_from}
    action = "consent_given" if given else "consent_withdrawn"
    audit.record(session, action, member.id, member.id, before, after)
    return member


def complete(session: Session, member_id: UUID) -> Member:
    """Mark the introduction as done; the first time stays."""
    member = accounts.get(session, member_id, lock=True)
    member.onboarding_completed_at = member.onboarding_completed_at or now()
    session.flush()
    return member


def was_active(session: Session, member_id: UUID, at: datetime) -> bool:
    """Note that a member was active, once for each UTC day; True when this was the first of its day."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    first = or_(Member.last_activity_at.is_(None), Member.last_activity_at < day)
    noted = update(Member).where(Member.id == member_id, first).values(last_activity_at=func.least(at, func.now()))
    return session.scalar(noted.returning(Member.id)) is not None
