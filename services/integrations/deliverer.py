"""The part of the worker that sends webhooks: takes what is due, sends several at once, writes down what came of each."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet import logs, tracing
from fleet.database import is_outage, transaction
from fleet.messages import now
from fleet.settings import read
from services.integrations import deliveries, posting, webhooks
from services.integrations.gauges import sent
from services.integrations.settings import WebhookSettings

log = logs.get(__name__)

IDLE_S = 0.25


class Deliverer:
    """Sends until `stop` is set; several may run at once, each delivery is claimed by one."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self._senders = read(WebhookSettings).senders

    def run(self) -> None:
        """Send what is due, rest when nothing is; a database that is away is waited for."""
        with ThreadPoolExecutor(self._senders, thread_name_prefix="webhook") as pool:
            while not self.stop.is_set():
                try:
                    if not self.send_due(pool):
                        self.stop.wait(IDLE_S)
                except Exception as error:
                    if not is_outage(error):
                        raise
                    log.warning("webhooks_postponed")
                    self.stop.wait(1)

    def send_due(self, pool: ThreadPoolExecutor) -> int:
        """Send as many as there are senders; returns how many were due."""
        with transaction() as session:
            due = deliveries.claim(session, self._senders)
        # One address that is slow holds up the others for no longer than one request may take.
        list(pool.map(_send, due))
        return len(due)


def _send(claimed: Any) -> None:
    tried_at = now()
    with tracing.span(f"webhook {claimed.type}", "client", parent=claimed.traceparent):
        outcome = posting.post(claimed.url, webhooks.secrets_of(claimed), str(claimed.event_id), tried_at, claimed.body)
    with transaction() as session:
        deliveries.settle(session, claimed, tried_at, outcome)
    sent.labels("delivered" if outcome.delivered else "failed").inc()
    if not outcome.delivered:
        log.warning(
            "webhook_failed",
            webhook_id=str(claimed.webhook_id),
            delivery_id=str(claimed.id),
            attempts=claimed.attempts,
            status=outcome.status,
            error=outcome.error,
        )
