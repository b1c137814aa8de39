"""Publishing with confirms, many at a time.

pika's BlockingChannel waits one round trip for each confirm (a tenth of what a batch reaches), so this drives a
SelectConnection in a thread of its own and lets the caller hand over whole batches.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.adapters.select_connection import SelectConnection
from pika.exceptions import ChannelClosedByBroker

from fleet.messages import CONTENT_TYPE

CONFIRM_TIMEOUT_S = 15.0


class BrokerAway(Exception):
    """The connection to RabbitMQ failed; nothing more is known of what was under way. Reconnect and publish again."""


class NotTaken(BrokerAway):
    """The broker closed the channel over something in the batch: no right to the key, or no such exchange."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to publish; `key` is whatever the caller knows it by."""

    key: Any
    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    mandatory: bool
    ttl_ms: int | None = None
    headers: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of a batch: keys the broker has safely, keys nobody is bound to, keys it refused."""

    confirmed: list[Any] = field(default_factory=list)
    returned: list[Any] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)


def parameters(url: str) -> pika.URLParameters:
    """Connection parameters of the fleet: one attempt (retries are the caller's), heartbeats, bounded waits."""
    found = pika.URLParameters(url)
    found.heartbeat = 30
    found.blocked_connection_timeout = 60
    found.socket_timeout = 10
    found.connection_attempts = 1
    return found


class Publisher:
    """A confirming publisher on its own connection. Not for use by two threads at once."""

    def __init__(self, url: str) -> None:
        """Connect; raises BrokerAway when that fails within the socket timeout."""
        self._parameters = parameters(url)
        self._user = self._parameters.credentials.username
        self._opened = threading.Event()
        self._settled = threading.Event()
        self._failure: BaseException | None = None
        self._channel: Any = None
        self._next_tag = 1
        self._waiting: dict[int, Outgoing] = {}
        self._returned: set[str] = set()
        self._outcome = Outcome()
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._on_channel),
            on_open_error_callback=lambda _c, error: self._fail(error),
            on_close_callback=lambda _c, error: self._fail(error),
        )
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()
        if not self._opened.wait(CONFIRM_TIMEOUT_S) or self._failure:
            self.close()
            raise BrokerAway(str(self._failure or "no answer"))

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        except Exception as error:
            # The loop's thread has nobody above it: the failure is handed to whoever waits for the batch.
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._opened.set()
        self._settled.set()
        self._connection.ioloop.stop()

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _c, error: self._fail(error))
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._opened.set())

    def _on_return(self, _channel: Any, _method: Any, properties: Any, _body: bytes) -> None:
        # The broker returns an unroutable message *before* it confirms it.
        self._returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        tag = frame.method.delivery_tag
        tags = [t for t in self._waiting if t <= tag] if frame.method.multiple else [tag]
        for each in tags:
            outgoing = self._waiting.pop(each, None)
            if outgoing is None:
                continue
            if isinstance(frame.method, pika.spec.Basic.Nack):
                self._outcome.refused.append(outgoing.key)
            elif outgoing.message_id in self._returned:
                self._returned.discard(outgoing.message_id)
                self._outcome.returned.append(outgoing.key)
            else:
                self._outcome.confirmed.append(outgoing.key)
        if not self._waiting:
            self._settled.set()

    def _send(self, batch: Sequence[Outgoing]) -> None:
        for outgoing in batch:
            self._waiting[self._next_tag] = outgoing
            self._next_tag += 1
        for outgoing in batch:
            self._channel.basic_publish(
                outgoing.exchange, outgoing.routing_key, outgoing.body, self._properties(outgoing), outgoing.mandatory
            )

    def _properties(self, outgoing: Outgoing) -> pika.BasicProperties:
        return pika.BasicProperties(
            content_type=CONTENT_TYPE,
            message_id=outgoing.message_id,
            type=outgoing.routing_key,
            user_id=self._user,
            delivery_mode=1 if outgoing.ttl_ms else 2,
            expiration=str(outgoing.ttl_ms) if outgoing.ttl_ms else None,
            headers=outgoing.headers or None,
        )

    def publish(self, batch: Sequence[Outgoing]) -> Outcome:
        """Publish the batch and wait until the broker has settled each message.

        Raises BrokerAway when the connection fails or the confirms do not come in time; then any of them may have
        arrived, and the caller publishes them again (receivers drop what they know).
        """
        if self._failure:
            raise BrokerAway(str(self._failure))
        if not batch:
            return Outcome()
        self._outcome, self._returned = Outcome(), set()
        self._settled.clear()
        self._connection.ioloop.add_callback_threadsafe(lambda: self._send(batch))
        if not self._settled.wait(CONFIRM_TIMEOUT_S):
            self._failure = self._failure or TimeoutError("the broker did not confirm in time")
        if self._failure:
            refused = isinstance(self._failure, ChannelClosedByBroker)
            raise (NotTaken if refused else BrokerAway)(str(self._failure))
        return self._outcome

    def close(self) -> None:
        """Close the connection and end its thread; safe to repeat."""
        if self._thread.is_alive():
            self._connection.ioloop.add_callback_threadsafe(self._end)
            self._thread.join(5)

    def _end(self) -> None:
        # A broker that stalls does not answer the farewell either.
        self._connection.ioloop.call_later(2, self._connection.ioloop.stop)
        if self._connection.is_open:
            self._connection.close()
