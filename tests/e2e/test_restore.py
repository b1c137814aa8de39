"""The drill: a backup is restored while people use the fleet, and the books agree afterwards.

AGO= says to how many seconds ago; 120 is the whole drill (`make drill`), with a lost disk after it. Without it one service is
restored to a moment ago, with two members. Figures are printed: what was lost (RPO) and how long it took (RTO).
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
import pytest
import requests

from deploy.local import postgres
from tests.e2e.conftest import Fleet, eventually, run_local, running

AGO = int(os.environ.get("AGO") or 4)
DRILL = bool(os.environ.get("AGO"))
THREADS = 6 if DRILL else 2
PAUSE_S = 0.1
PRICE = 2
PASSWORD = "correct horse battery"
pytestmark = pytest.mark.timeout(600 + 4 * AGO)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose data nobody else needs."""
    with running(tmp_path_factory.mktemp("restored")) as started:
        yield started


@dataclass(frozen=True)
class Deed:
    """Something that was acknowledged, and when it was asked for first and answered."""

    kind: str
    id: str
    asked: datetime
    answered: datetime


class Person:
    """Somebody who signs in again when they have to: after users was restored no token of before is good."""

    def __init__(self, fleet: Fleet, id_: str, username: str, password: str) -> None:
        self.fleet, self.id, self.credentials = fleet, id_, {"username": username, "password": password}
        self.token = ""

    def send(self, method: str, path: str, **words: Any) -> requests.Response:
        """One request of theirs, after signing in where that is needed."""
        answer = self.fleet.request(method, path, self.token, **words)
        if answer.status_code == 401:
            found = self.fleet.request("POST", "/api/users/login/", json=self.credentials)
            if found.status_code != 200:
                return found
            self.token = found.json()["tokens"]["access"]
            answer = self.fleet.request(method, path, self.token, **words)
        return answer


def member_of(fleet: Fleet) -> Person:
    user = fleet.register()["user"]
    return Person(fleet, user["id"], user["username"], PASSWORD)


class Load:
    """Members earn and spend; each request is repeated under its key until it is acknowledged."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.stop, self.lock = fleet, threading.Event(), threading.Lock()
        root = json.loads((fleet.run / "accounts.json").read_text(encoding="utf-8"))["admin"]
        self.admin = Person(fleet, "", root["username"], root["password"])
        self.one, plenty = f"restored_{uuid4().hex[:8]}", f"plenty_{uuid4().hex[:8]}"
        for code, points in ((self.one, 1), (plenty, 1000)):
            rule = {"code": code, "name": code, "category": "other", "points": points}
            assert self.admin.send("POST", "/api/activities/", json=rule).status_code == 201
        sticker = {"name": f"Sticker {uuid4().hex[:6]}", "description": "A small one", "points_required": PRICE}
        made = self.admin.send("POST", "/api/incentives/", json=sticker | {"category": "merchandise", "stock": 100_000})
        assert made.status_code == 201, made.text
        self.reward = made.json()["id"]
        self.members = [member_of(fleet) for _ in range(THREADS)]
        for member in self.members:
            self._insist(self.admin, f"/api/users/{member.id}/add_points/", {"activity_type": plenty})
        self.done: list[Deed] = []
        self.others_failed: list[str] = []
        self.broken: list[Exception] = []
        self.threads = [threading.Thread(target=self._guarded, args=(member,)) for member in self.members]

    def _insist(self, person: Person, path: str, body: Any) -> Any:
        """What it is answered with in the end; None when the load is over before."""
        key = uuid4().hex
        while True:
            with contextlib.suppress(requests.RequestException):
                answer = person.send("POST", path, json=body, headers={"Idempotency-Key": key})
                if answer.status_code in (200, 201, 202):
                    return answer.json()
                # Points hears of a new member by an event.
                assert answer.status_code in (401, 404, 502, 503, 504), answer.text
            if self.stop.wait(0.2):
                return None

    def _guarded(self, member: Person) -> None:
        try:
            self._work(member)
        except Exception as error:
            with self.lock:
                self.broken.append(error)

    def redeem(self, member: Person, *, approve: bool = False) -> None:
        """One redemption, acknowledged; approved by staff where that is wanted and points has answered."""
        made = self._note("redeemed", member, "/api/rewards/redeem/", {"reward_id": self.reward})
        if made and approve and made["status"] == "pending":
            self._insist(self.admin, f"/api/redemptions/{made['id']}/approve/", {})

    def _note(self, kind: str, person: Person, path: str, body: Any) -> Any:
        asked = datetime.now(UTC)
        made = self._insist(person, path, body)
        if made:
            with self.lock:
                self.done.append(Deed(kind, made.get("points_log", made)["id"], asked, datetime.now(UTC)))
        return made

    def _work(self, member: Person) -> None:
        for turn in itertools.count():
            if self.stop.wait(PAUSE_S):
                return
            if turn % 4 == 3:
                self.redeem(member, approve=turn % 8 == 3)
            else:
                self._note("earned", self.admin, f"/api/users/{member.id}/add_points/", {"activity_type": self.one})
            with contextlib.suppress(requests.RequestException):
                other = member.send("GET", "/api/users/profile/")
                if other.status_code != 200:
                    with self.lock:
                        self.others_failed.append(other.text)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)
        assert self.broken == []


def rows(own: Fleet, database: str, statement: str) -> list[Any]:
    """What the superuser reads."""
    password = (own.run / "secrets/postgres").read_text(encoding="utf-8").strip()
    address = postgres.url("postgres", password, own.base, database)
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def seconds(words: str, said: str) -> float:
    """The number of seconds that the command printed in such a line."""
    found = re.search(words.replace("X", r"([0-9.]+)"), said)
    assert found, said
    return float(found.group(1))


def earned(own: Fleet, load: Load) -> int:
    return rows(own, "points", f"SELECT count(*) FROM transfers WHERE activity = '{load.one}'")[0][0]


def agree_on_what_members_have(own: Fleet) -> bool:
    """True when rewards believes of each member what points says: no new event was taken for a stale one."""
    said = rows(own, "points", "SELECT member_id, available, lifetime FROM balances WHERE lifetime > 0 ORDER BY 1")
    heard = rows(own, "rewards", "SELECT id, available, lifetime FROM members WHERE lifetime > 0 ORDER BY 1")
    return said == heard


def test_one_service_is_restored_while_the_others_go_on(own: Fleet):
    with Load(own) as load:
        eventually(lambda: len(load.done) > 4 * THREADS, "the load has begun", 60)
        print(run_local(own.run, "backup").stdout)
        at = datetime.now(UTC)
        time.sleep(AGO / 2)
        # Somebody whom points hears of in the time that it is going to forget.
        late = own.register()
        load.redeem(load.members[0])
        time.sleep(AGO / 2)
        ordered = datetime.now(UTC)
        said = run_local(own.run, "restore", "--at", at.isoformat(), "--service", "points", check=False)
        print(said.stdout)
        assert said.returncode == 0, said.stdout + said.stderr
        answers_again = seconds("points answers again, X s", said.stdout)
        back = ordered + timedelta(seconds=answers_again)
        eventually(lambda: any(deed.asked > back for deed in load.done), "it is used again", 60)
        time.sleep(2)
    assert load.others_failed == []

    kept = [deed for deed in load.done if deed.answered < at or deed.asked > back]
    gone = [deed for deed in load.done if deed.asked > at and deed.answered < ordered]
    sure = sum(deed.kind == "earned" for deed in kept)
    unsure = sum(deed.kind == "earned" for deed in load.done) - sure - sum(deed.kind == "earned" for deed in gone)
    assert sure <= earned(own, load) <= sure + unsure

    # What was redeemed in the lost time is reserved anew: rewards had promised it.
    promised = {deed.id for deed in gone if deed.kind == "redeemed"}
    assert promised
    held = {
        str(id_)
        for (id_,) in rows(own, "points", "SELECT redemption_id FROM holds WHERE state IN ('held', 'captured')")
    }
    assert promised <= held
    verified = run_local(own.run, "verify")
    assert "The books balance." in verified.stdout
    assert "The shop is in order." in verified.stdout
    eventually(lambda: agree_on_what_members_have(own), "rewards knows what points says", 30)
    assert "All say the same" in run_local(own.run, "reconcile", at.isoformat()).stdout
    balance = own.request("GET", "/api/points/balance/", late["tokens"]["access"])
    assert balance.status_code == 200, balance.text
    lost = max(deed.answered for deed in gone) - at
    print(
        f"\nFIGURES ago={AGO} lost_awards={sum(deed.kind == 'earned' for deed in gone)} rpo_s={lost.total_seconds():.1f}"
        f" answers_again_s={answers_again:.1f} rto_s={seconds('in X s', said.stdout):.1f}"
    )


def lose_the_disk(own: Fleet) -> None:
    """PostgreSQL dies with its data; the fleet with it."""
    supervisor = json.loads((own.run / "state.json").read_text(encoding="utf-8"))["pid"]
    server = int(own.status()["postgres"]["pid"])
    # Else it would start PostgreSQL again before the data are gone.
    os.kill(supervisor, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    shutil.rmtree(data_of(own))
    os.kill(supervisor, signal.SIGKILL)


def data_of(own: Fleet) -> Path:
    return postgres.place(own.run / "postgres/data")


@pytest.mark.skipif(not DRILL, reason="a part of the drill: make drill")
def test_all_is_restored_after_the_disk_was_lost(own: Fleet):
    with Load(own) as load:
        eventually(lambda: len(load.done) > 20, "the load has begun", 60)
        run_local(own.run, "backup")
        time.sleep(AGO)
        died = datetime.now(UTC)
        lose_the_disk(own)
        acknowledged = list(load.done)
        said = run_local(own.run, "restore", check=False)
        print(said.stdout)
        assert said.returncode == 0, said.stdout + said.stderr
        eventually(lambda: any(deed.asked > died + timedelta(seconds=1) for deed in load.done), "it is used again", 60)
    present = rows(own, "points", f"SELECT id FROM transfers WHERE activity = '{load.one}'")
    here = {str(id_) for (id_,) in present}
    lost = [deed for deed in acknowledged if deed.kind == "earned" and deed.id not in here]
    # Once a minute, or at every segment that is full, what was written is archived.
    rpo = (died - min(deed.asked for deed in lost)).total_seconds() if lost else 0.0
    assert rpo < 75
    # Of what came before the first that was lost nothing is missing.
    verified = run_local(own.run, "verify")
    assert verified.returncode == 0, verified.stdout
    eventually(lambda: agree_on_what_members_have(own), "rewards knows what points says", 30)
    print(f"\nFIGURES ago={AGO} lost_awards={len(lost)} rpo_s={rpo:.1f} rto_s={seconds('in X s', said.stdout):.1f}")
