"""Who is asking: access tokens verified by every service for itself, and their revocation.

users alone signs tokens (EdDSA, `kid`); the others fetch its public keys (JWKS) and keep them. A token carries the
member's security version `sv`; raising it (sign-out, suspension, role or password change) travels by event into each
service's `auth_state`, and tokens with a smaller one are refused there within two seconds.
"""

import hashlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt as pyjwt
from flask import Flask, current_app, g, request
from flask_jwt_extended import JWTManager, get_jwt, verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import select

from fleet import logs
from fleet.auth_state import auth_state
from fleet.database import transaction
from fleet.problems import Forbidden, Problem, Unauthorized, Unavailable
from fleet.settings import read, setting

log = logs.get(__name__)

ISSUER, AUDIENCE, ALGORITHM, TOKEN_TYPE = "propel-users", "propel-api", "EdDSA", "at+jwt"
LEEWAY_S = 10
REFETCH_S = 30.0
STATE_CACHE_S = 1.0
REFUSAL = "The token is missing, not valid or no longer valid. Sign in at POST /api/users/login/."


@dataclass(frozen=True)
class AuthSettings:
    """Where the public keys of access tokens are."""

    jwks_url: str = setting("JWKS_URL", help="address of users' /.well-known/jwks.json")


class AwaitingApproval(Problem):
    """A company or university account that no admin has approved yet."""

    status, slug, title = 403, "awaiting-approval", "The account awaits approval"


@dataclass(frozen=True)
class Caller:
    """The signed-in member of this request."""

    member_id: UUID
    role: str
    awaiting_approval: bool = False
    # The sign-in that the token came of; None in a token that names none.
    session_id: UUID | None = None


class KeySet:
    """The public keys by `kid`, fetched again at most once in 30 seconds however many unknown kids are presented."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, Any] = {}
        self._fetched = float("-inf")
        self._lock = threading.Lock()

    def get(self, kid: str) -> Any:
        """The key named `kid`, or None. When users is away the keys known so far go on serving.

        Raises Unavailable while no key was ever fetched: a good token must not be called a bad one.
        """
        if kid not in self._keys:
            with self._lock:
                if kid not in self._keys and time.monotonic() - self._fetched > (REFETCH_S if self._keys else 1.0):
                    self._fetched = time.monotonic()
                    self._fetch()
        if not self._keys:
            raise Unavailable(
                "Tokens cannot be checked at the moment, because users does not answer. Try again shortly."
            )
        return self._keys.get(kid)

    def _fetch(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=3) as answer:  # noqa: S310 our own setting, not user input
                document = json.load(answer)
            self._keys = {key["kid"]: OKPAlgorithm.from_jwk(key) for key in document["keys"]}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, pyjwt.PyJWTError) as error:
            log.warning("jwks_not_fetched", error=str(error))


class _StateCache:
    """The newest known `sv` and status of recent callers, for a second: the two-second promise minus the event's way here."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[float, int, str]] = {}

    def of(self, member_id: str) -> tuple[int, str]:
        hit = self._found.get(member_id)
        if hit and hit[0] > time.monotonic():
            return hit[1:]
        state = select(auth_state.c.security_version, auth_state.c.status)
        with transaction() as session:
            row = session.execute(state.where(auth_state.c.member_id == UUID(member_id))).first()
        version, status = row or (0, "active")
        if len(self._found) > 10_000:
            self._found.clear()
        self._found[member_id] = (time.monotonic() + STATE_CACHE_S, version, status)
        return version, status

    def awaits_approval(self, claims: dict[str, Any]) -> bool:
        # A token made after an approval that was not heard of here yet is right, and the state is late.
        version, status = self.of(claims["sub"])
        return claims.get("awaiting") is True or (status == "awaiting_approval" and claims["sv"] <= version)


class _Verified:
    """Claims of tokens whose signature was checked before, by the hash of the header they came in.

    Checking a signature costs more than everything else a small request does. What can change about a token is looked
    at every time: whether it has expired, and whether its security version is still the newest.
    """

    def __init__(self, states: _StateCache) -> None:
        self._states = states
        self._claims: dict[bytes, dict[str, Any]] = {}

    def get(self, presented: bytes) -> dict[str, Any] | None:
        claims = self._claims.get(presented)
        if claims is None:
            return None
        if claims["exp"] + LEEWAY_S <= time.time() or claims["sv"] < self._states.of(claims["sub"])[0]:
            # Not in order any more: the whole check says so in its own words.
            self._claims.pop(presented, None)
            return None
        return claims

    def keep(self, presented: bytes, claims: dict[str, Any]) -> None:
        if len(self._claims) >= 10_000:
            self._claims.clear()
        self._claims[presented] = claims


def _whole_claims(claims: dict[str, Any]) -> bool:
    """What PyJWT lets through and we do not: an access token, whole numbers in range as times and `sv`, UUIDs as `sub` and `sid`."""
    times = [claims.get(name) for name in ("exp", "iat", "nbf", "sv")]
    if not all(type(value) is int and 0 <= value < 2**40 for value in times):
        return False
    try:
        ids = [claims["sub"], claims["sid"]] if "sid" in claims else [claims["sub"]]
        return (
            all(str(UUID(each)) == each for each in ids)
            and type(claims.get("role")) is str
            and claims.get("type") == "access"
        )
    except (ValueError, TypeError, AttributeError, KeyError):
        return False


def install(app: Flask, keys: Any, answer: Callable[[Problem], Any]) -> None:
    """Set up flask-jwt-extended on `app`.

    `keys.get(kid)` gives a public key or None; `answer` turns a problem into a response.
    """
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_DECODE_ISSUER=ISSUER,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_LEEWAY=LEEWAY_S,
        JWT_TOKEN_LOCATION=["headers"],
    )
    manager = JWTManager(app)
    cache = app.extensions["propel_auth_states"] = _StateCache()
    app.extensions["propel_verified_tokens"] = _Verified(cache)

    def refuse(*_arguments: Any) -> Any:
        return answer(Unauthorized(REFUSAL))

    for loader in (
        manager.expired_token_loader,
        manager.invalid_token_loader,
        manager.unauthorized_loader,
        manager.revoked_token_loader,
        manager.needs_fresh_token_loader,
        manager.user_lookup_error_loader,
        manager.token_verification_failed_loader,
    ):
        loader(refuse)

    @manager.decode_key_loader
    def key_of(header: dict[str, Any], _claims: dict[str, Any]) -> Any:
        kid = header.get("kid")
        if header.get("typ") != TOKEN_TYPE or "crit" in header or type(kid) is not str:
            raise Unauthorized("The token is not an access token of Propel.")
        key = keys.get(kid)
        if key is None:
            raise Unauthorized("The token is signed with a key that is not in use. Sign in again.")
        return key

    @manager.token_in_blocklist_loader
    def is_revoked(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
        return not _whole_claims(claims) or claims["sv"] < cache.of(claims["sub"])[0]


def authenticate() -> Caller:
    """The caller of this request; raises Unauthorized for any token that is not entirely in order."""
    if len(request.headers.getlist("Authorization")) > 1 or "," in request.headers.get("Authorization", ""):
        raise Unauthorized("Send one Authorization header.")
    presented = hashlib.sha256(request.headers.get("Authorization", "").encode()).digest()
    verified: _Verified = current_app.extensions["propel_verified_tokens"]
    if claims := verified.get(presented):
        return _remember_caller(claims)
    try:
        verify_jwt_in_request()
        claims = get_jwt()
    except (JWTExtendedException, pyjwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        # PyJWT raises plain Python errors for some malformed tokens; a bad token is a 401, never a fault of ours.
        raise Unauthorized(REFUSAL) from error
    verified.keep(presented, claims)
    return _remember_caller(claims)


def _remember_caller(claims: dict[str, Any]) -> Caller:
    awaiting = current_app.extensions["propel_auth_states"].awaits_approval(claims)
    session_id = UUID(claims["sid"]) if "sid" in claims else None
    g.caller = Caller(UUID(claims["sub"]), claims["role"], awaiting, session_id)
    return g.caller


def caller() -> Caller:
    """The signed-in member; only in routes that are not public."""
    return g.caller


def require_approved() -> None:
    """Raise AwaitingApproval while no admin has approved the caller's account."""
    if g.caller.awaiting_approval:
        raise AwaitingApproval("An admin has to approve this account first; you get mail when it is done.")


def require_role(*roles: str) -> None:
    """Raise Forbidden unless the caller has one of the roles."""
    if g.caller.role not in roles:
        raise Forbidden(f"This needs the role {' or '.join(roles)}.")


def settings() -> AuthSettings:
    """The settings of token verification."""
    return read(AuthSettings)
