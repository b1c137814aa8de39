"""Webhooks: addresses that events are posted to, their secrets, and switching them on and off."""

import base64
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from fleet.messages import new_id, now
from fleet.paging import decode_cursor, page
from fleet.problems import NotFound, Problem, invalid
from services.integrations import feed, letters, posting
from services.integrations.models import Webhook

MOST = 100


class TooManyWebhooks(Problem):
    """Every webhook costs something for each event."""

    status, slug, title = 409, "too-many-webhooks", "There are too many webhooks"


def check_types(types: Sequence[str] | None, pointer: str = "/types") -> list[str] | None:
    """The types in their order, each once; raises InvalidFields for one that is no public event."""
    if types is None:
        return None
    unknown = sorted(set(types) - set(feed.TYPES))
    if unknown or not types:
        said = f"not a public event: {', '.join(unknown)}" if unknown else "name at least one, or leave it out for all"
        raise invalid(pointer, f"{said}. The catalogue is at /api/events/docs/")
    return sorted(set(types))


def new_secret() -> str:
    """A secret for signatures, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def add(session: Session, words: dict[str, Any], created_by: UUID) -> Webhook:
    """Make a webhook out of name, url, types and contact; its secret is in it, to be shown this once.

    Raises InvalidFields, TooManyWebhooks.
    """
    posting.check(words["url"])
    types = check_types(words.get("types"))
    if len(session.scalars(select(Webhook.id)).all()) >= MOST:
        raise TooManyWebhooks(f"There are {MOST} webhooks: delete one first.")
    webhook = Webhook(
        id=new_id(),
        name=words["name"],
        url=words["url"],
        types=types,
        contact=words["contact"],
        secret=new_secret(),
        status="active",
        created_by=created_by,
        created_at=now(),
    )
    session.add(webhook)
    session.flush()
    return webhook


def find(session: Session, webhook_id: UUID, *, lock: bool = False) -> Webhook:
    """The webhook; raises NotFound."""
    found = session.get(Webhook, webhook_id, with_for_update=lock, populate_existing=lock)
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def listed(session: Session, limit: int, cursor: str | None) -> tuple[list[Webhook], str | None]:
    """Webhooks, newest first."""
    rows = select(Webhook).order_by(Webhook.id.desc()).limit(limit + 1)
    if after := decode_cursor(cursor, UUID):
        rows = rows.where(Webhook.id < after[0])
    return page(session.scalars(rows).all(), limit, lambda webhook: (webhook.id,))


def change(session: Session, webhook_id: UUID, words: dict[str, Any]) -> Webhook:
    """Change name, url, types or contact; what is on its way goes to the new address. Raises NotFound, InvalidFields."""
    webhook = find(session, webhook_id, lock=True)
    if "url" in words:
        posting.check(words["url"])
    if "types" in words:
        words = words | {"types": check_types(words["types"])}
    for name, value in words.items():
        setattr(webhook, name, value)
    session.flush()
    return webhook


def rotate_secret(session: Session, webhook_id: UUID, overlap: timedelta) -> Webhook:
    """Give it a new secret; until `overlap` is over every request carries a signature with each of the two."""
    webhook = find(session, webhook_id, lock=True)
    webhook.previous_secret, webhook.previous_until = webhook.secret, now() + overlap
    webhook.secret = new_secret()
    session.flush()
    return webhook


def secrets_of(webhook: Any) -> list[str]:
    """The secrets to sign with at this moment."""
    found = [webhook.secret]
    if webhook.previous_secret and webhook.previous_until > now():
        found.append(webhook.previous_secret)
    return found


def enable(session: Session, webhook_id: UUID) -> Webhook:
    """Switch it on; what waited is tried anew from the beginning. Nothing was kept for it meanwhile: see replay."""
    webhook = find(session, webhook_id, lock=True)
    if webhook.status == "disabled":
        webhook.status, webhook.disabled_at, webhook.disabled_because = "active", None, None
        session.flush()
        anew = "UPDATE deliveries SET attempts = 0, begun_at = NULL, due_at = now() WHERE webhook_id = :id AND status = 'waiting'"
        session.execute(text(anew), {"id": webhook_id})
    return webhook


def disable(session: Session, webhook: Webhook, because: str, *, tell: bool) -> None:
    """Switch it off, and write to its contact when it was not they who did it."""
    if webhook.status == "disabled":
        return
    webhook.status, webhook.disabled_at, webhook.disabled_because = "disabled", now(), because
    session.flush()
    if tell:
        letters.disabled(session, webhook)


def remove(session: Session, webhook_id: UUID) -> None:
    """Delete it with its deliveries and their log. Raises NotFound."""
    session.delete(find(session, webhook_id, lock=True))
    session.flush()
