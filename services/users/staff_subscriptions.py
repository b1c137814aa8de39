"""What staff do to members from Discord, under the rights that they have here. The same schemas read it as at the HTTP door."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.contracts import users
from fleet.messages import Envelope, now
from fleet.problems import Forbidden, NotFound, invalid
from fleet.web import load
from services.users import accounts, audit, moderation, schemas
from services.users.heard import subscriptions
from services.users.models import AuditEntry, Member

LONGEST_HOURS = 24 * 366


def _actor(session: Session, member_id: UUID) -> UUID:
    """Whom the acting person's id leads to; Forbidden when they are nobody here."""
    try:
        return accounts.get(session, member_id).id
    except NotFound as error:
        raise Forbidden("This needs an account with role admin, linked to your Discord account.") from error


def _state(member: Member) -> users.MemberState:
    status = accounts.shown_status(member)
    return users.MemberState(
        member_id=member.id,
        display_name=accounts.display_name(member),
        status=status,
        warnings=member.warnings,
        suspended_until=member.suspended_until if status == "suspended" else None,
    )


@subscriptions.handles(users.SuspendMember)
def suspend_member(session: Session, command: Envelope[users.SuspendMember]) -> users.MemberState:
    """Suspend for a time or without end."""
    asked = command.data
    fields = load(schemas.Suspension, {"minutes": asked.minutes, "reason": asked.reason.strip()})
    until = now() + timedelta(minutes=fields["minutes"]) if fields["minutes"] else None
    actor = _actor(session, asked.actor_member_id)
    return _state(moderation.suspend(session, actor, asked.member_id, until, fields["reason"]))


@subscriptions.handles(users.UnsuspendMember)
def unsuspend_member(session: Session, command: Envelope[users.UnsuspendMember]) -> users.MemberState:
    """Lift a suspension."""
    asked = command.data
    return _state(moderation.unsuspend(session, _actor(session, asked.actor_member_id), asked.member_id))


@subscriptions.handles(users.WarnMember)
def warn_member(session: Session, command: Envelope[users.WarnMember]) -> users.MemberState:
    """Warn."""
    asked = command.data
    reason = load(schemas.Warning, {"reason": asked.reason.strip()})["reason"]
    actor = _actor(session, asked.actor_member_id)
    return _state(moderation.warn(session, actor, asked.member_id, reason, staff_attested=asked.staff_attested))


@subscriptions.handles(users.ClearWarnings)
def clear_warnings(session: Session, command: Envelope[users.ClearWarnings]) -> users.MemberState:
    """Take all warnings back."""
    asked = command.data
    return _state(moderation.clear_warnings(session, _actor(session, asked.actor_member_id), asked.member_id))


@subscriptions.handles(users.GetWarning)
def get_warning(session: Session, question: Envelope[users.GetWarning]) -> users.Warned:
    """Why a member was warned."""
    asked = question.data
    member = accounts.get(session, asked.member_id)
    found = audit.reason_of(session, member.id, asked.warning_id, "warned")
    if found is None:
        raise NotFound("There is no such warning.")
    return users.Warned(reason=found[1], warned_at=found[0])


@subscriptions.handles(users.EnrolMember)
def enrol_member(session: Session, command: Envelope[users.EnrolMember]) -> users.Enrolled:
    """Make somebody in Discord a member."""
    asked = command.data
    moderation.require_admin(session, _actor(session, asked.actor_member_id))
    before = session.scalar(select(Member.id).where(Member.discord_id == asked.discord_id))
    seen = users.RegisterMember(
        asked.member_id, asked.discord_id, asked.discord_username, asked.display_name, asked.seen_at
    )
    member = accounts.register_from_discord(session, seen)
    return users.Enrolled(member.id, accounts.display_name(member), before is None, member.username)


@subscriptions.handles(users.GetAuditTrail)
def get_audit_trail(session: Session, question: Envelope[users.GetAuditTrail]) -> users.AuditTrail:
    """What was changed about members, by whom."""
    asked = question.data
    moderation.require_reader(session, _actor(session, asked.actor_member_id))
    if not 1 <= asked.hours <= LONGEST_HOURS:
        raise invalid("/hours", f"must be between 1 and {LONGEST_HOURS:,}")
    whose = accounts.get(session, asked.member_id).id if asked.member_id is not None else None
    since, limit = now() - timedelta(hours=asked.hours), max(1, min(asked.limit, 25))
    rows, cursor = audit.trail(session, since, whose, limit, asked.cursor)
    names = _names(session, [row.AuditEntry for row in rows])
    return users.AuditTrail([_record(row, names) for row in rows], cursor)


def _names(session: Session, entries: list[AuditEntry]) -> dict[UUID | None, str]:
    ids = {entry.member_id for entry in entries} | {entry.actor_id for entry in entries}
    found = session.scalars(select(Member).where(Member.id.in_([each for each in ids if each is not None])))
    return {member.id: accounts.display_name(member) for member in found if member.status != "erased"}


def _record(row: Any, names: dict[UUID | None, str]) -> users.AuditRecord:
    entry, note = row.AuditEntry, row.AuditNote
    shown = sorted(entry.before.keys() | entry.after.keys())
    changes = [users.AuditChange(name, _said(entry.before.get(name)), _said(entry.after.get(name))) for name in shown]
    if note is not None:
        changes += [users.AuditChange(name) for name in sorted(note.before.keys() | note.after.keys())]
    return users.AuditRecord(
        entry_id=entry.id,
        action=entry.action,
        about=names.get(entry.member_id),
        by=names.get(entry.actor_id),
        occurred_at=entry.occurred_at,
        changes=changes,
        reason=note.reason if note is not None else None,
    )


def _said(value: Any) -> str | None:
    return None if value is None else str(value)
