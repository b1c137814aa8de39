"""What each service may do at the broker: every foreign key refused, every own one allowed, on the real broker."""

from collections.abc import Callable
from typing import Any

import pika
import pytest
from pika.exceptions import AMQPError, ChannelClosedByBroker

from deploy.local.backends import RabbitMQ
from fleet import topology

# A routing key of every kind a service could want to write, and whose right it is.
KEYS = {
    topology.COMMANDS: [
        *(f"{service}.some_command.v1" for service in topology.SERVICES),
        *(f"{service}.erase_member.v1" for service in topology.SERVICES),
        *(f"points.{verb}.v1" for verb in ("place_hold", "capture_hold", "release_hold", "refund", "log_activity")),
    ],
    topology.QUESTIONS: [f"{service}.some_question.v1" for service in topology.SERVICES],
    topology.REPLIES: [f"{service}.answered.v1" for service in topology.SERVICES],
    topology.EVENTS: [f"{service}.something_happened.v1" for service in topology.SERVICES],
    topology.PUBLIC: [f"{service}.something_happened.v1" for service in topology.SERVICES],
    topology.REPLAY: ["acme"],
    topology.RETRY: [f"5s.{service}.commands" for service in topology.SERVICES],
    topology.REDELIVER: [f"5s.{service}.commands" for service in topology.SERVICES],
    topology.DEAD: [f"{service}.dead" for service in topology.SERVICES],
}

# Written out from the architecture, not computed from topology.RIGHTS: two independent statements of one rule.
FOUR = ("users", "points", "rewards", "reviews")
ALLOWED = {
    "users": {
        *((topology.EVENTS, "users.something_happened.v1"), (topology.REPLIES, "bot.answered.v1")),
        *((topology.COMMANDS, f"{s}.erase_member.v1") for s in ("bot", "points", "rewards", "reviews", "integrations")),
        (topology.QUESTIONS, "bot.some_question.v1"),
    },
    "points": {
        (topology.EVENTS, "points.something_happened.v1"),
        *((topology.REPLIES, f"{s}.answered.v1") for s in ("bot", "users", "rewards")),
    },
    "rewards": {
        (topology.EVENTS, "rewards.something_happened.v1"),
        *((topology.REPLIES, f"{s}.answered.v1") for s in ("bot", "users")),
        *((topology.COMMANDS, f"points.{v}.v1") for v in ("place_hold", "capture_hold", "release_hold", "refund")),
        (topology.QUESTIONS, "points.some_question.v1"),
    },
    "reviews": {
        (topology.EVENTS, "reviews.something_happened.v1"),
        *((topology.REPLIES, f"{s}.answered.v1") for s in ("bot", "users")),
    },
    "bot": {
        *((topology.COMMANDS, f"{s}.some_command.v1") for s in FOUR),
        *((topology.COMMANDS, f"{s}.erase_member.v1") for s in FOUR),
        *(
            (topology.COMMANDS, f"points.{v}.v1")
            for v in ("place_hold", "capture_hold", "release_hold", "refund", "log_activity")
        ),
        *((topology.QUESTIONS, f"{s}.some_question.v1") for s in FOUR),
        (topology.REPLIES, "users.answered.v1"),
    },
    "integrations": {(topology.REPLIES, "users.answered.v1"), (topology.REPLAY, "acme")},
}
for _service, _allowed in ALLOWED.items():
    _allowed.add((topology.RETRY, f"5s.{_service}.commands"))


def is_refused(connection: Any, act: Callable[[Any], None]) -> bool:
    """True when the broker closes the channel with 403 (or 406 for a false user_id) over what `act` does."""
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        act(channel)
    except ChannelClosedByBroker as error:
        assert error.reply_code in (403, 406), error
        return True
    except pika.exceptions.UnroutableError:
        return False
    channel.close()
    return False


@pytest.fixture(params=topology.SERVICES)
def connected(request: pytest.FixtureRequest, broker: RabbitMQ):
    connection = pika.BlockingConnection(pika.URLParameters(broker.url(request.param)))
    yield request.param, connection
    connection.close()


def test_every_foreign_key_is_refused_and_every_own_one_allowed(connected, record_property):
    service, connection = connected
    wrong, probes = [], 0
    for exchange, keys in KEYS.items():
        for key in keys:
            probes += 1
            refused = is_refused(connection, lambda c: c.basic_publish(exchange, key, b"{}", mandatory=True))  # noqa: B023
            if refused is ((exchange, key) in ALLOWED[service]):
                wrong.append((exchange, key, "refused" if refused else "allowed"))
    print(f"\nFIGURES user={service} probes={probes} wrong={len(wrong)}")
    assert wrong == []


def test_the_default_exchange_is_closed_to_everybody(connected):
    _service, connection = connected
    for queue in topology.queues():
        assert is_refused(connection, lambda c: c.basic_publish("", queue, b"{}")), queue  # noqa: B023


def test_nobody_speaks_in_anothers_name(connected):
    service, connection = connected
    exchange, key = sorted(ALLOWED[service])[0]
    for other in topology.SERVICES:
        spoofed = pika.BasicProperties(user_id=other)
        refused = is_refused(connection, lambda c: c.basic_publish(exchange, key, b"{}", spoofed))  # noqa: B023
        assert refused is (other != service), other


def test_nobody_reads_anothers_queue(connected):
    service, connection = connected
    for queue in topology.queues():
        refused = is_refused(connection, lambda c: c.basic_get(queue))  # noqa: B023
        assert refused is not queue.startswith(f"{service}."), queue


def test_nobody_declares_binds_or_deletes(connected):
    service, connection = connected
    own = topology.queue(service, "commands")
    for act in (
        lambda c: c.queue_declare("mine", durable=True),
        lambda c: c.exchange_declare("mine", exchange_type="topic"),
        lambda c: c.queue_bind(own, topology.EVENTS, "#"),
        lambda c: c.queue_delete(own),
        lambda c: c.exchange_delete(topology.EVENTS),
    ):
        assert is_refused(connection, act)


def test_a_wrong_password_is_refused(broker: RabbitMQ):
    parameters = pika.URLParameters(broker.url("points"))
    parameters.credentials = pika.PlainCredentials("points", "wrong")
    with pytest.raises(AMQPError):
        pika.BlockingConnection(parameters)
