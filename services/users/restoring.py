"""What users counts, and what it says once more, after a restore; see fleet/restoring.py."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.users import AccountsMerged, DiscordUnlinked
from fleet.restoring import Retell, at_once, pages
from services.users import accounts, erasures, linking
from services.users.accounts import SOURCE
from services.users.models import AuditEntry, AuditNote, Member
from services.users.privacy_models import Erasure

# With the security version every access token is void: whom users signed out meanwhile stays so, and all sign in anew.
RAISED = (
    "members.version",
    "members.security_version",
    "auth_state.security_version",
    "discord_links.born_version",
    "discord_links.born_security_version",
)
KEPT = {
    "discord_links.link_version": "counts without gaps: who hears of a change waits for the one before it",
    "export_parts.number": "the order of the parts of a file",
}


def members(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """Who everybody is, how they may be reached, and what their tokens are worth."""
    rows = select(Member).where(Member.status != "erased").order_by(Member.id).limit(at_once()).with_for_update()
    if after is not None:
        rows = rows.where(Member.id > after)
    found = session.scalars(rows).all()
    for member in found:
        accounts.tell_updated(session, member)
        accounts.tell_contact(session, member)
        accounts.tell_auth_state(session, member)
    return pages([member.id for member in found])


def links(session: Session, since: datetime, after: UUID | None) -> tuple[int, None]:
    """The changes of links since then, as the audit trail has them: the newest has the number that the link is at."""
    statement = (
        select(AuditEntry, AuditNote)
        .join(AuditNote, AuditNote.entry_id == AuditEntry.id)
        .where(AuditEntry.action.in_(("discord_linked", "discord_unlinked")), AuditEntry.occurred_at >= since)
        .order_by(AuditEntry.id)
    )
    changes: dict[UUID, list[tuple[str, UUID]]] = {}
    for entry, note in session.execute(statement):
        words = note.after if entry.action == "discord_linked" else note.before
        changes.setdefault(UUID(words["discord_born_id"]), []).append((entry.action, entry.member_id))
    for born_id, made in sorted(changes.items()):
        link = linking.lock_link(session, born_id)
        for number, (action, member_id) in enumerate(made, link.link_version - len(made) + 1):
            told: AccountsMerged | DiscordUnlinked = (
                AccountsMerged(born_id, member_id, number)
                if action == "discord_linked"
                else DiscordUnlinked(member_id, born_id, number)
            )
            outbox.record(session, told, source=SOURCE, subject=born_id, sequence=link.born_version)
    return sum(map(len, changes.values())), None


def returned(session: Session, since: datetime, after: UUID | None) -> tuple[int, None]:
    """Whose derived ids lead to a new member since then, because they had been forgotten and came back."""
    came = select(Erasure).where(Erasure.returned_as.is_not(None), Erasure.answered_at >= since).order_by(Erasure.id)
    found = session.scalars(came).all()
    for erasure in found:
        assert erasure.returned_id is not None
        assert erasure.returned_as is not None
        link = linking.lock_link(session, erasure.returned_id)
        merged = AccountsMerged(erasure.returned_id, erasure.returned_as, link.link_version)
        outbox.record(session, merged, source=SOURCE, subject=erasure.returned_id, sequence=link.born_version)
    return len(found), None


def forgotten(session: Session, since: datetime, after: UUID | None) -> tuple[int, None]:
    """Whom everybody has to forget: a backup remembers them."""
    return erasures.replay(session), None


RETOLD: tuple[Retell, ...] = (members, links, returned, forgotten)
