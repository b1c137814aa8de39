"""A window of the feed once more, with the same ids: to one webhook, or to the queue of one integrator.

Whoever keeps ids, as every subscriber should, does everything once. A window is bounded: a longer one is asked for in parts.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import outbox, topology
from fleet.messages import now
from fleet.problems import Problem, invalid
from services.integrations import feed, webhooks
from services.integrations.models import Webhook

MOST = 10_000

_AGAIN = text(
    "INSERT INTO deliveries (webhook_id, position) SELECT :webhook_id, unnest(CAST(:positions AS bigint[]))"
    " ON CONFLICT (webhook_id, position) DO UPDATE SET status = 'waiting', done_at = NULL, begun_at = NULL, attempts = 0,"
    " due_at = now()"
)


class WindowTooLarge(Problem):
    """More events than one replay takes."""

    status, slug, title = 422, "window-too-large", "The window holds too many events"


def _window(
    session: Session, since: datetime, until: datetime | None, types: Sequence[str] | None
) -> list[tuple[int, UUID, str]]:
    if since >= (until or now()):
        raise invalid("/since", "must lie before the end of the window, and not ahead")
    rows = session.execute(feed.window(since, until, types).limit(MOST + 1)).all()
    if len(rows) > MOST:
        raise WindowTooLarge(f"It holds more than {MOST} events: ask for a shorter one, then for the next.")
    return [(row.position, row.event_id, row.body) for row in rows]


def to_webhook(
    session: Session, webhook: Webhook, since: datetime, until: datetime | None, types: Sequence[str] | None
) -> int:
    """Put the window on its way to a webhook again, whatever became of each delivery before; returns how many events.

    Without `types` those of the webhook. Raises InvalidFields, WindowTooLarge.
    """
    found = _window(session, since, until, webhooks.check_types(types) if types is not None else webhook.types)
    session.execute(_AGAIN, {"webhook_id": webhook.id, "positions": [position for position, _id, _body in found]})
    return len(found)


def to_queue(
    session: Session, integrator: str, since: datetime, until: datetime | None, types: Sequence[str] | None
) -> int:
    """Publish the window to `propel.replay` under the integrator's own key; returns how many events.

    Only its queues that are bound to that key by then get them. Raises InvalidFields, WindowTooLarge.
    """
    found = _window(session, since, until, webhooks.check_types(types))
    outbox.forward(
        session, topology.REPLAY, integrator, [(event_id, body.encode()) for _position, event_id, body in found]
    )
    return len(found)
