"""How many messages are ready in a service's queues, its dead ones among them, every fifteen seconds beside its consumer.

Asked over AMQP: a passive declaration needs no right, and is there wherever a broker is.
"""

import threading
from typing import Any

import pika
from pika.exceptions import AMQPError

from fleet import logs, metrics, topology
from fleet.publisher import parameters

log = logs.get(__name__)

EVERY_S = 15.0


def watched(service: str) -> list[str]:
    """The queues of a service."""
    return sorted(name for name in topology.queues() if name.split(".", 1)[0] == service)


class Depths:
    """Asks until `stop` is set."""

    ready = True

    def __init__(self, service: str, amqp_url: str, stop: threading.Event) -> None:
        self.stop = stop
        self._queues, self._url = watched(service), amqp_url

    def run(self) -> None:
        """Ask, rest; a broker that is away is waited for, and what it held is not known meanwhile."""
        while not self.stop.is_set():
            try:
                self._ask_until_stopped()
            except (AMQPError, OSError) as error:
                log.warning("queues_not_counted", error=type(error).__name__)
                metrics.depth.clear()
                self.stop.wait(EVERY_S)

    def _ask_until_stopped(self) -> None:
        connection = pika.BlockingConnection(parameters(self._url))
        try:
            channel = connection.channel()
            while not self.stop.is_set():
                self._ask(channel)
                # Heartbeats are answered here and nowhere else; in short steps, so that nobody waits for our end.
                for _ in range(int(EVERY_S)):
                    if not self.stop.is_set():
                        connection.sleep(1)
        finally:
            if connection.is_open:
                connection.close()

    def _ask(self, channel: Any) -> None:
        for name in self._queues:
            metrics.depth.labels(name).set(channel.queue_declare(name, passive=True).method.message_count)
