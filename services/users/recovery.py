"""Proving an address, changing a password, and getting back in without one."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import rates
from fleet.messages import new_id
from fleet.problems import InvalidFields, Problem, invalid
from services.users import accounts, letters, limits, one_time, passwords
from services.users.models import Member, ResetRequest
from services.users.passwords import key_of

ANSWERED_AT_ONCE = 20


class AlreadyVerified(Problem):
    """The address was confirmed before."""

    status, slug, title = 409, "already-verified", "The e-mail address is confirmed already"


def verify_email(session: Session, token: str) -> Member:
    """Confirm the address a token was sent to; InvalidFields when the token or the address is not current."""
    found = one_time.use(session, token, "verify_email")
    if found is None:
        raise _bad_token()
    member = accounts.get(session, found[0], lock=True)
    if member.email_key != found[1]:
        raise _bad_token()
    accounts.email_proved(session, member)
    return member


def resend_verification(session: Session, member_id: UUID) -> int:
    """Send a new code, voiding the one before: 0, or the seconds to wait. Raises AlreadyVerified."""
    member = accounts.get(session, member_id, lock=True)
    if member.email_verified_at or member.email is None:
        raise AlreadyVerified()
    seconds = rates.take(session, limits.verifications(), str(member.id))
    if not seconds:
        letters.send(session, member, "verify_email", token=one_time.issue(session, member, "verify_email"))
    return seconds


def request_reset(session: Session, email: str) -> int:
    """Note that somebody wants a new password for an address: 0, or the seconds to wait.

    Does exactly the same whether or not anybody has the address.
    """
    key = key_of(email)
    seconds = rates.take(session, limits.resets(), key)
    if not seconds:
        session.add(ResetRequest(id=new_id(), email_key=key))
        session.flush()
    return seconds


def answer_requests(session: Session) -> int:
    """Send the codes that were asked for, to those who exist; returns how many requests were looked at."""
    waiting = select(ResetRequest).order_by(ResetRequest.id).limit(ANSWERED_AT_ONCE).with_for_update(skip_locked=True)
    requests = session.scalars(waiting).all()
    for request in requests:
        known = (Member.email_key == request.email_key, Member.status != "erased")
        member = session.scalar(select(Member).where(*known).with_for_update())
        if member is not None:
            letters.send(session, member, "reset_password", token=one_time.issue(session, member, "reset_password"))
        session.delete(request)
    session.flush()
    return len(requests)


def check_reset(session: Session, token: str, password: str) -> None:
    """Raise InvalidFields unless the token is good and the password acceptable; uses nothing up."""
    member_id = one_time.peek(session, token, "reset_password")
    if member_id is None:
        raise _bad_token()
    passwords.check(password, accounts.get(session, member_id).username or "")


def reset_password(session: Session, token: str, password_hash: str) -> None:
    """Give the token's member a new password and end all sign-ins. The mail reached them, so the address is proved."""
    found = one_time.use(session, token, "reset_password")
    if found is None:
        raise _bad_token()
    member = accounts.get(session, found[0], lock=True)
    if member.email_key != found[1]:
        raise _bad_token()
    accounts.email_proved(session, member)
    _set_password(session, member, password_hash)


def change_password(session: Session, member_id: UUID, verified_hash: str | None, password_hash: str) -> None:
    """Put a new password in the place of the one that was just verified, and end all sign-ins."""
    member = accounts.get(session, member_id, lock=True)
    if member.password_hash != verified_hash:
        raise invalid("/current_password", "was changed a moment ago")
    _set_password(session, member, password_hash)


def _set_password(session: Session, member: Member, password_hash: str) -> None:
    member.password_hash = password_hash
    one_time.void(session, member.id, "reset_password")
    accounts.end_sessions(session, member)
    letters.send(session, member, "password_changed")


def _bad_token() -> InvalidFields:
    return invalid("/token", "is not valid (any more); ask for a new one")
