"""Every process of a running fleet is replaced while people use it: no request fails, and what they did counts once.

ROLLS= says how often each process is replaced (5 are the whole proof); RATE= how many requests a second meanwhile.
"""

import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests

from tests.e2e.conftest import Fleet, eventually, run_local, running
from tests.e2e.test_main_job import text_of

ROLLS = int(os.environ.get("ROLLS") or 1)
RATE = int(os.environ.get("RATE") or 50)
THREADS = 10
# Replaced by a signal alone, and by an end and a new beginning.
WEBS = ("users-web", "points-web", "rewards-web", "reviews-web", "integrations-web", "integrations-stream", "bot-web")
WORKERS = ("users-worker", "points-consumer", "points-relay", "rewards-worker", "reviews-worker", "integrations-worker")
BOT = ("bot-worker", "bot-client")
PARTS = (*WEBS, *WORKERS, *BOT, "gateway")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet that nobody else looks at while its processes go."""
    folder: Path = tmp_path_factory.mktemp("rolled")
    with running(folder) as started:
        yield started


class Crowd:
    """Asks at a steady rate from several threads, and remembers what failed and how many awards were given."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.stop, self.lock = fleet, threading.Event(), threading.Lock()
        self.members = [fleet.register() for _ in range(THREADS)]
        self.admin = fleet.token("admin")
        # Without a limit a day.
        unlimited = {"code": "rolled", "name": "Rolled", "category": "other", "points": 1}
        assert fleet.request("POST", "/api/activities/", self.admin, json=unlimited).status_code == 201
        self.failed: list[str] = []
        self.asked: Counter[str] = Counter()
        self.slowest = 0.0
        self.threads = [threading.Thread(target=self._ask, args=(each,)) for each in self.members]

    def _ask(self, member: dict[str, Any]) -> None:
        token, me = member["tokens"]["access"], member["user"]["id"]
        for turn in itertools.cycle(range(5)):
            if self.stop.wait(THREADS / RATE):
                return
            key = {"Idempotency-Key": uuid4().hex}
            kind, method, path, words = (
                ("award", "POST", f"/api/users/{me}/add_points/", {"json": {"activity_type": "rolled"}}),
                ("read", "GET", "/api/points/balance/", {}),
                ("read", "GET", "/api/leaderboard/?limit=10", {}),
                ("read", "GET", "/api/incentives/", {}),
                ("read", "GET", "/api/users/profile/", {}),
            )[turn]
            caller = self.admin if kind == "award" else token
            began = time.perf_counter()
            try:
                answer = self.fleet.request(method, path, caller, headers=key if kind == "award" else {}, **words)
                said = "" if answer.status_code in (200, 201) else f"{answer.status_code} {answer.text[:200]}"
            except requests.RequestException as error:
                said = f"{type(error).__name__}: {error}"[:300]
            with self.lock:
                self.asked[kind] += 1
                self.slowest = max(self.slowest, time.perf_counter() - began)
                if said:
                    self.failed.append(f"{time.strftime('%H:%M:%S')} {method} {path}: {said}")

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


@pytest.mark.timeout(300 + 150 * ROLLS)
def test_every_process_is_replaced_under_load_and_no_request_fails(own: Fleet, record_property):
    with Crowd(own) as crowd:
        writer = own.discord.join("Writer")
        for _ in range(ROLLS):
            before = own.status()
            print(run_local(own.run, "roll").stdout)
            after = own.status()
            assert set(PARTS) <= set(after)
            # What reloads keeps its process, and has new workers.
            for part in (*WORKERS, *BOT):
                assert after[part]["pid"] != before[part]["pid"]
            assert {row["state"] for row in after.values()} == {"healthy"}
        time.sleep(1)
    assert crowd.failed == [], crowd.failed[:5]
    assert crowd.asked["award"] > 0
    given = crowd.asked["award"]
    logs = 0
    for member in crowd.members:
        token = member["tokens"]["access"]
        logs += _entries(own, token)
    assert logs == given, "each award counts once"
    # The bot is what it was.
    eventually(lambda: "points" in text_of(own.discord.ask(writer, "points")).lower(), "the bot answers")
    verified = run_local(own.run, "verify")
    assert verified.returncode == 0, verified.stdout
    print(
        f"\nFIGURES rolls={ROLLS} parts={len(PARTS)} rate={RATE} asked={crowd.asked.total()} failed={len(crowd.failed)}"
        f" slowest_s={crowd.slowest:.2f}"
    )


def _entries(fleet: Fleet, token: str) -> int:
    """How many entries somebody's points log has."""
    found, cursor = 0, None
    while True:
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = fleet.request("GET", "/api/points-logs/", token, params=query).json()
        found, cursor = found + len(page["items"]), page["next_cursor"]
        if cursor is None:
            return found
