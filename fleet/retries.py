"""How a message of one of our queues is sent round by the delay queues: which attempt it is, and who had sent it first.

The broker vouches for who published a message, which after the first round is the service itself; who it was before is in a
header that only the service's own messages are believed.
"""

from typing import Any

from fleet import topology
from fleet.publisher import Outgoing


def sender_of(service: str, properties: Any) -> str:
    """The user the broker vouches for; in a message that the service sent round itself, the one it noted then."""
    own = properties.user_id == service
    return str((properties.headers or {}).get("x-sender", "")) if own else str(properties.user_id or "")


def attempt_of(service: str, properties: Any) -> int:
    """How often it was sent round already: 0 for one that came from anybody else."""
    return int((properties.headers or {}).get("x-attempt", 0)) if properties.user_id == service else 0


def round_trip(
    queue: str, body: bytes, *, delay: str, attempt: int, sender: str, message_id: str, key: Any = None
) -> Outgoing:
    """The message on its way by the delay queue of `delay` back to `queue`; `key` is for the caller to know it by."""
    return Outgoing(
        key=key,
        exchange=topology.RETRY,
        routing_key=topology.retry_key(delay, queue),
        body=body,
        message_id=message_id,
        mandatory=True,
        headers={"x-attempt": attempt, "x-sender": sender},
    )
