"""The desk of dead letters: nothing is lost on its way there, each has its cause, and what is sent round is applied once."""

import os
import subprocess
import sys

import pika
import pytest

from fleet import topology
from tests.conftest import ROOT
from tests.faults.conftest import Sea, command, eventually
from tests.faults.test_consumer import SHIP, references

WORKER = ("fleet.worker", "points", "--only", "consumer")


def desk(sea: Sea, *words: str, status: int = 0) -> str:
    """What the program says."""
    done = subprocess.run(
        [sys.executable, "-m", "fleet.desk", "points", *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": sea.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def send_last_attempt(sea: Sea, reference: str) -> None:
    """A command that was tried five times before."""
    _, body = command(reference)
    headers = {"x-attempt": 5, "x-sender": "bot"}
    properties = pika.BasicProperties(user_id="points", headers=headers, type="points.log_activity.v1", delivery_mode=2)
    with sea.channel("points") as channel:
        channel.basic_publish(topology.RETRY, topology.retry_key("5s", "points.commands"), body, properties)


def test_what_failed_six_times_is_kept_with_its_cause_and_applied_once_when_it_is_sent_round(sea):
    send_last_attempt(sea, "flaky1")
    with sea.process(SHIP):
        eventually(lambda: sea.sql("SELECT count(*) FROM dead_letters") == [(1,)], "it is written down", 20)
        assert sea.depth("points.dead") == 0
        shown = desk(sea)
        assert "points.log_activity.v1" in shown
        assert "died in points.commands" in shown
        assert "failed 6 times, lastly with RuntimeError" in shown
        assert shown.endswith("1 dead letters of points\n")
        [(number,)] = sea.sql("SELECT id FROM dead_letters")
        assert '"reference":"flaky1"' in desk(sea, "show", str(number))
        assert desk(sea, "replay", "--dry-run") == "1 would be sent round\n"
        assert sea.sql("SELECT replay_at FROM dead_letters") == [(None,)]
        assert desk(sea, "replay", str(number)) == "1 will be sent round\n"
        eventually(lambda: references(sea) == ["flaky1"], "it is applied", 20)
    assert sea.dead() == 0
    assert desk(sea) == "0 dead letters of points\n"
    assert "sent round or thrown away" in desk(sea, "show", str(number), status=1)


def test_what_its_sender_had_no_right_to_send_is_dead_again(sea):
    key, body = command("n1")
    with sea.channel("topology") as channel:
        channel.basic_publish(topology.COMMANDS, key, body, pika.BasicProperties(user_id="topology", type=key))
    with sea.process(SHIP):
        [(first,)] = eventually(lambda: sea.sql("SELECT id FROM dead_letters"), "it is written down")
        desk(sea, "replay")
        eventually(lambda: sea.sql("SELECT id FROM dead_letters WHERE id > %s", first), "it is dead again", 20)
        assert "topology may not send" in desk(sea)
    assert references(sea) == []


def test_what_the_broker_gave_up_is_taken_out_of_the_dead_queue(sea):
    """The queue's own limit of deliveries: nobody of ours ever said that it is dead."""
    key, body = command("die")
    headers = {"x-death": [{"queue": "points.commands", "reason": "delivery_limit", "count": 1}]}
    with sea.channel() as channel:
        properties = pika.BasicProperties(headers=headers, type=key, message_id="m1", user_id="topology")
        for _twice in range(2):
            channel.basic_publish(topology.DEAD, "points.dead", body, properties)
    with sea.process(SHIP):
        eventually(lambda: sea.depth("points.dead") == 0, "taken out")
        eventually(lambda: sea.sql("SELECT count(*) FROM dead_letters") == [(1,)], "kept once")
    assert "it ended its consumer again and again (delivery_limit)" in desk(sea)


def test_what_nobody_would_write_ends_no_desk(sea):
    """Who may send us a message may write any header; a letter that cannot be filed would be read again for ever."""
    hostile = [
        {"headers": {"x-death": "points.commands"}},
        {"headers": {"x-death": ["points.commands", 7]}},
        {"headers": {"x-death": [{"queue": 7, "reason": ["x"]}]}},
        {"headers": {"x-death": [{"queue": "points." + "x" * 300, "reason": "rejected"}]}},
        {"headers": {"x-death": [{"queue": "points.commands", "reason": "\x00"}]}},
        {"message_id": "a\x00b"},
        {"message_id": "€" * 85, "type": "\x00"},
    ]
    with sea.channel() as channel:
        for number, words in enumerate(hostile):
            properties = pika.BasicProperties(user_id="topology", **words)
            channel.basic_publish(topology.DEAD, "points.dead", f"body {number}".encode(), properties)
    with sea.process(SHIP):
        eventually(lambda: sea.sql("SELECT count(*) FROM dead_letters") == [(len(hostile),)], "all are filed")
        assert sea.depth("points.dead") == 0
        # One alone says where it died, and can be sent round.
        assert desk(sea, "replay").startswith("1 ")
        eventually(lambda: "the body is not JSON" in desk(sea), "its consumer says why", 20)
    assert sea.dead() == len(hostile)


def test_a_database_that_is_away_loses_no_dead_letter(sea):
    key, _body = command("n1")
    with sea.process(SHIP):
        sea.postgres.kill()
        sea.publish([(key, b"no json")])
        sea.postgres.start()
        eventually(lambda: sea.sql("SELECT count(*) FROM dead_letters") == [(1,)], "it is written down")
    assert sea.depth("points.dead") == sea.depth("points.commands") == 0


@pytest.mark.parametrize("by", ["cause", "type"])
def test_those_of_one_cause_or_type_are_chosen_together(sea, by):
    key, body = command("n1")
    sea.publish(
        [(key, b"no json"), (key, b"[]"), (key, b"[]"), (key, body.replace(b'"reference":"n1"', b'"reference":7'))]
    )
    with sea.process(SHIP):
        eventually(lambda: sea.sql("SELECT count(*) FROM dead_letters") == [(4,)], "they are written down")
    chosen = ("--cause", "the body is not a JSON object") if by == "cause" else ("--type", key)
    expected = 2 if by == "cause" else 4
    assert desk(sea, "purge", *chosen, "--dry-run") == f"{expected} would be thrown away\n"
    assert sea.dead() == 4
    assert desk(sea, "purge", *chosen) == f"{expected} thrown away\n"
    assert sea.dead() == 4 - expected
