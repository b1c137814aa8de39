"""What other systems get: the same events by each of three doors, every one exactly once by its id, whatever dies between."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker, ProbableAccessDeniedError
from standardwebhooks import Webhook as Verifier

from tests.conftest import ROOT
from tests.e2e.conftest import RAISED, Fleet, eventually
from tests.gateway.test_events_catalogue import validator

KILLS = int(os.environ.get("SUBSCRIBER_KILLS", "5"))
EVENTS = ("points.activity_logged.v1", "rewards.reward_redeemed.v1", "reviews.session_scheduled.v1")


def make_integrator(fleet: Fleet, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What `make integrator` runs."""
    command = [sys.executable, "-m", "deploy.local.integrator", name, *options]
    values = {**os.environ, **RAISED, "PROPEL_RUN": str(fleet.run), "PROPEL_MODE": "local"}
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, check=False)


def made(fleet: Fleet, name: str, *options: str) -> str:
    """The program that is printed."""
    done = make_integrator(fleet, name, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Subscriber:
    """The printed program, run in an empty folder; killed and started at will."""

    def __init__(self, program: str, folder: Path, name: str) -> None:
        (folder / "subscriber.py").write_text(program)
        self.folder, self.file = folder, folder / f"{name}-events.sqlite3"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Only what it needs: no setting of ours, no folder of ours on its path.
        values = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        command = [sys.executable, "subscriber.py"]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, cwd=self.folder, env=values, stdout=log, stderr=log)
        log.close()
        eventually(lambda: b"listening" in (self.folder / "log").read_bytes(), "the subscriber listens")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def events(self) -> list[dict[str, Any]]:
        if not self.file.exists():
            return []
        with sqlite3.connect(self.file) as file:
            return [json.loads(body) for (body,) in file.execute("SELECT body FROM events ORDER BY rowid")]


@pytest.fixture
def subscriber(fleet: Fleet, tmp_path: Path) -> Iterator[Callable[..., Subscriber]]:
    """`subscriber("acme", "--events", ...)` is made, and listens."""
    running = []

    def start(name: str, *options: str) -> Subscriber:
        found = Subscriber(made(fleet, name, *options), tmp_path, name)
        running.append(found)
        found.start()
        return found

    yield start
    for each in running:
        each.kill()


class Scene:
    """A student with an admin behind them: what makes events."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.admin = fleet, fleet.token("admin")
        account = fleet.register(first_name="Ada")
        self.id, self.token = account["user"]["id"], account["tokens"]["access"]

    def post(self, path: str, token: str, **body: Any) -> dict[str, Any]:
        answer = self.fleet.request("POST", path, token, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def award(self, points: int = 10) -> None:
        body = {"activity_type": "resource_share", "points": points}

        def awarded() -> bool:
            answer = self.fleet.request("POST", f"/api/users/{self.id}/add_points/", self.admin, json=body)
            assert answer.status_code in (201, 404), answer.text
            return answer.status_code == 201

        # Points hears of a new member by an event.
        eventually(awarded, "awarded")

    def redeem(self) -> None:
        words = {"name": f"Mug {uuid4().hex}", "points_required": 10, "stock": 1}
        reward = self.post("/api/incentives/", self.admin, **words)["id"]

        def asked() -> bool:
            answer = self.fleet.request("POST", "/api/rewards/redeem/", self.token, json={"reward_id": reward})
            return answer.status_code in (201, 202)

        # The award reaches points first and the shop by an event.
        eventually(asked, "redeemed")

    def schedule(self) -> None:
        words = {"name": "Grace", "email": f"{uuid4().hex}@reviewers.example.org", "time_zone": "UTC"}
        professional = self.post("/api/professionals/", self.admin, **words)["id"]
        today = datetime.now(UTC).date()
        weekly = [{"weekday": day, "start": "08:00", "end": "20:00"} for day in range(7)]
        until = (today + timedelta(days=20)).isoformat()
        offer = {"weekly": weekly, "time_zone": "UTC", "valid_from": today.isoformat(), "valid_until": until}
        self.post("/api/professional-availability/", self.admin, professional_id=professional, **offer)
        wish = {
            "target_industry": "Technology",
            "target_role": "Engineer",
            "experience_level": "entry",
            "time_zone": "UTC",
        }
        review = self.post("/api/review-requests/", self.token, **wish)["id"]
        noon = (datetime.now(UTC) + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0)
        self.post(
            "/api/sessions/schedule/",
            self.admin,
            review_request_id=review,
            professional_id=professional,
            scheduled_time=noon.isoformat(),
        )


def test_what_is_printed_runs_as_it_stands_and_receives_what_the_catalogue_says(fleet, subscriber):
    name = f"acme-{uuid4().hex[:6]}"
    acme = subscriber(name, "--events", ",".join(EVENTS))
    scene = Scene(fleet)
    scene.award(50)
    scene.redeem()
    scene.schedule()

    def mine() -> dict[str, dict[str, Any]]:
        return {event["type"]: event for event in acme.events() if event["data"].get("member_id") == scene.id}

    eventually(lambda: set(mine()) == set(EVENTS), "three kinds of events", 30)
    for event in acme.events():
        assert list(validator(event["type"]).iter_errors(event)) == []
        assert event["type"] in EVENTS


class TestRefusals:
    """An integrator's user may do what its program does, and nothing else; each attempt on a connection of its own."""

    @pytest.fixture(scope="class")
    def acme(self, fleet: Fleet) -> tuple[str, str]:
        """The name and the address of an integrator that was given one kind of events; another one is there too."""
        name = f"acme-{uuid4().hex[:6]}"
        program = made(fleet, name, "--events", EVENTS[0])
        made(fleet, f"other-{name}")
        url = next(line for line in program.splitlines() if line.startswith("AMQP_URL")).split('"')[3]
        return name, url

    def attempt(self, url: str, act: Callable[[Any], Any]) -> str | None:
        """The broker's refusal; None when it did as it was asked."""
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            act(channel)
        except (ChannelClosedByBroker, ConnectionClosedByBroker) as refusal:
            return str(refusal)
        finally:
            if connection.is_open:
                connection.close()
        return None

    def own_queue(self, channel: Any, name: str, **arguments: Any) -> str:
        queue = f"{name}.{uuid4().hex[:6]}"
        channel.queue_declare(queue, auto_delete=True, arguments=arguments)
        return queue

    def test_its_own_queue_is_its_own(self, acme):
        name, url = acme

        def act(channel: Any) -> None:
            queue = self.own_queue(channel, name)
            channel.queue_bind(queue, "propel.public", routing_key=EVENTS[0])
            channel.queue_bind(queue, "propel.replay", routing_key=name)
            channel.queue_delete(queue)

        assert self.attempt(url, act) is None

    @pytest.mark.parametrize(
        ("exchange", "key"),
        [
            ("propel.public", "#"),
            ("propel.public", "*.*.v1"),
            ("propel.public", "points.#"),
            ("propel.public", EVENTS[1]),
            ("propel.events", "#"),
            ("propel.events", EVENTS[0]),
            ("propel.commands", "#"),
            ("propel.questions", "#"),
            ("propel.replies", "bot.#"),
            ("propel.dead", "#"),
            ("propel.retry", "#"),
            ("propel.redeliver", "#"),
            ("propel.replay", "#"),
            ("propel.replay", "other-{name}"),
            ("amq.topic", "#"),
            ("amq.rabbitmq.trace", "#"),
        ],
    )
    def test_it_binds_nothing_else(self, acme, exchange, key):
        name, url = acme

        def act(channel: Any) -> None:
            channel.queue_bind(self.own_queue(channel, name), exchange, routing_key=key.format(name=name))

        assert "403" in (self.attempt(url, act) or "done")

    @pytest.mark.parametrize(
        "queue", ["points.events", "points.dead", "integrations.events", "retry.5s", "other-{name}.events"]
    )
    def test_it_reads_empties_and_deletes_no_other_queue(self, acme, queue):
        name, url = acme
        queue = queue.format(name=name)
        for act in (
            lambda channel: channel.basic_get(queue),
            lambda channel: channel.basic_consume(queue, lambda *_: None),
            lambda channel: channel.queue_purge(queue),
            lambda channel: channel.queue_delete(queue),
            lambda channel: channel.queue_declare(queue, durable=True),
        ):
            assert "403" in (self.attempt(url, act) or "done")

    @pytest.mark.parametrize(
        ("exchange", "key"),
        [
            ("", "points.commands"),
            ("propel.public", EVENTS[0]),
            ("propel.events", EVENTS[0]),
            ("propel.commands", "points.log_activity.v1"),
            ("propel.replies", "bot.answered.v1"),
            ("propel.retry", "5s.points.commands"),
            ("propel.replay", "{name}"),
        ],
    )
    def test_it_publishes_nothing(self, acme, exchange, key):
        name, url = acme
        act = lambda channel: channel.basic_publish(exchange, key.format(name=name), b"{}", mandatory=True)  # noqa: E731
        assert "403" in (self.attempt(url, act) or "done")

    def test_it_declares_nothing_outside_its_prefix(self, acme):
        name, url = acme
        for queue in ("mine", f"x{name}.events", f"{name}x.events", name, "points.mine"):
            assert "403" in (self.attempt(url, lambda channel, q=queue: channel.queue_declare(q)) or "done"), queue
        for exchange in ("propel.mine", "mine"):
            act = lambda channel, e=exchange: channel.exchange_declare(e, "topic")  # noqa: E731
            assert "403" in (self.attempt(url, act) or "done"), exchange

    def test_dead_letters_and_alternates_are_no_way_round(self, acme):
        """Whatever its own queues or exchanges would hand on must be what it may publish."""
        name, url = acme
        for target in ("propel.commands", "propel.events", "propel.retry"):
            queue = lambda channel, t=target: self.own_queue(channel, name, **{"x-dead-letter-exchange": t})  # noqa: E731
            assert "403" in (self.attempt(url, queue) or "done"), target
            exchange = lambda channel, t=target: channel.exchange_declare(  # noqa: E731
                f"{name}.x", "topic", auto_delete=True, arguments={"alternate-exchange": t}
            )
            assert "403" in (self.attempt(url, exchange) or "done"), target

    def test_an_exchange_of_its_own_gets_no_more_than_a_queue(self, acme):
        name, url = acme

        def act(channel: Any) -> None:
            channel.exchange_declare(f"{name}.fan", "fanout", auto_delete=True)
            channel.exchange_bind(destination=f"{name}.fan", source="propel.public", routing_key="#")

        assert "403" in (self.attempt(url, act) or "done")

    def test_it_sees_no_other_virtual_host(self, acme):
        _name, url = acme
        with pytest.raises((ConnectionClosedByBroker, ProbableAccessDeniedError)):
            pika.BlockingConnection(pika.URLParameters(url.rsplit("/", 1)[0] + "/%2f"))

    def test_one_that_was_removed_is_refused(self, fleet):
        name = f"gone-{uuid4().hex[:6]}"
        program = made(fleet, name)
        url = next(line for line in program.splitlines() if line.startswith("AMQP_URL")).split('"')[3]
        assert make_integrator(fleet, name, "--remove").returncode == 0
        with pytest.raises(Exception, match=r"ACCESS_REFUSED|403"):
            pika.BlockingConnection(pika.URLParameters(url))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Acme!",), "must be 2 to 32"),
        (("points",), "a part of the fleet's own"),
        (("retry",), "a part of the fleet's own"),
        (("acme", "--events", "points.points_held.v1"), "not a public event: points.points_held.v1"),
        ((), "say who it is for"),
    ],
)
def test_a_wrong_integrator_is_told_what_to_do(fleet, arguments, words):
    done = make_integrator(fleet, *arguments) if arguments else make_integrator(fleet, "")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stdout == ""


def test_its_queues_are_bounded_whatever_they_ask_for(fleet):
    """The operator's policy wins over arguments: the oldest go, and what publishes is not held up."""
    from deploy.local.integrator import _run
    from deploy.local.layout import Ports

    name = f"full-{uuid4().hex[:6]}"
    program = made(fleet, name)
    url = next(line for line in program.splitlines() if line.startswith("AMQP_URL")).split('"')[3]
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.queue_declare(f"{name}.q", arguments={"x-max-length": 10**9})
    channel.queue_bind(f"{name}.q", "propel.public", routing_key=EVENTS[0])
    tight = ["set_operator_policy", "-p", "propel", "--apply-to", "queues", f"integrator-{name}", f"^{name}[.]"]
    ports = Ports(int(fleet.url.rsplit(":", 1)[1]), fleet.base)
    assert _run_in(fleet, ports, [[*tight, json.dumps({"max-length": 3})]], _run) is None
    scene = Scene(fleet)
    for _ in range(6):
        scene.award()
    eventually(lambda: channel.queue_declare(f"{name}.q", passive=True).method.message_count == 3, "three are kept")
    channel.queue_delete(f"{name}.q")
    connection.close()


def _run_in(fleet: Fleet, ports: Any, commands: list[list[str]], run: Callable[..., Any]) -> Any:
    """rabbitmqctl for the node of that fleet."""
    import deploy.local.integrator as module

    before, module.RUN = module.RUN, fleet.run
    try:
        return run(ports, commands)
    finally:
        module.RUN = before


class Receiver:
    """A webhook's server that can be away: it keeps what it takes, and refuses everything while `away`."""

    def __init__(self) -> None:
        self.away, self.taken = False, []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if not receiver.away:
                    receiver.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(503 if receiver.away else 204)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_each_of_three_doors_tells_every_event_once_by_its_id_whatever_dies(fleet, subscriber, record_property, seed):
    """A subscriber, a webhook and a reader of the feed, each killed or away again and again while events happen, and with
    them integrations' own worker: nothing is missing at the end, by id nothing is double, and the feed keeps the order."""
    rng, name, scene = random.Random(seed), f"three-{uuid4().hex[:6]}", Scene(fleet)
    key = scene.post("/api/keys/", scene.admin, name=name, scopes=["events:read"])["key"]
    receiver = Receiver()
    hook = {"name": name, "url": receiver.url, "types": [EVENTS[0]], "contact": "ops@acme.example"}
    secret = scene.post("/api/webhooks/", scene.admin, **hook)["secret"]
    acme = subscriber(name, "--events", EVENTS[0])
    after = fleet.request("GET", "/api/events/?limit=1", key).json()["next_after"]
    while (page := fleet.request("GET", f"/api/events/?after={after}&limit=100", key).json())["items"]:
        after = page["next_after"]
    awards, read = 0, []
    for _ in range(KILLS):
        for _ in range(rng.randrange(3, 12)):
            scene.award()
            awards += 1
        victim = rng.choice(["subscriber", "worker", "receiver", "reader"])
        if victim == "subscriber":
            acme.kill()
            scene.award()
            awards += 1
            acme.start()
        elif victim == "worker":
            # Killed again and again, it is started again more and more slowly.
            pid = eventually(lambda: fleet.status()["integrations-worker"].get("pid"), "the worker is back", 30)
            os.kill(int(pid), signal.SIGKILL)
        elif victim == "receiver":
            receiver.away = True
            scene.award()
            awards += 1
            time.sleep(rng.random())
            receiver.away = False
        else:
            # Killed after it has read a page and before it kept where it was: it reads the page again.
            page = fleet.request("GET", f"/api/events/?after={after}&limit=100", key).json()
            read += page["items"]
    began = time.monotonic()

    def by_feed() -> list[dict[str, Any]]:
        nonlocal after
        page = fleet.request("GET", f"/api/events/?after={after}&limit=100&wait=1", key).json()
        after = page["next_after"]
        read.extend(page["items"])
        return mine(read)

    def mine(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = {event["id"]: event for event in events if event["data"].get("member_id") == scene.id}
        return [event for event in found.values() if event["type"] == EVENTS[0]]

    def by_webhook() -> list[dict[str, Any]]:
        return mine([Verifier(secret).verify(body, headers) for headers, body in receiver.taken])

    doors = {"feed": by_feed, "queue": lambda: mine(acme.events()), "webhook": by_webhook}
    for door, events in doors.items():
        eventually(lambda events=events: len(events()) >= awards, f"all {awards} by the {door}", 90)
        took = time.monotonic() - began
        found = events()
        assert sorted(event["sequence"] for event in found) == list(range(1, awards + 1)), door
        record_property(f"{door}_seconds_after_the_last", round(took, 2))
    ids = {door: {event["id"] for event in events()} for door, events in doors.items()}
    assert ids["feed"] == ids["queue"] == ids["webhook"]
    kept = sorted(mine(read), key=lambda event: event["position"])
    assert [event["sequence"] for event in kept] == list(range(1, awards + 1)), "the feed keeps the order of a subject"
    print(f"{awards} awards, {KILLS} kills; webhook requests taken: {len(receiver.taken)}")
    receiver.server.shutdown()
    receiver.server.server_close()


def test_a_replay_through_the_broker_brings_the_same_ids(fleet, subscriber):
    """What was lost on their side comes once more, to them alone."""
    name, scene = f"again-{uuid4().hex[:6]}", Scene(fleet)
    body = {"name": name, "scopes": ["events:replay"], "integrator": name}
    key = scene.post("/api/keys/", scene.admin, **body)["key"]
    since = datetime.now(UTC) - timedelta(seconds=1)
    acme = subscriber(name, "--events", EVENTS[0])
    scene.award()

    def mine() -> list[str]:
        return [event["id"] for event in acme.events() if event["data"].get("member_id") == scene.id]

    [first] = eventually(mine, "told once")
    with sqlite3.connect(acme.file) as file:
        file.execute("DELETE FROM events")
    # The queue tells as it happens and the feed a moment later.
    eventually(
        lambda: scene.post("/api/events/replay/", key, since=since.isoformat(), types=[EVENTS[0]])["events"] > 0,
        "in the feed",
    )
    eventually(lambda: mine() == [first], "told again")
