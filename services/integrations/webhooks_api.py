"""The HTTP door of webhooks: admins make, change, watch and replay them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from fleet.auth import caller
from fleet.database import transaction
from fleet.web import ADMIN, Answer, PageQuery, operation
from services.integrations import deliveries, replay, schemas, webhooks
from services.integrations.models import Webhook

webhooks_api = Blueprint("webhooks_api", __name__)


def _shown(webhook: Webhook) -> dict[str, Any]:
    return dict(schemas.Webhook().dump(webhook))


@webhooks_api.get("/api/webhooks/")
@operation(who=ADMIN, query=PageQuery, answers={200: schemas.Webhooks})
def list_webhooks(query: dict[str, Any]) -> Answer:
    """Webhooks, newest first."""
    with transaction() as session:
        rows, following = webhooks.listed(session, query["limit"], query["cursor"])
        return {"items": [_shown(row) for row in rows], "next_cursor": following}


@webhooks_api.post("/api/webhooks/")
@operation(who=ADMIN, body=schemas.NewWebhook, answers={201: schemas.MadeWebhook, 409: None})
def add_webhook(body: dict[str, Any]) -> Answer:
    """Make a webhook: from now on each public event (of `types`) is posted to `url`, signed as Standard Webhooks say.

    `webhook-id` is the event's id: an event may come twice, always with the same one. Answer with any 2xx within 10
    seconds; anything else is tried again for three days. `secret` is shown this once.
    """
    with transaction() as session:
        made = webhooks.add(session, body, caller().member_id)
        answer = {**_shown(made), "secret": made.secret}
    return answer, 201


@webhooks_api.get("/api/webhooks/<uuid:webhook_id>/")
@operation(who=ADMIN, answers={200: schemas.Webhook})
def get_webhook(webhook_id: UUID) -> Answer:
    """One webhook."""
    with transaction() as session:
        return _shown(webhooks.find(session, webhook_id))


@webhooks_api.patch("/api/webhooks/<uuid:webhook_id>/")
@operation(who=ADMIN, body=schemas.ChangedWebhook, answers={200: schemas.Webhook})
def change_webhook(webhook_id: UUID, body: dict[str, Any]) -> Answer:
    """Change name, url, types or contact. What is on its way goes to the new address."""
    with transaction() as session:
        return _shown(webhooks.change(session, webhook_id, body))


@webhooks_api.delete("/api/webhooks/<uuid:webhook_id>/")
@operation(who=ADMIN, answers={204: None})
def remove_webhook(webhook_id: UUID) -> Answer:
    """Delete a webhook with its deliveries and their log."""
    with transaction() as session:
        webhooks.remove(session, webhook_id)
    return Response(status=204)


@webhooks_api.post("/api/webhooks/<uuid:webhook_id>/enable/")
@operation(who=ADMIN, answers={200: schemas.Webhook})
def enable_webhook(webhook_id: UUID) -> Answer:
    """Switch it on again. What waited is tried anew; for what happened while it was off ask for a replay."""
    with transaction() as session:
        return _shown(webhooks.enable(session, webhook_id))


@webhooks_api.post("/api/webhooks/<uuid:webhook_id>/disable/")
@operation(who=ADMIN, answers={200: schemas.Webhook})
def disable_webhook(webhook_id: UUID) -> Answer:
    """Switch it off: nothing is sent, and nothing is kept for it, until it is switched on."""
    with transaction() as session:
        webhook = webhooks.find(session, webhook_id, lock=True)
        webhooks.disable(session, webhook, "an admin switched it off", tell=False)
        return _shown(webhook)


@webhooks_api.post("/api/webhooks/<uuid:webhook_id>/rotate_secret/")
@operation(who=ADMIN, body=schemas.Rotation, answers={200: schemas.MadeWebhook})
def rotate_webhook_secret(webhook_id: UUID, body: dict[str, Any]) -> Answer:
    """Give it a new secret, shown this once; for some hours requests carry a signature with each of the two."""
    with transaction() as session:
        webhook = webhooks.rotate_secret(session, webhook_id, timedelta(hours=body["overlap_hours"]))
        return {**_shown(webhook), "secret": webhook.secret}


@webhooks_api.get("/api/webhooks/<uuid:webhook_id>/deliveries/")
@operation(who=ADMIN, query=schemas.DeliveriesQuery, answers={200: schemas.Deliveries})
def list_deliveries(webhook_id: UUID, query: dict[str, Any]) -> Answer:
    """What was sent, what waits and what was given up, newest event first, each with its last attempts."""
    with transaction() as session:
        rows, following = deliveries.listed(session, webhook_id, query["status"], query["limit"], query["cursor"])
        return {"items": [schemas.Delivery().dump(row) for row in rows], "next_cursor": following}


@webhooks_api.post("/api/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend/")
@operation(who=ADMIN, answers={202: schemas.Delivery})
def resend_delivery(webhook_id: UUID, delivery_id: UUID) -> Answer:
    """Send one event again now, whatever became of it."""
    with transaction() as session:
        return dict(schemas.Delivery().dump(deliveries.resend(session, webhook_id, delivery_id))), 202


@webhooks_api.post("/api/webhooks/<uuid:webhook_id>/replay/")
@operation(who=ADMIN, body=schemas.Window, answers={202: schemas.Replayed})
def replay_to_webhook(webhook_id: UUID, body: dict[str, Any]) -> Answer:
    """Send a window of events again, with the same ids: what it missed while it was off, or lost on its side."""
    with transaction() as session:
        webhook = webhooks.find(session, webhook_id)
        count = replay.to_webhook(session, webhook, body["since"], body["until"], body["types"])
    return {"events": count}, 202
