"""What one queue's messages go through: read, checked, applied with their neighbours, settled. See fleet/consumer.py."""

import queue
import time
from collections.abc import Sequence
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pika import BasicProperties

from fleet import asking, dead_letters, inbox, logs, metrics, outbox, retries, topology, tracing
from fleet.contracts.codec import SchemaError
from fleet.database import is_outage, transaction
from fleet.dead_letters import Dead
from fleet.messages import Envelope, Reply, decode, now
from fleet.problems import Problem
from fleet.publisher import BrokerAway

if TYPE_CHECKING:
    from fleet.consumer import Consumer

log = logs.get(__name__)

CLEAN_BEFORE_BATCHES = 20
OUTAGE_PAUSE_S = (0.5, 5.0)


@dataclass(slots=True)
class Delivery:
    """One delivered message, and the channel its acknowledgement belongs to."""

    channel: Any
    tag: int
    redelivered: bool
    properties: BasicProperties
    body: bytes
    envelope: Envelope[Any] | None = None

    @property
    def headers(self) -> dict[str, Any]:
        return self.properties.headers or {}


class QueueWorker:
    """Applies the messages of one queue, in order of arrival."""

    def __init__(self, consumer: "Consumer", kind: str, batch: int) -> None:
        self.consumer, self.kind, self.batch = consumer, kind, batch
        self.queue = topology.queue(consumer.service, kind)
        self.consuming = False
        self._arrived: queue.Queue[Delivery] = queue.Queue()
        self._channel: Any = None
        self._tag = ""
        self._fast = False
        self._clean = 0
        # Tags of the present channel that are not settled yet, in order of arrival; the I/O thread's alone.
        self._open: dict[int, None] = {}

    @property
    def prefetch(self) -> int:
        """How many may be unacknowledged: the batch that is being applied, and the next one already here."""
        return self.batch * 2 if self.batch > 1 else 1

    # In the I/O thread

    def begin(self, channel: Any) -> None:
        """Start consuming on a fresh channel, one message at a time."""
        self._channel, self._fast, self._clean, self._open = channel, False, 0, {}
        channel.add_on_close_callback(self._on_channel_closed)
        # The broker cancels a consumer whose queue went away; begin anew rather than wait for ever.
        channel.add_on_cancel_callback(lambda _frame: channel.close())
        self._consume(1)

    def _consume(self, prefetch: int) -> None:
        channel = self._channel

        def consume(_frame: Any = None) -> None:
            self._tag = channel.basic_consume(self.queue, self._on_message)
            self.consuming = True

        channel.basic_qos(prefetch_count=prefetch, callback=consume)

    def _on_channel_closed(self, _channel: Any, error: BaseException) -> None:
        self.consuming = False
        if self.consumer._connection.is_open:
            log.error("channel_closed", queue=self.queue, error=str(error))
            self.consumer._connection.close()

    def _on_message(self, channel: Any, method: Any, properties: BasicProperties, body: bytes) -> None:
        self._open[method.delivery_tag] = None
        self._arrived.put(Delivery(channel, method.delivery_tag, method.redelivered, properties, body))

    def _speed_up(self) -> None:
        """A consumer's prefetch is fixed when it begins, so it is cancelled and begun again with a larger one."""
        channel = self._channel
        if not channel.is_open:
            return
        channel.basic_cancel(self._tag, callback=lambda _frame: self._consume(self.prefetch))

    # In the worker thread

    def run(self) -> None:
        """Apply what arrives until stopped."""
        while not self.consumer.stop.is_set():
            waiting = self._take()
            if waiting:
                self.work(waiting)

    def _take(self) -> list[Delivery]:
        try:
            found = [self._arrived.get(timeout=0.2)]
        except queue.Empty:
            return []
        while len(found) < self.batch:
            try:
                found.append(self._arrived.get_nowait())
            except queue.Empty:
                break
        return [delivery for delivery in found if delivery.channel.is_open]

    def work(self, deliveries: list[Delivery]) -> None:
        """Apply deliveries: redelivered ones alone, the others together."""
        readable = [delivery for delivery in deliveries if self._read(delivery)]
        fresh = [delivery for delivery in readable if not delivery.redelivered]
        for group in [[d] for d in readable if d.redelivered] + ([fresh] if fresh else []):
            if self.consumer.stop.is_set():
                return
            self._apply_group(group)
            self._clean += len(group)
            if not self._fast and (fresh or self._clean >= CLEAN_BEFORE_BATCHES):
                self._fast = True
                self.consumer.in_io(self._speed_up)

    def _read(self, delivery: Delivery) -> bool:
        """Decode and check the sender; False when the message went to the dead queue."""
        try:
            delivery.envelope = envelope = decode(delivery.body)
            if self.kind != "replies":
                self._check_addressee(envelope, self._sender(delivery))
            # Two clocks may differ by more than a message waits.
            metrics.waited.labels(self.queue).observe(max(0.0, (now() - envelope.time).total_seconds()))
            return True
        except SchemaError as error:
            self._kill(delivery, str(error))
            return False

    def _sender(self, delivery: Delivery) -> str:
        if delivery.properties.user_id is None:
            raise SchemaError("the message does not carry the broker-validated user_id")
        return retries.sender_of(self.consumer.service, delivery.properties)

    def _check_addressee(self, envelope: Envelope[Any], sender: str) -> None:
        contract = self.consumer.subscriptions.contract(envelope.type)
        if contract is None:
            raise SchemaError(f"{envelope.type} has no handler in {self.consumer.service}")
        if contract.kind + "s" != self.kind:
            raise SchemaError(f"{envelope.type} is an {contract.kind} and came through {self.queue}")
        allowed = contract.senders or (contract.owner,)
        if sender not in allowed:
            raise SchemaError(f"{sender or 'nobody'} may not send {envelope.type}")
        if envelope.reply_to is not None and envelope.reply_to != sender:
            raise SchemaError("a reply goes to the sender of the request only")

    def _apply_group(self, group: list[Delivery]) -> None:
        pause = OUTAGE_PAUSE_S[0]
        while not self.consumer.stop.is_set():
            try:
                with metrics.handling.labels(self.queue).time():
                    self._apply(group)
                self._settle(group, "applied")
                return
            except Exception as error:
                if is_outage(error):
                    log.warning("database_away", queue=self.queue, held=len(group), pause_s=pause)
                    self.consumer.stop.wait(pause)
                    pause = min(pause * 2, OUTAGE_PAUSE_S[1])
                    continue
                if len(group) > 1:
                    for delivery in group:
                        self._apply_group([delivery])
                    return
                self._refuse(group[0], error)
                return

    def _apply(self, group: Sequence[Delivery]) -> None:
        """One transaction: what is not in the inbox yet is handled, each outcome recorded as a reply when awaited."""
        envelopes = {d.envelope.id: d.envelope for d in group if d.envelope}
        with transaction() as session:
            fresh = inbox.take(session, self.queue, list(envelopes))
            replies: list[Envelope[Reply]] = []
            for waiting in self._groups(sorted((e for e in envelopes.values() if e.id in fresh), key=_subject)):
                replies += self._handle(session, waiting)
            outbox.record_replies(session, replies)

    def _groups(self, envelopes: list[Envelope[Any]]) -> list[list[Envelope[Any]]]:
        """What is handled in one call: all that share a handler for many, every other message by itself."""
        groups: dict[Any, list[Envelope[Any]]] = {}
        for envelope in envelopes:
            together = self.consumer.subscriptions.together.get(envelope.type) if len(envelopes) > 1 else None
            groups.setdefault(together or envelope.id, []).append(envelope)
        return list(groups.values())

    def _handle(self, session: Any, waiting: list[Envelope[Any]]) -> list[Envelope[Reply]]:
        """Call the handler; the replies that are awaited."""
        subscriptions, service = self.consumer.subscriptions, self.consumer.service
        if len(waiting) > 1:
            replies, began = [], time.monotonic()
            results = subscriptions.together[waiting[0].type](session, waiting)
            for envelope, result in zip(waiting, results, strict=True):
                self._trace(envelope, time.monotonic() - began)
                refusal = result.to_dict() if isinstance(result, Problem) else None
                if envelope.reply_to:
                    answer = None if refusal else result
                    replies.append(outbox.reply_envelope(service, envelope, result=answer, problem=refusal))
            return replies
        [envelope] = waiting
        with context_of(envelope):
            if isinstance(envelope.data, Reply):
                asking.keep_reply(session, envelope)
                if subscriptions.on_reply:
                    subscriptions.on_reply(session, envelope)
                return []
            result = subscriptions.handlers[envelope.type](session, envelope)
            if result is outbox.LATER or not envelope.reply_to:
                return []
            return [outbox.reply_envelope(service, envelope, result=result)]

    def _trace(self, envelope: Envelope[Any], seconds: float) -> None:
        """What was applied with others is in the trace of each."""
        if tracing.enabled():
            tracing.note(f"handle {envelope.type}", "consumer", envelope.traceparent, seconds, _traced(envelope))

    def _refuse(self, delivery: Delivery, error: Exception) -> None:
        """What to do with a single message that could not be applied."""
        envelope = delivery.envelope
        assert envelope is not None
        if isinstance(error, Problem) and self.kind == "commands":
            self._reply_refusal(delivery, envelope, error)
        elif isinstance(error, Problem | SchemaError):
            self._kill(delivery, str(error))
        else:
            log.error("message_failed", type=envelope.type, message_id=str(envelope.id), exc_info=error)
            self._retry(delivery, envelope, error)

    def _reply_refusal(self, delivery: Delivery, envelope: Envelope[Any], problem: Problem) -> None:
        try:
            with transaction() as session:
                if inbox.take(session, self.queue, [envelope.id]) and envelope.reply_to:
                    reply = outbox.reply_envelope(self.consumer.service, envelope, problem=problem.to_dict())
                    outbox.record_replies(session, [reply])
        except Exception as error:
            # Not even the refusal could be recorded (the database went away just now): the message comes again.
            self._retry(delivery, envelope, error)
            return
        log.info("command_refused", type=envelope.type, message_id=str(envelope.id), problem=problem.slug)
        self._settle([delivery], "refused")

    def _retry(self, delivery: Delivery, envelope: Envelope[Any], error: Exception) -> None:
        service, properties = self.consumer.service, delivery.properties
        attempt = retries.attempt_of(service, properties)
        if attempt >= len(topology.RETRY_DELAYS):
            self._kill(delivery, f"failed {attempt + 1} times, lastly with {type(error).__name__}")
            return
        outgoing = retries.round_trip(
            self.queue,
            delivery.body,
            delay=topology.RETRY_DELAYS[attempt],
            attempt=attempt + 1,
            sender=retries.sender_of(service, properties),
            message_id=str(envelope.id),
        )
        pause = OUTAGE_PAUSE_S[0]
        # Held while the channel it came by lives: unacknowledged there, nothing else would bring it back.
        while delivery.channel.is_open and not self.consumer.stop.is_set():
            try:
                self.consumer.publish_retry(outgoing)
            except BrokerAway as away:
                log.warning("retry_not_published", message_id=str(envelope.id), error=str(away))
                self.consumer.stop.wait(pause)
                pause = min(pause * 2, OUTAGE_PAUSE_S[1])
                continue
            self._settle([delivery], "retried")
            return

    def _kill(self, delivery: Delivery, cause: str) -> None:
        """Write it down with its cause, then let it go. What cannot be written down goes to the broker's dead queue."""
        properties = delivery.properties
        log.error("message_dead_lettered", queue=self.queue, message_id=properties.message_id, cause=cause)
        sender = retries.sender_of(self.consumer.service, properties)
        dead = Dead(self.queue, properties.message_id or "", properties.type or "", sender, cause, delivery.body)
        pause = OUTAGE_PAUSE_S[0]
        while self.kind != "questions" and delivery.channel.is_open and not self.consumer.stop.is_set():
            try:
                with transaction() as session:
                    dead_letters.keep(session, dead)
            except Exception as error:
                if not is_outage(error):
                    log.exception("dead_letter_not_kept", message_id=properties.message_id)
                    break
                self.consumer.stop.wait(pause)
                pause = min(pause * 2, OUTAGE_PAUSE_S[1])
                continue
            self._settle([delivery], "dead")
            return
        if not self.consumer.stop.is_set():
            self._reject(delivery)

    def _reject(self, delivery: Delivery) -> None:
        metrics.consumed.labels(self.queue, "dead").inc()

        def reject() -> None:
            if delivery.channel.is_open:
                self._open.pop(delivery.tag, None)
                delivery.channel.basic_reject(delivery.tag, requeue=False)

        self.consumer.in_io(reject)

    def _settle(self, group: Sequence[Delivery], outcome: str) -> None:
        metrics.consumed.labels(self.queue, outcome).inc(len(group))

        self.consumer.in_io(lambda: self._acknowledge(group))

    def _acknowledge(self, group: Sequence[Delivery]) -> None:
        """One acknowledgement for all up to which nothing else is open, one for each of the others."""
        tags = {delivery.tag for delivery in group if delivery.channel is self._channel and delivery.channel.is_open}
        together = list(takewhile(tags.__contains__, self._open))
        if together:
            self._channel.basic_ack(together[-1], multiple=True)
        for tag in sorted(tags.difference(together)):
            self._channel.basic_ack(tag)
        for tag in tags:
            self._open.pop(tag, None)


def _subject(envelope: Envelope[Any]) -> str:
    """Two batches that share members lock them in one order; what concerns the same one stays as it came."""
    return envelope.subject or ""


def context_of(envelope: Envelope[Any]) -> ExitStack:
    """Log lines and messages of a handler carry on the correlation and trace of the message they come from."""
    stack = ExitStack()
    values: dict[ContextVar[str | None], str | None] = {
        logs.correlation_id: envelope.correlation_id or str(envelope.id),
        logs.causation_id: str(envelope.id),
        logs.traceparent: envelope.traceparent,
    }
    for variable, value in values.items():
        stack.callback(variable.reset, variable.set(value))
    stack.enter_context(tracing.span(f"handle {envelope.type}", "consumer", attributes=_traced(envelope)))
    return stack


def _traced(envelope: Envelope[Any]) -> dict[str, str | int]:
    return {"messaging.message.id": str(envelope.id), "propel.correlation_id": envelope.correlation_id or ""}
