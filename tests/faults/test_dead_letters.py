"""Dead messages are shown without being touched, and sent round once more without being lost, doubled or believed."""

import os
import subprocess
import sys

import pika

from fleet import topology
from tests.conftest import ROOT
from tests.faults.conftest import Sea, command, eventually
from tests.faults.test_consumer import SHIP, references


def dead_letters(sea: Sea, *options: str) -> str:
    values = {**os.environ, "AMQP_URL": sea.rabbitmq.url("points")}
    done = subprocess.run(
        [sys.executable, "-m", "fleet.dead_letters", "points", *options],
        cwd=ROOT,
        env=values,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_message_that_failed_six_times_is_shown_and_applied_once_when_it_is_sent_round(sea):
    _, body = command("flaky1")
    with sea.channel("points") as channel:
        headers = {"x-attempt": 5, "x-sender": "bot"}
        properties = pika.BasicProperties(
            user_id="points", headers=headers, type="points.log_activity.v1", delivery_mode=2
        )
        channel.basic_publish(topology.RETRY, topology.retry_key("5s", "points.commands"), body, properties)
    with sea.process(SHIP):
        eventually(lambda: sea.depth("points.dead") == 1, "it is dead", 20)
        shown = dead_letters(sea)
        assert "points.log_activity.v1" in shown
        assert "died in points.commands" in shown
        assert shown.endswith("1 in points.dead\n")
        eventually(lambda: sea.depth("points.dead") == 1, "looking changes nothing")
        assert "sent round" in dead_letters(sea, "--replay")
        eventually(lambda: references(sea) == ["flaky1"], "it is applied", 20)
    assert sea.depth("points.dead") == 0
    assert dead_letters(sea, "--replay") == "0 in points.dead\n"


def test_what_its_sender_had_no_right_to_send_is_dead_again(sea):
    key, body = command("n1")
    with sea.channel("topology") as channel:
        channel.basic_publish(topology.COMMANDS, key, body, pika.BasicProperties(user_id="topology", type=key))
    with sea.process(SHIP):
        eventually(lambda: sea.depth("points.dead") == 1, "it is dead")
        dead_letters(sea, "--replay")
        eventually(lambda: sea.depth("retry.5s") == 0 and sea.depth("points.dead") == 1, "it is dead again", 20)
    assert references(sea) == []
