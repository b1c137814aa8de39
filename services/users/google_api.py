"""The HTTP door of the sign-in with Google."""

from typing import Any

from flask import Blueprint, Response, g, jsonify, request

from fleet.database import transaction
from fleet.problems import Problem, invalid
from fleet.settings import read
from fleet.web import ANYONE, Answer, operation
from services.users import google, google_accounts, oauth_schemas, oauth_states, schemas, tokens
from services.users.settings import SiteSettings

google_api = Blueprint("google_api", __name__)


class SignInExpired(Problem):
    """There is no sign-in under way that this answer belongs to, in this browser."""

    status, slug, title = 400, "sign-in-expired", "This sign-in is over"


class Refused(Problem):
    """The person said no, or Google did."""

    status, slug, title = 403, "google-refused", "Google did not sign you in"


def _cookie() -> tuple[str, dict[str, Any]]:
    """The name and attributes of the cookie that binds a sign-in to its browser.

    With TLS it has the `__Host-` prefix, so that no neighbouring domain can plant one; without, only these paths see it.
    Lax, because the way back from Google begins on Google's page.
    """
    secure = read(SiteSettings).url.startswith("https://")
    name, path = ("__Host-propel_oauth", "/") if secure else ("propel_oauth", "/api/oauth/")
    return name, {"path": path, "secure": secure, "httponly": True, "samesite": "Lax"}


@google_api.get("/api/oauth/google/start/")
@operation(who=ANYONE, answers={302: None, 503: None})
def start_google() -> Answer:
    """Begin the sign-in with Google: redirects the browser there, with a cookie that it has to bring back."""
    google.settings()
    with transaction() as session:
        started = oauth_states.start(session)
    answer = Response(status=302)
    answer.headers["Location"] = google.authorization_url(started.state, started.nonce, started.challenge)
    name, attributes = _cookie()
    answer.set_cookie(name, started.browser, max_age=oauth_states.GOOD_FOR, **attributes)
    return answer


@google_api.get("/api/oauth/google/callback/")
@operation(
    who=ANYONE,
    query=oauth_schemas.Callback,
    answers={200: schemas.Session, 400: None, 403: None, 409: None, 502: None, 503: None},
)
def finish_google(query: dict[str, Any]) -> Answer:
    """Where Google sends people back to: answers like a sign-in, as JSON, because there is no page yet to go to.

    Signs in the member who is linked to this Google account, else the one with the same *verified* address, who is
    linked now, else a new student without a password. An account whose own address was never confirmed is left alone
    (409).
    """
    google.settings()
    name, attributes = _cookie()
    with transaction() as session:
        taken = oauth_states.take(session, query["state"], request.cookies.get(name, ""))
    if taken is None:
        raise SignInExpired("It took too long, was used before, or began in another browser. Start again.")
    if query["error"] is not None:
        # What the address bar says may come from anybody, so it is not repeated.
        raise Refused("Start again, and agree to share your address.")
    if query["code"] is None:
        raise invalid("/code", "is missing")
    identity = google.identify(query["code"], taken.code_verifier, taken.nonce)
    with transaction() as session:
        member = google_accounts.sign_in(session, identity)
        g.active_member = member.id
        answer = jsonify({"user": schemas.dump(member), "tokens": tokens.start_session(session, member)})
    answer.delete_cookie(name, **attributes)
    return answer
