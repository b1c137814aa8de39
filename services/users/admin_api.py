"""The HTTP door for admins: search members, change, approve, warn, suspend, and read what was done."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.messages import now
from fleet.problems import Forbidden, invalid
from fleet.web import ADMIN, ANYONE, MEMBER, Answer, operation
from services.users import accounts, audit, directory, erasures, moderation, schemas

admin_api = Blueprint("admin_api", __name__)


def _managed(member: Any) -> dict[str, Any]:
    return dict(schemas.ManagedUser().dump(member))


@admin_api.get("/api/users/")
@operation(who=ADMIN, query=schemas.UserFilter, answers={200: schemas.ManagedUsers})
def list_users(query: dict[str, Any]) -> Answer:
    """Search members, newest first; `status=awaiting_approval` is the queue of applicants."""
    with transaction() as session:
        members, cursor = directory.search(session, query)
        return {"items": [_managed(member) for member in members], "next_cursor": cursor}


@admin_api.get("/api/users/<uuid:user_id>/")
@operation(who=ADMIN, answers={200: schemas.ManagedUser})
def get_user(user_id: UUID) -> Answer:
    """One member."""
    with transaction() as session:
        return _managed(accounts.get(session, user_id))


@admin_api.patch("/api/users/<uuid:user_id>/")
@operation(who=ADMIN, body=schemas.UserChange, answers={200: schemas.ManagedUser, 409: None})
def change_user(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Change a member's role or profile. Nobody changes their own role, and one admin always remains."""
    if not body:
        raise invalid("/", "name at least one field to change")
    with transaction() as session:
        return _managed(moderation.change(session, caller().member_id, user_id, body))


@admin_api.patch("/api/users/<uuid:user_id>/update_track/")
@operation(who=ADMIN, body=schemas.TrackChange, answers={200: schemas.ManagedUser})
def update_track(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Put a member on a track."""
    with transaction() as session:
        return _managed(moderation.change(session, caller().member_id, user_id, body))


@admin_api.post("/api/users/<uuid:user_id>/approve/")
@operation(who=ADMIN, answers={200: schemas.ManagedUser, 409: None})
def approve_user(user_id: UUID) -> Answer:
    """Let a company or university account in."""
    with transaction() as session:
        return _managed(moderation.approve(session, caller().member_id, user_id))


@admin_api.post("/api/users/<uuid:user_id>/warn/")
@operation(who=ADMIN, body=schemas.Warning, answers={200: schemas.ManagedUser})
def warn_user(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Warn a member."""
    with transaction() as session:
        return _managed(moderation.warn(session, caller().member_id, user_id, body["reason"]))


@admin_api.post("/api/users/<uuid:user_id>/clear_warnings/")
@operation(who=ADMIN, answers={200: schemas.ManagedUser})
def clear_warnings(user_id: UUID) -> Answer:
    """Take all warnings of a member back."""
    with transaction() as session:
        return _managed(moderation.clear_warnings(session, caller().member_id, user_id))


@admin_api.post("/api/users/<uuid:user_id>/suspend/")
@operation(who=ADMIN, body=schemas.Suspension, answers={200: schemas.ManagedUser, 409: None})
def suspend_user(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Suspend a member until an instant, for some minutes, or without end. Their sign-ins end at once."""
    until = now() + timedelta(minutes=body["minutes"]) if body["minutes"] else body["until"]
    with transaction() as session:
        return _managed(moderation.suspend(session, caller().member_id, user_id, until, body["reason"]))


@admin_api.post("/api/users/<uuid:user_id>/unsuspend/")
@operation(who=ADMIN, answers={200: schemas.ManagedUser, 409: None})
def unsuspend_user(user_id: UUID) -> Answer:
    """Lift a suspension before its end."""
    with transaction() as session:
        return _managed(moderation.unsuspend(session, caller().member_id, user_id))


@admin_api.get("/api/users/<uuid:user_id>/audit/")
@operation(who=ADMIN, query=schemas.PageQuery, answers={200: schemas.Audit})
def list_audit(user_id: UUID, query: dict[str, Any]) -> Answer:
    """Who changed what about a member, newest first. The trail of somebody who was erased is under their pseudonym."""
    with transaction() as session:
        if not erasures.is_pseudonym(session, user_id):
            accounts.get(session, user_id)
        entries, cursor = audit.entries(session, user_id, query["limit"], query["cursor"])
        items = [schemas.AuditEntry().dump(entry) for entry in entries]
        return {"items": items, "next_cursor": cursor}


@admin_api.get("/api/user-status/")
@operation(who=MEMBER, query=schemas.StatusQuery, answers={200: schemas.UserStatus, 404: None})
def get_status(query: dict[str, Any]) -> Answer:
    """Warnings, suspension and last activity: one's own, or, for admins, of the member they name."""
    whose = query["user"] or caller().member_id
    if whose != caller().member_id and caller().role != "admin":
        raise Forbidden("Only admins see the status of others.")
    with transaction() as session:
        return dict(schemas.UserStatus().dump(accounts.get(session, whose)))


@admin_api.get("/api/tracks/")
@operation(who=ANYONE, answers={200: schemas.Tracks})
def list_tracks() -> Answer:
    """The career tracks a member can choose."""
    items = [
        {"code": code, "name": name, "description": description}
        for code, (name, description) in accounts.TRACKS.items()
    ]
    return {"items": items, "next_cursor": None}
