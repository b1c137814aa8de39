"""Awards by admins over HTTP, once for each key."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import decode, new_id
from services.points import deeds, ledger
from tests.answers import pointers, refused

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ROLES = ("student", "company", "university", "admin")
LISTS = ("/api/points-logs/", "/api/points/balance/", "/api/leaderboard/")


def deed(member_id: UUID, code: str = "discord_activity", at: datetime = NOON) -> UUID:
    with transaction() as session:
        reference = str(uuid4())
        deeds.award_deed(session, member_id, code, at, reference)
        return ledger.already(session, f"deed:{reference}").id


def suspend(member_id: UUID) -> None:
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 2, "student", "suspended"))


class TestAwarding:
    def test_an_award_is_answered_with_its_receipt(self, award, member, get):
        ada, boss = member("Ada"), new_id()
        deed(ada)
        answer = award(ada, by=boss, details="For the whole autumn.", points=300)
        assert answer.status_code == 201
        entry = answer.json["points_log"]
        assert answer.json == {"message": "300 points for Peer mentor.", "total_points": 305, "points_log": entry}
        assert entry == get(f"/api/points-logs/{entry['id']}/", ada).json
        assert entry.pop("occurred_at").endswith("Z")
        assert UUID(entry.pop("id"))
        assert entry == {
            "kind": "award",
            "activity": "peer_mentor",
            "name": "Peer mentor",
            "points": 300,
            "rule_version": 1,
            "actor": str(boss),
            "details": "For the whole autumn.",
            "evidence": None,
            "balance_after": 305,
        }

    def test_without_points_it_is_worth_what_the_activity_says(self, award, member):
        assert award(member(), points=None, details=None).json["total_points"] == 250

    @pytest.mark.parametrize("worth", [1, 2000])
    def test_the_bounds_are_allowed(self, worth, award, member):
        assert award(member(), points=worth).json["total_points"] == worth

    def test_caps_cooldowns_and_approval_do_not_bind_it(self, award, member):
        ada = member("Ada")
        for code in ("discord_activity", "discord_activity", "like_interaction", "like_interaction", "linkedin_post"):
            assert award(ada, activity_type=code).status_code == 201

    def test_it_is_told_with_the_request_it_came_from(self, award, member):
        award(member(), X_Request_ID="request-of-a-test")
        with transaction() as session:
            event = decode(bytes(session.execute(text("SELECT body FROM outbox")).scalar_one()))
        assert (event.type, event.correlation_id) == ("points.activity_logged.v1", "request-of-a-test")

    def test_a_wrong_method_is_told_the_right_ones_with_or_without_the_slash(self, call):
        for path in ("/api/points/balance/", "/api/points/balance"):
            answer = call("POST", path, json={})
            refused(answer, 405)
            assert "GET" in answer.headers["Allow"], path

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_trailing_slash_may_be_left_out(self, slash, award, member, get):
        ada = member("Ada")
        assert award(ada, slash=slash).status_code == 201
        for path in (*LISTS, "/api/activities/", "/api/activities/peer_mentor/"):
            assert get(path.rstrip("/") + slash, ada).status_code == 200

    def test_to_somebody_unknown_it_is_not_found(self, award, row_count):
        refused(award(new_id()), 404, "not-found")
        for nobody in ("me", "0", "-1", "null", "1e3", "..%2f", f"{new_id()}x", "%00", "a" * 5000):
            refused(award(nobody), 404)
        assert row_count("members") == row_count("transfers") == 0

    def test_of_something_unknown_it_is_not_found(self, award, member):
        refused(award(member(), activity_type="no_such_type"), 404, "not-found")
        refused(award(member(), activity_type="' OR 1=1"), 404, "not-found")

    def test_of_a_type_switched_off_it_is_not_found(self, award, member):
        with switched_off("peer_mentor"):
            refused(award(member()), 404, "not-found")

    def test_to_a_suspended_member_it_is_refused(self, award, member):
        ada = member("Ada")
        suspend(ada)
        refused(award(ada), 409, "suspended")

    @pytest.mark.parametrize(
        ("words", "pointer"),
        [({"points": value}, "/points") for value in (0, -1, 2001, 1.5, 5.0, "5", "１２", True, 2**31, 2**53, [5], {})]
        + [({"activity_type": value}, "/activity_type") for value in (None, "", 5, ["peer_mentor"], "x" * 65)]
        + [({"details": value}, "/details") for value in (5, "x" * 2001, "a\u0007b", {"a": 1})]
        + [({name: 1}, f"/{name}") for name in ("actor", "member_id", "idempotency_key", "occurred_at", "a/b~c")],
    )
    def test_a_wrong_field_is_named(self, words, pointer, award, member, row_count):
        assert pointers(award(member(), **words)) == [pointer.replace("a/b~c", "a~1b~0c")]
        assert row_count("transfers") == row_count("outbox") == 0

    @pytest.mark.parametrize("number", ["1e400", "1" * 400, "-" + "9" * 5000, "9007199254740993", "NaN", "-Infinity"])
    def test_a_number_beyond_all_bounds_is_unreadable(self, number, keys, client, member):
        body = f'{{"activity_type": "peer_mentor", "points": {number}}}'
        headers = keys.bearer(new_id(), "admin")
        path = f"/api/users/{member()}/add_points/"
        refused(client.post(path, headers=headers, data=body, content_type="application/json"), 400, "unreadable")

    @pytest.mark.parametrize(
        "details", ["' OR 1=1; --", "=HYPERLINK(1)", "<script>", "عربي 👩‍💻", "a\nb\tc", "%_\\", "${jndi:x}"]
    )
    def test_a_note_is_kept_as_it_was_written(self, details, award, member):
        assert award(member(), details=details).json["points_log"]["details"] == details


class TestIdempotency:
    def test_the_same_key_is_answered_with_the_first_award(self, award, member, row_count):
        ada = member("Ada")
        first, again = (award(ada, points=7, Idempotency_Key="key 1") for _ in range(2))
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.data == again.data
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert row_count("transfers") == 1

    def test_the_same_key_with_another_body_is_refused(self, award, member):
        ada = member("Ada")
        award(ada, points=7, Idempotency_Key="key 1")
        refused(award(ada, points=8, Idempotency_Key="key 1"), 422, "idempotency-key-reused")

    def test_keys_belong_to_the_caller_and_the_member(self, award, member, row_count):
        ada, eve = member("Ada"), member("Eve")
        answers = [award(ada, Idempotency_Key="k"), award(ada, by=new_id(), Idempotency_Key="k")]
        answers += [award(eve, Idempotency_Key="k"), award(ada, Idempotency_Key="k", slash="")]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 200]
        assert row_count("transfers") == 3

    def test_twenty_at_once_with_one_key_make_one_transfer(self, award, member, row_count):
        """Fails without the primary key of idempotency_keys: nothing would make the second call wait for the first."""
        ada = member("Ada")
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: award(ada, Idempotency_Key="key 1"), range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.data for answer in answers}) == 1
        assert row_count("transfers") == row_count("outbox") == row_count("idempotency_keys") == 1

    def test_a_refusal_leaves_the_key_free(self, award, member, row_count):
        stranger = new_id()
        refused(award(stranger, Idempotency_Key="key 1"), 404)
        member(member_id=stranger)
        assert award(stranger, Idempotency_Key="key 1").status_code == 201
        assert row_count("transfers") == 1

    def test_without_a_key_two_calls_are_two_awards(self, award, member, row_count):
        ada = member("Ada")
        assert {award(ada).status_code for _ in range(2)} == {201}
        assert row_count("transfers") == 2

    def test_a_repeated_call_is_answered_also_when_it_would_be_refused_by_now(self, award, member, row_count):
        ada = member()
        first = award(ada, Idempotency_Key="k")
        suspend(ada)
        again = award(ada, Idempotency_Key="k")
        assert (again.status_code, again.json) == (200, first.json)
        assert again.headers["Idempotent-Replayed"] == "true"
        refused(award(ada, Idempotency_Key="another"), 409, "suspended")
        assert row_count("transfers") == row_count("idempotency_keys") == 1

    def test_another_request_with_a_used_key_is_refused_for_that_whatever_else_is_wrong_with_it(self, award, member):
        ada = member()
        award(ada, Idempotency_Key="k")
        refused(award(ada, activity_type="no_such", Idempotency_Key="k"), 422, "idempotency-key-reused")


class switched_off:
    """An activity type is inactive for the time of a block; types are not emptied between tests."""

    def __init__(self, code: str) -> None:
        self.code = code

    def _set(self, is_active: bool) -> None:
        with transaction() as session:
            values = {"code": self.code, "on": is_active}
            session.execute(text("UPDATE activity_types SET is_active = :on WHERE code = :code"), values)

    def __enter__(self) -> None:
        self._set(False)

    def __exit__(self, *_error: object) -> None:
        self._set(True)
