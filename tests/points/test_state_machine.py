"""Random histories of members against a model of twenty lines, on the real database.

25,000 steps by default (STEPS= for another number), each its own transaction; SEED= repeats a run.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Problem
from services.points import admin_awards, corrections, decisions, holds, ledger, merging, submissions
from tests.conftest import SEED
from tests.points.books import BOSS, assert_books_balance

STEPS = int(os.environ.get("STEPS") or 25_000)
STEPS_A_RUN = 50
PEOPLE = 4
PROCESSES = 2

who = st.integers(0, PEOPLE - 1)
amounts = st.integers(1, 120)
which = st.integers(0, 1_000)


class Model:
    """What the books should say: four numbers for each person, and the states of holds, awards and submissions."""

    def __init__(self) -> None:
        self.purses = {
            person: {"available": 0, "reserved": 0, "redeemed": 0, "lifetime": 0} for person in range(PEOPLE)
        }
        self.leads = {person: person for person in range(PEOPLE)}
        self.holds: dict[UUID, list] = {}
        self.awards: dict[UUID, list] = {}
        self.submissions: dict[UUID, list] = {}

    def move(self, person: int, points: int, source: str, target: str) -> bool:
        purse = self.purses[self.leads[person]]
        if source == "available" and purse["available"] < points:
            return False
        for account, change in ((source, -points), (target, points)):
            purse["lifetime" if account == "issued" else account] += -change if account == "issued" else change
        return True

    def merge(self, old: int, new: int) -> None:
        for account in self.purses[new]:
            self.purses[new][account] += self.purses[old][account]
        self.purses[old] = dict.fromkeys(self.purses[old], 0)
        self.leads = {person: new if leads == old else leads for person, leads in self.leads.items()}


class Books(RuleBasedStateMachine):
    """Four people; person 0 and 1 may be linked to person 2 or 3. Every id stays in use after its merge."""

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ids = [new_id() for _ in range(PEOPLE)]
        self.links = dict.fromkeys(range(PEOPLE), 0)
        with transaction() as session:
            for member_id in self.ids:
                ledger.lock_current_balance(session, member_id)

    @contextmanager
    def step(self):
        """One transaction, which is one step."""
        type(self).steps += 1
        with transaction() as session:
            yield session

    def refused(self, call: Callable[[], object], problem: type[Exception]) -> None:
        try:
            call()
        except problem:
            return
        raise AssertionError(f"{problem.__name__} was expected")

    @rule(person=who, points=amounts)
    def award(self, person: int, points: int) -> None:
        with self.step() as session:
            made = admin_awards.award_by_admin(
                session, self.ids[person], "peer_mentor", actor=BOSS, points=points, details=None
            )
        self.model.move(person, points, "issued", "available")
        self.model.awards[made.id] = [person, points, "award"]

    @rule(person=who, points=amounts, gives=st.booleans())
    def adjust(self, person: int, points: int, gives: bool) -> None:
        def call() -> corrections.Adjusted:
            with self.step() as session:
                return corrections.adjust(session, self.ids[person], points if gives else -points, "so", actor=BOSS)

        accounts = ("issued", "available") if gives else ("available", "issued")
        if self.model.move(person, points, *accounts):
            transfer = call().transfer
            assert transfer is not None
            self.model.awards[transfer.id] = [person, points if gives else -points, "adjustment"]
        else:
            self.refused(call, corrections.InsufficientPoints)

    @precondition(lambda self: self.model.awards)
    @rule(number=which)
    def reverse(self, number: int) -> None:
        transfer_id = list(self.model.awards)[number % len(self.model.awards)]
        person, points, state = self.model.awards[transfer_id]

        def call() -> None:
            with self.step() as session:
                corrections.reverse(session, transfer_id, actor=BOSS, note="not so")

        if state == "reversed":
            self.refused(call, corrections.AlreadyReversed)
        elif points < 0:
            call()
            self.model.move(person, -points, "issued", "available")
            self.model.awards[transfer_id][2] = "reversed"
        elif self.model.move(person, points, "available", "issued"):
            call()
            self.model.awards[transfer_id][2] = "reversed"
        else:
            self.refused(call, corrections.InsufficientPoints)

    @rule(person=who, points=amounts, again=st.booleans(), number=which)
    def hold(self, person: int, points: int, again: bool, number: int) -> None:
        known = list(self.model.holds)
        redemption_id = known[number % len(known)] if again and known else new_id()
        with self.step() as session:
            state = holds.place(session, redemption_id, self.ids[person], points, None).state
        if redemption_id not in self.model.holds:
            enough = self.model.move(person, points, "available", "reserved")
            self.model.holds[redemption_id] = [person, points, "held" if enough else "refused"]
        assert state == self.model.holds[redemption_id][2]

    @precondition(lambda self: self.model.holds)
    @rule(number=which, kind=st.sampled_from(["capture", "release", "refund"]))
    def settle(self, number: int, kind: str) -> None:
        self.settle_one(number, kind)

    def settle_one(self, number: int, kind: str) -> None:
        redemption_id = list(self.model.holds)[number % len(self.model.holds)]
        person, points, state = self.model.holds[redemption_id]
        steps = {
            ("capture", "held"): ("captured", "reserved", "redeemed"),
            ("release", "held"): ("released", "reserved", "available"),
            ("refund", "captured"): ("refunded", "redeemed", "available"),
        }
        harmless = {"capture": ("captured", "refunded"), "refund": ("refunded",)}

        def call() -> None:
            with self.step() as session:
                if kind == "capture":
                    holds.capture(session, redemption_id)
                elif kind == "release":
                    holds.release(session, redemption_id, self.ids[person])
                else:
                    holds.refund(session, redemption_id, points, "lost-parcel")

        if taken := steps.get((kind, state)):
            call()
            self.model.move(person, points, taken[1], taken[2])
            self.model.holds[redemption_id][2] = taken[0]
        elif kind == "release" or state in harmless[kind]:
            call()
        else:
            self.refused(call, holds.HoldFault)

    def release_something(self, number: int) -> None:
        if self.model.holds:
            self.settle_one(number, "release")
        else:
            self.void(0)

    @rule(person=who)
    def release_before_hold(self, person: int) -> None:
        self.void(person)

    def void(self, person: int) -> None:
        redemption_id = new_id()
        with self.step() as session:
            holds.release(session, redemption_id, self.ids[person])
        self.model.holds[redemption_id] = [person, 0, "voided"]

    @rule(old=st.integers(0, 1), new=st.integers(2, 3), chance=which)
    def link_or_unlink(self, old: int, new: int, chance: int) -> None:
        if chance % 3:
            # Links change rarely; a release takes the step's place.
            self.release_something(chance)
            return
        linked = self.model.leads[old] != old
        self.links[old] += 1
        with self.step() as session:
            merging.change_link(session, self.ids[old], self.links[old], None if linked else self.ids[new])
        if linked:
            # Everything that the model knows of the old person belongs to the new one from now on.
            for known in (self.model.holds, self.model.awards, self.model.submissions):
                for entry in known.values():
                    entry[0] = self.model.leads[entry[0]]
            self.model.leads[old] = old
        else:
            self.model.merge(old, new)

    @rule(person=who)
    def submit(self, person: int) -> None:
        claim = submissions.Claim("thoughtful_reply", description="I answered at length and with care.")
        with self.step() as session:
            made = submissions.submit(session, self.ids[person], claim)
        self.model.submissions[made] = [person, 25, "pending"]

    @precondition(lambda self: self.model.submissions)
    @rule(number=which, approve=st.booleans())
    def decide(self, number: int, approve: bool) -> None:
        submission_id = list(self.model.submissions)[number % len(self.model.submissions)]
        person, points, state = self.model.submissions[submission_id]
        wanted = "approved" if approve else "withdrawn"

        def call() -> None:
            with self.step() as session:
                if approve:
                    decisions.approve(session, submission_id, decisions.Actor(BOSS, "admin"))
                else:
                    decisions.withdraw(session, submission_id, self.ids[person])

        if state == "pending":
            call()
            self.model.submissions[submission_id][2] = wanted
            if approve:
                self.model.move(person, points, "issued", "available")
        elif state == wanted:
            call()
        else:
            self.refused(call, Problem)

    def teardown(self) -> None:
        with transaction() as session:
            rows = session.execute(
                text(
                    "SELECT member_id, available, reserved, redeemed, lifetime FROM balances"
                    " WHERE member_id = ANY(CAST(:ids AS uuid[]))"
                ),
                {"ids": [str(member_id) for member_id in self.ids]},
            )
            found = {row.member_id: row for row in rows.mappings()}
        for person, member_id in enumerate(self.ids):
            purse = self.model.purses[person]
            assert {account: found[member_id][account] for account in purse} == purse
        assert_books_balance(self.ids)


def play(seed: int, runs: int) -> int:
    """Play `runs` histories in this process; how many steps they had."""
    Books.steps = 0
    chosen = settings(
        max_examples=runs,
        stateful_step_count=STEPS_A_RUN,
        derandomize=False,
        database=None,
        deadline=None,
        # A failing history is printed as it is: shrinking one takes minutes, and hides nothing.
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    hypothesis.seed(seed)(Books)
    run_state_machine_as_test(Books, settings=chosen, _min_steps=STEPS_A_RUN)
    return Books.steps


@pytest.mark.timeout(1800)
def test_any_history_leaves_the_books_as_the_model_says():
    """I-01, I-02: no balance is negative, each is the sum of its transfers, and all accounts together come to 0."""
    print(f"SEED={SEED}")
    began, runs = time.monotonic(), max(1, STEPS // STEPS_A_RUN // PROCESSES)
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        steps = sum(pool.map(play, [SEED + number for number in range(PROCESSES)], [runs] * PROCESSES))
    print(f"{steps} steps in {time.monotonic() - began:.0f} s")
    assert steps >= runs * STEPS_A_RUN * PROCESSES
    assert_books_balance()
    with transaction() as session:
        issued = "sum(points * ((debit = 'issued')::int - (credit = 'issued')::int))"
        out = session.execute(text(f"SELECT {issued} FROM transfers")).scalar_one()
        kept = session.execute(text("SELECT sum(available + reserved + redeemed) FROM balances")).scalar_one()
    assert out == kept
