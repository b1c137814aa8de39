"""What admins do to members: roles, approval, warnings, suspension. Each change is audited in its own transaction."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.users import MemberWarned, UserReinstated, UserSuspended
from fleet.messages import now
from fleet.problems import Forbidden, Problem, invalid
from services.users import accounts, audit, letters
from services.users.accounts import NEEDS_APPROVAL, SOURCE, shown_status
from services.users.models import Member

# One number for all who change roles and states: two admins who demote each other do so one after the other.
ONE_AT_A_TIME = 5_271_020
ENDED_AT_ONCE = 100
LONGEST = timedelta(days=3660)


class LastAdmin(Problem):
    """Nobody would be left who can make an admin."""

    status, slug, title = 409, "last-admin", "This is the last admin"


class NotAwaiting(Problem):
    """There is nothing to approve."""

    status, slug, title = 409, "not-awaiting-approval", "The account does not await approval"


class StillAwaiting(Problem):
    """The account has to be approved before it can be suspended."""

    status, slug, title = 409, "awaiting-approval", "The account awaits approval"


class NotSuspended(Problem):
    """There is no suspension to lift."""

    status, slug, title = 409, "not-suspended", "The member is not suspended"


def change(session: Session, actor_id: UUID, member_id: UUID, fields: dict[str, Any]) -> Member:
    """Change a member's role or profile fields; an unchanged value is no change and leaves no trace.

    A new role voids the member's tokens. Raises Forbidden for one's own role, LastAdmin.
    """
    member = _begin(session, actor_id, member_id)
    changed = {name: value for name, value in fields.items() if getattr(member, name) != value}
    if not changed:
        return member
    if "role" in changed:
        _check_role_change(session, actor_id, member)
        if member.status == "awaiting_approval" and changed["role"] not in NEEDS_APPROVAL:
            changed["status"] = "active"
    before = {name: getattr(member, name) for name in changed}
    _set(session, member, **changed)
    if "role" in changed:
        accounts.end_tokens(session, member)
    audit.record(session, "changed", member.id, actor_id, before, changed)
    return member


def approve(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Let a company or university account in; raises NotAwaiting."""
    member = _begin(session, actor_id, member_id)
    if member.status != "awaiting_approval":
        raise NotAwaiting(f"The account is {member.status}.", present_status=member.status)
    _set(session, member, status="active")
    accounts.end_tokens(session, member)
    letters.send(session, member, "approved")
    audit.record(session, "approved", member.id, actor_id, {"status": "awaiting_approval"}, {"status": "active"})
    return member


def warn(session: Session, actor_id: UUID, member_id: UUID, reason: str, *, staff_attested: bool = False) -> Member:
    """Give a warning, with its reason in the audit trail, and tell the member of it.

    `staff_attested`: the actor need be no admin, for the bot vouches that they hold the server's staff role.
    """
    member = _begin(session, actor_id, member_id, of_themselves=False, attested=staff_attested)
    member.warnings += 1
    before, after = {"warnings": member.warnings - 1}, {"warnings": member.warnings}
    warning_id = audit.record(session, "warned", member.id, actor_id, before, after, reason)
    told = MemberWarned(member.id, warning_id, member.warnings, now())
    outbox.record(session, told, source=SOURCE, subject=member.id)
    return member


def clear_warnings(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Take all warnings back; without any nothing happens."""
    member = _begin(session, actor_id, member_id, of_themselves=False)
    if member.warnings:
        before = {"warnings": member.warnings}
        member.warnings = 0
        audit.record(session, "warnings_cleared", member.id, actor_id, before, {"warnings": 0})
    return member


def suspend(session: Session, actor_id: UUID, member_id: UUID, until: datetime | None, reason: str) -> Member:
    """Suspend until an instant, or (None) until somebody lifts it. A suspended member gets the new end.

    All sign-ins end; a new one is allowed. Raises InvalidFields for an end that is past, StillAwaiting.
    """
    member = _begin(session, actor_id, member_id, of_themselves=False)
    if member.status == "awaiting_approval":
        raise StillAwaiting("Only members who were let in can be suspended.", present_status=member.status)
    if until is not None and not now() < until < now() + LONGEST:
        raise invalid("/until", "must lie in the future, and within ten years; without an end leave it out")
    until = until and until.astimezone(UTC)
    before = {"status": member.status, "suspended_until": member.suspended_until}
    _set(session, member, status="suspended", suspended_until=until)
    accounts.end_sessions(session, member)
    told = UserSuspended(member.id, now(), until)
    outbox.record(session, told, source=SOURCE, subject=member.id, sequence=member.version)
    letters.suspended(session, member, until, reason)
    after = {"status": "suspended", "suspended_until": until}
    audit.record(session, "suspended", member.id, actor_id, before, after, reason)
    return member


def unsuspend(session: Session, actor_id: UUID, member_id: UUID) -> Member:
    """Lift a suspension before its end; raises NotSuspended."""
    member = _begin(session, actor_id, member_id, of_themselves=False)
    if member.status != "suspended":
        raise NotSuspended(f"The account is {member.status}.", present_status=member.status)
    _reinstate(session, member, actor_id, "unsuspended")
    # The other services keep the suspension by security version; this is how they learn that it is over.
    accounts.end_tokens(session, member)
    return member


def reinstate_ended(session: Session) -> int:
    """Put down in writing that suspensions are over whose time ran out; returns how many.

    Every service counts them as over from that very instant without being told.
    """
    over = select(Member).where(Member.status == "suspended", Member.suspended_until <= func.now())
    members = session.scalars(over.limit(ENDED_AT_ONCE).with_for_update(skip_locked=True)).all()
    for member in members:
        _reinstate(session, member, None, "suspension_ended")
    return len(members)


def take_turn(session: Session) -> None:
    """Wait until nobody else changes roles and states, and let nobody do so until the transaction ends."""
    session.execute(select(func.pg_advisory_xact_lock(ONE_AT_A_TIME)))


def require_admin(session: Session, actor_id: UUID) -> None:
    """Raise Forbidden unless the actor still is an admin who may act; their token may be two seconds behind.

    Until the transaction ends nobody else who asks this goes on: admins act one after the other.
    """
    take_turn(session)
    if not _is_admin(session, actor_id):
        raise Forbidden("This needs the role admin, and an account that is not suspended.")


def _is_admin(session: Session, actor_id: UUID) -> bool:
    actor = session.scalar(select(Member).where(Member.id == actor_id))
    return actor is not None and actor.role == "admin" and shown_status(actor) == "active"


def require_reader(session: Session, actor_id: UUID) -> None:
    """Raise Forbidden unless the actor is an admin who may act; for who only looks, and need not wait for a turn."""
    if not _is_admin(session, actor_id):
        raise Forbidden("This is for admins. Link your Discord account to an account with role admin.")


def _require_staff(session: Session, actor_id: UUID) -> None:
    """Raise Forbidden unless the actor, for whose staff role the bot vouches, is a member who is not suspended."""
    take_turn(session)
    actor = session.scalar(select(Member).where(Member.id == actor_id))
    if actor is None or shown_status(actor) != "active":
        raise Forbidden("This needs an account that is not suspended.")


def _begin(
    session: Session, actor_id: UUID, member_id: UUID, *, of_themselves: bool = True, attested: bool = False
) -> Member:
    """The member, locked, when the actor still is an admin who may act, or `attested` staff."""
    if attested:
        _require_staff(session, actor_id)
    else:
        require_admin(session, actor_id)
    member = accounts.get(session, member_id, lock=True)
    if actor_id == member.id and not of_themselves:
        raise Forbidden("Nobody moderates themselves. Ask another admin.")
    if member.status == "suspended" and shown_status(member) == "active":
        _reinstate(session, member, None, "suspension_ended")
    return member


def refuse_last_admin(session: Session, member: Member) -> None:
    """Raise LastAdmin when nobody who can make an admin would be left without this member; it must be our turn."""
    if member.role == "admin":
        able = or_(Member.status == "active", Member.suspended_until <= func.now())
        others = select(Member.id).where(Member.role == "admin", Member.id != member.id, able)
        if session.scalar(others.limit(1)) is None:
            raise LastAdmin("Make somebody else an admin first.")


def _check_role_change(session: Session, actor_id: UUID, member: Member) -> None:
    refuse_last_admin(session, member)
    if member.id == actor_id:
        raise Forbidden("Nobody changes their own role. Ask another admin.")


def _reinstate(session: Session, member: Member, actor_id: UUID | None, action: str) -> None:
    before = {"status": "suspended", "suspended_until": member.suspended_until}
    _set(session, member, status="active", suspended_until=None)
    letters.send(session, member, "reinstated")
    told = UserReinstated(member.id, now())
    outbox.record(session, told, source=SOURCE, subject=member.id, sequence=member.version)
    audit.record(session, action, member.id, actor_id, before, {"status": "active", "suspended_until": None})


def _set(session: Session, member: Member, **values: Any) -> None:
    """Change the locked member and tell the others."""
    for name, value in values.items():
        setattr(member, name, value)
    member.version += 1
    session.flush()
    accounts.tell_updated(session, member)
