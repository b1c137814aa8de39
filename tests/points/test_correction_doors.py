"""Corrections by Discord and over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts.points import AdjustmentOutcome, AdjustPoints
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import envelope_for, new_id
from fleet.problems import Forbidden, InvalidFields
from services.points import corrections
from services.points.subscriptions import subscriptions
from tests.answers import pointers, refused
from tests.points.books import (
    adjust,
    assert_books_balance,
    books,
    earn,
)


class TestByDiscord:
    def hear(self, actor: UUID, target: UUID, points: int, reason: str = "so") -> AdjustmentOutcome:
        command = envelope_for(AdjustPoints(actor, target, points, reason), source="bot")
        with transaction() as session:
            return subscriptions.handlers["points.adjust_points.v1"](session, command)

    def test_an_admin_adjusts(self, member):
        boss, ada = member("Boss", role="admin"), member()
        outcome = self.hear(boss, ada, 500)
        assert (outcome.status, outcome.points, outcome.available, outcome.lifetime) == ("applied", 500, 500, 500)
        assert self.hear(boss, ada, -500).available == 0

    def test_only_admins_do_as_far_as_the_newest_is_known(self, member):
        ada = member()
        demoted, suspended = member("Was", role="admin"), member("Sus", role="admin")
        with transaction() as session:
            auth_state.keep(session, AuthStateChanged(demoted, 2, "student", "active"))
            auth_state.keep(session, AuthStateChanged(suspended, 2, "admin", "suspended"))
        for actor in (member("Bob"), member("Co", role="company"), demoted, suspended, new_id(), ada):
            with pytest.raises(Forbidden):
                self.hear(actor, ada, 10)

    @pytest.mark.parametrize(("amount", "reason"), [(0, "so"), (5, " "), (5, "x" * 2001)])
    def test_it_needs_points_and_a_reason(self, amount, reason, member):
        with pytest.raises(InvalidFields):
            self.hear(member("Boss", role="admin"), member(), amount, reason)

    @pytest.mark.parametrize("amount", [501, -501])
    def test_a_command_moves_at_most_five_hundred(self, amount, member):
        with pytest.raises(corrections.CommandLimit):
            self.hear(member("Boss", role="admin"), member(), amount)

    def test_a_day_is_five_thousand_also_of_many_at_once_and_up_and_down(self, member):
        """Fails without the condition in the statement that counts."""
        boss, ada, bob = member("Boss", role="admin"), member(), member("Bob")
        earn(ada, 2000)
        earn(bob, 2000)

        def attempt(number: int) -> bool:
            try:
                self.hear(boss, ada if number % 2 else bob, 400 if number % 3 else -400)
            except corrections.CommandLimit:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(24))) == 12
        assert self.hear(boss, ada, 200).points == 200
        with pytest.raises(corrections.CommandLimit):
            self.hear(boss, ada, 1)
        assert self.hear(member("Other", role="admin"), ada, 400).points == 400
        with transaction() as session:
            session.execute(text("UPDATE adjustment_allowances SET day = day - 1"))
        assert self.hear(boss, ada, 400).points == 400
        assert_books_balance()


class TestTheDoor:
    def test_the_answer_is_a_receipt_and_a_repeated_key_changes_nothing(self, member, post_as_admin, get_as_admin):
        ada, key = member(), str(uuid4())
        first = post_as_admin("/api/points/adjust/", key=key, user_id=str(ada), points=30, reason="Counted twice")
        assert first.status_code == 201
        assert (
            first.json["adjustment"] | {"points": 30, "reason": "Counted twice", "status": "applied"}
            == (first.json["adjustment"])
        )
        receipt = first.json["points_log"]
        assert (receipt["kind"], receipt["points"], receipt["details"]) == ("adjustment", 30, "Counted twice")
        assert first.json["balance"] == {"available": 30, "reserved": 0, "redeemed": 0, "lifetime": 30}
        again = post_as_admin("/api/points/adjust/", key=key, user_id=str(ada), points=30, reason="Counted twice")
        assert (again.status_code, again.json) == (201, first.json)
        assert books(ada) == (30, 0, 0, 30)

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"points": 0}, "/points"),
            ({"points": 1.5}, "/points"),
            ({"points": "5"}, "/points"),
            ({"points": 1_000_001}, "/points"),
            ({"reason": ""}, "/reason"),
            ({"reason": "   "}, "/reason"),
            ({"reason": "x" * 2001}, "/reason"),
            ({"user_id": "me"}, "/user_id"),
            ({"member_id": "x"}, "/member_id"),
        ],
    )
    def test_wrong_fields_are_named(self, wrong, pointer, member, post_as_admin):
        body = {"user_id": str(member()), "points": 5, "reason": "so"} | wrong
        assert pointer in pointers(post_as_admin("/api/points/adjust/", **body))

    def test_only_admins_correct(self, member, post_as_admin, get_as_admin):
        ada, other = member(), new_id()
        for role in ("student", "company", "university"):
            body = {"user_id": str(ada), "points": 5, "reason": "so"}
            refused(post_as_admin("/api/points/adjust/", by=other, role=role, **body), 403)
            refused(post_as_admin(f"/api/points/adjustments/{other}/confirm/", by=other, role=role), 403)
            refused(post_as_admin(f"/api/points/adjustments/{other}/refuse/", by=other, role=role), 403)
            refused(post_as_admin(f"/api/points-logs/{other}/reverse/", by=other, role=role, note="so"), 403)
            refused(get_as_admin("/api/points/adjustments/", by=other, role=role), 403)
        assert books(ada) == (0, 0, 0, 0)

    def test_refusals_by_http(self, member, post_as_admin):
        ada, boss = member(), member("Boss", role="admin")
        body = {"points": -5, "reason": "so"}
        answer = refused(post_as_admin("/api/points/adjust/", user_id=str(ada), **body), 409, "insufficient-points")
        assert answer["available"] == 0
        refused(post_as_admin("/api/points/adjust/", by=boss, user_id=str(boss), **body), 403)
        refused(post_as_admin("/api/points/adjust/", user_id=str(new_id()), **body), 404)
        refused(post_as_admin(f"/api/points/adjustments/{new_id()}/confirm/"), 404)
        refused(post_as_admin(f"/api/points/adjustments/{new_id()}/refuse/"), 404)

    def test_a_reversal_by_http(self, member, post_as_admin):
        ada = member()
        award = earn(ada, 20)
        made = post_as_admin(f"/api/points-logs/{award}/reverse/", note="Not theirs")
        assert made.status_code == 201
        assert (made.json["points_log"]["kind"], made.json["points_log"]["points"]) == ("reversal", -20)
        assert made.json["points_log"]["details"] == "Not theirs"
        assert made.json["balance"]["lifetime"] == 0
        again = refused(post_as_admin(f"/api/points-logs/{award}/reverse/", note="Not theirs"), 409, "already-reversed")
        assert again["reversed_by"] == made.json["points_log"]["id"]
        assert pointers(post_as_admin(f"/api/points-logs/{award}/reverse/")) == ["/note"]
        assert pointers(post_as_admin(f"/api/points-logs/{award}/reverse/", note=" \n")) == ["/note"]
        refused(post_as_admin(f"/api/points-logs/{new_id()}/reverse/", note="so"), 404)

    def test_the_list_is_paged_newest_first(self, member, get_as_admin):
        ada, bob = member(), member("Bob")
        for points in (1, 2, 3):
            adjust(ada, points)
        adjust(bob, 4)
        first = get_as_admin("/api/points/adjustments/", limit=2, user=str(ada)).json
        rest = get_as_admin("/api/points/adjustments/", limit=2, user=str(ada), cursor=first["next_cursor"]).json
        assert [each["points"] for each in first["items"] + rest["items"]] == [3, 2, 1]
        assert rest["next_cursor"] is None
        assert pointers(get_as_admin("/api/points/adjustments/", status="done")) == ["/status"]
        assert pointers(get_as_admin("/api/points/adjustments/", cursor="x")) == ["/cursor"]
