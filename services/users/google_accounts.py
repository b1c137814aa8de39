"""Whose account a person is that Google vouches for.

An account is linked by address only when *both* sides have proved it: Google says that the address is verified, and the
account has confirmed it here. An account that never did may have been made by anybody in the expectation that the owner
of the address comes later; letting Google in would give both of them one account.
"""

import re
import secrets
import unicodedata

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet.messages import new_id, now
from fleet.problems import Problem, Unavailable
from services.users import accounts, audit, letters
from services.users.accounts import EmailTaken, UsernameTaken
from services.users.google import Identity
from services.users.models import Member
from services.users.passwords import key_of

TRIES = 5


class EmailUnverified(Problem):
    """Google itself does not vouch for the address."""

    status, slug, title = 403, "google-email-not-verified", "Google has not verified the address"


class NeverProved(Problem):
    """Somebody made an account with this address and never showed that it is theirs."""

    status, slug, title = 409, "email-not-verified", "The address of this account was never confirmed"


class AnotherIdentity(Problem):
    """The account belongs to another Google account, which had this address before."""

    status, slug, title = 409, "google-account-differs", "The account is linked to another Google account"


def sign_in(session: Session, identity: Identity) -> Member:
    """The member that this person is, made now when nobody has the address: a student without a password.

    Once linked, the identity counts and not the address. Raises EmailUnverified, NeverProved, AnotherIdentity.
    """
    for _ in range(TRIES):
        member = _known(session, identity)
        if member is not None:
            return member
        try:
            with session.begin_nested():
                return _create(session, identity)
        except (UsernameTaken, EmailTaken, IntegrityError):
            # The same person in another tab, or a namesake: whoever it was is there now.
            continue
    raise Unavailable("No account could be made for you at the moment. Try again.")


def _known(session: Session, identity: Identity) -> Member | None:
    there = select(Member).where(Member.status != "erased").with_for_update()
    there = there.execution_options(populate_existing=True)
    member = session.scalar(there.where(Member.google_subject == identity.subject))
    if member is not None:
        return member
    if not identity.email_verified:
        raise EmailUnverified("Verify your address at Google first, or sign in by name and password.")
    member = session.scalar(there.where(Member.email_key == key_of(identity.email)))
    # The same person in another tab may have come between the two looks: then there is nothing left to link.
    if member is not None and member.google_subject != identity.subject:
        _link(session, member, identity)
    return member


def _link(session: Session, member: Member, identity: Identity) -> None:
    if member.google_subject is not None:
        raise AnotherIdentity("Sign in by name and password; an administrator can help.")
    if member.email_verified_at is None:
        raise NeverProved(
            "Sign in with its password and confirm the address, or choose a new password at"
            " POST /api/users/reset_password/; then sign in with Google again."
        )
    member.google_subject = identity.subject
    session.flush()
    before, after = {"google_subject": None}, {"google_subject": identity.subject}
    audit.record(session, "google_linked", member.id, member.id, before, after)
    letters.send(session, member, "google_linked")


def _create(session: Session, identity: Identity) -> Member:
    username = _username(identity.given_name)
    member = Member(
        id=new_id(),
        username=username,
        username_key=key_of(username),
        email=identity.email,
        email_key=key_of(identity.email),
        email_verified_at=now(),
        google_subject=identity.subject,
        role="student",
        status="active",
        first_name=identity.given_name,
        last_name=identity.family_name,
    )
    accounts.create(session, member)
    accounts.tell_contact(session, member)
    letters.send(session, member, "google_welcome", username=username)
    return member


def _username(given_name: str) -> str:
    """A name to sign in with, from the first name and never from the address, which others must not learn."""
    plain = unicodedata.normalize("NFKD", given_name).casefold()
    words = re.sub(r"[^a-z0-9]", "", plain)[:20]
    return f"{words or 'member'}-{secrets.randbelow(10**6):06}"
