"""The consumer under faults: applied exactly once, acknowledged only after commit, poison kept from the good."""

import random
import signal
import time

import pytest
from sqlalchemy import create_engine, text

from tests.faults.conftest import Sea, command, eventually

SHIP = "tests.faults.ship"


def references(sea: Sea) -> list[str]:
    return [row[0] for row in sea.sql("SELECT reference FROM effects ORDER BY id")]


def quiet(sea: Sea) -> bool:
    return sea.depth("points.commands") == 0


def test_what_is_sent_is_applied_and_answered(sea):
    sea.publish([command(f"n{number}", reply_to="bot") for number in range(50)])
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) == 50, "50 effects")
    assert sorted(references(sea)) == sorted(f"n{number}" for number in range(50))
    assert sea.sql("SELECT count(*), min(exchange), min(routing_key) FROM outbox") == [
        (50, "propel.replies", "bot.answered.v1")
    ]


def test_every_message_twice_and_shuffled_is_applied_once(sea, seed, figures):
    """Fails without the inbox."""
    sent = [command(f"n{number}") for number in range(400)]
    doubled = sent * 2
    random.Random(seed).shuffle(doubled)
    sea.publish(doubled)
    with sea.process(SHIP):
        eventually(lambda: quiet(sea) and len(set(references(sea))) == 400, "400 different effects")
        time.sleep(0.5)  # a doubled effect would have come by now: the queue is empty and the last batch committed
    figures.delivered, figures.effects = len(doubled), len(references(sea))
    assert len(references(sea)) == 400


def test_two_consumers_share_the_work_without_doing_it_twice(sea):
    sea.publish([command(f"n{number}") for number in range(300)] * 2)
    with sea.process(SHIP), sea.process(SHIP):
        eventually(lambda: len(set(references(sea))) == 300 and quiet(sea), "300 different effects")
    assert len(references(sea)) == 300


def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(sea, seed, figures):
    """Fails when a message is acknowledged before its transaction has committed."""
    dice, total, kills = random.Random(seed), 600, 0
    sea.publish([command(f"slow{number}") for number in range(total)])
    while not (quiet(sea) and len(references(sea)) >= total):
        ship = sea.start(SHIP)
        before = len(references(sea))
        eventually(lambda: len(references(sea)) > before or quiet(sea), "some progress")  # noqa: B023
        time.sleep(dice.uniform(0, 0.3))
        ship.send_signal(signal.SIGKILL)
        ship.wait(10)
        kills += 1
        eventually(
            lambda: sea.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'points'") == [(0,)],
            "its sessions ended",
        )
        if kills == 12:
            break
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) >= total and quiet(sea), f"{total} effects")
    figures.kills, figures.effects = kills, len(references(sea))
    assert sorted(references(sea)) == sorted(f"slow{number}" for number in range(total))
    assert sea.dead() == 0


def test_one_process_killing_message_among_two_hundred_neighbours(sea, figures):
    good = [command(f"n{number}") for number in range(200)]
    sea.publish([*good[:120], command("die"), *good[120:]])
    crashes = 0
    started = time.monotonic()
    while sea.dead() == 0:
        ship = sea.start(SHIP)
        eventually(lambda: ship.poll() is not None or sea.dead() == 1, "a crash or the end of it")  # noqa: B023
        crashes += ship.poll() == 9
        ship.kill()
        ship.wait(10)
        assert crashes <= 25
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) == 200, "all 200 neighbours applied")
    figures.crashes, figures.seconds = crashes, round(time.monotonic() - started, 1)
    assert sorted(references(sea)) == sorted(f"n{number}" for number in range(200))
    assert sea.dead() == 1


def test_poison_goes_to_the_dead_queue_and_the_rest_flows(sea):
    key, body = command("good")
    poison = [
        (key, b"no json"),
        (key, b"{}"),
        ("points.no_such_command.v1", body.replace(b"points.log_activity", b"points.no_such_command")),
        (key, body.replace(b'"reference":"good"', b'"reference":7')),
        (key, body.replace(b'"id":"', b'"id":"x')),
    ]
    sea.publish(poison + [command(f"n{number}") for number in range(50)])
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) == 50 and sea.dead() == len(poison), "50 applied, 5 dead")


def test_a_failing_message_is_tried_again_later_while_others_pass(sea):
    sea.publish([command("flaky1"), *[command(f"n{number}") for number in range(20)]])
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) == 20, "the others at once", 10)
        assert sea.depth("retry.5s") == 1
        eventually(lambda: "flaky1" in references(sea), "the failing one on its second attempt", 20)
    assert sea.dead() == 0


def test_a_message_that_failed_its_last_attempt_is_dead(sea):
    """The count is ours, under our own user: an attempt number that a stranger sends is not believed."""
    import pika

    from fleet import topology

    key, body = command("fail")
    with sea.channel("points") as channel:
        properties = pika.BasicProperties(
            user_id="points", headers={"x-attempt": 5, "x-sender": "bot"}, delivery_mode=2
        )
        channel.basic_publish(topology.RETRY, topology.retry_key("5s", "points.commands"), body, properties)
    with sea.channel("bot") as channel:
        properties = pika.BasicProperties(user_id="bot", headers={"x-attempt": 5, "x-sender": "bot"}, delivery_mode=2)
        channel.basic_publish(topology.COMMANDS, key, command("fail2")[1], properties)
    with sea.process(SHIP):
        eventually(lambda: sea.dead() == 1, "the one that used up its attempts", 20)
        eventually(lambda: sea.depth("retry.5s") == 1 or sea.depth("points.commands") == 0, "the other goes round")
    assert sea.dead() == 1


@pytest.mark.parametrize("properties", [{}, {"user_id": "topology"}])
def test_a_command_from_nobody_or_from_somebody_else_is_dead(sea, properties):
    import pika

    from fleet import topology

    key, body = command("n1")
    with sea.channel("topology") as channel:
        channel.basic_publish(topology.COMMANDS, key, body, pika.BasicProperties(**properties))
    with sea.process(SHIP):
        eventually(lambda: sea.dead() == 1, "it is dead")
    assert references(sea) == []


def test_an_outage_of_the_database_dead_letters_nothing(sea, figures):
    total = 600
    sea.publish([command(f"slow{number}") for number in range(total)])
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) > 20, "it has begun")
        started = time.monotonic()
        sea.postgres.kill()
        time.sleep(3)  # the length of the outage
        sea.postgres.start()
        figures.outage_seconds = round(time.monotonic() - started, 1)
        eventually(lambda: len(references(sea)) == total and quiet(sea), f"{total} effects")
    assert sorted(references(sea)) == sorted(f"slow{number}" for number in range(total))
    assert sea.dead() == sea.depth("retry.5s") == 0


def test_a_restart_of_rabbitmq_loses_nothing_and_doubles_nothing(sea):
    total = 400
    sea.publish([command(f"slow{number}") for number in range(total)])
    with sea.process(SHIP):
        eventually(lambda: len(references(sea)) > 20, "it has begun")
        sea.rabbitmq.kill()
        sea.rabbitmq.start()
        eventually(lambda: len(references(sea)) == total and quiet(sea), f"{total} effects")
    assert sorted(references(sea)) == sorted(f"slow{number}" for number in range(total))
    assert sea.dead() == 0


def test_asked_to_stop_it_finishes_what_it_has_begun(sea):
    sea.publish([command(f"slow{number}") for number in range(100)])
    ship = sea.start(SHIP)
    eventually(lambda: len(references(sea)) > 3, "it has begun")
    ship.send_signal(signal.SIGTERM)
    assert ship.wait(15) == 0
    applied = len(references(sea))
    eventually(
        lambda: sea.depth("points.commands") + applied == 100, "the rest waits in the queue, the applied is gone", 30
    )


def test_the_inbox_lets_only_one_of_two_at_once_through(sea):
    """Two transactions take the same id: the second waits for the first, and is told that it was applied."""
    from threading import Thread

    from sqlalchemy.orm import Session

    from fleet import inbox
    from fleet.messages import new_id

    engine, message_id, outcome = (
        create_engine(sea.url.replace("postgresql://", "postgresql+psycopg2://")),
        new_id(),
        [],
    )

    def second() -> None:
        with Session(engine) as session, session.begin():
            outcome.append(inbox.take(session, "points.commands", [message_id]))

    with Session(engine) as session, session.begin():
        assert inbox.take(session, "points.commands", [message_id]) == {message_id}
        thread = Thread(target=second)
        thread.start()
        eventually(lambda: sea.sql("SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)], "it waits")
        assert outcome == []
    thread.join(10)
    assert outcome == [set()]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM inbox")) == 1


def test_a_failing_message_is_retried_although_the_first_try_to_publish_it_failed(sea, monkeypatch):
    """Left unacknowledged on a healthy connection, nothing would ever bring it back."""
    from threading import Event, Thread

    from fleet.consumer import Consumer
    from fleet.publisher import BrokerAway
    from tests.conftest import forget
    from tests.faults import ship

    monkeypatch.setenv("DATABASE_URL", sea.url)
    forget()
    stop, tries = Event(), []
    consumer = Consumer(ship.subscriptions, sea.rabbitmq.url("points"), stop)
    publish = consumer.publish_retry

    def away_at_first(outgoing):
        tries.append(outgoing)
        if len(tries) == 1:
            raise BrokerAway("the broker did not confirm in time")
        publish(outgoing)

    monkeypatch.setattr(consumer, "publish_retry", away_at_first)
    thread = Thread(target=consumer.run, daemon=True)
    thread.start()
    try:
        sea.publish([command("flaky once more")])
        eventually(lambda: references(sea) == ["flaky once more"], "it is applied in the end", 30)
    finally:
        stop.set()
        thread.join(15)
        forget()


def test_a_worker_with_a_wrong_setting_names_all_of_them_and_ends_with_2(sea):
    import os
    import subprocess
    import sys

    from tests.conftest import ROOT

    values = {"PATH": os.environ["PATH"], "PROGRAM_TIMEZONE": "Europe/Berln"}
    command_line = [sys.executable, "-m", "fleet.worker", "points", "--only", "consumer"]
    done = subprocess.run(command_line, cwd=ROOT, env=values, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("AMQP_URL", "DATABASE_URL", "PROGRAM_TIMEZONE"))
