"""The audit trail of members: written in the transaction of the change, and append only for the service itself."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.messages import new_id, to_json
from fleet.paging import decode_cursor, page
from services.users.models import AuditEntry, AuditNote

# What says nothing about a person once the member id means nothing any more; the rest goes to the note.
IMPERSONAL = ("role", "status", "track", "warnings", "suspended_until")


def record(
    session: Session,
    action: str,
    member_id: UUID,
    actor_id: UUID | None,
    before: dict[str, Any],
    after: dict[str, Any],
    reason: str | None = None,
) -> UUID:
    """Write down a change of a member by `actor_id` (None: by itself), with the values before and after; its id."""
    before, after = to_json(before), to_json(after)
    entry = AuditEntry(
        id=new_id(),
        member_id=member_id,
        actor_id=actor_id,
        action=action,
        before={name: value for name, value in before.items() if name in IMPERSONAL},
        after={name: value for name, value in after.items() if name in IMPERSONAL},
    )
    session.add(entry)
    session.flush()
    personal_before = {name: value for name, value in before.items() if name not in IMPERSONAL}
    personal_after = {name: value for name, value in after.items() if name not in IMPERSONAL}
    if personal_before or personal_after or reason is not None:
        session.add(AuditNote(entry_id=entry.id, before=personal_before, after=personal_after, reason=reason))
        session.flush()
    return entry.id


def reason_of(session: Session, member_id: UUID, entry_id: UUID, action: str) -> tuple[datetime, str | None] | None:
    """When an entry of this kind about the member was made, and the reason given; None when there is no such entry."""
    statement = (
        select(AuditEntry.occurred_at, AuditNote.reason)
        .join(AuditNote, AuditNote.entry_id == AuditEntry.id, isouter=True)
        .where(AuditEntry.id == entry_id, AuditEntry.member_id == member_id, AuditEntry.action == action)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row.occurred_at, row.reason)


def trail(
    session: Session, since: datetime, member_id: UUID | None, limit: int, cursor: str | None
) -> tuple[list[Any], str | None]:
    """A page of what was changed since then about all members or one, newest first, and the cursor of the next."""
    statement = select(AuditEntry, AuditNote).join(AuditNote, AuditNote.entry_id == AuditEntry.id, isouter=True)
    # Ids are ordered by time: the walk along the primary key ends where `since` begins.
    statement = statement.where(AuditEntry.id >= UUID(int=max(0, int(since.timestamp() * 1000)) << 80))
    if member_id is not None:
        statement = statement.where(AuditEntry.member_id == member_id)
    if key := decode_cursor(cursor, UUID):
        statement = statement.where(AuditEntry.id < key[0])
    rows = session.execute(statement.order_by(AuditEntry.id.desc()).limit(limit + 1)).all()
    return page(rows, limit, lambda row: (row.AuditEntry.id,))


def entries(
    session: Session, member_id: UUID, limit: int, cursor: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of a member's trail, newest first, and the cursor of the next."""
    statement = (
        select(AuditEntry, AuditNote)
        .join(AuditNote, AuditNote.entry_id == AuditEntry.id, isouter=True)
        .where(AuditEntry.member_id == member_id)
        .order_by(AuditEntry.id.desc())
        .limit(limit + 1)
    )
    if key := decode_cursor(cursor, UUID):
        statement = statement.where(AuditEntry.id < key[0])
    rows, following = page(session.execute(statement).all(), limit, lambda row: (row.AuditEntry.id,))
    return [_shown(row.AuditEntry, row.AuditNote) for row in rows], following


def _shown(entry: AuditEntry, note: AuditNote | None) -> dict[str, Any]:
    return {
        "id": entry.id,
        "action": entry.action,
        "actor_id": entry.actor_id,
        "occurred_at": entry.occurred_at,
        "before": entry.before | (note.before if note else {}),
        "after": entry.after | (note.after if note else {}),
        "reason": note.reason if note else None,
    }
