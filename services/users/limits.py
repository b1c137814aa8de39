"""How often an account may be tried: counted in the database, for all processes together."""

from sqlalchemy.orm import Session

from fleet import rates
from fleet.rates import Rate
from fleet.settings import read
from services.users.models import Member
from services.users.passwords import key_of
from services.users.settings import RateSettings

WORDS = "Too many tries for this account. Wait a little."


def failures() -> Rate:
    """Wrong passwords of one account."""
    return Rate("login_failures", read(RateSettings).login_failures, 60)


def resets() -> Rate:
    """Requests to reset the password of one account."""
    return Rate("password_resets", read(RateSettings).resets, 3600)


def verifications() -> Rate:
    """Mails to one account to confirm its address."""
    return Rate("verification_mails", read(RateSettings).resets, 3600)


def link_codes() -> Rate:
    """Link codes of one web account; five a day are never more than five an hour."""
    return Rate("link_codes", read(RateSettings).link_codes, 24 * 3600)


def link_tries() -> Rate:
    """Wrong link codes of one Discord account."""
    return Rate("link_tries", read(RateSettings).link_tries, 3600)


def account(member: Member | None, name: str) -> str:
    """What counts as one account: a member, by whichever name; or a name that nobody has."""
    return str(member.id) if member else key_of(name)


def count_failure(session: Session, key: str) -> int:
    """Count a wrong password: 0, or the seconds to wait when there were too many. Commit before refusing."""
    return rates.take(session, failures(), key)


def check_failures(session: Session, key: str) -> None:
    """Raise TooManyRequests while there were too many wrong passwords; whether this one is right does not matter."""
    rates.refuse(rates.wait(session, failures(), key), WORDS)
