"""The relay: takes committed messages from the outbox to RabbitMQ.

One is active for each database, held by a session advisory lock on the very connection that reads and deletes the
rows: if the lock is lost, so is the connection, and with it the right to publish. It reads what is there
(`ORDER BY id`, never "greater than the last id": ids commit out of order and such a cursor loses events), publishes with
confirms and deletes what the broker confirmed. Killed between the two, it publishes again: receivers have an inbox.
"""

import random
import threading
import time
from typing import Any

import orjson
import psycopg2

from fleet import logs, metrics, tracing
from fleet.database import present_url
from fleet.publisher import BrokerAway, NotTaken, Outcome, Outgoing, Publisher
from fleet.settings import BrokerSettings, read

log = logs.get(__name__)

POLL_S = 0.01
# Nobody has written for a while: to look a hundred times a second costs a waiting fleet a sixth of a core.
CALM_AFTER_S, CALM_POLL_S = 5.0, 0.05
STANDBY_S = 1.0
BATCH = 500
# Any number, the same in every relay; the lock is per database, so services do not meet on it.
ADVISORY_LOCK = 5_271_009
RETURNED_WAIT_S = 5
REFUSED_WAIT_S = (5, 300)
NOT_TAKEN_WAIT_S = 300

_SELECT = """
    SELECT id, message_id, exchange, routing_key, mandatory, ttl_ms, body FROM outbox
    WHERE retry_at IS NULL OR retry_at <= now() ORDER BY id LIMIT %s
"""
_POSTPONE = "UPDATE outbox SET attempts = attempts + 1, retry_at = now() + make_interval(secs => %s) WHERE id = ANY(%s)"
# A full queue stays full for a while, and all the other queues that the row goes to get it each time: ever more seldom.
_SLOWER = (
    "UPDATE outbox SET attempts = attempts + 1,"
    " retry_at = now() + make_interval(secs => least(%s * power(2, attempts), %s)) WHERE id = ANY(%s)"
)


class Relay:
    """Publishes the outbox of one service until `stop` is set."""

    def __init__(self, service: str, stop: threading.Event) -> None:
        self.service = service
        self.stop = stop
        self.active = False
        self._batch = BATCH
        self._database: Any = None
        self._publisher: Publisher | None = None

    @property
    def ready(self) -> bool:
        """True when it publishes, or stands by for the one that does."""
        return self._database is not None

    def run(self) -> None:
        """Work until stopped; connections that fail are opened again with jittered back-off."""
        wait = 0.1
        while not self.stop.is_set():
            try:
                self._connect()
                wait = 0.1
                self._publish_until_stopped()
            except (psycopg2.Error, BrokerAway) as error:
                log.warning("relay_interrupted", error=str(error).strip())
                self._close()
                self.stop.wait(wait * random.uniform(0.5, 1.5))  # noqa: S311 jitter, not a secret
                wait = min(wait * 2, 5.0)
        self._close()

    def _connect(self) -> None:
        # The lock's connection goes straight to PostgreSQL: behind a transaction pooler a session lock means nothing.
        url = present_url().set(drivername="postgresql").render_as_string(hide_password=False)
        self._database = psycopg2.connect(url, connect_timeout=5, keepalives_idle=10)
        self._database.autocommit = True
        while not self.stop.is_set() and not self._try_lock():
            self.stop.wait(STANDBY_S)
        if not self.stop.is_set():
            self._publisher = Publisher(read(BrokerSettings).url)
            self.active = True
            log.info("relay_active")

    def _try_lock(self) -> bool:
        with self._database.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))
            return bool(cursor.fetchone()[0])

    def _publish_until_stopped(self) -> None:
        last = time.monotonic()
        while not self.stop.is_set():
            read_rows = self.publish_batch()
            if read_rows:
                last = time.monotonic()
            if read_rows < BATCH:
                self.stop.wait(POLL_S if time.monotonic() - last < CALM_AFTER_S else CALM_POLL_S)

    def publish_batch(self) -> int:
        """Publish up to BATCH rows, delete the confirmed ones, put off the others; returns how many were read."""
        assert self._publisher is not None
        with self._database.cursor() as cursor:
            cursor.execute(_SELECT, (self._batch,))
            rows = cursor.fetchall()
            if not rows:
                self._batch = BATCH
                return 0
            began = time.monotonic()
            try:
                outcome = self._publisher.publish([_outgoing(row) for row in rows])
            except NotTaken as error:
                self._set_apart(cursor, rows, error)
                raise
            if outcome.confirmed:
                cursor.execute("DELETE FROM outbox WHERE id = ANY(%s)", (outcome.confirmed,))
                metrics.published.inc(len(outcome.confirmed))
                _trace(rows, set(outcome.confirmed), time.monotonic() - began)
            self._postpone(cursor, outcome)
        return len(rows)

    def _set_apart(self, cursor: Any, rows: list[tuple[Any, ...]], error: NotTaken) -> None:
        """The broker closed the channel over one of the rows: sent one by one it shows itself, and is put off."""
        self._batch = 1
        if len(rows) == 1:
            log.error("message_not_taken", id=rows[0][0], routing_key=rows[0][3], error=str(error))
            cursor.execute(_POSTPONE, (NOT_TAKEN_WAIT_S, [rows[0][0]]))
            self._batch = BATCH

    def _postpone(self, cursor: Any, outcome: Outcome) -> None:
        if outcome.returned:
            # Somebody must hear these, and nobody is bound: a topology that was not declared. They wait, and we alarm.
            log.error("messages_returned", ids=outcome.returned[:20], count=len(outcome.returned))
            metrics.returned.inc(len(outcome.returned))
            cursor.execute(_POSTPONE, (RETURNED_WAIT_S, outcome.returned))
        if outcome.refused:
            log.warning("messages_refused", ids=outcome.refused[:20], count=len(outcome.refused))
            cursor.execute(_SLOWER, (REFUSED_WAIT_S[0], REFUSED_WAIT_S[1], outcome.refused))

    def _close(self) -> None:
        self.active = False
        if self._publisher:
            self._publisher.close()
        if self._database:
            self._database.close()
        self._publisher = self._database = None


def _trace(rows: list[tuple[Any, ...]], confirmed: set[int], seconds: float) -> None:
    """The way of each message to the broker; before it lies what it waited in the outbox."""
    if not tracing.enabled():
        return
    for id_, message_id, exchange, routing_key, _mandatory, _ttl_ms, body in rows:
        traceparent = orjson.loads(bytes(body)).get("traceparent") if id_ in confirmed else None
        if traceparent:
            what = {"messaging.message.id": str(message_id), "messaging.destination.name": exchange}
            tracing.note(f"publish {routing_key}", "producer", traceparent, seconds, what)


def _outgoing(row: tuple[Any, ...]) -> Outgoing:
    id_, message_id, exchange, routing_key, mandatory, ttl_ms, body = row
    return Outgoing(id_, exchange, routing_key, bytes(body), str(message_id), mandatory, ttl_ms)
