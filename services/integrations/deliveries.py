"""Deliveries: which event goes to which webhook, when it is tried, and when it is not tried any more.

Whoever tries one moves its `due_at` ahead first, in a transaction of its own: two never send it at once, and one who dies
in between leaves it to be sent again after LEASE_S. So an address may get an event twice, always with the same id.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.orm import Session

from fleet.messages import now
from fleet.paging import decode_cursor, page
from fleet.problems import NotFound
from fleet.settings import read
from services.integrations import webhooks
from services.integrations.models import Attempt, Delivery, FeedEvent, Webhook
from services.integrations.posting import Outcome
from services.integrations.settings import WebhookSettings

# Longer than any one request takes.
LEASE_S = 60
# Seconds after the first, second ... failure; the last one again and again, until it is given up.
PAUSES = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200)
LOG_KEPT = 30

_CLAIM = text(
    "UPDATE deliveries d SET attempts = d.attempts + 1, due_at = now() + make_interval(secs => :lease),"
    " begun_at = coalesce(d.begun_at, now())"
    " FROM (SELECT q.id FROM deliveries q JOIN webhooks w ON w.id = q.webhook_id AND w.status = 'active'"
    "  WHERE q.status = 'waiting' AND q.due_at <= now() ORDER BY q.due_at, q.position LIMIT :limit"
    "  FOR UPDATE OF q SKIP LOCKED) AS due, webhooks w, feed_events e"
    " WHERE d.id = due.id AND w.id = d.webhook_id AND e.position = d.position"
    " RETURNING d.id, d.webhook_id, d.position, d.attempts, d.begun_at, d.traceparent, e.event_id, e.type, e.body, w.url,"
    " w.secret, w.previous_secret, w.previous_until"
)


def claim(session: Session, limit: int) -> list[Row[Any]]:
    """Up to `limit` deliveries that are due, each for this caller alone for the next LEASE_S seconds."""
    rows = session.execute(_CLAIM, {"limit": limit, "lease": LEASE_S}).all()
    return sorted(rows, key=lambda row: row.position)


def pause_s(attempts: int) -> float:
    """Seconds until the next attempt after so many, a little by chance so that a crowd does not come back at once."""
    return PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(0.9, 1.1)  # noqa: S311 jitter, not a secret


def settle(session: Session, claimed: Any, tried_at: datetime, outcome: Outcome) -> None:
    """Write down an attempt and what follows from it: delivered, tried again later, or given up after so many hours.

    A webhook that took nothing in all that time is disabled, one whose address says 410 at once; both are told by mail.
    """
    if session.scalar(select(Delivery.id).where(Delivery.id == claimed.id).with_for_update()) is None:
        return  # the webhook was deleted meanwhile
    session.add(
        Attempt(
            delivery_id=claimed.id,
            tried_at=tried_at,
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            error=outcome.error,
        )
    )
    session.flush()
    mine = update(Delivery).where(Delivery.id == claimed.id)
    if outcome.delivered:
        session.execute(mine.values(status="delivered", done_at=func.now()))
        session.execute(update(Webhook).where(Webhook.id == claimed.webhook_id).values(last_success_at=func.now()))
        return
    over = claimed.begun_at + timedelta(hours=read(WebhookSettings).give_up_hours)
    wait = max(pause_s(claimed.attempts), outcome.retry_after_s)
    if now() + timedelta(seconds=wait) <= over and not outcome.is_gone:
        session.execute(mine.values(due_at=now() + timedelta(seconds=wait)))
        return
    if not outcome.is_gone:
        session.execute(mine.values(status="given_up", done_at=func.now()))
    webhook = webhooks.find(session, claimed.webhook_id, lock=True)
    if outcome.is_gone:
        webhooks.disable(session, webhook, "its address answers that it is gone (410)", tell=True)
    elif webhook.last_success_at is None or webhook.last_success_at < claimed.begun_at:
        hours = f"{read(WebhookSettings).give_up_hours:g}"
        webhooks.disable(session, webhook, f"its address took nothing for {hours} hours", tell=True)


@dataclass(frozen=True)
class Listed:
    """A delivery with the event it is of and its last attempts."""

    delivery: Delivery
    event_id: UUID
    type: str
    attempts: list[Attempt]


def listed(
    session: Session, webhook_id: UUID, status: str | None, limit: int, cursor: str | None
) -> tuple[list[Listed], str | None]:
    """The deliveries of a webhook, newest event first, each with its log. Raises NotFound."""
    webhooks.find(session, webhook_id)
    rows = select(Delivery, FeedEvent.event_id, FeedEvent.type).join(FeedEvent, FeedEvent.position == Delivery.position)
    rows = rows.where(Delivery.webhook_id == webhook_id).order_by(Delivery.position.desc()).limit(limit + 1)
    if status is not None:
        rows = rows.where(Delivery.status == status)
    if after := decode_cursor(cursor, int):
        rows = rows.where(Delivery.position < after[0])
    found, following = page(session.execute(rows).all(), limit, lambda row: (row.Delivery.position,))
    return [_with_log(session, *row) for row in found], following


def _with_log(session: Session, delivery: Delivery, event_id: UUID, type_: str) -> Listed:
    log = select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id.desc()).limit(LOG_KEPT)
    return Listed(delivery, event_id, type_, list(session.scalars(log)))


def resend(session: Session, webhook_id: UUID, delivery_id: UUID) -> Listed:
    """Send it again now, from the first attempt on, whatever became of it. Raises NotFound."""
    delivery = session.get(Delivery, delivery_id, with_for_update=True, populate_existing=True)
    if delivery is None or delivery.webhook_id != webhook_id:
        raise NotFound("This webhook has no such delivery.")
    delivery.status, delivery.done_at, delivery.begun_at = "waiting", None, None
    delivery.attempts, delivery.due_at = 0, now()
    session.flush()
    event = session.get_one(FeedEvent, delivery.position)
    return _with_log(session, delivery, event.event_id, event.type)


def trim(session: Session) -> int:
    """Delete attempts beyond the newest of each delivery that are shown."""
    old = text(
        "DELETE FROM attempts WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY delivery_id"
        " ORDER BY id DESC) AS place FROM attempts) AS ranked WHERE place > :kept LIMIT 5000)"
    )
    return session.execute(old, {"kept": LOG_KEPT}).rowcount  # type: ignore[attr-defined]
