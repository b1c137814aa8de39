"""What users itself holds on a member, for who asks to see it; and forgetting the person.

What stays of a member is listed (`KEPT`), and everything else goes, so that a new column is forgotten without a thought.
The row stays, empty, under each id that was the member's: the id is taken for ever, and a message of before brings
nobody back.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import forgetting, rates
from fleet.exporting import Section
from fleet.mail import mail_queue
from services.users.link_models import DiscordLink, LinkCode
from services.users.models import (
    AuditEntry,
    AuditNote,
    Member,
    OneTimeToken,
    RefreshFamily,
    RefreshToken,
    ResetRequest,
)
from services.users.privacy_models import Export

# What an erased member's row keeps: numbers and words that fit everybody.
KEPT = ("id", "role", "status", "version", "security_version", "created_at")
# Never shown, also not to the member: with it somebody could sign in, or it only repeats another column.
_SECRET = ("password_hash", "username_key", "email_key")
_SHOWN = ", ".join(column.name for column in Member.__table__.columns if column.name not in _SECRET)

SECTIONS: tuple[Section, ...] = (
    Section("account", f"SELECT id::text AS key, {_SHOWN} FROM members WHERE id = ANY(:ids)"),  # noqa: S608 columns
    Section(
        "discord_links",
        "SELECT born_id::text AS key, born_id, linked_at, link_version FROM discord_links WHERE member_id = ANY(:ids)",
    ),
    Section(
        "link_codes",
        "SELECT id::text AS key, created_at, expires_at, claimed_by, claimed_username, claimed_display_name, claimed_at,"
        " outcome FROM link_codes WHERE member_id = ANY(:ids)",
    ),
    Section(
        "sign_ins",
        "SELECT id::text AS key, created_at, expires_at, revoked_at FROM refresh_families WHERE member_id = ANY(:ids)",
    ),
    Section(
        "mailed_codes",
        "SELECT id::text AS key, purpose, email_key AS address, created_at, expires_at, used_at FROM one_time_tokens"
        " WHERE member_id = ANY(:ids)",
    ),
    Section(
        "password_resets",
        "SELECT r.id::text AS key, r.email_key AS address, r.asked_at FROM reset_requests r"
        " JOIN members m USING (email_key) WHERE m.id = ANY(:ids)",
    ),
    Section(
        "letters",
        "SELECT q.id::text AS key, q.recipient, q.subject, q.recorded_at FROM mail_queue q"
        " JOIN members m ON m.email = q.recipient WHERE m.id = ANY(:ids)",
    ),
    Section(
        "audit",
        "SELECT e.id::text AS key, e.action, e.actor_id, e.occurred_at, e.before || coalesce(n.before, '{}') AS before,"
        " e.after || coalesce(n.after, '{}') AS after, n.reason FROM audit_entries e"
        " LEFT JOIN audit_notes n ON n.entry_id = e.id WHERE e.member_id = ANY(:ids)",
    ),
    # What the member did to others as an admin; about whom, is the others' own.
    Section(
        "acts",
        "SELECT id::text AS key, action, occurred_at FROM audit_entries"
        " WHERE actor_id = ANY(:ids) AND member_id <> ALL(:ids)",
    ),
)


def forget(session: Session, member: Member, member_ids: list[UUID]) -> None:
    """Delete and empty everything personal; the member and the links of `member_ids` are locked.

    The versions that order events stay, and so do audit entries, without their personal notes.
    """
    known_as = (member.email_key, member.username_key, member.discord_id, *map(str, member_ids))
    rates.forget(session, [key for key in known_as if key])
    _forget_letters(session, member)
    _forget_traces(session, member, member_ids)
    _forget_untold(session, member_ids, member.discord_id)
    forgetting.forget_requests(session, member_ids)
    member.status = "erased"
    for column in Member.__table__.columns:
        if column.name not in KEPT:
            setattr(member, column.name, None if column.nullable else _EMPTY[column.name])
    session.flush()
    tombstones = [{"id": gone, "role": "student", "status": "erased"} for gone in member_ids if gone != member.id]
    if tombstones:
        session.execute(insert(Member).values(tombstones).on_conflict_do_nothing())


# For columns that cannot be null.
_EMPTY: dict[str, Any] = {"first_name": "", "last_name": "", "warnings": 0, "preferences": {}}


def _forget_letters(session: Session, member: Member) -> None:
    """Letters that wait, and what was sent by letter."""
    if member.email is None:
        return
    session.execute(delete(mail_queue).where(mail_queue.c.recipient == member.email))
    session.execute(delete(ResetRequest).where(ResetRequest.email_key == member.email_key))


def _forget_traces(session: Session, member: Member, member_ids: list[UUID]) -> None:
    """Sign-ins, codes, links, exports, and the notes beside the audit trail."""
    mine = select(RefreshFamily.id).where(RefreshFamily.member_id.in_(member_ids))
    entries = select(AuditEntry.id).where(AuditEntry.member_id.in_(member_ids))
    notes: ColumnElement[bool] = AuditNote.entry_id.in_(entries)
    claimed: ColumnElement[bool] = LinkCode.claimed_born_id.in_(member_ids)
    if member.discord_id is not None:
        # Somebody else's trail may name the Discord account, from when it was linked to them.
        named = AuditNote.before["discord_id"].astext, AuditNote.after["discord_id"].astext
        notes = or_(notes, *(name == member.discord_id for name in named))
        claimed = or_(claimed, LinkCode.claimed_by == member.discord_id)
    for statement in (
        delete(RefreshToken).where(RefreshToken.family_id.in_(mine)),
        delete(RefreshFamily).where(RefreshFamily.member_id.in_(member_ids)),
        delete(OneTimeToken).where(OneTimeToken.member_id.in_(member_ids)),
        delete(LinkCode).where(or_(LinkCode.member_id.in_(member_ids), claimed)),
        delete(Export).where(Export.member_id.in_(member_ids)),
        delete(AuditNote).where(notes),
        update(DiscordLink).where(DiscordLink.member_id.in_(member_ids)).values(member_id=None, linked_at=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    session.expire_all()


def _forget_untold(session: Session, member_ids: list[UUID], discord_id: str | None) -> None:
    """What the others have not been told of the person yet, and need not be. Changes of links are told: they are counted."""
    session.execute(
        text(
            "DELETE FROM outbox WHERE routing_key IN ('users.user_updated.v1', 'users.contact_changed.v1')"
            " AND (convert_from(body, 'UTF8')::jsonb ->> 'subject' = ANY(CAST(:ids AS text[]))"
            " OR convert_from(body, 'UTF8')::jsonb #>> '{data,discord_id}' = :discord_id)"
        ),
        {"ids": [str(member_id) for member_id in member_ids], "discord_id": discord_id},
    )
