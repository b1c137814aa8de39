"""Google as the one who vouches for a person: where they agree, the exchange of the code, and the ID token.

OpenID Connect's code flow with PKCE. Nothing here touches the database, and no transaction may be open meanwhile.
"""

import http.client
import json
import secrets
import threading
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from jwt import PyJWKClient

from fleet import logs
from fleet.problems import Problem, Unavailable
from fleet.settings import read
from services.users.settings import GoogleSettings, SiteSettings

log = logs.get(__name__)

ANSWER_WITHIN_S = 5.0
LONGEST_ANSWER = 64 * 1024
# What Google signs with. Never taken from the token.
ALGORITHMS = ["RS256"]
LEEWAY_S = 10
CALLBACK = "/api/oauth/google/callback"
# A Google that is slow must not take all threads of a web process.
_at_once = threading.BoundedSemaphore(4)


class NotConfigured(Problem):
    """This installation has no client id; waiting would not help."""

    status, slug, title = 503, "google-not-configured", "Sign-in with Google is not set up here"


class CodeRefused(Problem):
    """Google does not take its code (any more)."""

    status, slug, title = 400, "google-code-refused", "Google does not accept this sign-in any more"


class NotBelieved(Problem):
    """What came from Google is not what Google would say."""

    status, slug, title = 502, "google-answer-invalid", "The answer of Google cannot be believed"


@dataclass(frozen=True)
class Identity:
    """A person as Google knows them. `subject` is theirs for ever; the address may get another owner."""

    subject: str
    email: str
    email_verified: bool
    given_name: str
    family_name: str


def settings() -> GoogleSettings:
    """The settings; raises NotConfigured while there is no client id."""
    found = read(GoogleSettings)
    if not found.client_id:
        raise NotConfigured("Sign in by name and password, or ask an administrator to set up a client id.")
    return found


def redirect_uri() -> str:
    """Where Google sends people back to; exactly this address is registered there."""
    return read(SiteSettings).url.rstrip("/") + CALLBACK


def authorization_url(state: str, nonce: str, challenge: str) -> str:
    """Where to send a browser so that its person agrees to sign in."""
    found = settings()
    query = {
        "response_type": "code",
        "client_id": found.client_id,
        "redirect_uri": redirect_uri(),
        "scope": "openid email profile",
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{found.authorize_url}?{urllib.parse.urlencode(query)}"


def identify(code: str, code_verifier: str, nonce: str) -> Identity:
    """Exchange the code and say who it is for.

    Raises CodeRefused, NotBelieved, and Unavailable when Google does not answer in time or too many ask already.
    """
    if not _at_once.acquire(blocking=False):
        raise Unavailable("Too many sign-ins with Google are under way. Try again in a moment.")
    try:
        return _believe(_exchange(code, code_verifier), nonce)
    finally:
        _at_once.release()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The code and our secret go to one address and no other."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _exchange(code: str, code_verifier: str) -> str:
    found = settings()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(),
        "client_id": found.client_id,
        "client_secret": found.client_secret,
        "code_verifier": code_verifier,
    }
    request = urllib.request.Request(  # noqa: S310 our own setting, not user input
        found.token_url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"}
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=ANSWER_WITHIN_S) as answer:
            token = json.loads(answer.read(LONGEST_ANSWER))["id_token"]
    except urllib.error.HTTPError as error:
        with error:
            refused = error.code in (400, 401) and _error_of(error)
        log.warning("google_exchange_refused", status=error.code, error=refused or None)
        if refused == "invalid_grant":
            raise CodeRefused("Start again at GET /api/oauth/google/start.") from error
        raise Unavailable("Google does not complete the sign-in at the moment. Try again shortly.") from error
    except (OSError, http.client.HTTPException) as error:
        log.warning("google_away", error=type(error).__name__)
        raise Unavailable("Google does not answer at the moment. Try again shortly.") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise _unbelievable("no_id_token") from error
    if type(token) is not str:
        raise _unbelievable("no_id_token")
    return token


def _error_of(answer: Any) -> str:
    """The provider's error code, when it is one of a few letters."""
    try:
        found = json.loads(answer.read(LONGEST_ANSWER))["error"]
    except (ValueError, LookupError, TypeError, RecursionError, OSError, http.client.HTTPException):
        return ""
    return found if type(found) is str and found.isidentifier() and len(found) < 50 else ""


@lru_cache(maxsize=4)
def _keys(url: str) -> PyJWKClient:
    """The signing keys, fetched again after an hour and for an unknown `kid`, then at most twice a minute."""
    return PyJWKClient(url, lifespan=3600, timeout=ANSWER_WITHIN_S)


def _believe(token: str, nonce: str) -> Identity:
    """The identity in an ID token that is right in every respect, and meant for this very sign-in."""
    found = settings()
    try:
        key = _keys(found.jwks_url).get_signing_key_from_jwt(token)
        claims = jwt.decode(
            token,
            key.key,
            algorithms=ALGORITHMS,
            audience=found.client_id,
            # Google writes itself both ways.
            issuer=[found.issuer, found.issuer.removeprefix("https://")],
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        log.warning("google_keys_away")
        raise Unavailable("Google does not answer at the moment. Try again shortly.") from error
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise _unbelievable(type(error).__name__) from error
    said = claims.get("nonce")
    if type(said) is not str or not secrets.compare_digest(said.encode(), nonce.encode()):
        raise _unbelievable("nonce")
    # An audience of several, or a token that was made for somebody else to present.
    if (
        claims["aud"] not in (found.client_id, [found.client_id])
        or claims.get("azp", found.client_id) != found.client_id
    ):
        raise _unbelievable("azp")
    return _identity(claims)


def _identity(claims: dict[str, Any]) -> Identity:
    subject, email = _text(claims["sub"], 255), _text(claims.get("email"), 254)
    if "@" not in email:
        raise _unbelievable("email")
    given, family = (_name(claims.get(name)) for name in ("given_name", "family_name"))
    # Strictly true: a text "false" would be true as well.
    return Identity(subject, email, claims.get("email_verified") is True, given, family)


def _text(value: Any, longest: int) -> str:
    if type(value) is not str or not 1 <= len(value) <= longest or not value.isprintable():
        raise _unbelievable("sub or email")
    return value


def _name(value: Any) -> str:
    """A name as far as it can be shown: whatever else Google may have there is no reason to keep somebody out."""
    return "".join(filter(str.isprintable, value)).strip()[:100] if type(value) is str else ""


def _unbelievable(what: str) -> NotBelieved:
    log.error("google_not_believed", what=what)
    return NotBelieved("Nothing was changed. Try again; if it stays so, tell an administrator.")
