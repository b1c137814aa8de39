"""The HTTP door to links with Discord accounts."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from sqlalchemy.orm import Session

from fleet import rates
from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Unauthorized, invalid
from fleet.web import ADMIN, MEMBER, Answer, operation
from services.users import accounts, limits, link_codes, linking, linking_schemas, passwords, schemas

linking_api = Blueprint("linking_api", __name__)


def _session_id() -> UUID:
    found = caller().session_id
    if found is None:
        raise Unauthorized("This token names no sign-in. Refresh it, or sign in again.")
    return found


def _status(session: Session) -> Answer:
    member = accounts.get(session, caller().member_id)
    return linking_schemas.status(member, link_codes.waiting(session, member.id), caller().session_id)


@linking_api.post("/api/link/start/")
@operation(who=MEMBER, answers={200: linking_schemas.LinkStart, 409: None, 429: None, 404: None})
def start_link() -> Answer:
    """Get a code to type in Discord. It is good for ten minutes and for this sign-in; the one before is void."""
    with transaction() as session:
        started = link_codes.start(session, caller().member_id, _session_id())
    rates.refuse(started.wait_s, "Too many link codes for this account. Wait a little.")
    assert started.code is not None
    found = {"code": started.plain, "expires_at": started.code.expires_at, "used_at": None}
    return dict(linking_schemas.LinkStart().dump(found))


@linking_api.get("/api/link/status/")
@operation(who=MEMBER, answers={200: linking_schemas.LinkStatus, 404: None})
def get_link_status() -> Answer:
    """Whether a Discord account is linked, and, while a link waits, which Discord name claims its code."""
    with transaction() as session:
        return _status(session)


@linking_api.post("/api/link/confirm/")
@operation(
    who=MEMBER,
    body=linking_schemas.LinkConfirm,
    answers={200: linking_schemas.LinkStatus, 403: None, 409: None, 404: None},
)
def confirm_link(body: dict[str, Any]) -> Answer:
    """Confirm (or decline) the Discord name that GET /api/link/status shows. Linked once Discord has confirmed too."""
    with transaction() as session:
        link_codes.confirm_on_web(session, caller().member_id, _session_id(), body["discord_username"], body["accept"])
        return _status(session)


@linking_api.delete("/api/link/")
@operation(
    who=MEMBER,
    body=linking_schemas.LinkPassword,
    answers={200: linking_schemas.LinkStatus, 409: None, 429: None, 404: None},
)
def unlink(body: dict[str, Any]) -> Answer:
    """Unlink the Discord account. What was earned stays here; the Discord account begins anew with nothing."""
    key = str(caller().member_id)
    with transaction() as session:
        stored = accounts.get(session, caller().member_id).password_hash
        limits.check_failures(session, key)
    # Outside of the transaction: a hash takes 20 ms, and a connection would wait for it.
    right = passwords.matches(stored, body["password"])
    with transaction() as session:
        if right:
            limits.check_failures(session, key)
        seconds = 0 if right else limits.count_failure(session, key)
    rates.refuse(seconds, limits.WORDS)
    if not right:
        raise invalid("/password", "is not right")
    with transaction() as session:
        linking.unlink_own(session, caller().member_id, stored)
        return _status(session)


@linking_api.post("/api/users/<uuid:user_id>/unlink_discord/")
@operation(who=ADMIN, body=linking_schemas.UnlinkReason, answers={200: schemas.ManagedUser, 409: None})
def unlink_user(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Unlink a member's Discord account, with the reason in the audit trail."""
    with transaction() as session:
        member = linking.unlink_by_admin(session, caller().member_id, user_id, body["reason"])
        return dict(schemas.ManagedUser().dump(member))
