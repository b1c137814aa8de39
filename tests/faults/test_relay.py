"""The relay under faults: everything committed reaches the broker, nothing else does."""

import os
import random
import signal
import threading
import time
from uuid import uuid4

import psycopg2
import pytest

from fleet import topology
from fleet.messages import decode, encode, envelope_for, new_id, now
from tests.faults.conftest import Sea, command, eventually

RELAY = ("fleet.worker", "points", "--only", "relay")
KILLS = int(os.environ.get("RELAY_KILLS", "10"))

INSERT = """
    INSERT INTO outbox (message_id, exchange, routing_key, mandatory, body) VALUES (%s, %s, %s, %s, %s)
"""


def event_row(**changes: object) -> tuple[str, str, str, bool, bytes]:
    """An outbox row of an event nobody but the test's recorder hears."""
    from fleet.contracts.points import ActivityLogged

    event = ActivityLogged(new_id(), new_id(), "discord_activity", "engagement", 5, 1, now(), 5, 5)
    envelope = envelope_for(event, source="points")
    row = {"exchange": topology.EVENTS, "key": envelope.type, "mandatory": False} | changes
    return str(envelope.id), row["exchange"], row["key"], row["mandatory"], encode(envelope)  # type: ignore[return-value]


def reply_row() -> tuple[str, str, str, bool, bytes]:
    """An outbox row that somebody must hear: a reply to the bot."""
    from fleet.contracts.points import ActivityOutcome
    from fleet.outbox import reply_envelope

    _key, body = command("x", reply_to="bot")
    reply = reply_envelope("points", decode(body), result=ActivityOutcome(True, 1, 1, 1))
    return str(reply.id), topology.REPLIES, reply.type, True, encode(reply)


class Writer(threading.Thread):
    """Commits messages (and rolls some back) until told to stop; remembers which it committed."""

    def __init__(self, sea: Sea, seed: int, rate: float = 0.002) -> None:
        super().__init__(daemon=True)
        self.sea, self.dice, self.rate = sea, random.Random(seed), rate
        self.committed: list[str] = []
        self.unsure: set[str] = set()
        self.rolled_back: set[str] = set()
        self.enough = threading.Event()

    def run(self) -> None:
        connection = None
        while not self.enough.is_set():
            ids: list[str] = []
            try:
                connection = connection or psycopg2.connect(self.sea.url, connect_timeout=2)
                with connection.cursor() as cursor:
                    for _ in range(self.dice.randint(1, 5)):
                        row = reply_row()
                        ids.append(row[0])
                        cursor.execute(INSERT, row)
                if self.dice.random() < 0.1:
                    connection.rollback()
                    self.rolled_back.update(ids)
                else:
                    self.unsure.update(ids)
                    connection.commit()
                    self.unsure.difference_update(ids)
                    self.committed += ids
                self.enough.wait(self.rate)
            except psycopg2.Error:
                connection = None
                self.enough.wait(0.05)


def check_nothing_lost(sea: Sea, writer: Writer, figures: object) -> None:
    """All committed messages are in the queue; none that was rolled back is."""
    eventually(lambda: sea.sql("SELECT count(*) FROM outbox") == [(0,)], "an empty outbox")
    arrived = [str(decode(body).id) for body in sea.drain("bot.replies")]
    missing = set(writer.committed) - set(arrived)
    figures.committed, figures.duplicates = len(writer.committed), len(arrived) - len(set(arrived))  # type: ignore[attr-defined]
    figures.lost = len(missing)  # type: ignore[attr-defined]
    assert not missing
    assert not set(arrived) & writer.rolled_back
    assert set(arrived) <= set(writer.committed) | writer.unsure


def test_killed_in_a_loop_while_writing_it_loses_nothing(sea, seed, figures):
    dice = random.Random(seed)
    writer = Writer(sea, seed)
    writer.start()
    for _ in range(KILLS):
        relay = sea.start(*RELAY)
        before = sea.depth("bot.replies")
        eventually(lambda: sea.depth("bot.replies") > before, "it publishes")  # noqa: B023
        time.sleep(dice.uniform(0, 0.15))
        relay.send_signal(signal.SIGKILL)
        relay.wait(10)
    writer.enough.set()
    writer.join(10)
    figures.kills = KILLS
    with sea.process(*RELAY):
        check_nothing_lost(sea, writer, figures)


@pytest.mark.parametrize("part", ["postgres", "rabbitmq"])
def test_a_server_that_crashes_under_it_costs_nothing_but_time(sea, seed, figures, part):
    writer = Writer(sea, seed)
    with sea.process(*RELAY):
        writer.start()
        for _ in range(2):
            eventually(lambda: sea.depth("bot.replies") > 20, "it publishes")
            server = getattr(sea, part)
            server.kill()
            server.start()
        writer.enough.set()
        writer.join(10)
        check_nothing_lost(sea, writer, figures)


def test_only_one_of_two_relays_publishes_and_the_other_takes_over(sea):
    """Fails without the advisory lock: both would publish what both have read."""
    with sea.process(*RELAY) as first, sea.process(*RELAY):
        eventually(
            lambda: sea.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == [(1,)],
            "one active",
        )
        insert(sea, [reply_row() for _ in range(2_000)])
        eventually(lambda: sea.sql("SELECT count(*) FROM outbox") == [(0,)], "all published")
        assert sea.depth("bot.replies") == 2_000, "each message once: a second active relay would have doubled some"
        first.kill()
        insert(sea, [reply_row()])
        eventually(lambda: sea.depth("bot.replies") == 2_001, "one of them goes on after the other's death", 15)


def insert(sea: Sea, rows: list[tuple[str, str, str, bool, bytes]]) -> None:
    connection = psycopg2.connect(sea.url)
    with connection, connection.cursor() as cursor:
        cursor.executemany(INSERT, rows)
    connection.close()


def test_a_message_nobody_is_bound_to_waits_and_does_not_hold_up_the_rest(sea):
    """Fails without `mandatory`: the broker would confirm a message it had thrown away."""
    with sea.channel() as channel:
        channel.queue_unbind("bot.replies", topology.REPLIES, "bot.#")
    try:
        insert(sea, [reply_row() for _ in range(100)] + [event_row(key="points.activity_logged.v1")])
        with sea.process(*RELAY):
            eventually(
                lambda: sea.sql("SELECT count(*) FROM outbox WHERE attempts > 0") == [(100,)], "100 wait, 1 is gone"
            )
            assert sea.sql("SELECT count(*) FROM outbox") == [(100,)]
            with sea.channel() as channel:
                channel.queue_bind("bot.replies", topology.REPLIES, "bot.#")
            eventually(lambda: sea.depth("bot.replies") == 100, "all delivered once somebody is bound", 20)
    finally:
        with sea.channel() as channel:
            channel.queue_bind("bot.replies", topology.REPLIES, "bot.#")


def test_a_row_that_commits_late_with_a_small_number_is_not_passed_over(sea):
    """Numbers are given before the commit: a relay that remembered the last one it saw would never see this row."""
    late = psycopg2.connect(sea.url)
    with late.cursor() as cursor:
        cursor.execute(INSERT, reply_row())
    with sea.process(*RELAY):
        insert(sea, [reply_row() for _ in range(10)])
        eventually(lambda: sea.depth("bot.replies") == 10, "the later ones")
        late.commit()
        eventually(lambda: sea.depth("bot.replies") == 11, "the early number that committed late")
    late.close()


def test_messages_of_one_aggregate_leave_in_order(sea, figures):
    rows = [reply_row() for _ in range(3_000)]
    insert(sea, rows)
    started = time.monotonic()
    with sea.process(*RELAY):
        eventually(lambda: sea.depth("bot.replies") == 3_000, "all")
    figures.seconds_with_start = round(time.monotonic() - started, 2)
    assert [str(decode(body).id) for body in sea.drain("bot.replies")] == [row[0] for row in rows]


def test_a_message_outside_of_a_transaction_is_refused(on):
    from sqlalchemy.orm import Session

    from fleet import database, outbox
    from fleet.contracts.users import UserRegistered

    on("points")
    with Session(database.engine()) as session, pytest.raises(outbox.NotInTransaction):
        outbox.record(session, UserRegistered(uuid4(), "student", "web", now()), source="points")


def test_a_row_the_broker_does_not_take_is_set_apart_and_the_rest_goes_on(sea):
    """A key that this service has no right to closes the channel over the whole batch."""
    foreign = event_row(exchange=topology.REPLIES, key="reviews.answered.v1")
    insert(sea, [reply_row() for _ in range(3)] + [foreign] + [reply_row() for _ in range(20)])
    with sea.process(*RELAY):
        eventually(lambda: sea.depth("bot.replies") >= 23, "the others arrive", 30)
        eventually(
            lambda: sea.sql("SELECT routing_key, attempts FROM outbox") == [("reviews.answered.v1", 1)], "it waits"
        )


def test_a_publisher_that_timed_out_is_closed_for_good(sea, monkeypatch):
    from fleet import publisher as publishing
    from fleet.publisher import BrokerAway, Outgoing, Publisher

    found = Publisher(sea.rabbitmq.url("bot"))
    monkeypatch.setattr(publishing, "CONFIRM_TIMEOUT_S", 0.5)
    monkeypatch.setattr(found, "_send", lambda batch: None)
    with pytest.raises(BrokerAway):
        found.publish([Outgoing(1, topology.COMMANDS, "points.x.v1", b"{}", str(new_id()), True)])
    found.close()
    eventually(lambda: not found._thread.is_alive() and not found._connection.is_open, "no thread, no connection", 10)
