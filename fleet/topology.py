"""RabbitMQ as data: exchanges, queues, bindings, users and rights; every name is derived here and nowhere else.

`python -m fleet.topology_job` declares exchanges, queues and bindings as the user `topology` before the services start.
`definitions(passwords)` gives the users and rights that the node loads at its start. Services only use what is there:
none of them may declare anything.
"""

import base64
import hashlib
import os
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fleet.contracts import by_type

VHOST = "propel"
SERVICES = ("users", "points", "rewards", "reviews", "bot", "integrations")
ASKERS = ("bot", "users", "rewards")

COMMANDS, QUESTIONS, REPLIES = "propel.commands", "propel.questions", "propel.replies"
EVENTS, PUBLIC, REPLAY = "propel.events", "propel.public", "propel.replay"
RETRY, REDELIVER, DEAD = "propel.retry", "propel.redeliver", "propel.dead"
EXCHANGES = (COMMANDS, QUESTIONS, REPLIES, EVENTS, PUBLIC, REPLAY, RETRY, REDELIVER, DEAD)

EXCHANGE_OF_KIND = {"event": EVENTS, "command": COMMANDS, "question": QUESTIONS}

# Delay before each further attempt; after the last one the message is dead.
RETRY_DELAYS = ("5s", "5s", "30s", "30s", "5m")
_MILLISECONDS = {"5s": 5_000, "30s": 30_000, "5m": 300_000}
QUESTION_TTL_MS = 3_000
DELIVERY_LIMIT = 20

# Which events each service hears. The subscriptions are checked against this list when a consumer starts.
HEARS: dict[str, tuple[str, ...]] = {
    "users": (),
    "points": (
        "users.user_registered.v1",
        "users.user_updated.v1",
        "users.auth_state_changed.v1",
        "users.discord_linked.v1",
        "users.accounts_merged.v1",
        "users.discord_unlinked.v1",
        "rewards.reward_redeemed.v1",
        "rewards.redemption_decided.v1",
        "rewards.redemption_fulfilled.v1",
        "rewards.incentive_changed.v1",
        "reviews.session_completed.v1",
        "reviews.review_requested.v1",
    ),
    "rewards": (
        "users.auth_state_changed.v1",
        "users.user_updated.v1",
        "users.contact_changed.v1",
        "users.discord_linked.v1",
        "users.accounts_merged.v1",
        "users.discord_unlinked.v1",
        "points.activity_logged.v1",
        "points.points_adjusted.v1",
        "points.balance_joined.v1",
        "points.points_held.v1",
        "points.hold_refused.v1",
        "points.hold_captured.v1",
        "points.hold_released.v1",
        "points.points_refunded.v1",
    ),
    "reviews": (
        "users.auth_state_changed.v1",
        "users.user_updated.v1",
        "users.contact_changed.v1",
        "users.discord_linked.v1",
        "users.accounts_merged.v1",
        "users.discord_unlinked.v1",
    ),
    "bot": (
        "users.auth_state_changed.v1",
        "users.contact_changed.v1",
        "users.discord_linked.v1",
        "users.discord_unlinked.v1",
        "users.user_suspended.v1",
        "users.user_reinstated.v1",
        "users.member_warned.v1",
        "points.activity_logged.v1",
        "points.points_adjusted.v1",
        "points.submission_received.v1",
        "points.submission_decided.v1",
        "rewards.incentive_unlocked.v1",
        "rewards.reward_redeemed.v1",
        "rewards.redemption_decided.v1",
        "rewards.redemption_fulfilled.v1",
        "reviews.review_matched.v1",
        "reviews.session_scheduled.v1",
        "reviews.session_rescheduled.v1",
        "reviews.session_cancelled.v1",
        "reviews.session_no_show.v1",
        "reviews.session_reminder_due.v1",
    ),
    # All that may be told outside.
    "integrations": (
        "users.auth_state_changed.v1",
        *sorted(type_ for type_, contract in by_type.items() if contract.public),
    ),
}


@dataclass(frozen=True)
class Rights:
    """What one service may write, as a regular expression of routing keys for each exchange."""

    write: dict[str, str] = field(default_factory=dict)


RIGHTS: dict[str, Rights] = {
    "users": Rights(
        {
            EVENTS: r"^users\.",
            REPLIES: r"^bot\.",
            COMMANDS: r"^(bot|points|rewards|reviews|integrations)\.(export_member|erase_member)\.",
            QUESTIONS: r"^bot\.",
        }
    ),
    "points": Rights({EVENTS: r"^points\.", REPLIES: r"^(bot|users|rewards)\."}),
    "rewards": Rights(
        {
            EVENTS: r"^rewards\.",
            REPLIES: r"^(bot|users)\.",
            COMMANDS: r"^points\.(place_hold|capture_hold|release_hold|refund)\.",
            QUESTIONS: r"^points\.",
        }
    ),
    "reviews": Rights({EVENTS: r"^reviews\.", REPLIES: r"^(bot|users)\."}),
    "bot": Rights(
        {
            COMMANDS: r"^(users|points|rewards|reviews)\.",
            QUESTIONS: r"^(users|points|rewards|reviews)\.",
            REPLIES: r"^users\.",
        }
    ),
    "integrations": Rights({REPLIES: r"^users\.", REPLAY: r"^[a-z0-9_-]+$"}),
}


def queue(service: str, kind: str) -> str:
    """`queue("points", "commands")` is `points.commands`; kinds: commands, events, questions, replies, dead."""
    return f"{service}.{kind}"


def retry_key(delay: str, queue_name: str) -> str:
    """The routing key that sends a message round by the delay queue and back to `queue_name`."""
    return f"{delay}.{queue_name}"


@cache
def is_heard(type_: str) -> bool:
    """True when some service must get this event: its publication is then mandatory."""
    return any(type_ in heard for heard in HEARS.values())


def _quorum(queue_name: str) -> dict[str, Any]:
    service = queue_name.split(".", 1)[0]
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-routing-key": f"{service}.dead",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-max-length": 1_000_000,
    }


def queues() -> dict[str, dict[str, Any]]:
    """Every queue of the fleet with its arguments."""
    found: dict[str, dict[str, Any]] = {}
    for service in SERVICES:
        found[queue(service, "commands")] = _quorum(queue(service, "commands"))
        found[queue(service, "events")] = _quorum(queue(service, "events"))
        # A question nobody answered in three seconds has no one waiting for it any more.
        found[queue(service, "questions")] = {"x-queue-type": "classic", "x-message-ttl": QUESTION_TTL_MS}
        found[queue(service, "dead")] = {"x-queue-type": "quorum"}
    for service in ASKERS:
        found[queue(service, "replies")] = _quorum(queue(service, "replies"))
    for delay, milliseconds in _MILLISECONDS.items():
        found[f"retry.{delay}"] = {
            "x-queue-type": "quorum",
            "x-message-ttl": milliseconds,
            "x-dead-letter-exchange": REDELIVER,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
    return found


def bindings() -> list[tuple[str, str, str]]:
    """(exchange, queue, routing key) for every queue."""
    found: list[tuple[str, str, str]] = []
    for service in SERVICES:
        found.append((COMMANDS, queue(service, "commands"), f"{service}.#"))
        found.append((QUESTIONS, queue(service, "questions"), f"{service}.#"))
        found.append((DEAD, queue(service, "dead"), f"{service}.dead"))
        found += [(EVENTS, queue(service, "events"), type_) for type_ in HEARS[service]]
        found += [(REDELIVER, queue(service, kind), f"*.{service}.{kind}") for kind in ("commands", "events")]
    for service in ASKERS:
        found.append((REPLIES, queue(service, "replies"), f"{service}.#"))
        found.append((REDELIVER, queue(service, "replies"), f"*.{service}.replies"))
    found += [(RETRY, f"retry.{delay}", f"{delay}.#") for delay in _MILLISECONDS]
    return found


def public_keys() -> list[str]:
    """Routing keys of the events that integrators may read."""
    return sorted(type_ for type_, contract in by_type.items() if contract.public)


def password_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256 form, so that no definition file holds a password."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _exactly(names: list[str]) -> str:
    """The regular expression of just these names; of nothing when there are none."""
    return f"^({'|'.join(name.replace('.', '[.]') for name in names)})$" if names else "^$"


def definitions(passwords: dict[str, str]) -> dict[str, Any]:
    """The vhost, users and rights for the node to load; `passwords` names every service and `topology`."""
    permissions, topics = [], []
    for service, rights in RIGHTS.items():
        write = {**rights.write, RETRY: rf"^(5s|30s|5m)\.{service}\."}
        permissions.append(
            {
                "user": service,
                "vhost": VHOST,
                "configure": "^$",
                "write": _exactly(list(write)),
                "read": rf"^{service}[.]",
            }
        )
        # An exchange without a topic permission is open to whoever may write to it, so each one is named.
        topics += [
            {"user": service, "vhost": VHOST, "exchange": exchange, "write": write.get(exchange, "^$"), "read": "^$"}
            for exchange in EXCHANGES
        ]
    permissions.append({"user": "topology", "vhost": VHOST, "configure": ".*", "write": ".*", "read": ".*"})
    return {
        "vhosts": [{"name": VHOST}],
        "users": [
            {
                "name": name,
                "password_hash": password_hash(passwords[name]),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
            for name in (*SERVICES, "topology")
        ],
        "permissions": permissions,
        "topic_permissions": topics,
    }


def declare(channel: Any) -> None:
    """Declare exchanges, queues and bindings on an open channel of a user that may; repeating it changes nothing."""
    for exchange in EXCHANGES:
        channel.exchange_declare(exchange, exchange_type="topic", durable=True)
    for name, arguments in queues().items():
        channel.queue_declare(name, durable=True, arguments=arguments)
    for exchange, name, key in bindings():
        channel.queue_bind(name, exchange, routing_key=key)
    for key in public_keys():
        channel.exchange_bind(destination=PUBLIC, source=EVENTS, routing_key=key)
