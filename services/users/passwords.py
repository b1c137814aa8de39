"""Passwords: what is accepted, and how they are kept (argon2id, OWASP's parameters)."""

import threading
import unicodedata
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fleet.problems import invalid

MINIMUM, MAXIMUM = 10, 200

_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Each hash holds 19 MiB for its time; unbounded, a burst of sign-ins would be a burst of memory.
_at_once = threading.BoundedSemaphore(4)


def key_of(text: str) -> str:
    """The form in which names and addresses are compared: NFKC, casefolded, no spaces around."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MINIMUM)


def check(password: str, username: str) -> None:
    """Raise InvalidFields when the password is too short, too long, common, or the username."""
    if len(password) < MINIMUM:
        raise invalid("/password", f"must have at least {MINIMUM} characters")
    if len(password) > MAXIMUM:
        raise invalid("/password", f"must have at most {MAXIMUM} characters")
    if key_of(password) in _common() or len(set(password)) < 3:
        raise invalid("/password", "is one of the most common passwords; choose another")
    if key_of(password) == key_of(username):
        raise invalid("/password", "must not be the username")


def hash_password(password: str) -> str:
    """The text to store for a password."""
    with _at_once:
        return _hasher.hash(password)


# Checked in place of a hash that does not exist, so that an unknown name takes as long as a wrong password.
_NOBODY = hash_password("the password of nobody")


def matches(stored: str | None, password: str) -> bool:
    """True when `password` is the one that `stored` was made of. Takes the same time when there is no `stored`."""
    with _at_once:
        try:
            _hasher.verify(stored or _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None
