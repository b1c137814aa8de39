"""The bot's own database, and its real client between it and local Discord."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from deploy.local.backends import free_ports
from fleet import asking, database
from fleet.messages import Envelope, Reply, decode, to_json

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "6f1f2a4e-6d3e-4d8e-9c55-2b9c2f6f0001"
TOKEN = "a.token.of-tests"
DEADLINE = 15.0


@pytest.fixture
def bot_database(on: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """This process is the bot, its database empty."""
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("MEMBER_NAMESPACE", NAMESPACE)
    return on("bot")


@pytest.fixture
def outbox() -> Callable[[], list[Envelope[Any]]]:
    """What was recorded for other services, in order."""

    def read() -> list[Envelope[Any]]:
        with database.transaction() as session:
            rows = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars()
            return [decode(bytes(body)) for body in rows]

    return read


def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What the condition gives as soon as it is true; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
    return found


class Discord:
    """Local Discord as a program, and what a test does there."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "deploy.local.discord", "--port", "0"]
        environment = {**os.environ, "DISCORD_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().rpartition(" ")[2].strip()
        assert self.url, "local Discord did not start"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=70) as response:
                return json.loads(response.read() or b"null")
        except urllib.error.HTTPError as problem:
            raise AssertionError(f"{method} {path}: {problem.code} {problem.read()!r}") from problem

    def user(self, name: str, **more: Any) -> str:
        return self.call("POST", "/local/users", {"name": name, **more})["id"]

    def write(self, user: str, content: str, **more: Any) -> str:
        return self.call("POST", "/local/messages", {"user": user, "content": content, **more})["id"]

    def react(self, user: str, message: str) -> None:
        self.call("POST", "/local/reactions", {"user": user, "message": message, "emoji": "👍"})

    def slash(self, user: str, name: str, **options: Any) -> str:
        return self.call("POST", "/local/commands", {"user": user, "name": name, "options": options})["id"]

    def click(self, user: str, message: dict[str, Any], label: str) -> str:
        buttons = [button for row in message["components"] for button in row["components"]]
        custom_id = next(button["custom_id"] for button in buttons if button["label"] == label)
        return self.call("POST", "/local/clicks", {"user": user, "message": message["id"], "custom_id": custom_id})[
            "id"
        ]

    def items(self, **query: Any) -> list[dict[str, Any]]:
        return self.call("GET", "/local/messages?" + urllib.parse.urlencode(query))["items"]

    def next(self, user: str, after: str) -> dict[str, Any]:
        """What came for this user, the welcome apart."""
        deadline = time.monotonic() + DEADLINE
        while (left := deadline - time.monotonic()) > 0:
            found = self.items(user=user, after=after, wait=round(left, 2))
            found = [item for item in found if "Welcome to Propel" not in str(item["embeds"])]
            if found:
                return found[-1]
            time.sleep(0.02)
        raise AssertionError("nothing came")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)
        assert self.process.stdout
        self.process.stdout.close()


class Client:
    """The bot's Discord client as a program, in the same database as the test."""

    def __init__(self, discord: Discord, url: str, **settings: str) -> None:
        (self.port,) = free_ports(1)
        environment = {
            **os.environ,
            "DATABASE_URL": url,
            "DISCORD_TOKEN": TOKEN,
            "MEMBER_NAMESPACE": NAMESPACE,
            "BOT_DISCORD_API": f"{discord.url}/api/v10",
            "METRICS_PORT": str(self.port),
            **settings,
        }
        command = [sys.executable, "-m", "services.bot"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

    @property
    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as response:
                return response.status == 200
        except OSError:
            return False

    def stop(self, how: int = signal.SIGTERM) -> tuple[int, str]:
        """Its exit status, and all it logged."""
        self.process.send_signal(how)
        logged, _ = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, logged


@pytest.fixture
def discord() -> Iterator[Discord]:
    """A local Discord of its own."""
    server = Discord()
    yield server
    server.stop()


@pytest.fixture
def start(bot_database: Any, discord: Discord) -> Iterator[Callable[..., Client]]:
    """Starts the client; what still runs at the end of the test is stopped."""
    started: list[Client] = []

    def begin(*, wait: bool = True, **settings: str) -> Client:
        client = Client(discord, bot_database.url, **settings)
        started.append(client)
        if wait:
            until(lambda: client.ready)
        return client

    yield begin
    for client in started:
        if client.process.poll() is None:
            client.stop(signal.SIGKILL)


class Services:
    """The other services, as the bot knows them: what it recorded is read, and answered when a test says so."""

    def recorded(self, type_: str) -> list[Envelope[Any]]:
        with database.transaction() as session:
            rows = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
        return [found for found in map(decode, map(bytes, rows)) if found.type == type_]

    def asked(self, type_: str) -> Envelope[Any]:
        """The question of this type that is waiting; it is taken out of the outbox."""
        (found,) = until(lambda: self.recorded(type_))
        with database.transaction() as session:
            session.execute(text("DELETE FROM outbox WHERE message_id = :id"), {"id": found.id})
        return found

    def answer(self, asked: Envelope[Any], result: Any = None, problem: dict[str, Any] | None = None) -> None:
        body = None if result is None else orjson.loads(orjson.dumps(to_json(result)))
        reply = Reply(str(asked.id), body, problem)
        envelope = Envelope(uuid.uuid4(), "points", "bot.answered.v1", None, asked.time, reply)
        with database.transaction() as session:
            asking.keep_reply(session, envelope)


@pytest.fixture
def services(bot_database: Any) -> Services:
    """Stands for the worker, points and users."""
    return Services()
