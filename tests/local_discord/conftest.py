"""One local Discord and one real nextcord client for all tests here; each test brings its own people."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a.token.of-tests"
DEADLINE = 10.0


def until(condition):
    """Returns when a condition holds; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)  # the pace of looking, not the time given


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Server:
    """The server as a program, and what a test asks of it."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.start()

    def start(self):
        command = [sys.executable, "-m", "deploy.local.discord", "--port", "0", *self.arguments]
        environment = {**os.environ, "DISCORD_TOKEN": TOKEN}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().rpartition(" ")[2].strip()
        assert self.url, "local Discord did not start"

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(DEADLINE)
        self.process.stdout.close()
        return code

    def call(self, method, path, body=None, headers=None):
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=70) as response:
                status, headers, raw = response.status, response.headers, response.read()
        except urllib.error.HTTPError as problem:
            status, headers, raw = problem.code, problem.headers, problem.read()
        plain = raw and headers["Content-Type"] == "application/json"
        return Answer(status, headers, json.loads(raw) if plain else raw)

    def rest(self, method, path, body=None):
        return self.call(method, "/api/v10" + path, body, {"Authorization": f"Bot {TOKEN}"})

    def post(self, path, status=201, **body):
        answer = self.call("POST", "/local" + path, body)
        assert answer.status == status, answer.body
        return answer.body

    def user(self, name, **more):
        return self.post("/users", name=name, **more)["id"]

    def state(self):
        return self.call("GET", "/local/state").body

    def items(self, **query):
        answer = self.call("GET", "/local/messages?" + urllib.parse.urlencode(query))
        assert answer.status == 200, answer.body
        return answer.body["items"]

    def expect(self, wanted, after, **query):
        """The first item that is wanted; waits for it, with a deadline."""
        deadline, found = time.monotonic() + DEADLINE, []
        while (left := deadline - time.monotonic()) > 0:
            found = self.items(after=after, wait=f"{left:.2f}", **query)
            for item in found:
                if wanted(item):
                    return item
            if found:
                time.sleep(0.02)  # something came, but not yet what is wanted: look again, at a pace
        raise AssertionError(f"nothing wanted came, only {[item['content'] for item in found]}")


@pytest.fixture(scope="session")
def quiet():
    """A server that no bot is connected to."""
    server = Server()
    yield server
    server.stop()


class Bot:
    """The nextcord client of ``bot.py`` as a program."""

    def __init__(self, server):
        program = [sys.executable, str(Path(__file__).with_name("bot.py")), server.url + "/api/v10", TOKEN]
        self.process = subprocess.Popen(program)
        until(lambda: server.state()["bot_ready"] and len(server.call("GET", "/local/commands").body["items"]) == 10)

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)


@pytest.fixture(scope="session")
def discord():
    """A server with the bot connected and its commands registered."""
    server = Server()
    try:
        bot = Bot(server)
        yield server
        bot.stop()
    finally:
        server.stop()
