"""The HTTP door of users: accounts and sign-in."""

from typing import Any

from flask import Blueprint, g

from fleet import rates
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Unauthorized, invalid
from fleet.web import ANYONE, MEMBER, Answer, operation
from services.users import accounts, limits, passwords, schemas, tokens

api = Blueprint("api", __name__)


@api.post("/api/users/register/")
@operation(who=ANYONE, body=schemas.Registration, answers={201: schemas.Registered, 409: None})
def register(body: dict[str, Any]) -> Answer:
    """Create an account and sign in."""
    with transaction() as session:
        member = accounts.register(session, body)
        pair = tokens.start_session(session, member)
        required = bool(body["discord_data"])
        return {"user": schemas.dump(member), "tokens": pair, "discord_verification_required": required}, 201


@api.post("/api/users/login/")
@operation(who=ANYONE, body=schemas.Credentials, answers={200: schemas.Session, 401: None, 429: None})
def login(body: dict[str, Any]) -> Answer:
    """Sign in by username or e-mail address and password.

    The answer and its time are the same for an unknown name and for a wrong password.
    """
    with transaction() as session:
        member = accounts.by_login(session, body["username"])
        stored = member.password_hash if member and member.status != "erased" else None
        account = limits.account(member, body["username"])
        limits.check_failures(session, account)
    # Outside of the transaction: a hash takes 20 ms, and a connection would wait for it.
    if not passwords.matches(stored, body["password"]):
        with transaction() as session:
            seconds = limits.count_failure(session, account)
        rates.refuse(seconds, limits.WORDS)
        raise Unauthorized("The name or the password is not right.")
    assert member is not None
    with transaction() as session:
        # Again, because of those who guessed in the meantime: a guess that comes too late must not show it was right.
        limits.check_failures(session, account)
        # The row is locked and compared once more: a reset that came while the hash was computed must win.
        member = accounts.get(session, member.id, lock=True)
        if member.password_hash != stored:
            raise Unauthorized("The name or the password is not right.")
        g.active_member = member.id
        return {"user": schemas.dump(member), "tokens": tokens.start_session(session, member)}


@api.post("/api/users/refresh/")
@operation(who=ANYONE, body=schemas.RefreshRequest, answers={200: schemas.Tokens, 401: None})
def refresh(body: dict[str, Any]) -> Answer:
    """Exchange a refresh token for a new pair; one that was used before ends the whole session."""
    with transaction() as session:
        pair, member = tokens.rotate(session, body["refresh"])
    if pair is None:
        raise Unauthorized("This refresh token was used before, so its session was ended. Sign in again.")
    assert member is not None
    g.active_member = member.id
    return dict(pair)


@api.post("/api/users/logout/")
@operation(who=ANYONE, body=schemas.RefreshRequest, answers={200: None})
def logout(body: dict[str, Any]) -> Answer:
    """End the session of a refresh token; its access tokens are refused everywhere within two seconds."""
    with transaction() as session:
        tokens.end_session(session, body["refresh"])
    return {"message": "Signed out."}


@api.get("/api/users/profile/")
@operation(who=MEMBER, answers={200: schemas.User, 404: None}, while_awaiting=True)
def get_profile() -> Answer:
    """The signed-in member."""
    with transaction() as session:
        return schemas.dump(accounts.get(session, caller().member_id))


@api.route("/api/users/profile/", methods=["PUT", "PATCH"])
@operation(who=MEMBER, body=schemas.Profile, answers={200: schemas.User, 404: None}, while_awaiting=True)
def change_profile(body: dict[str, Any]) -> Answer:
    """Change the editable fields of one's own profile; any other field is refused and nothing changes."""
    if not body:
        raise invalid("/", "name at least one field to change")
    with transaction() as session:
        return schemas.dump(accounts.update_profile(session, caller().member_id, body))


@api.get("/.well-known/jwks.json")
@operation(who=ANYONE, answers={200: schemas.KeySet})
def jwks() -> Answer:
    """The public keys of access tokens."""
    return tokens.signer().jwks()
