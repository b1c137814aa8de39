"""A fleet of its own for the end-to-end tests, beside whatever runs in this clone."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from deploy.local.backends import free_ports
from deploy.local.layout import OFFSETS, SPAN, Ports, PortsError, check_free
from tests.conftest import ROOT

# What the tests of limits test is not in the way of the others.
RAISED = {
    "GATEWAY_TOKEN_RATE": "5000",
    "GATEWAY_TOKEN_BURST": "5000",
    "GATEWAY_ADDRESS_RATE": "5000",
    "GATEWAY_ADDRESS_BURST": "5000",
    "GATEWAY_REGISTER_PER_MINUTE": "6000",
    "GATEWAY_LOGIN_PER_MINUTE": "6000",
    "GATEWAY_VALIDATE_PER_MINUTE": "6000",
}


class Discord:
    """A person's hands and eyes in local Discord."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        answer = requests.post(f"{self.url}/local/{path}", json=body, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path: str) -> dict[str, Any]:
        answer = requests.get(f"{self.url}/local/{path}", timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> dict[str, Any]:
        return self.get("state")

    def join(self, name: str | None = None, **words: Any) -> str:
        return self.call("users", name=name or f"Member {uuid4().hex[:8]}", **words)["id"]

    def change(self, user: str, **words: Any) -> None:
        answer = requests.post(f"{self.url}/local/users/{user}", json=words, timeout=30)
        assert answer.status_code == 200, answer.text

    def say(self, user: str, content: str, **words: Any) -> str:
        return self.call("messages", user=user, content=content, **words)["id"]

    def seen(self, user: str, after: str, wait: float = 10, **words: str) -> list[dict[str, Any]]:
        parameters = {"user": user, "after": after, "wait": str(wait)} | words
        answer = requests.get(f"{self.url}/local/messages", params=parameters, timeout=wait + 20)
        return answer.json()["items"]

    def ask(self, user: str, name: str, /, **options: Any) -> dict[str, Any]:
        """Use a slash command and return the bot's answer to it."""
        interaction = self.call("commands", user=user, name=name, options=options)["id"]
        return self._until(user, interaction, lambda item: item["interaction"] == interaction)[-1]

    def _until(self, user: str, after: str, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """What `user` sees after `after`, once something `wanted` is among it: other notices may come between."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if found := [item for item in self.seen(user, after, 2) if wanted(item)]:
                return found
            time.sleep(0.02)
        raise AssertionError("no answer within 10 s")

    def suggested(self, user: str, name: str, option: str, typed: str) -> list[dict[str, Any]]:
        """What the bot suggests while `typed` stands in an option."""
        body = {"user": user, "name": name, "option": option, "options": {option: typed}}
        answer = requests.post(f"{self.url}/local/autocomplete", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"]

    def button(self, message: dict[str, Any], label: str) -> str:
        """The id of the button whose label begins so."""
        buttons = [button for row in message["components"] for button in row["components"]]
        return next(button["custom_id"] for button in buttons if button["label"].startswith(label))

    def press(self, user: str, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Press a button of a message; the answer, which may take the message's place."""
        before = {"components": message["components"], "embeds": message["embeds"]}
        made = self.call("clicks", user=user, message=message["id"], custom_id=self.button(message, label))["id"]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for item in self.seen(user, user, 0):
                changed = item["id"] == message["id"] and {name: item[name] for name in before} != before
                if changed or (item["interaction"] == made and (item["embeds"] or item["content"])):
                    return item
            time.sleep(0.02)
        raise AssertionError("no answer within 10 s")

    def form(self, user: str, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Press a button that opens a form; the form."""
        made = self.call("clicks", user=user, message=message["id"], custom_id=self.button(message, label))["id"]
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if modal := self.get(f"interactions/{made}")["modal"]:
                return modal
            time.sleep(0.02)
        raise AssertionError("no form within 10 s")

    def submit(self, user: str, message: dict[str, Any], form: dict[str, Any], **fields: str) -> dict[str, Any]:
        """Send a form in; the message it was opened from, as it is then."""
        before = message["embeds"]
        self.call("modals", user=user, custom_id=form["custom_id"], fields=fields)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for item in self.seen(user, user, 0):
                if item["id"] == message["id"] and item["embeds"] != before:
                    return item
            time.sleep(0.02)
        raise AssertionError("no answer within 10 s")

    def ask_typed(self, user: str, text: str, channel: str = "general") -> list[dict[str, Any]]:
        """Type a ! command and return what the bot says to it."""
        message = self.say(user, text, channel=channel)
        return self._until(user, message, lambda item: item["author"] != user and item["reply_to"] == message)


class Fleet:
    """A running fleet: where its gateway is, its first accounts, and its local Discord."""

    def __init__(self, run: Path, gateway: int, base: int) -> None:
        self.run, self.url = run, f"http://127.0.0.1:{gateway}"
        self.base = base
        self.discord = Discord(f"http://127.0.0.1:{base + 100}")

    def request(self, method: str, path: str, token: str | None = None, **words: Any) -> requests.Response:
        headers = words.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        return requests.request(method, self.url + path, headers=headers, timeout=30, **words)

    def token(self, account: str) -> str:
        """An access token of the first accounts: `admin` or `student`."""
        credentials = json.loads((self.run / "accounts.json").read_text())[account]
        body = {name: credentials[name] for name in ("username", "password")}
        answer = self.request("POST", "/api/users/login/", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["tokens"]["access"]

    def register(self, **words: Any) -> dict[str, Any]:
        name = f"m{uuid4().hex[:12]}"
        body = {"username": name, "email": f"{name}@example.org", "password": "correct horse battery"} | words
        answer = self.request("POST", "/api/users/register/", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def status(self) -> dict[str, Any]:
        done = run_local(self.run, "status", "--json", check=False)
        return {row["part"]: row for row in json.loads(done.stdout)}


def run_local(run: Path, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m deploy.local ...` for the fleet whose data are in `run`."""
    values = {**os.environ, **RAISED, "PROPEL_RUN": str(run), "PROPEL_MODE": "local"} | environment
    values.pop("DISCORD_TOKEN", None)
    command = [sys.executable, "-m", "deploy.local", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def free_span() -> int:
    """The first of a whole span of free ports."""
    for _ in range(50):
        base = free_ports(1)[0]
        # Asked of the kernel: a bare Debian has no `ss`.
        with contextlib.suppress(PortsError):
            check_free(Ports(gateway=base + SPAN, base=base), list(OFFSETS))
            return base
    raise AssertionError("no span of free ports was found")


@contextlib.contextmanager
def running(run: Path, **environment: str) -> Iterator[Fleet]:
    """A whole fleet whose data are in `run`, with these settings."""
    for attempt in range(3):
        base = free_span()
        gateway = next(port for port in iter(lambda: free_ports(1)[0], 0) if not base <= port < base + SPAN)
        done = run_local(run, "up", check=attempt == 2, PORT_BASE=str(base), GATEWAY_PORT=str(gateway), **environment)
        # Somebody may be quicker to take one of the ports; anything else is a failure at once.
        if done.returncode == 0:
            break
        assert "cannot be used" in done.stdout, done.stdout + done.stderr
    try:
        yield Fleet(run, gateway, base)
    finally:
        run_local(run, "reset", check=False)


def eventually(check: Callable[[], Any], what: str, seconds: float = 15) -> Any:
    """The first true result of `check`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session")
def boss(fleet: Fleet) -> Any:
    """An admin with a linked Discord account who holds the staff role of the server, which is set up."""
    from tests.e2e.shopping import make_boss

    return make_boss(fleet)
