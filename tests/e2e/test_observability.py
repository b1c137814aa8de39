"""What a whole fleet shows of itself from outside: one trace from Discord to the direct message, metrics of every process,
logs that can be followed and hold nothing about anybody."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.local.fleet import SERVICES
from deploy.local.layout import OFFSETS
from tests.e2e.conftest import Fleet, eventually, running
from tests.e2e.shopping import Boss, becomes, direct, make_boss, press, reward, student, use
from tests.e2e.test_main_job import text_of
from tests.otlp import Collector, Seen

# Of the services that this tree has.
PROCESSES = [
    *(f"{each.name}-web" for each in SERVICES if each.present and each.web),
    *(worker for each in SERVICES if each.present for worker in each.workers),
    "bot-client",
]
NAME, WORDS = "Observed Person", "a mug with words nobody else uses"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Fleet]:
    """A fleet whose traces come here."""
    folder: Path = tmp_path_factory.mktemp("watched")
    with running(folder, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as started:
        yield started


@pytest.fixture(scope="module")
def chief(watched: Fleet) -> Boss:
    return make_boss(watched)


@pytest.fixture(scope="module")
def redeemed(watched: Fleet, chief: Boss) -> dict[str, str]:
    """One redemption, from the press of a button to the direct message about it; who, and what was pressed."""
    mug = reward(watched, chief, WORDS, 60, category="merchandise")
    ada = student(watched, chief, NAME, 100)
    question = use(watched, ada, "redeem", reward=mug)
    press(watched, ada, question, "Yes, spend 60 points")
    becomes(watched, ada, question, "40 points left")

    def card() -> Any:
        seen = watched.discord.seen(chief.user, ada, 0, channel="staff")
        return next((one for one in seen if WORDS in text_of(one) and one["components"]), None)

    press(watched, chief.user, eventually(card, "a card for the staff"), "Approve")
    message = direct(watched, ada, "Your reward is approved")
    return {"user": ada, "direct": message["id"]}


def services(line: list[Seen]) -> list[str]:
    """The services of a line of spans, each as often as it is entered."""
    found: list[str] = []
    for span in line:
        if not found or found[-1] != span.service:
            found.append(span.service)
    return found


def test_one_redemption_from_discord_to_the_direct_message_is_one_trace(redeemed, collector: Collector):
    def told() -> list[Seen]:
        """The line of spans that ends with a message sent to Discord because the redemption was decided."""
        for span in collector.spans():
            line = collector.line(span)
            if span.name == "discord send message" and any(one.name == "tell redemption_decided" for one in line):
                return line if not line[0].parent else []
        return []

    line = eventually(told, "the whole line of the direct message", 20)
    assert line[0].service == "bot"
    assert line[0].name.startswith("interaction shop"), [one.name for one in line]
    assert services(line) == ["bot", "rewards", "points", "rewards", "bot", "rewards", "bot"], [
        (one.service, one.name) for one in line
    ]
    names = [one.name for one in line]
    wanted = [
        "handle rewards.redeem.v1",
        "handle points.place_hold.v1",
        "handle points.points_held.v1",
        "handle rewards.reward_redeemed.v1",
        "approve redemption",
        "handle rewards.decide_redemption.v1",
        "handle rewards.redemption_decided.v1",
        "tell redemption_decided",
        "discord send message",
    ]
    assert [name for name in names if name in wanted] == wanted, names
    assert len({one.trace for one in line}) == 1

    # What it caused beside is in the same trace: the answer to who asked, the capture, each message's way to the broker.
    def whole() -> bool:
        beside = {(one.service, one.name) for one in collector.spans() if one.trace == line[0].trace}
        return beside >= {
            ("bot", "discord edit answer"),
            ("points", "handle points.capture_hold.v1"),
            ("rewards", "handle points.hold_captured.v1"),
            ("rewards", "publish points.place_hold.v1"),
            ("points", "publish points.points_held.v1"),
            ("bot", "publish rewards.redeem.v1"),
        }

    eventually(whole, "the other branches of the trace", 20)
    ours = [one for one in collector.spans() if one.trace == line[0].trace]
    assert not [one.name for one in ours if one.failed]
    assert {one.process for one in ours} >= {"client", "consumer-relay", "consumer", "relay"}


def test_a_request_goes_on_with_the_trace_it_came_with(watched: Fleet, collector: Collector):
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    body = {"username": "observed", "email": "observed@example.org", "password": "correct horse battery"}
    assert watched.request("POST", "/api/users/register/", json=body, headers=headers).status_code == 201

    def heard() -> list[Seen]:
        return [one for one in collector.spans() if one.trace == trace]

    eventually(lambda: {one.service for one in heard()} >= {"users", "points"}, "points' part of the trace", 20)
    eventually(lambda: any(one.name == "send mail" for one in heard()), "the mail is in the trace", 20)

    def begun() -> list[Seen]:
        return [one for one in heard() if one.parent == "b7ad6b7169203331" and one.kind == "server"]

    # Each process sends its spans when it likes: the first one of a trace may be the last to arrive.
    [first] = eventually(begun, "the request itself is in the trace", 20)
    assert first.name == "POST /api/users/register/"


def test_spans_say_nothing_about_anybody(redeemed, collector: Collector):
    text = "\n".join(one.text for one in collector.spans())
    assert "handle " in text
    for word in (NAME, WORDS, "observed@example.org", "correct horse", "Observed"):
        assert word not in text
    assert redeemed["user"] not in re.findall(r"string_value: \"(.*)\"", text), "no Discord ids"


@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_shows_its_metrics(watched: Fleet, redeemed, process: str):
    # What nobody asked a web process for yet is not measured yet.
    paths = ("/api/users/profile/", "/api/points/balance/", "/api/redemptions/", "/api/professionals/", "/api/keys/")
    for path in (*paths, "/api/dead-letters/bot/"):
        watched.request("GET", path)
    page = requests.get(f"http://127.0.0.1:{watched.base + OFFSETS[process]}/metrics", timeout=10)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/plain")
    wanted = {
        "-web": "http_request_duration_seconds_bucket",
        "-consumer": "messages_consumed_total",
        "-relay": "messages_published_total",
        "-worker": "messages_consumed_total",
        "-client": "discord_requests_total",
    }
    assert wanted[f"-{process.rpartition('-')[2]}"] in page.text


def sample(watched: Fleet, process: str, line: str) -> float:
    page = requests.get(f"http://127.0.0.1:{watched.base + OFFSETS[process]}/metrics", timeout=10).text
    found = [row.rpartition(" ")[2] for row in page.splitlines() if row.startswith(f"{line} ")]
    return float(found[0]) if found else 0.0


def test_what_happened_is_counted(watched: Fleet, redeemed):
    assert sample(watched, "bot-client", 'discord_commands_total{command="redeem",outcome="taken"}') >= 1
    assert sample(watched, "bot-client", "discord_connected") == 1
    assert sample(watched, "bot-client", 'discord_requests_total{method="POST",status="200"}') >= 1
    eventually(lambda: sample(watched, "rewards-worker", 'redemptions{status="approved"}') == 1, "one approved", 40)
    assert sample(watched, "rewards-worker", "redemptions_settling") == 0
    assert sample(watched, "points-consumer", 'message_wait_seconds_count{queue="points.commands"}') >= 1
    assert sample(watched, "points-consumer", 'queue_messages{queue="points.dead"}') == 0
    watched.discord.say(redeemed["user"], "hello")
    line = 'points_issued_total{activity="discord_activity"}'
    eventually(lambda: sample(watched, "points-consumer", line) == 5, "5 points for the message")


def test_no_label_holds_an_id(watched: Fleet, redeemed):
    for process in [name for name in PROCESSES if name in watched.status()]:
        page = requests.get(f"http://127.0.0.1:{watched.base + OFFSETS[process]}/metrics", timeout=10).text
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|\d{15,}", re.sub(r"} \S+$|^\w+ \S+$", "", page, flags=re.M)), (
            process
        )


def lines_of(watched: Fleet) -> dict[str, list[dict[str, Any]]]:
    """The log of every process of ours; a line that is no JSON fails."""
    found = {}
    for process in [name for name in PROCESSES if name in watched.status()]:
        text = (watched.run / "logs" / f"{process}.log").read_text(encoding="utf-8")
        found[process] = [json.loads(line) for line in text.splitlines() if line.strip()]
    return found


def test_every_process_logs_json_that_names_it(watched: Fleet, redeemed):
    for process, lines in lines_of(watched).items():
        assert lines, process
        for line in lines:
            assert {"event", "level", "timestamp", "service", "process"} <= line.keys(), (process, line)
            assert process.startswith(line["service"])


def test_a_request_can_be_followed_through_the_logs(watched: Fleet):
    answer = watched.request("GET", "/api/points/balance/", watched.token("student"))
    request_id = answer.headers["X-Request-ID"]

    def found() -> list[dict[str, Any]]:
        return [line for line in lines_of(watched)["points-web"] if line.get("request_id") == request_id]

    [line] = eventually(found, "its line")
    assert line["event"] == "request_answered"
    assert line["route"] == "/api/points/balance/"
    assert line["member_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", line["trace_id"])


def test_a_refused_command_is_logged_with_what_it_came_from(watched: Fleet, redeemed, chief: Boss):
    name = "a mug that is too dear for anybody"
    dear = reward(watched, chief, name, 100_000)
    shown = use(watched, redeemed["user"], "redeem", reward=dear)
    assert "Yes" not in text_of(shown)
    body = {"incentive_id": "01900000-0000-7000-8000-000000000000"}
    answer = watched.request(
        "POST", "/api/redemptions/", watched.token("student"), json=body, headers={"Idempotency-Key": "k" * 20}
    )
    assert answer.status_code >= 400

    def found() -> bool:
        lines = [line for lines in lines_of(watched).values() for line in lines]
        return any(line.get("request_id") == answer.headers["X-Request-ID"] for line in lines)

    eventually(found, "the refusal can be found by the id that the client was given")


def test_logs_hold_nothing_about_anybody(watched: Fleet, redeemed):
    logs = "\n".join(path.read_text(encoding="utf-8") for path in (watched.run / "logs").glob("*.log"))
    assert "request_answered" in logs
    for word in (NAME, WORDS, "observed@example.org", "correct horse", "Bearer ", "eyJ"):
        assert word not in logs, word
