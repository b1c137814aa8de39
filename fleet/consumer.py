"""The consumer: takes messages from a service's queues and applies each exactly once.

One connection with an I/O thread (pika's objects belong to the thread that made them) and one worker thread for each
queue. A worker applies what waits in one transaction (inbox, handlers, outbox), and acknowledges only after its commit.

What happens to a message that cannot be applied:
  it does not fit its declaration, or its sender may not send it   -> dead at once
  a Problem from a command                                         -> that is its reply; applied
  a Problem from an event                                          -> dead at once
  the database is away                                             -> kept and tried again in place: nothing goes dead
  anything else                                                    -> again after 5 s .. 5 min, five times, then dead
  the process dies on it                                           -> the broker counts its deliveries: dead after 20

A crash counts against *every* unacknowledged message, so a consumer starts with one message at a time and takes many
only after it has seen one that was not redelivered, or twenty clean ones; redelivered messages are always applied alone.
"""

import threading
import time
from typing import Any

from pika.adapters.select_connection import SelectConnection

from fleet import logs, topology
from fleet.publisher import BrokerAway, Outgoing, Publisher, parameters
from fleet.question_worker import QuestionWorker
from fleet.queue_worker import QueueWorker
from fleet.subscriptions import Subscriptions

log = logs.get(__name__)

BATCH = 200
PREFETCH = 16


class Consumer:
    """Consumes the queues of one service until `stop` is set."""

    def __init__(
        self, subscriptions: Subscriptions, amqp_url: str, stop: threading.Event, batch: int = PREFETCH
    ) -> None:
        self.subscriptions, self.service, self.stop = subscriptions, subscriptions.service, stop
        self._url = amqp_url
        self._connection: Any = None
        self._closed = threading.Event()
        self._publisher: Publisher | None = None
        self._publisher_lock = threading.Lock()
        kinds = ["commands", "events"] + (["replies"] if self.service in topology.ASKERS else [])
        self.queues: list[QueueWorker] = [QueueWorker(self, kind, batch) for kind in kinds]
        self.queues.append(QuestionWorker(self, "questions", PREFETCH))

    def run(self) -> None:
        """Work until stopped; a lost connection is opened again with back-off."""
        threads = [threading.Thread(target=worker.run, name=worker.queue, daemon=True) for worker in self.queues]
        for thread in threads:
            thread.start()
        wait = 0.2
        while not self.stop.is_set():
            started = time.monotonic()
            io = threading.Thread(target=self._io_loop, name="amqp", daemon=True)
            self._closed.clear()
            io.start()
            while not self._closed.wait(0.2) and not self.stop.is_set():
                if not all(thread.is_alive() for thread in threads):
                    # A SystemExit ends a thread without a word, and its queue would never be read again.
                    raise RuntimeError("the worker of a queue ended")
            if self.stop.is_set():
                break
            io.join(2)
            wait = 0.2 if time.monotonic() - started > 10 else min(wait * 2, 5.0)
            self.stop.wait(wait)
        self._finish(threads)

    def _finish(self, threads: list[threading.Thread]) -> None:
        """Take nothing more, let each worker end what it has begun, acknowledge it, close."""
        for thread in threads:
            thread.join(10)
        if self._connection is not None and self._connection.is_open:
            self.in_io(self._connection.close)
            self._closed.wait(3)

    @property
    def ready(self) -> bool:
        """True while every queue is being consumed."""
        return not self._closed.is_set() and all(worker.consuming for worker in self.queues)

    def in_io(self, call: Any) -> None:
        """Run `call` in the thread that owns the connection; dropped when that connection is gone."""
        connection = self._connection
        if connection is not None and connection.is_open:
            connection.ioloop.add_callback_threadsafe(call)

    def _io_loop(self) -> None:
        try:
            self._connection = SelectConnection(
                parameters(self._url),
                on_open_callback=self._on_open,
                on_open_error_callback=lambda _c, error: self._on_closed(error),
                on_close_callback=lambda _c, error: self._on_closed(error),
            )
            self._connection.ioloop.start()
        except Exception as error:
            # Nothing above this thread could see it; the outer loop connects again.
            self._on_closed(error)

    def _on_open(self, connection: Any) -> None:
        for worker in self.queues:
            connection.channel(on_open_callback=worker.begin)

    def _on_closed(self, error: BaseException) -> None:
        if not self.stop.is_set():
            log.warning("broker_connection_lost", error=str(error))
        for worker in self.queues:
            worker.consuming = False
        self._closed.set()
        if self._connection is not None:
            self._connection.ioloop.stop()

    def publish_retry(self, outgoing: Outgoing) -> None:
        """Publish with confirm on a connection of its own; BrokerAway when it cannot be done now."""
        with self._publisher_lock:
            try:
                self._publisher = self._publisher or Publisher(self._url)
                outcome = self._publisher.publish([outgoing])
            except BrokerAway:
                if self._publisher:
                    self._publisher.close()
                self._publisher = None
                raise
        if not outcome.confirmed:
            raise BrokerAway(f"{outgoing.routing_key} was not accepted")
