"""Tokens sent by mail: random, kept hashed, for one purpose, one address, one use and a limited time."""

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.orm import Session

from fleet.messages import new_id, now
from services.users.models import Member, OneTimeToken

GOOD_FOR = {"verify_email": timedelta(hours=24), "reset_password": timedelta(minutes=30)}


def issue(session: Session, member: Member, purpose: str) -> str:
    """A new token for the member's present address; those issued before for this purpose are void."""
    void(session, member.id, purpose)
    token = secrets.token_urlsafe(32)
    row = OneTimeToken(
        id=new_id(),
        member_id=member.id,
        purpose=purpose,
        token_hash=_hash(token),
        email_key=member.email_key,
        expires_at=now() + GOOD_FOR[purpose],
    )
    session.add(row)
    session.flush()
    return token


def peek(session: Session, token: str, purpose: str) -> UUID | None:
    """Whose token this is while it is good, without using it."""
    found = select(OneTimeToken.member_id).where(OneTimeToken.token_hash == _hash(token), *_good(purpose))
    return session.scalar(found)


def use(session: Session, token: str, purpose: str) -> tuple[UUID, str] | None:
    """Use a token up: the member's id and the address it was sent to; None when it is not good (any more).

    One guarded statement: of two who use a token at once, one gets None.
    """
    used = update(OneTimeToken).where(OneTimeToken.token_hash == _hash(token), *_good(purpose))
    row = session.execute(used.values(used_at=func.now()).returning(OneTimeToken.member_id, OneTimeToken.email_key))
    found = row.first()
    return (found.member_id, found.email_key) if found else None


def void(session: Session, member_id: UUID, purpose: str) -> None:
    """Make every token of the member for this purpose worthless."""
    session.execute(delete(OneTimeToken).where(OneTimeToken.member_id == member_id, OneTimeToken.purpose == purpose))


def sweep(session: Session) -> int:
    """Delete tokens that expired; returns how many."""
    old = text(
        "DELETE FROM one_time_tokens WHERE id = ANY(ARRAY("
        "SELECT id FROM one_time_tokens WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))"
    )
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]


def _good(purpose: str) -> tuple[ColumnElement[bool], ...]:
    return OneTimeToken.purpose == purpose, OneTimeToken.used_at.is_(None), OneTimeToken.expires_at > now()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
