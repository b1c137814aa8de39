"""Processes and secrets of a running fleet are replaced while people use it: no request fails, and what they did counts once.

ROLLS= says how often each process is replaced (5 are the whole proof); RATE= how many requests a second meanwhile.
"""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import psycopg2
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.backends import free_ports
from fleet.auth import REFETCH_S
from tests.conftest import ROOT
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
        self.activity = f"rolled_{uuid4().hex[:8]}"
        unlimited = {"code": self.activity, "name": "Rolled", "category": "other", "points": 1}
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
                ("award", "POST", f"/api/users/{me}/add_points/", {"json": {"activity_type": self.activity}}),
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
def test_every_process_is_replaced_under_load_and_no_request_fails(own: Fleet):
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


# A path of each service that wants a token.
CLOSED = ("/api/users/profile/", "/api/points/balance/", "/api/redemptions/history/", "/api/reviews/status/")


def new_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def statuses(fleet: Fleet, token: str) -> set[int]:
    return {fleet.request("GET", path, token).status_code for path in CLOSED}


def replace(fleet: Fleet, path: Path, keys: str) -> None:
    """Give users these two keys, the one that signs first."""
    path.write_text(keys, encoding="utf-8")
    run_local(fleet.run, "roll", "users-web")
    assert len(fleet.request("GET", "/.well-known/jwks.json").json()["keys"]) == 2


def test_the_key_that_signs_is_replaced_and_no_request_is_refused(own: Fleet):
    """In three steps: the next key is told, then it signs, then the former one goes."""
    path: Path = own.run / "secrets/users_jwt_key.pem"
    old, new = path.read_text(encoding="utf-8"), new_key()
    before = own.register()["tokens"]["access"]
    assert 401 not in statuses(own, before)
    with Crowd(own) as crowd:
        replace(own, path, old + new)
        # Who has looked for a key just before looks again after so long: then all may be asked to know the next one.
        time.sleep(REFETCH_S + 1)
        replace(own, path, new + old)
        after = own.register()["tokens"]["access"]
        assert jwt.get_unverified_header(after)["kid"] != jwt.get_unverified_header(before)["kid"]
        assert 401 not in statuses(own, after)
        assert 401 not in statuses(own, before)
    assert crowd.failed == [], crowd.failed[:5]
    path.write_text(new, encoding="utf-8")
    run_local(own.run, "roll", "users-web")
    assert own.request("GET", "/api/users/profile/", before).status_code == 401
    assert 401 not in statuses(own, after)


@pytest.fixture
def points_by_file(own: Fleet, tmp_path: Path) -> Any:
    """The web process of points as a cluster runs it: the address of its database is in a file. Gives (url, file)."""
    password = (own.run / "secrets/pg_points").read_text(encoding="utf-8").strip()
    file = tmp_path / "DATABASE_URL"
    file.write_text(f"postgresql://points:{password}@127.0.0.1:{own.base}/points", encoding="utf-8")
    (port,) = free_ports(1)
    values = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL",)} | {
        "DATABASE_URL_FILE": str(file),
        "DATABASE_POOL_SIZE": "1",
        "JWKS_URL": f"{own.url}/.well-known/jwks.json",
        "EVIDENCE_DIR": str(tmp_path),
        "BIND": f"127.0.0.1:{port}",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", "fleet/gunicorn_conf.py", "services.points.app:create_app()"]
    process = subprocess.Popen(command, cwd=ROOT, env=values, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/api/activities/"

    def up() -> bool:
        try:
            return requests.get(url, timeout=2).status_code == 200
        except requests.RequestException:
            return False

    eventually(up, "points is up", 30)
    yield url, file
    process.terminate()
    process.wait(30)


def set_password(own: Fleet, password: str) -> None:
    superuser = (own.run / "secrets/postgres").read_text(encoding="utf-8").strip()
    connection = psycopg2.connect(f"postgresql://postgres:{superuser}@127.0.0.1:{own.base}/postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("ALTER ROLE points PASSWORD %s", (password,))
        # As after any failover: nobody goes on with a connection that the former password opened.
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'points'")
    connection.close()


def test_the_password_of_a_database_is_replaced_and_no_process_starts_anew(own: Fleet, points_by_file):
    url, file = points_by_file
    former = (own.run / "secrets/pg_points").read_text(encoding="utf-8").strip()
    stop, answers = threading.Event(), []

    def ask() -> None:
        while not stop.wait(0.02):
            answers.append(requests.get(url, timeout=10).status_code)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for password in ("the-next-password", "the-one-after-it", former):
            set_password(own, password)
            file.write_text(f"postgresql://points:{password}@127.0.0.1:{own.base}/points", encoding="utf-8")
            mark = len(answers)
            eventually(lambda: answers[mark:].count(200) > 50, "points goes on with the new password", 20)  # noqa: B023
            assert answers[-20:] == [200] * 20
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    refused = [status for status in answers if status != 200]
    # Between the two steps new connections fail, and say that it may be tried again.
    assert set(refused) <= {503}
    print(f"\nFIGURES asked={len(answers)} unavailable={len(refused)}")
