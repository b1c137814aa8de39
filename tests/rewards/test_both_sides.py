"""Rewards and points together, with the real handlers of both: races for the last item and the last points, races of
decisions, and random sagas with duplicates, reordering and crashes.

REDEEM_ROUNDS, RACED and SAGAS give the sizes (50, 500 and 2,000 for the whole proof; small ones by default).
"""

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID

import psycopg2
import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Problem
from services.points import holds
from services.rewards import decisions, reconciler, redemptions, refunds, sweeper, verify
from services.rewards.redemptions import SYSTEM
from services.rewards.saga import Wish, WrongStatus
from tests.conftest import SEED
from tests.rewards.both import Both, begin
from tests.rewards.conftest import BOSS, state, stock, where

ROUNDS = int(os.environ.get("REDEEM_ROUNDS") or 1)
RACED = int(os.environ.get("RACED") or 40)
SAGAS = int(os.environ.get("SAGAS") or 40)
AT_ONCE = 200
# Each of these is a whole saga that is declined.
FOR_ONE = 200 if ROUNDS > 1 else 50


@pytest.fixture
def both(rewards, postgres, passwords, truncate) -> Both:
    truncate("points")
    made = Both(postgres.url("points", passwords["points"], "points"), SEED)
    yield made
    made.engine.dispose()


def statuses(made: list[UUID | str]) -> Counter[str]:
    return Counter(each if isinstance(each, str) else state(each).status for each in made)


def test_of_two_hundred_who_want_the_last_item_one_gets_it(both, incentive):
    """I-11, and D-30: fails without the lock of the incentive and the comparison with nothing."""
    for _ in range(ROUNDS):
        reward = incentive(stock=1)
        people = [both.member(100) for _ in range(10)]
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda n, p=people, r=reward: begin(p[n % 10], r), range(AT_ONCE)))
        both.settle()
        assert statuses(made) == {"pending": 1, "out-of-stock": AT_ONCE - 1}
        assert stock(reward) == 0
    both.assert_in_order()


def test_of_two_hundred_for_which_one_has_the_points_one_is_pending(both, incentive):
    """Fails without the comparison with what is available, under the lock of the balance."""
    for _ in range(ROUNDS):
        reward, ada = incentive(points=60, stock=FOR_ONE), both.member(100)
        with ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda _, a=ada, r=reward: begin(a, r), range(FOR_ONE)))
        both.settle()
        assert statuses(made) == {"pending": 1, "declined": FOR_ONE - 1}
        assert both.books(ada) == (40, 60, 0)
        assert stock(reward) == FOR_ONE - 1
    both.assert_in_order()


def test_d30_eight_parallel_redeems_with_points_for_one_and_one_item(both, incentive):
    """The peers gave two to seven."""
    for _ in range(5):
        reward, ada = incentive(points=60, stock=1), both.member(60)
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _, a=ada, r=reward: begin(a, r), range(8)))
        both.settle()
        assert statuses(made) == {"pending": 1, "out-of-stock": 7}
        assert (both.books(ada), stock(reward)) == ((0, 60, 0), 0)


def test_raced_by_four_each_redemption_has_one_winner(both, incentive):
    """I-14: approve, reject, cancel and expire at once; the three others hear what it is. Fails without the guard of the
    UPDATE: two would win."""
    reward = incentive(points=1, stock=RACED)
    people = [both.member(RACED) for _ in range(4)]
    made = [begin(people[number % 4], reward) for number in range(RACED)]
    both.settle()

    def act(number: int, verb: str) -> str:
        try:
            with transaction() as session:
                if verb == "cancel":
                    decisions.cancel(session, made[number], people[number % 4])
                elif verb == "expire":
                    redemptions.advance(session, made[number], Wish("expire"), SYSTEM)
                else:
                    decisions.decide(session, made[number], verb, BOSS)
            return verb
        except WrongStatus as wrong:
            return wrong.extras["present_status"]

    order = Random(SEED)
    verbs = {"approve": "approved", "reject": "rejected", "cancel": "cancelled", "expire": "expired"}
    wins: Counter[str] = Counter()
    with ThreadPoolExecutor(4) as pool:
        for number in range(RACED):
            shuffled = order.sample(list(verbs), 4)
            answers = list(pool.map(lambda verb, n=number: act(n, verb), shuffled))
            winners = [answer for answer in answers if answer in verbs]
            assert len(winners) == 1, answers
            assert set(answers) == {winners[0], verbs[winners[0]]}, "the losers hear what it is"
            wins[winners[0]] += 1
    both.settle()
    print(f"\nFIGURES raced={RACED} wins={dict(wins)}")
    assert (stock(reward), sum(both.books(who)[2] for who in people)) == (RACED - wins["approve"], wins["approve"])
    both.assert_in_order()


class Life:
    """One random saga: who, what for, and what is wished of it, each wish at some time."""

    def __init__(self, random: Random, redemption_id: UUID) -> None:
        self.id = redemption_id
        first = random.choice(["approve", "reject", "cancel", "expire", "nothing"])
        self.wishes = {"approve": ["approve"], "nothing": []}.get(first, [first])
        if first == "approve":
            self.wishes += random.choice([[], ["refund"], ["ship", "deliver", "refund"], ["reject"]])
        if random.random() < 0.3:
            self.wishes.append("cancel")


def wish(verb: str, redemption_id: UUID) -> None:
    """What somebody does, whether it can be done or not."""
    with transaction() as session:
        if verb == "cancel":
            decisions.cancel(session, redemption_id, redemptions.find(session, redemption_id).member_id)
        elif verb == "expire":
            redemptions.advance(session, redemption_id, Wish("expire"), SYSTEM)
        elif verb == "refund":
            refunds.refund(session, redemption_id, BOSS, "lost", restock=True)
        else:
            decisions.decide(session, redemption_id, verb, BOSS)


def test_random_sagas_with_duplicates_reordering_and_crashes_end_as_decided(both, incentive):
    """I-13: 30 % duplicates, any order, handlers that die: captures = approvals, releases = the others, refunds once; nothing
    stranded when it is over."""
    random = both.random
    rewards = [incentive(points=points, stock=SAGAS) for points in (10, 60, 100)]
    people = [both.member(60 * 12) for _ in range(max(4, SAGAS // 12))]
    lives, begun, refused = [], 0, 0
    while begun + refused < SAGAS or any(life.wishes for life in lives):
        what = random.random()
        if what < 0.25 and begun + refused < SAGAS:
            made = begin(random.choice(people), random.choice(rewards))
            if isinstance(made, UUID):
                lives.append(Life(random, made))
            begun, refused = begun + isinstance(made, UUID), refused + isinstance(made, str)
        elif what < 0.45 and (open_ := [life for life in lives if life.wishes]):
            life = random.choice(open_)
            verb = life.wishes.pop(0)
            try:
                wish(verb, life.id)
            except Problem:
                if random.random() < 0.7 and state(life.id).status == "requested":
                    life.wishes.insert(0, verb)
        elif what < 0.47:
            with transaction() as session:
                session.execute(text("UPDATE redemptions SET resend_at = now() WHERE resend_at IS NOT NULL"))
            with transaction() as session:
                sweeper.ask_again(session)
        else:
            both.step(duplicates=0.3, crashes=0.1)
    both.settle(duplicates=0.3, crashes=0.1)
    ends = Counter(where(life.id) for life in lives)
    print(f"\nFIGURES sagas={SAGAS} refused={refused} faults={both.faults} ends={ends} SEED={SEED}")
    assert {settling for _status, settling in ends} == {None}
    spent = sum(count for (status, _), count in ends.items() if status in ("approved", "shipped", "delivered"))
    with both.points() as session:
        held = Counter(session.execute(text("SELECT state FROM holds")).scalars())
    assert held["captured"] == spent
    assert held["refunded"] == ends["refunded", None]
    assert held["held"] == ends["pending", None]
    assert held["refused"] >= ends["declined", None]
    assert sum(held.values()) == len(lives)
    both.assert_in_order()


class TestSweeper:
    """What is late is asked again, in the same words; what staff left too long ends by itself."""

    def late(self):
        with transaction() as session:
            session.execute(text("UPDATE redemptions SET resend_at = now() WHERE resend_at IS NOT NULL"))

    def sweep(self):
        with transaction() as session:
            return sweeper.ask_again(session)

    def test_a_lost_command_is_sent_again_and_a_lost_answer_is_told_again(self, both, incentive):
        made = begin(both.member(100), incentive())
        both.collect()
        both.net.clear()
        assert (self.sweep(), where(made)) == (0, ("requested", "hold"))
        self.late()
        assert self.sweep() == 1
        both.collect()
        [(_service, again)] = both.net
        assert again.data.redemption_id == made
        both.deliver(*both.net.pop())
        both.collect()
        both.net.clear()
        assert where(made) == ("requested", "hold"), "late is not no"
        self.late()
        assert self.sweep() == 1
        both.settle()
        assert where(made) == ("pending", None)
        both.assert_in_order()

    def test_the_pause_doubles_up_to_five_minutes(self, both, incentive):
        made = begin(both.member(100), incentive())
        pauses = []
        for _ in range(6):
            self.late()
            self.sweep()
            found = state(made)
            with transaction() as session:
                pauses.append(
                    round((found.resend_at - session.execute(text("SELECT now()")).scalar_one()).total_seconds())
                )
        assert pauses == [60, 120, 240, 300, 300, 300]
        assert state(made).status == "requested"

    def test_what_staff_left_for_fourteen_days_expires(self, both, incentive, member):
        reward, ada = incentive(stock=2), both.member(200)
        old, young = begin(ada, reward), begin(ada, reward)
        both.settle()
        found = state(old)
        assert found.expires_at - found.changed_at == timedelta(days=14)
        with transaction() as session:
            session.execute(text("UPDATE redemptions SET expires_at = now() WHERE id = :id"), {"id": old})
        with transaction() as session:
            assert sweeper.expire(session) == 1
        with transaction() as session:
            assert sweeper.expire(session) == 0
        both.settle()
        assert (where(old), where(young)) == (("expired", None), ("pending", None))
        assert (stock(reward), both.books(ada)) == (1, (140, 60, 0))
        with transaction() as session:
            steps = [(step.status, step.by) for step, _note in redemptions.steps(session, old)]
        assert steps[-1] == ("expired", "system")
        both.assert_in_order()


KINDS = ("hold", "capture", "release", "refund")


class TestReconciler:
    """What differs is found, and mended by commands to points."""

    def compare(self, both):
        return reconciler.compare(both.ask, timedelta(seconds=-60))

    def prepared(self, both, incentive):
        """One redemption in each state that a restored database could spoil."""
        reward, ada = incentive(points=10, stock=50, category="digital"), both.member(500)
        made = {name: begin(ada, reward) for name in ("pending", "approved", "delivered", "rejected", "refunded")}
        both.settle()
        for name in ("approved", "delivered", "refunded"):
            wish("approve", made[name])
        wish("deliver", made["delivered"])
        wish("reject", made["rejected"])
        both.settle()
        wish("refund", made["refunded"])
        both.settle()
        assert {name: where(each)[0] for name, each in made.items()} == {name: name for name in made}
        both.assert_in_order()
        return ada, made

    def test_a_points_database_set_back_is_found_and_mended_by_commands(self, both, incentive):
        """Points is restored to before it heard of any of them: every redemption differs, and every one is mended."""
        ada, made = self.prepared(both, incentive)
        with both.engine.connect() as connection:
            connection.execute(text("DELETE FROM holds"))
            connection.execute(text("UPDATE balances SET available = lifetime, reserved = 0, redeemed = 0"))
            connection.commit()
        self.forget_transfers([f"{kind}:{each}" for each in made.values() for kind in KINDS])
        found = self.compare(both)
        assert {each.redemption_id for each in found.mismatches} == set(made.values())
        with transaction() as session:
            assert reconciler.mend(session, found.mismatches) == len(made)
        both.settle()
        assert {name: where(each) for name, each in made.items()} == {name: (name, None) for name in made}
        assert both.books(ada) == (500 - 30, 10, 20)
        both.assert_in_order()

    @pytest.mark.parametrize(
        ("name", "hold", "mended"),
        [
            ("rejected", "held", "released"),
            ("approved", "held", "captured"),
            ("delivered", "held", "captured"),
            ("pending", "released", None),
            ("approved", "released", None),
        ],
    )
    def test_each_difference_is_mended_or_left_for_a_person(self, name, hold, mended, both, incentive):
        ada, made = self.prepared(both, incentive)
        self.set_hold(both, ada, made[name], hold)
        [found] = self.compare(both).mismatches
        assert (found.redemption_id, found.status, found.hold) == (made[name], name, hold)
        with transaction() as session:
            assert reconciler.mend(session, [found]) == int(mended is not None)
        both.settle()
        assert [each.hold for each in self.compare(both).mismatches] == ([] if mended else [hold])

    def set_hold(self, both, ada, redemption_id, hold):
        """Points' books as of before (or as after) the last step, transfers included."""
        with both.engine.connect() as connection:
            connection.execute(
                text(
                    "UPDATE holds SET state = :state, reason = NULL, refunded_points = NULL WHERE redemption_id = :id"
                ),
                {"state": hold, "id": redemption_id},
            )
            connection.execute(
                text("UPDATE balances SET reserved = reserved + 500, lifetime = lifetime + 500 WHERE member_id = :id"),
                {"id": ada},
            )
            connection.commit()
        self.forget_transfers([f"{kind}:{redemption_id}" for kind in ("capture", "release")])

    @pytest.fixture(autouse=True)
    def owner(self, postgres, passwords):
        connection = psycopg2.connect(postgres.url("points_owner", passwords["points_owner"], "points"))
        connection.autocommit = True

        def forget(keys):
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM transfers WHERE idempotency_key = ANY(%s)", (keys,))

        self.forget_transfers = forget
        yield
        connection.close()

    def test_what_was_approved_after_points_was_set_back_is_reserved_first(self, both, incentive):
        """The command to spend is under way, and comes again and again: what it is to spend is not reserved any more."""
        ada = both.member(100)
        made = begin(ada, incentive(points=10))
        both.settle()
        with both.engine.connect() as connection:
            connection.execute(text("DELETE FROM holds"))
            connection.execute(text("UPDATE balances SET available = lifetime, reserved = 0"))
            connection.commit()
        self.forget_transfers([f"hold:{made}"])
        wish("approve", made)
        [found] = self.compare(both).mismatches
        assert (found.status, found.settling, found.hold) == ("approved", "capture", None)
        with transaction() as session:
            assert reconciler.mend(session, [found]) == 1
        # Not for ever: what cannot be applied comes again and again.
        for _ in range(300):
            both.step()
        assert (where(made), both.books(ada)) == (("approved", None), (90, 0, 10))
        both.assert_in_order()

    def test_points_held_for_nothing_are_given_back(self, both, incentive):
        ada = both.member(100)
        with both.points() as session:
            holds.place(session, new_id(), ada, 60, None)
        [found] = self.compare(both).mismatches
        assert (found.status, found.hold) == (None, "held")
        with transaction() as session:
            assert reconciler.mend(session, [found]) == 1
        both.settle()
        assert (self.compare(both).mismatches, both.books(ada)) == ([], (100, 0, 0))

    def test_another_price_than_was_asked_is_found(self, both, incentive):
        _ada, made = self.prepared(both, incentive)
        with both.engine.connect() as connection:
            connection.execute(text("UPDATE holds SET points = 9 WHERE redemption_id = :id"), {"id": made["pending"]})
            connection.commit()
        [found] = self.compare(both).mismatches
        assert found.what == "9 points are held, not 10"

    def test_what_changes_meanwhile_is_left_for_the_next_time(self, both, incentive):
        made = begin(both.member(100), incentive())
        both.settle()
        with both.engine.connect() as connection:
            connection.execute(text("UPDATE holds SET state = 'released'"))
            connection.commit()
        assert reconciler.compare(both.ask).mismatches == [], "it changed within the margin"
        assert [each.redemption_id for each in self.compare(both).mismatches] == [made]

    def test_pages_of_both_sides_meet(self, both, incentive, monkeypatch):
        monkeypatch.setattr(reconciler, "PAGE", 3)
        reward = incentive(stock=None, points=1)
        people = [both.member(5) for _ in range(2)]
        for number in range(10):
            begin(people[number % 2], reward)
        both.settle()
        found = self.compare(both)
        assert (found.compared, found.mismatches) == (10, [])

    def test_verify_prints_what_differs_and_exits_1(self, both, incentive, capsys, monkeypatch):
        self.prepared(both, incentive)
        real = verify.verify
        monkeypatch.setattr(verify, "verify", lambda **words: real(both.ask, margin=timedelta(seconds=-60), **words))
        assert verify.main([]) == 0
        assert "The shop is in order." in capsys.readouterr().out
        with transaction() as session:
            session.execute(text("UPDATE incentives SET stock = stock - 1 WHERE stock > 0 AND points_required = 10"))
        with both.engine.connect() as connection:
            connection.execute(text("UPDATE holds SET state = 'released' WHERE state = 'held'"))
            connection.commit()
        assert verify.main([]) == 1
        out = capsys.readouterr().out
        assert "2 rows differ." in out
        assert "pending, against hold released" in out
        assert verify.main(["--json"]) == 1
