"""Prometheus metrics of every process, and the small door that serves them where there is no web application."""

import json
import os
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import multiprocess as _multiprocess

from fleet.settings import MetricsSettings, read

requests = Histogram(
    "http_request_duration_seconds",
    "Time to answer a request, by route, method and status",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
outbox_lag = Gauge("outbox_oldest_seconds", "Age of the oldest unpublished message")
outbox_waiting = Gauge("outbox_messages", "Messages that are committed and not published")
outbox_put_off = Gauge("outbox_put_off_messages", "Messages among them that the broker returned or refused")
surveyed = Gauge("survey_last_success_timestamp_seconds", "When the database was last counted; Unix time")
depth = Gauge("queue_messages", "Messages that are ready in a queue", ["queue"])
published = Counter("messages_published_total", "Messages the broker confirmed")
dead_letters = Gauge("dead_letters", "Messages that could not be applied and wait for somebody to decide")
returned = Counter("messages_returned_total", "Messages that nobody is bound to although somebody must hear them")
consumed = Counter(
    "messages_consumed_total", "Messages taken from a queue, by what became of them", ["queue", "outcome"]
)
mails = Counter("mails_total", "Mails, by what became of an attempt to send one", ["outcome"])
handling = Histogram("message_handling_seconds", "Time to apply one message or batch", ["queue"])
waited = Histogram(
    "message_wait_seconds",
    "Age of a message when it is read from its queue, from its recording on",
    ["queue"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
)
mails_waiting = Gauge("mails_waiting", "Mails in the queue that are still tried")
mails_given_up = Gauge("mails_given_up", "Mails that the server refused for good")
mail_lag = Gauge("mails_oldest_seconds", "Age of the oldest mail that is still tried")


def exposition() -> tuple[bytes, str]:
    """The body and content type of /metrics, summed over gunicorn's workers when there are several."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        _multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(), CONTENT_TYPE_LATEST


def serve(ready: Callable[[], bool]) -> None:
    """Serve /metrics, /healthz (the process lives) and /readyz (`ready()`) on METRICS_PORT, in a background thread."""
    settings = read(MetricsSettings)
    if not settings.port:
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, *exposition())
            elif self.path == "/healthz":
                self._answer(200, b'{"status":"alive"}', "application/json")
            elif self.path == "/readyz":
                up = ready()
                body = json.dumps({"status": "ready" if up else "not ready"}).encode()
                self._answer(200 if up else 503, body, "application/json")
            else:
                self._answer(404, b"{}", "application/json")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Probes come every second; their lines would drown the rest."""

    server = ThreadingHTTPServer((settings.host, settings.port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
