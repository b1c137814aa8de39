"""Check-in codes: shown once, open for a while, for so many, once each, and not to be guessed."""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts import contract_of, points
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import Reply, decode, envelope_for, new_id, now, read_answer, to_json
from fleet.problems import Problem, TooManyRequests
from services.points import checkins, ledger
from services.points.subscriptions import subscriptions
from tests.answers import pointers, refused


def around(**words):
    opening = {
        "activity_type": "event_attendance",
        "label": "Careers fair",
        "from": (now() - timedelta(hours=1)).isoformat(),
        "until": (now() + timedelta(hours=1)).isoformat(),
        "max_uses": 100,
    }
    return opening | words


@pytest.fixture
def open_one(call):
    """`open_one(max_uses=3)` is the answer to an admin who opens a check-in."""
    boss = new_id()

    def post(role="admin", **words):
        return call("POST", "/api/checkins/", boss, role, json=around(**words))

    return post


@pytest.fixture
def redeem(call):
    def post(member_id, code, headers=None):
        return call("POST", "/api/checkins/redeem/", member_id, json={"code": code}, headers=headers or {})

    return post


@pytest.fixture
def hear():
    def apply(message):
        contract, envelope = contract_of(message), envelope_for(message, source="bot")
        with transaction() as session:
            answer = subscriptions.handlers[contract.type](session, envelope)
        assert read_answer(contract.type, Reply(str(envelope.id), to_json(answer))) == answer
        return answer

    return apply


def available(member_id) -> int:
    with transaction() as session:
        return ledger.balance_of(session, member_id).available


class TestOpening:
    def test_the_code_is_shown_once_and_kept_as_a_hash(self, open_one, call):
        made = open_one()
        assert made.status_code == 201
        code = made.json["code"]
        assert re.fullmatch(f"[{checkins.ALPHABET}]{{8}}", code)
        assert not set("01OILUV") & set(checkins.ALPHABET)
        listed = call("GET", "/api/checkins/", role="admin").json["items"]
        assert listed == [{name: value for name, value in made.json.items() if name != "code"}]
        assert (listed[0]["label"], listed[0]["used"], listed[0]["max_uses"]) == ("Careers fair", 0, 100)
        with transaction() as session:
            assert code not in str(session.execute(text("SELECT checkins::text FROM checkins")).scalar_one())

    def test_codes_differ(self, open_one):
        assert len({open_one().json["code"] for _ in range(20)}) == 20

    def test_they_are_listed_newest_first_in_pages(self, open_one, call):
        ids = [open_one().json["id"] for _ in range(3)]
        page = call("GET", "/api/checkins/", role="admin", query_string={"limit": 2}).json
        rest = call("GET", "/api/checkins/", role="admin", query_string={"cursor": page["next_cursor"]}).json
        assert [item["id"] for item in page["items"] + rest["items"]] == ids[::-1]
        assert rest["next_cursor"] is None

    @pytest.mark.parametrize("role", ["student", "company", "university"])
    def test_only_admins_open_close_and_list(self, role, open_one, call):
        refused(open_one(role), 403, "forbidden")
        refused(call("GET", "/api/checkins/", role=role), 403, "forbidden")
        refused(call("POST", f"/api/checkins/{new_id()}/revoke/", role=role), 403, "forbidden")

    @pytest.mark.parametrize(
        ("words", "pointer"),
        [
            *[({"max_uses": value}, "/max_uses") for value in (0, -1, 100_001, 1.5, "5", True, None)],
            *[({"label": value}, "/label") for value in ("", "  ", "x" * 121, None, 5, "a\u0007")],
            *[({"activity_type": value}, "/activity_type") for value in ("", None, 5)],
            *[
                ({name: value}, f"/{name}")
                for name in ("from", "until")
                for value in ("yesterday", "2026-01-01", "2026-13-01T00:00:00Z", "2026-01-01T10:00:00", 5, None, "")
            ],
            *[({"from": value}, "/from") for value in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")],
            ({"until": (now() - timedelta(hours=2)).isoformat()}, "/until"),
            ({"from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}, "/until"),
            ({"until": (now() + timedelta(days=400)).isoformat()}, "/until"),
            ({"code": "AAAAAAAA"}, "/code"),
            ({"used": 5}, "/used"),
        ],
    )
    def test_a_wrong_field_is_named(self, words, pointer, open_one, row_count):
        assert set(pointers(open_one(**words))) == {pointer}
        assert row_count("checkins") == 0

    def test_of_something_unknown_or_switched_off_it_is_not_found(self, open_one, kind):
        refused(open_one(activity_type="no_such_type"), 404, "not-found")
        refused(open_one(activity_type=kind(is_active=False)), 404, "not-found")


class TestRedeeming:
    def test_it_awards_at_once(self, open_one, redeem, call, row_count):
        made, ada = open_one().json, new_id()
        answer = redeem(ada, made["code"])
        assert answer.status_code == 200
        log = answer.json.pop("points_log_id")
        assert {name: answer.json[name] for name in ("label", "activity", "name", "points", "available")} == {
            "label": "Careers fair",
            "activity": "event_attendance",
            "name": "Event attendance",
            "points": 15,
            "available": 15,
        }
        receipt = call("GET", f"/api/points-logs/{log}/", ada).json
        assert (receipt["points"], receipt["details"], receipt["actor"]) == (15, "Careers fair", made["created_by"])
        assert row_count("checkins", "used = 1") == row_count("checkin_uses", "transfer_id = :log", log=log) == 1
        with transaction() as session:
            event = decode(bytes(session.execute(text("SELECT body FROM outbox")).scalar_one()))
        assert (event.type, event.data.member_id) == ("points.activity_logged.v1", ada)

    @pytest.mark.parametrize("form", [str.lower, lambda code: f" {code[:4]}-{code[4:]} ", " ".join])
    def test_it_may_be_typed_in_otherwise(self, form, open_one, redeem):
        assert redeem(new_id(), form(open_one().json["code"])).status_code == 200

    def test_once_for_each_member(self, open_one, redeem):
        code, ada = open_one().json["code"], new_id()
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: redeem(ada, code), range(5)))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 4}
        refused(redeem(ada, code), 409, "already-redeemed")
        assert available(ada) == 15

    def test_nor_twice_through_an_earlier_id(self, open_one, redeem):
        code, old, ada = open_one().json["code"], new_id(), new_id()
        with transaction() as session:
            session.execute(text("INSERT INTO aliases VALUES (:old, :new)"), {"old": old, "new": ada})
        assert redeem(old, code).status_code == 200
        refused(redeem(ada, code), 409, "already-redeemed")
        assert available(ada) == 15

    def test_for_so_many_members_under_thirty_at_once(self, open_one, redeem, row_count):
        """The guarded update is the guard (behind it a check constraint): without it all thirty get in."""
        code = open_one(max_uses=7).json["code"]
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: redeem(new_id(), code), range(30)))
        assert Counter(answer.status_code for answer in answers) == {200: 7, 409: 23}
        assert {refused(a, 409)["type"].rsplit("/")[-1] for a in answers if a.status_code == 409} == {"checkin-used-up"}
        assert row_count("transfers") == row_count("checkin_uses") == 7
        assert row_count("checkins", "used = 7") == 1

    @pytest.mark.parametrize(("opens", "closes"), [(1, 2), (-2, -0.001)])
    def test_only_within_its_window(self, opens, closes, open_one, redeem, row_count):
        made = open_one().json
        with transaction() as session:
            values = {"a": now() + timedelta(hours=opens), "b": now() + timedelta(hours=closes)}
            session.execute(text("UPDATE checkins SET starts_at = :a, ends_at = :b"), values)
        refused(redeem(new_id(), made["code"]), 409, "checkin-closed")
        assert row_count("transfers") == row_count("checkin_uses") == 0

    def test_not_after_it_was_revoked(self, open_one, redeem, call):
        made = open_one().json
        path = f"/api/checkins/{made['id']}/revoke/"
        first, second = (call("POST", path, role="admin") for _ in range(2))
        assert first.json["revoked_at"].endswith("Z")
        assert first.json == second.json
        refused(redeem(new_id(), made["code"]), 409, "checkin-closed")
        refused(call("POST", f"/api/checkins/{new_id()}/revoke/", role="admin"), 404, "not-found")

    def test_who_is_suspended_earns_nothing(self, open_one, redeem, row_count):
        code, ada = open_one(max_uses=1).json["code"], new_id()
        with transaction() as session:
            auth_state.keep(session, AuthStateChanged(ada, 1, "student", "suspended"))
        refused(redeem(ada, code), 409, "suspended")
        assert row_count("checkins", "used = 0") == 1
        assert redeem(new_id(), code).status_code == 200

    def test_caps_and_cooldowns_hold(self, open_one, redeem, kind):
        ada, code = new_id(), kind(cap=(1, "week"))
        assert redeem(ada, open_one(activity_type=code).json["code"]).status_code == 200
        refused(redeem(ada, open_one(activity_type=code).json["code"]), 409, "limit-reached")
        assert available(ada) == 10

    def test_the_same_key_is_answered_alike(self, open_one, redeem):
        code, ada, headers = open_one().json["code"], new_id(), {"Idempotency-Key": "k"}
        first, *more = (redeem(ada, code, headers) for _ in range(8))
        assert {answer.status_code for answer in (first, *more)} == {200}
        assert all(answer.json == first.json for answer in more)

    @pytest.mark.parametrize("code", [None, "", 5, "x" * 65, ["A"], "a\u0000b"])
    def test_what_is_no_code_is_refused(self, code, redeem):
        assert redeem(new_id(), code).status_code in (400, 422)

    @pytest.mark.parametrize("code", ["AAAAAAAA", "%", "' OR 1=1", "💥", "-", "ＡＢＣＤＥＦＧＨ"])
    def test_a_wrong_code_is_not_found(self, code, open_one, redeem):
        open_one()
        refused(redeem(new_id(), code), 404, "wrong-code")


class TestGuessing:
    def test_five_wrong_tries_a_minute(self, open_one, redeem, row_count):
        code, ada = open_one().json["code"], new_id()
        for _ in range(5):
            refused(redeem(ada, "AAAAAAAA"), 404, "wrong-code")
        for guess in ("AAAAAAAA", code):
            answer = redeem(ada, guess)
            assert refused(answer, 429, "too-many-requests")["retry_after"] == int(answer.headers["Retry-After"])
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert redeem(new_id(), code).status_code == 200
        with transaction() as session:
            session.execute(text("UPDATE checkin_tries SET began_at = began_at - interval '61 seconds'"))
        assert redeem(ada, code).status_code == 200

    def test_at_once_too(self, redeem):
        """The guarded upsert is the guard: without it all thirty guesses are looked at."""
        ada = new_id()
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _: redeem(ada, "AAAAAAAA"), range(30)))
        assert Counter(answer.status_code for answer in answers) == {404: 5, 429: 25}

    def test_right_codes_do_not_count_and_buy_no_guesses(self, open_one, redeem):
        code, ada = open_one().json["code"], new_id()
        redeem(ada, code)
        for _ in range(4):
            refused(redeem(ada, "AAAAAAAA"), 404)
            refused(redeem(ada, code), 409, "already-redeemed")
        refused(redeem(ada, "AAAAAAAA"), 404)
        refused(redeem(ada, "AAAAAAAA"), 429)


class TestMessages:
    def test_a_code_from_discord(self, open_one, hear):
        code, ada = open_one().json["code"], new_id()
        found = hear(points.RedeemCheckin(ada, code))
        assert found == points.CheckinOutcome(True, "event_attendance", "Event attendance", "Careers fair", 15, 15)
        with pytest.raises(checkins.AlreadyRedeemed):
            hear(points.RedeemCheckin(ada, code))

    def test_wrong_tries_count_here_and_there_together(self, hear, redeem, row_count):
        ada = new_id()
        for _ in range(3):
            outcome = hear(points.RedeemCheckin(ada, "AAAAAAAA"))
            assert (outcome.redeemed, outcome.points) == (False, 0)
            assert "No check-in has this code" in outcome.reason
        refused(redeem(ada, "AAAAAAAA"), 404)
        hear(points.RedeemCheckin(ada, "AAAAAAAA"))
        with pytest.raises(TooManyRequests):
            hear(points.RedeemCheckin(ada, "AAAAAAAA"))
        refused(redeem(ada, "AAAAAAAA"), 429)

    @pytest.mark.parametrize("code", ["", "x" * 5000, "💥" * 100])
    def test_whatever_it_holds(self, code, hear):
        assert hear(points.RedeemCheckin(new_id(), code)).redeemed is False

    def test_a_refusal_counts_nothing(self, open_one, hear, call, row_count):
        made = open_one().json
        call("POST", f"/api/checkins/{made['id']}/revoke/", role="admin")
        for _ in range(7):
            with pytest.raises(Problem):
                hear(points.RedeemCheckin(new_id(), made["code"]))
        assert row_count("checkin_tries") == 0
