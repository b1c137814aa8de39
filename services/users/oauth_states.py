"""Sign-ins with another provider that are under way: each for one browser, one use, and ten minutes.

Invariant: a `state` is taken at most once, and only by the browser that started with it.
"""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, text
from sqlalchemy.orm import Session

from fleet.messages import now
from services.users.models import OAuthState

GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Started:
    """What goes out: `state`, `nonce` and `challenge` to the provider, `browser` into a cookie."""

    state: str
    browser: str
    nonce: str
    challenge: str


@dataclass(frozen=True)
class Taken:
    """What the answer of the provider is checked with."""

    nonce: str
    code_verifier: str


def start(session: Session) -> Started:
    """Begin a sign-in: everything random, 256 bits each. The challenge is PKCE's S256."""
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    session.add(
        OAuthState(
            state_hash=_hash(state),
            browser_hash=_hash(browser),
            nonce=nonce,
            code_verifier=verifier,
            expires_at=now() + GOOD_FOR,
        )
    )
    session.flush()
    challenge = base64.urlsafe_b64encode(_hash(verifier)).rstrip(b"=").decode()
    return Started(state, browser, nonce, challenge)


def take(session: Session, state: str, browser: str) -> Taken | None:
    """Use a state up; None when it is unknown, used, expired, or was given to another browser.

    One guarded statement: of two who come with one state, one gets None.
    """
    found = session.execute(
        delete(OAuthState)
        .where(
            OAuthState.state_hash == _hash(state),
            OAuthState.browser_hash == _hash(browser),
            OAuthState.expires_at > func.now(),
        )
        .returning(OAuthState.nonce, OAuthState.code_verifier)
    ).first()
    return Taken(found.nonce, found.code_verifier) if found else None


def sweep(session: Session) -> int:
    """Delete sign-ins that nobody came back from; returns how many."""
    old = text(
        "DELETE FROM oauth_states WHERE state_hash = ANY(ARRAY("
        "SELECT state_hash FROM oauth_states WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))"
    )
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
