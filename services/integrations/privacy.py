"""What integrations holds on a member, for who asks to see it; and forgetting a person while the feed stays in order.

Events are never taken out of the middle: their ids, positions and times stay, and the member's ids in them become the
pseudonym. Only `users.user_erased` keeps the id it is about, for without it nobody outside could forget the person too.
Webhooks and keys that an admin made stay in use, as made by the pseudonym.
"""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import forgetting
from fleet.exporting import Section
from services.integrations.feed import ERASED

SECTIONS: tuple[Section, ...] = (
    Section(
        "public_events",
        "SELECT lpad(position::text, 20, '0') AS key, position, type, stored_at, body FROM feed_events"
        " WHERE member_id = ANY(:ids)",
    ),
    Section(
        "api_keys_made",
        "SELECT id::text AS key, id, name, prefix, created_at, revoked_at FROM api_keys WHERE created_by = ANY(:ids)",
    ),
    Section(
        "webhooks_made",
        "SELECT id::text AS key, id, name, url, contact, created_at FROM webhooks WHERE created_by = ANY(:ids)",
    ),
)

_EVENTS = text(
    "UPDATE feed_events SET body = replace(body, :old, :new), member_id = :pseudonym"
    " WHERE member_id = :member_id AND type <> :erased"
)
_REMEMBER = text(
    "INSERT INTO forgotten (member_id, pseudonym) VALUES (:member_id, :pseudonym) ON CONFLICT (member_id) DO NOTHING"
)
_MAKERS = tuple(
    text(f"UPDATE {table} SET created_by = :pseudonym WHERE created_by = :member_id")  # noqa: S608 constants
    for table in ("api_keys", "webhooks")
)


def forget(session: Session, member_ids: list[UUID], pseudonym: UUID) -> int:
    """Forget the person behind these ids and return how many rows were changed or deleted. Repeating it changes nothing."""
    rows = 0
    for member_id in member_ids:
        # Before the events: what is stored from here on looks there.
        ids = {"member_id": member_id, "pseudonym": pseudonym}
        session.execute(_REMEMBER, ids)
        words = {"old": str(member_id), "new": str(pseudonym), "erased": ERASED}
        rows += session.execute(_EVENTS, ids | words).rowcount  # type: ignore[attr-defined]
        for statement in _MAKERS:
            rows += session.execute(statement, ids).rowcount  # type: ignore[attr-defined]
    return rows + forgetting.forget_requests(session, member_ids)
