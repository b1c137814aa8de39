"""The saga under faults, with the processes of both services as in production: kills, duplicates, and a broker that is away.

SAGAS_KILLED and SAGA_KILLS (2,000 and 100 for the whole proof), OUTAGE_S and OUTAGE_REDEEMS (60 and 200); small by default.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pika
import psycopg2
import pytest
from pika.exceptions import AMQPError
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from fleet import topology
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Problem
from services.rewards import catalog_admin, decisions, redemptions, refunds, verify
from services.rewards.app import create_app
from services.rewards.redemptions import SYSTEM
from services.rewards.saga import Wish
from tests.conftest import ROOT, SEEDED, forget
from tests.faults.conftest import Sea, eventually
from tests.signing import TestKey

SAGAS = int(os.environ.get("SAGAS_KILLED") or 30)
KILLS = int(os.environ.get("SAGA_KILLS") or 4)
OUTAGE_S = float(os.environ.get("OUTAGE_S") or 3)
OUTAGE_REDEEMS = int(os.environ.get("OUTAGE_REDEEMS") or 20)
BOSS = UUID("00000000-0000-7000-8000-00000000b055")
DECIDED_WITHIN_S = 60
PARTS = {
    f"{service}-{role}": (service, "--only", role)
    for service in ("rewards", "points")
    for role in ("consumer", "relay")
}


class Shop:
    """Rewards and points on servers that may be killed; this process is rewards' web."""

    def __init__(self, sea: Sea, passwords: dict[str, str]) -> None:
        self.sea, self.passwords = sea, passwords
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def url(self, role: str, database: str | None = None) -> str:
        return self.sea.postgres.url(role, self.passwords[role], database or role.removesuffix("_owner"))

    def start(self, *names: str) -> None:
        for name in names or PARTS:
            service = PARTS[name][0]
            values = {"DATABASE_URL": self.url(service), "AMQP_URL": self.sea.rabbitmq.url(service)}
            values |= {"REWARDS_RESEND_AFTER_S": "3", "REWARDS_RECONCILE_EVERY_S": "3600", "METRICS_PORT": "0"}
            self.processes[name] = self.sea.start("fleet.worker", *PARTS[name], **values)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def sql(self, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.sea.postgres.server_url.rsplit("/", 1)[0] + f"/{database}")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return found

    def empty(self) -> None:
        for database in ("points", "rewards"):
            tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)"
            names = ", ".join(row[0] for row in self.sql(database, tables, list(SEEDED)))
            self.sql(database, f"TRUNCATE {names} CASCADE")
        for table, column in (("incentive_changes", "incentive_id"), ("incentives", "id")):
            made = "SELECT id FROM incentives WHERE name LIKE 'Fault %%'"
            self.sql("rewards", f"DELETE FROM {table} WHERE {column} IN ({made})")

    def member(self, points: int) -> UUID:
        """Somebody whom points has given so much, by its own books."""
        member, ledger = new_id(), new_id()
        self.sql("points", "INSERT INTO members (id) VALUES (%s)", str(member))
        self.sql(
            "points",
            "INSERT INTO balances (member_id, available, lifetime, version) VALUES (%s, %s, %s, 1)",
            *(str(member), points, points),
        )
        self.sql(
            "points", "INSERT INTO ledgers (id, member_id, is_current) VALUES (%s, %s, true)", str(ledger), str(member)
        )
        self.sql(
            "points",
            "INSERT INTO transfers (id, ledger_id, debit, credit, points, kind, idempotency_key, occurred_at, available_after)"
            " VALUES (%s, %s, 'issued', 'available', %s, 'adjustment', %s, now(), %s)",
            *(str(new_id()), str(ledger), points, f"given:{member}", points),
        )
        return member

    def reward(self, points: int, stock: int | None) -> UUID:
        with transaction() as session:
            values = {"name": f"Fault {new_id()}", "points_required": points, "stock": stock}
            return catalog_admin.add(session, values, BOSS).id

    def waiting(self) -> int:
        return self.sql("rewards", "SELECT count(*) FROM redemptions WHERE settling IS NOT NULL")[0][0]


@pytest.fixture(scope="session")
def migrated(servers: Sea, passwords: dict[str, str]) -> None:
    url = servers.postgres.url("rewards_owner", passwords["rewards_owner"], "rewards")
    command = [sys.executable, "-m", "fleet.migrate", "rewards"]
    values = {**os.environ, "REWARDS_MIGRATION_DATABASE_URL": url}
    subprocess.run(command, cwd=ROOT, env=values, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def shop(sea: Sea, migrated: None, passwords: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    found = Shop(sea, passwords)
    monkeypatch.setenv("DATABASE_URL", found.url("rewards"))
    forget()
    found.empty()
    try:
        yield found
    finally:
        found.close()
        forget()


class Mischief(threading.Thread):
    """Takes a copy of what the two sides say to one another, and sends three of ten once more, later and in no order."""

    def __init__(self, shop: Shop, seed: int) -> None:
        super().__init__(daemon=True)
        self.shop, self.dice = shop, random.Random(seed)
        self.kept: list[tuple[str, Any, bytes]] = []
        self.sent = 0
        self.enough = threading.Event()

    def prepare(self) -> None:
        with self.shop.sea.channel() as channel:
            channel.queue_declare("mischief", durable=True)
            for key in ("place_hold", "capture_hold", "release_hold", "refund"):
                channel.queue_bind("mischief", topology.COMMANDS, f"points.{key}.v1")
            for key in ("points_held", "hold_refused", "hold_captured", "hold_released", "points_refunded"):
                channel.queue_bind("mischief", topology.EVENTS, f"points.{key}.v1")

    def run(self) -> None:
        while not self.enough.is_set():
            with suppress(AMQPError, OSError):
                self._work()
            self.enough.wait(0.2)

    def _work(self) -> None:
        with self.shop.sea.channel() as channel:
            while not self.enough.is_set():
                method, properties, body = channel.basic_get("mischief", auto_ack=True)
                if method is not None and self.dice.random() < 0.3:
                    self.kept.append((method.routing_key, properties, body))
                if self.kept and self.dice.random() < 0.3:
                    self._again(self.kept.pop(self.dice.randrange(len(self.kept))))
                if method is None:
                    self.enough.wait(0.05)

    def _again(self, kept: tuple[str, Any, bytes]) -> None:
        """As its own sender would: the broker vouches for who that is."""
        key, properties, body = kept
        exchange = topology.COMMANDS if properties.user_id == "rewards" else topology.EVENTS
        connection = pika.BlockingConnection(pika.URLParameters(self.shop.sea.rabbitmq.url(properties.user_id)))
        connection.channel().basic_publish(exchange, key, body, properties)
        connection.close()
        self.sent += 1

    def close(self) -> None:
        self.enough.set()
        self.join(10)
        with self.shop.sea.channel() as channel:
            channel.queue_delete("mischief")


def persistently(work: Callable[[], Any]) -> Any:
    """What `work` gives; its refusal as a Problem. Only this database is needed, and it is up."""
    try:
        return work()
    except (Problem, OperationalError) as refusal:
        return refusal


def wish(verb: str, redemption_id: UUID) -> None:
    with transaction() as session:
        if verb == "cancel":
            decisions.cancel(session, redemption_id, redemptions.find(session, redemption_id).member_id)
        elif verb == "expire":
            redemptions.advance(session, redemption_id, Wish("expire"), SYSTEM)
        elif verb == "refund":
            refunds.refund(session, redemption_id, BOSS, "lost", restock=True)
        else:
            decisions.decide(session, redemption_id, verb, BOSS)  # type: ignore[arg-type]


class Customers(threading.Thread):
    """Redeems and decides at random until all sagas have begun and every wish was tried."""

    def __init__(self, shop: Shop, seed: int) -> None:
        super().__init__(daemon=True)
        self.dice = random.Random(seed)
        self.rewards = [shop.reward(points, SAGAS) for points in (10, 60)]
        self.people = [shop.member(60 * 8) for _ in range(max(4, SAGAS // 10))]
        self.open: list[tuple[UUID, list[str]]] = []
        self.begun = 0

    def run(self) -> None:
        while self.begun < SAGAS or self.open:
            if self.begun < SAGAS and self.dice.random() < 0.5:
                self._begin()
            elif self.open:
                self._decide()
            time.sleep(self.dice.uniform(0, 0.08))

    def _begin(self) -> None:
        def work() -> UUID:
            with transaction() as session:
                made = redemptions.request(session, self.dice.choice(self.people), self.dice.choice(self.rewards))
                return made.id

        made = persistently(work)
        self.begun += 1
        if isinstance(made, UUID):
            first = self.dice.choice(["approve", "reject", "cancel", "expire"])
            self.open.append((made, [first, *self.dice.choice([[], ["refund"], ["reject"], ["cancel"]])]))

    def _decide(self) -> None:
        number = self.dice.randrange(len(self.open))
        redemption_id, wishes = self.open[number]
        verb = wishes[0]
        refusal = persistently(lambda: wish(verb, redemption_id))
        too_early = getattr(refusal, "extras", {}).get("present_status") == "requested"
        if not too_early:
            wishes.pop(0)
        if not wishes:
            self.open.pop(number)


def test_killed_and_doubled_at_random_every_saga_ends_as_decided(shop, seed, figures):
    """I-13: refunds = rejections, captures = approvals, nothing stranded a minute after the last fault."""
    dice = random.Random(seed)
    mischief, customers = Mischief(shop, seed), Customers(shop, seed)
    mischief.prepare()
    shop.start()
    mischief.start()
    customers.start()
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.3, 1.5))
        part = dice.choice([*PARTS, "rabbitmq"])
        if part == "rabbitmq":
            shop.sea.rabbitmq.kill()
            shop.sea.rabbitmq.start()
        else:
            shop.kill(part)
            shop.start(part)
    last_fault = time.monotonic()
    customers.join(120 + SAGAS)
    assert not customers.is_alive(), "every wish can be tried"
    eventually(lambda: shop.waiting() == 0, "nothing waits for points", DECIDED_WITHIN_S)
    figures.seconds_to_settle = round(time.monotonic() - last_fault, 1)
    mischief.close()
    ends = Counter(dict(shop.sql("rewards", "SELECT status, count(*) FROM redemptions GROUP BY status")))
    held = Counter(dict(shop.sql("points", "SELECT state, count(*) FROM holds GROUP BY state")))
    figures.sagas, figures.kills, figures.doubled = sum(ends.values()), KILLS, mischief.sent
    figures.ends = dict(ends)
    assert held["captured"] == ends["approved"] + ends["shipped"] + ends["delivered"]
    assert held["refunded"] == ends["refunded"]
    assert held["held"] == ends["pending"]
    assert held["released"] + held["voided"] + held["refused"] == (
        ends["rejected"] + ends["cancelled"] + ends["expired"] + ends["declined"]
    )
    # Asked over the bus, of the processes that were killed.
    found = verify.verify(margin=timedelta(seconds=-60))
    assert not any(each.differing for each in found), verify.table(found)
    [(wrong,)] = shop.sql(
        "points",
        "SELECT count(*) FROM balances b JOIN (SELECT member_id, coalesce(sum(points) FILTER (WHERE state = 'held'), 0)"
        " AS held FROM holds GROUP BY 1) h USING (member_id) WHERE b.reserved <> h.held",
    )
    assert wrong == 0
    for service in ("rewards", "points"):
        assert shop.sql(service, "SELECT count(*) FROM dead_letters") == [(0,)]
        assert shop.sea.depth(f"{service}.dead") == 0


def test_while_the_broker_is_away_redeems_are_answered_and_decided_after_its_return(shop, keys: TestKey, figures):
    """I-18: each is answered within four seconds with 202, and each decided within a minute of the return."""
    reward = shop.reward(10, None)
    people = [shop.member(10 * OUTAGE_REDEEMS) for _ in range(8)]
    client = create_app(keys=keys)
    shop.start()

    def redeem(number: int) -> tuple[int, float]:
        headers = keys.bearer(people[number % len(people)])
        began = time.monotonic()
        answer = client.test_client().post("/api/rewards/redeem/", json={"reward_id": str(reward)}, headers=headers)
        return answer.status_code, time.monotonic() - began

    eventually(lambda: redeem(0)[0] == 201, "a redeem is answered with what points says", 30)
    shop.sea.rabbitmq.kill()
    down = time.monotonic()
    try:
        with ThreadPoolExecutor(16) as pool:
            answers = []
            pause = OUTAGE_S / OUTAGE_REDEEMS
            for number in range(OUTAGE_REDEEMS):
                answers.append(pool.submit(redeem, number))
                time.sleep(pause)
            answers = [each.result() for each in answers]
        time.sleep(max(0.0, down + OUTAGE_S - time.monotonic()))
    finally:
        shop.sea.rabbitmq.start()
    returned = time.monotonic()
    undecided = "SELECT count(*) FROM redemptions WHERE status = 'requested'"
    eventually(lambda: shop.sql("rewards", undecided) == [(0,)], "all are decided", DECIDED_WITHIN_S)
    figures.outage_s, figures.redeems = OUTAGE_S, OUTAGE_REDEEMS
    figures.slowest_answer_s = round(max(seconds for _status, seconds in answers), 2)
    figures.decided_s_after_return = round(time.monotonic() - returned, 2)
    assert {status for status, _seconds in answers} == {202}
    assert max(seconds for _status, seconds in answers) < 4
    statuses = shop.sql("rewards", "SELECT DISTINCT status FROM redemptions")
    assert statuses == [("pending",)]
    found = verify.verify(margin=timedelta(seconds=-60))
    assert not any(each.differing for each in found), verify.table(found)


def test_the_database_of_rewards_remembers_what_it_asked_for_when_it_crashes(shop, figures):
    """kill -9 of PostgreSQL, of both services at once: what was committed goes on where it was."""
    reward, ada = shop.reward(10, 10), shop.member(100)
    with transaction() as session:
        made = redemptions.request(session, ada, reward).id
    shop.sea.postgres.kill()
    shop.sea.postgres.start()
    shop.start()
    status = "SELECT status FROM redemptions WHERE id = %s"
    eventually(lambda: shop.sql("rewards", status, str(made)) == [("pending",)], "it is pending", 60)
    with transaction() as session:
        assert session.execute(text("SELECT stock FROM incentives WHERE id = :id"), {"id": reward}).scalar_one() == 9
