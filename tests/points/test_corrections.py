"""Corrections: adjustments with their second admin, and reversals."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fleet import auth_state
from fleet.contracts.points import PointsAdjusted
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Forbidden, NotFound
from services.points import corrections, ledger
from tests.points.books import (
    NOON,
    SECOND,
    adjust,
    assert_books_balance,
    books,
    capture,
    earn,
    link,
    place,
    reverse,
    told,
)


def scores(member_id: UUID) -> dict[str, int]:
    with transaction() as session:
        rows = session.execute(text("SELECT board, points FROM scores WHERE member_id = :id"), {"id": member_id})
        return {row.board: row.points for row in rows}


def suspend(member_id: UUID) -> None:
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 2, "student", "suspended"))


def decide(adjustment_id: UUID, verb: str = "confirm", actor: UUID = SECOND) -> corrections.Adjusted:
    with transaction() as session:
        return getattr(corrections, verb)(session, adjustment_id, actor=actor)


class TestAdjustments:
    def test_points_are_added_and_taken_and_count_as_earned(self, member):
        ada = member()
        earn(ada, 100)
        assert adjust(ada, 50).balance.lifetime == 150
        assert adjust(ada, -120).balance.available == 30
        assert books(ada) == (30, 0, 0, 30)
        assert set(scores(ada).values()) == {30}
        assert_books_balance()

    def test_nobody_is_taken_below_zero_available(self, member, row_count):
        """Reserved and spent points cannot be corrected away."""
        ada = member()
        earn(ada, 100)
        capture(place(ada, 30).redemption_id)
        place(ada, 30)
        with pytest.raises(corrections.InsufficientPoints) as refusal:
            adjust(ada, -41)
        assert refusal.value.extras == {"available": 40}
        assert row_count("adjustments") == 0
        adjust(ada, -40)
        assert books(ada) == (0, 30, 30, 60)
        assert_books_balance()

    def test_nobody_adjusts_themselves_by_any_of_their_ids(self, member):
        web, discord_born = member("Boss", role="admin"), new_id()
        link(discord_born, web)
        for actor, target in ((web, web), (discord_born, web), (web, discord_born)):
            with pytest.raises(Forbidden):
                adjust(target, 10, actor)
        assert books(web) == (0, 0, 0, 0)

    def test_an_unknown_member_has_no_points_to_correct(self):
        with pytest.raises(NotFound):
            adjust(new_id(), 5)

    def test_a_suspended_member_is_given_nothing_but_may_be_taken_from(self, member):
        ada = member()
        earn(ada, 50)
        suspend(ada)
        with pytest.raises(ledger.Suspended):
            adjust(ada, 5)
        assert adjust(ada, -5).balance.available == 45

    def test_twenty_at_once_take_only_what_is_there(self, member):
        """Fails when the balance is read without its lock (then only the CHECK is left, which is a 500)."""
        ada = member()
        earn(ada, 50)

        def attempt(_number: int) -> bool:
            try:
                adjust(ada, -10)
            except corrections.InsufficientPoints:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(20))) == 5
        assert books(ada) == (0, 0, 0, 0)
        assert_books_balance()

    def test_it_is_told_in_ids_and_numbers(self, member):
        ada = member()
        made = adjust(ada, 20)
        (event,) = told("points_adjusted")
        assert made.transfer is not None
        moment = made.transfer.occurred_at
        assert event.data == PointsAdjusted(ada, made.transfer.id, "adjustment", 20, moment, 20, 20)
        assert (event.subject, event.sequence) == (str(ada), 1)


class TestTheSecondAdmin:
    def test_a_large_adjustment_waits_and_moves_nothing(self, member, post_as_admin):
        ada = member()
        answer = post_as_admin("/api/points/adjust/", user_id=str(ada), points=1001, reason="A great thing")
        assert answer.status_code == 202
        assert answer.json["adjustment"]["status"] == "pending"
        assert (answer.json["points_log"], answer.json["balance"]) == (None, None)
        assert books(ada) == (0, 0, 0, 0)
        done = post_as_admin(
            f"/api/points/adjustments/{answer.json['adjustment']['id']}/confirm/", by=SECOND, note="Yes"
        )
        assert done.status_code == 200
        assert (
            done.json["adjustment"] | {"status": "applied", "decided_by": str(SECOND), "note": "Yes"}
            == (done.json["adjustment"])
        )
        assert done.json["points_log"]["points"] == 1001
        assert books(ada) == (1001, 0, 0, 1001)
        assert_books_balance()

    def test_the_threshold_itself_is_for_one_admin(self, member):
        assert adjust(member(), 1000).adjustment.status == "applied"

    @pytest.mark.parametrize("verb", ["confirm", "refuse"])
    def test_neither_who_asked_nor_who_would_get_it_decides(self, verb, member):
        boss, ada = member("Boss", role="admin"), member("Ada", role="admin")
        alias = new_id()
        link(alias, boss)
        waiting = adjust(ada, 2000, boss).adjustment.id
        for actor in (boss, alias, ada):
            with pytest.raises(Forbidden):
                decide(waiting, verb, actor)

    def test_the_database_itself_wants_two_admins(self, member):
        waiting = adjust(member(), 2000).adjustment.id
        with pytest.raises(IntegrityError, match="second_admin"), transaction() as session:
            session.execute(
                text(
                    "UPDATE adjustments SET status = 'applied', decided_by = requested_by, decided_at = now()"
                    " WHERE id = :id"
                ),
                {"id": waiting},
            )

    def test_ten_at_once_decide_once(self, member, row_count):
        """Fails without the guarded statement: half of them refuse what the others have applied."""
        ada = member()
        waiting = adjust(ada, 2000).adjustment.id

        def attempt(number: int) -> str:
            try:
                return decide(waiting, "confirm" if number % 2 else "refuse", new_id()).adjustment.status
            except corrections.AlreadyDecided as problem:
                return f"late: {problem.extras['adjustment_status']}"

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(attempt, range(10)))
        winner = next(outcome for outcome in outcomes if not outcome.startswith("late"))
        assert sorted(outcomes) == sorted([winner] + [f"late: {winner}"] * 9)
        assert books(ada)[0] == (2000 if winner == "applied" else 0)
        assert row_count("transfers") == (1 if winner == "applied" else 0)

    def test_it_expires_after_seven_days(self, member, get_as_admin):
        ada = member()
        waiting = adjust(ada, 2000).adjustment
        assert waiting.expires_at == waiting.requested_at + timedelta(days=7)
        with transaction() as session:
            session.execute(text("UPDATE adjustments SET expires_at = now() - interval '1 second'"))
        for verb in ("confirm", "refuse"):
            with pytest.raises(corrections.AlreadyDecided) as late:
                decide(waiting.id, verb)
            assert late.value.extras == {"adjustment_status": "expired"}
        assert books(ada) == (0, 0, 0, 0)
        assert [each["status"] for each in get_as_admin("/api/points/adjustments/").json["items"]] == ["expired"]
        assert get_as_admin("/api/points/adjustments/", status="pending").json["items"] == []
        assert len(get_as_admin("/api/points/adjustments/", status="expired").json["items"]) == 1

    def test_what_is_gone_when_it_is_confirmed_is_not_taken(self, member):
        ada = member()
        earn(ada, 2000)
        waiting = adjust(ada, -1500).adjustment.id
        place(ada, 1000)
        with pytest.raises(corrections.InsufficientPoints):
            decide(waiting)
        with transaction() as session:
            (found,), _ = corrections.listed(session, "pending", ada, 10, None)
        assert found.id == waiting
        assert decide(waiting, "refuse").adjustment.status == "refused"
        assert books(ada) == (1000, 1000, 0, 2000)


class TestReversals:
    def test_a_reversal_lowers_the_lifetime_and_the_boards_of_the_awards_own_day(self, member):
        ada = member()
        old, recent = earn(ada, 0, at=NOON), earn(ada, 0, at=NOON + timedelta(days=40))
        reverse(old)
        assert scores(ada) == {
            "all_time": 5,
            "week:2026-03-02": 0,
            "month:2026-03-01": 0,
            "week:2026-04-13": 5,
            "month:2026-04-01": 5,
        }
        assert books(ada) == (5, 0, 0, 5)
        event = told("points_adjusted")[-1]
        assert (event.data.kind, event.data.points, event.data.reversed_transfer_id) == ("reversal", -5, old)
        reverse(recent)
        assert_books_balance()

    def test_ten_at_once_reverse_once(self, member, row_count):
        """The key of a reversal is unique: fails when it does not name the transfer."""
        ada = member()
        award = earn(ada, 20)
        earn(ada, 500)

        def attempt(_number: int) -> bool:
            try:
                reverse(award)
            except corrections.AlreadyReversed:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(10))) == 1
        assert books(ada) == (500, 0, 0, 500)
        assert row_count("transfers", "kind = 'reversal'") == 1

    def test_it_is_refused_when_the_points_are_spent(self, member):
        ada = member()
        award = earn(ada, 100)
        place(ada, 1)
        with pytest.raises(corrections.InsufficientPoints):
            reverse(award)
        assert books(ada) == (99, 1, 0, 100)

    def test_a_taking_adjustment_is_undone_by_giving(self, member):
        ada = member()
        earn(ada, 100)
        taken = adjust(ada, -30).transfer
        assert taken is not None
        reverse(taken.id)
        assert books(ada) == (100, 0, 0, 100)
        assert_books_balance()

    def test_only_awards_and_adjustments_are_reversed(self, member):
        ada = member()
        undone = reverse(earn(ada, 10))
        earn(ada, 10)
        place(ada, 10)
        with transaction() as session:
            hold = session.execute(text("SELECT id FROM transfers WHERE kind = 'hold'")).scalar_one()
        for transfer_id in (undone, hold):
            with pytest.raises(corrections.NotReversible):
                reverse(transfer_id)
        with pytest.raises(NotFound):
            reverse(new_id())

    def test_nobody_reverses_their_own(self, member):
        boss = member("Boss", role="admin")
        award = earn(boss, 10)
        with pytest.raises(Forbidden):
            reverse(award, actor=boss)

    def test_what_was_earned_before_a_merge_is_reversed_at_the_new_member(self, member):
        discord_born, web = new_id(), member()
        award = earn(discord_born, 10)
        link(discord_born, web)
        reverse(award)
        assert books(web) == (0, 0, 0, 0)
        assert_books_balance()
