"""I-03: 32 at once on 5 members: what comes out is what some order, one after the other, would have given.

16,000 commands by default (COMMANDS= for another number). The order is that of the ledger: `available_after` of each
transfer is what its predecessors and itself add up to, and every single outcome fits it.
"""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet import database
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Problem
from services.points import admin_awards, corrections, holds
from tests.conftest import SEED
from tests.points.books import BOSS, assert_books_balance, earn

THREADS, MEMBERS = 32, 5
COMMANDS = int(os.environ.get("COMMANDS") or 16_000)


class Worker:
    """One thread's commands: random, from its own seed, on all members and its own and others' redemptions."""

    def __init__(self, number: int, members: list[UUID], redemptions: list[UUID]) -> None:
        self.random = random.Random(SEED * 1_000 + number)
        self.members, self.redemptions = members, redemptions
        self.outcomes: dict[str, int] = {}

    def run(self, commands: int, together: threading.Barrier) -> dict[str, int]:
        together.wait(30)
        for _ in range(commands):
            kind = self.random.choice(["award", "award", "give", "take", "hold", "hold", "release", "capture"])
            with_outcome = f"{kind} {self.command(kind)}"
            self.outcomes[with_outcome] = self.outcomes.get(with_outcome, 0) + 1
        return self.outcomes

    def command(self, kind: str) -> str:
        # More is asked for than comes in, so that members are near nothing most of the time.
        most = 15 if kind in ("award", "give") else 60
        member_id, points = self.random.choice(self.members), self.random.randint(1, most)
        try:
            with transaction() as session:
                return self.apply(session, kind, member_id, points)
        except Problem as problem:
            return problem.slug
        except holds.HoldFault:
            return "fault"

    def apply(self, session: Any, kind: str, member_id: UUID, points: int) -> str:
        known = self.random.choice(self.redemptions)
        if kind == "award":
            admin_awards.award_by_admin(session, member_id, "peer_mentor", actor=BOSS, points=points, details=None)
        elif kind in ("give", "take"):
            corrections.adjust(session, member_id, points if kind == "give" else -points, "so", actor=BOSS)
        elif kind == "hold":
            # Now and then one that is known: by the same member, as rewards would repeat it, and by chance by another.
            redemption_id = known if self.random.random() < 0.3 else new_id()
            state = holds.place(session, redemption_id, member_id, points, None).state
            self.redemptions.append(redemption_id)
            return state
        elif kind == "release":
            return holds.release(session, known, member_id).state
        else:
            return holds.capture(session, known).state
        return "done"


@pytest.mark.timeout(900)
def test_many_at_once_come_to_what_one_after_the_other_would(monkeypatch):
    monkeypatch.setenv("DATABASE_POOL_SIZE", str(THREADS))
    members = [new_id() for _ in range(MEMBERS)]
    for member_id in members:
        earn(member_id, 100)
    redemptions = [new_id() for _ in range(3)]
    together, began = threading.Barrier(THREADS), time.monotonic()
    workers = [Worker(number, members, redemptions) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        # What is neither a refusal nor a fault of the saga (a deadlock, say) comes out of result() and fails the test.
        futures = [pool.submit(worker.run, COMMANDS // THREADS, together) for worker in workers]
        outcomes: dict[str, int] = {}
        for future in futures:
            for outcome, count in future.result().items():
                outcomes[outcome] = outcomes.get(outcome, 0) + count
    took = time.monotonic() - began
    print(f"SEED={SEED}: {COMMANDS} commands in {took:.0f} s ({COMMANDS / took:.0f}/s): {outcomes}")
    assert sum(outcomes.values()) == COMMANDS // THREADS * THREADS
    assert {"take insufficient-points", "take done", "hold refused", "hold held"} <= set(outcomes)
    assert_a_serial_order(members, outcomes)
    assert_books_balance()
    database.engine().dispose()


def assert_a_serial_order(members: list[UUID], outcomes: dict[str, int]) -> None:
    """Replay the ledger member by member in its own order: never negative, each balance as its receipt says.

    Ids are made under the member's lock and grow within one process, so theirs is the order of the ledger.
    """
    with transaction() as session:
        rows = session.execute(
            text(
                "SELECT l.member_id, t.kind, t.debit, t.credit, t.points, t.available_after FROM transfers t"
                " JOIN ledgers l ON l.id = t.ledger_id ORDER BY t.id"
            )
        ).all()
        kept = {
            row.member_id: row
            for row in session.execute(text("SELECT * FROM balances WHERE available + reserved + redeemed > 0"))
        }
    for member_id in members:
        purse = {"issued": 0, "available": 0, "reserved": 0, "redeemed": 0}
        mine = [row for row in rows if row.member_id == member_id]
        for row in mine:
            purse[row.debit] -= row.points
            purse[row.credit] += row.points
            assert purse["available"] == row.available_after
            assert min(purse["available"], purse["reserved"], purse["redeemed"]) >= 0
        balance = kept[member_id]
        assert [purse[a] for a in ("available", "reserved", "redeemed")] == [
            balance.available,
            balance.reserved,
            balance.redeemed,
        ]
        assert balance.version == len(mine)
    kinds = [row.kind for row in rows]
    assert kinds.count("award") == outcomes["award done"] + MEMBERS
    assert kinds.count("adjustment") == outcomes.get("give done", 0) + outcomes.get("take done", 0)
    assert kinds.count("hold") >= kinds.count("release") + kinds.count("capture")
