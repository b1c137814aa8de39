"""What integrations counts of itself: see fleet/survey.py."""

from prometheus_client import Counter, Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import mail
from services.integrations import feed
from services.integrations.models import Delivery, Webhook

sent = Counter("webhook_requests_total", "Requests to webhooks, by what came of them", ["outcome"])
newest = Gauge("feed_position", "Position of the newest event of the feed")
waiting = Gauge("webhook_deliveries_waiting", "Deliveries that are still tried, of active webhooks")
oldest = Gauge("webhook_oldest_delivery_seconds", "Age of the oldest of them")
disabled = Gauge("webhooks_disabled", "Webhooks that are switched off")


def count(session: Session) -> None:
    """Set all of them, and those of the mail."""
    newest.set(feed.head(session))
    age = func.coalesce(func.extract("epoch", func.now() - func.min(Delivery.begun_at)), 0)
    open_ones = select(func.count(), age).join(Webhook, Webhook.id == Delivery.webhook_id)
    row = session.execute(open_ones.where(Delivery.status == "waiting", Webhook.status == "active")).one()
    waiting.set(row[0])
    oldest.set(row[1])
    disabled.set(session.scalar(select(func.count()).where(Webhook.status == "disabled")) or 0)
    mail.count(session)
