"""The messages of a service that could not be applied: `python -m fleet.dead_letters points [--replay]`.

Shows what lies in the dead queue: type, id, the queue it died in, and how often. `--replay` sends each round once more, as
a first attempt, and takes it out only when the broker has it safely; who sent it stays noted, so that rights hold as before.
What was applied meanwhile is in the inbox and changes nothing.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pika

from fleet import topology
from fleet.publisher import BrokerAway, Outgoing, Publisher, parameters
from fleet.settings import BrokerSettings, read, require


@dataclass(frozen=True)
class Dead:
    """A message in the dead queue."""

    tag: int
    type: str
    message_id: str
    queue: str
    deaths: int
    sender: str
    body: bytes


def _read(service: str, method: Any, properties: Any, body: bytes) -> Dead:
    headers = properties.headers or {}
    deaths = headers.get("x-death") or [{}]
    # A message that went round for a retry died in the delay queues too: what counts is where it was read last.
    died: dict[str, Any] = next((each for each in deaths if str(each.get("queue", "")).startswith(f"{service}.")), {})
    own = properties.user_id == service
    return Dead(
        tag=method.delivery_tag,
        type=properties.type or "",
        message_id=properties.message_id or "",
        queue=str(died.get("queue") or ""),
        deaths=int(died.get("count") or 0),
        sender=str(headers.get("x-sender", "")) if own else str(properties.user_id or ""),
        body=body,
    )


def waiting(service: str, channel: Any) -> Iterator[Dead]:
    """All there is in the dead queue, unacknowledged: what nobody acknowledges stays there."""
    while True:
        method, properties, body = channel.basic_get(topology.queue(service, "dead"))
        if method is None:
            return
        yield _read(service, method, properties, body)


def again(dead: Dead) -> Outgoing:
    """The message on its way back to its queue, as a first attempt."""
    return Outgoing(
        key=dead.tag,
        exchange=topology.RETRY,
        routing_key=topology.retry_key(topology.RETRY_DELAYS[0], dead.queue),
        body=dead.body,
        message_id=dead.message_id,
        mandatory=True,
        headers={"x-attempt": 0, "x-sender": dead.sender},
    )


def replay(channel: Any, publisher: Publisher, dead: Dead) -> bool:
    """Send it round once more; False when the broker did not take it, and then it stays where it is."""
    if not dead.queue or not publisher.publish([again(dead)]).confirmed:
        return False
    channel.basic_ack(dead.tag)
    return True


def run(service: str, *, replaying: bool) -> int:
    """Show them, and send them round when asked to; 1 when one could not be sent."""
    url, failed, count = read(BrokerSettings).url, 0, 0
    connection = pika.BlockingConnection(parameters(url))
    publisher = Publisher(url) if replaying else None
    try:
        channel = connection.channel()
        # Taken first: what is sent round may be dead again before the last has been looked at.
        for dead in list(waiting(service, channel)):
            count += 1
            sent = replay(channel, publisher, dead) if publisher else None
            failed += sent is False
            told = {None: "", True: "  sent round", False: "  NOT SENT: it stays"}[sent]
            sys.stdout.write(f"{dead.type}  {dead.message_id}  died in {dead.queue or '?'}{told}\n")
    finally:
        if publisher:
            publisher.close()
        connection.close()
    sys.stdout.write(f"{count} in {topology.queue(service, 'dead')}\n")
    return 1 if failed else 0


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", choices=topology.SERVICES)
    parser.add_argument("--replay", action="store_true")
    given = parser.parse_args()
    require(BrokerSettings)
    try:
        return run(given.service, replaying=given.replay)
    except (BrokerAway, pika.exceptions.AMQPError) as error:
        sys.stderr.write(f"the broker does not answer: {type(error).__name__}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
