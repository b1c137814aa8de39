"""The HTTP door of points: who gets what, what is refused, and what is counted once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from fleet import auth_state
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import decode, new_id
from fleet.paging import encode_cursor
from services.points import ledger
from services.points.app import create_app
from tests.answers import alike, pointers, refused

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ROLES = ("student", "company", "university", "admin")
LISTS = ("/api/points-logs/", "/api/points/balance/", "/api/leaderboard/")


@pytest.fixture
def award(keys, client):
    """`award(member_id, ...)` by an admin, over HTTP; words in capitals become headers (`Idempotency_Key=`)."""
    boss = new_id()

    def post(member_id: Any, /, by: UUID = boss, role: str = "admin", slash: str = "/", **words: Any) -> Any:
        headers = {name.replace("_", "-"): value for name, value in words.items() if name[0].isupper()}
        body = {"activity_type": "peer_mentor"} | {name: v for name, v in words.items() if not name[0].isupper()}
        sender = client.application.test_client()
        path = f"/api/users/{member_id}/add_points{slash}"
        return sender.post(path, headers=headers | keys.bearer(by, role), json=body)

    return post


@pytest.fixture
def get(keys, client) -> Callable[..., Any]:
    """`get(path, member_id, role)`; query parameters as further words."""

    def send(path: str, member_id: UUID | None = None, role: str = "student", **query: Any) -> Any:
        headers = keys.bearer(member_id or new_id(), role)
        return client.get(path, headers=headers, query_string=query)

    return send


def deed(member_id: UUID, code: str = "discord_activity", at: datetime = NOON) -> UUID:
    with transaction() as session:
        return ledger.award_deed(session, member_id, code, at, str(uuid4())).transfer.id


def suspend(member_id: UUID) -> None:
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 2, "student", "suspended"))


class TestWhoMayCall:
    def test_every_closed_route_needs_a_token(self, client: FlaskClient):
        app, wrong = client.application, {}
        open_ones = {"api.list_activities", "api.get_activity", "healthz", "readyz", "metrics_page"}
        for rule in app.url_map.iter_rules():
            for method in rule.methods - {"HEAD", "OPTIONS"}:
                values = {name: new_id() if name != "code" else "peer_mentor" for name in rule.arguments}
                path = rule.build(values, append_unknown=False)[1]
                status = client.open(path, method=method).status_code
                if (status == 401) == (rule.endpoint in open_ones):
                    wrong[f"{method} {path}"] = status
        assert wrong == {}

    @pytest.mark.parametrize("role", ROLES)
    def test_every_member_reads_their_own(self, role, get):
        assert {path: get(path, role=role).status_code for path in LISTS} == dict.fromkeys(LISTS, 200)

    @pytest.mark.parametrize("role", ["student", "company", "university", "applicant", ""])
    def test_only_admins_award(self, role, award, member, row_count):
        known = refused(award(member(), role=role), 403, "forbidden")
        unknown = refused(award(new_id(), role=role), 403, "forbidden")
        assert known["detail"] == unknown["detail"]
        assert row_count("transfers") == 0

    def test_a_role_that_is_none_reads_nothing(self, get):
        assert {get(path, role="ghost").status_code for path in LISTS} == {403}

    def test_rights_come_before_fields(self, award, get):
        refused(award(new_id(), role="student", points="x"), 403)
        refused(get("/api/leaderboard/", role="ghost", limit="x"), 403)

    def test_what_is_anothers_stays_theirs(self, get, member):
        ada, eve = member("Ada"), member("Eve")
        log = deed(ada)
        for path in ("/api/points-logs/", "/api/points/balance/"):
            for role in ("student", "company", "university"):
                refused(get(path, eve, role, user=ada), 403, "forbidden")
                assert alike(get(path, eve, role, user=ada)) == alike(get(path, eve, role, user=new_id()))
        others, nobodys = get(f"/api/points-logs/{log}/", eve), get(f"/api/points-logs/{new_id()}/", eve)
        refused(others, 404, "not-found")
        assert alike(others) == alike(nobodys)

    def test_admins_see_everybodys(self, get, member):
        ada = member("Ada")
        log = deed(ada)
        assert get("/api/points/balance/", role="admin", user=ada).json["available"] == 5
        assert [item["id"] for item in get("/api/points-logs/", role="admin", user=ada).json["items"]] == [str(log)]
        assert get(f"/api/points-logs/{log}/", role="admin").json["id"] == str(log)

    def test_naming_oneself_is_no_crime(self, get, member):
        ada = member("Ada")
        assert get("/api/points/balance/", ada, user=ada).status_code == 200
        assert get("/api/points/balance/", ada, user=str(ada).upper()).status_code == 200

    def test_nobody_awards_themselves(self, award, member, row_count):
        boss = member("Boss", role="admin")
        refused(award(boss, by=boss), 403, "forbidden")
        old = new_id()
        with transaction() as session:
            session.execute(
                text("INSERT INTO aliases (old_id, member_id) VALUES (:old, :new)"), {"old": old, "new": boss}
            )
        refused(award(old, by=boss), 403, "forbidden")
        assert row_count("transfers") == 0


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


class TestPointsLog:
    def test_the_newest_comes_first_and_every_balance_follows(self, get, member):
        ada = member("Ada")
        logs = [deed(ada, at=NOON + timedelta(days=day)) for day in range(3)]
        items = get("/api/points-logs/", ada).json["items"]
        assert [item["id"] for item in items] == [str(log) for log in reversed(logs)]
        assert [(item["points"], item["balance_after"]) for item in items] == [(5, 15), (5, 10), (5, 5)]
        assert items[0]["occurred_at"] == "2026-03-06T12:00:00Z"
        assert (items[0]["actor"], items[0]["details"]) == (None, None)

    def test_what_was_spent_is_negative(self, get, member):
        ada = member("Ada")
        deed(ada)
        with transaction() as session:
            session.execute(
                text(
                    "INSERT INTO transfers (id, ledger_id, debit, credit, points, kind, idempotency_key, occurred_at,"
                    " available_after) SELECT gen_random_uuid(), id, 'available', 'reserved', 3, 'hold', 'x', now(), 2"
                    " FROM ledgers"
                )
            )
        newest = get("/api/points-logs/", ada).json["items"][0]
        assert (newest["kind"], newest["points"], newest["balance_after"]) == ("hold", -3, 2)

    def test_who_never_earned_has_an_empty_log_and_zeros(self, get):
        assert get("/api/points-logs/").json == {"items": [], "next_cursor": None}
        zeros = {"available": 0, "reserved": 0, "redeemed": 0, "lifetime": 0}
        assert get("/api/points/balance/").json == zeros

    def test_an_old_id_leads_to_the_member(self, get, member):
        ada, old = member("Ada"), new_id()
        log = deed(ada)
        with transaction() as session:
            session.execute(
                text("INSERT INTO aliases (old_id, member_id) VALUES (:old, :new)"), {"old": old, "new": ada}
            )
        assert get("/api/points/balance/", old).json["available"] == 5
        assert get("/api/points-logs/", old).json["items"][0]["id"] == str(log)
        assert get(f"/api/points-logs/{log}/", old).status_code == 200

    def test_a_hundred_and_twenty_rows_page_without_gap_or_repeat_while_rows_are_added(self, get, member):
        ada = member("Ada")
        # Two at each instant, so that pages end within a tie.
        days = [NOON + timedelta(days=day) for day in range(60)]
        logs = [(at, deed(ada, code, at)) for at in days for code in ("discord_activity", "like_interaction")]
        expected = [str(log) for _, log in sorted(logs, reverse=True)]
        seen: list[str] = []
        cursor, pages = None, 0
        while cursor or not pages:
            answer = get("/api/points-logs/", ada, limit=17, **({"cursor": cursor} if cursor else {}))
            assert answer.status_code == 200
            seen += [item["id"] for item in answer.json["items"]]
            cursor, pages = answer.json["next_cursor"], pages + 1
            deed(ada, at=days[-1] + timedelta(days=pages))
        assert pages == 8
        assert seen == expected

    @pytest.mark.parametrize("limit", [1, 100])
    def test_a_page_has_as_many_as_were_asked_for(self, limit, get, member):
        ada = member("Ada")
        for day in range(3):
            deed(ada, at=NOON + timedelta(days=day))
        page = get("/api/points-logs/", ada, limit=limit).json
        assert (len(page["items"]), page["next_cursor"] is None) == ((1, False) if limit == 1 else (3, True))

    def test_the_page_is_fifty_by_default(self, get, member):
        ada = member("Ada")
        for day in range(51):
            deed(ada, at=NOON + timedelta(days=day))
        assert len(get("/api/points-logs/", ada).json["items"]) == 50


class TestParameters:
    @pytest.mark.parametrize("path", ["/api/points-logs/", "/api/leaderboard/"])
    def test_a_wrong_limit_is_named_and_never_clamped(self, path, get):
        wrong = [
            "0",
            "-1",
            "101",
            "5 ",
            " 5",
            "+5",
            "1e3",
            "5.0",
            "５",
            "١٢",
            "",
            "true",
            "null",
            "9" * 30,
            "0x10",
            "1_0",
        ]
        assert {value: pointers(get(path, limit=value)) for value in wrong} == {key: ["/limit"] for key in wrong}

    @pytest.mark.parametrize("path", ["/api/points-logs/", "/api/leaderboard/"])
    def test_a_tampered_cursor_is_named(self, path, get, member):
        me = member("Ada")
        for day in range(3):
            deed(me, at=NOON + timedelta(days=day))
        for name in ("Bob", "Eve"):
            deed(member(name))
        mine = get("/api/points-logs/", me, limit=1).json["next_cursor"]
        board = get("/api/leaderboard/", me, limit=1).json["next_cursor"]
        right, foreign = (mine, board) if "logs" in path else (board, mine)
        id_, time = str(new_id()), NOON.isoformat()
        rest = (id_,) if "logs" in path else (time, id_)
        first: list[Any] = [
            None,
            True,
            5.5,
            1e30,
            [],
            {},
            "x",
            "5",
            "",
            "9" * 5000,
            time[:-6],
            "0001-01-01T00:00:00+23:59",
        ]
        first += ["9999-12-31T23:59:59-23:59", "2026-03-04", "2026-03-04T12:00:00Z", "2026-W10", "infinity"]
        wrong = {
            "empty": "",
            "foreign": foreign,
            "cut": right[:-3],
            "longer": right + "AAAA",
            "an exclamation mark": right + "!",
            "inside": right[:5] + "*" + right[5:],
            "padded": right + "=",
            "twice": right + right,
            "not ASCII": "ｅyJ",
            "no JSON": "AAAA",
            "a list of nothing": encode_cursor(),
            "too many": encode_cursor(5, time, id_, 1),
            "a brace in the id": encode_cursor(*([5, time] if len(rest) == 2 else [time]), f"{{{id_}}}"),
            "a number for the id": encode_cursor(*([5, time] if len(rest) == 2 else [time]), 5),
            "deep": "W1tb" * 2000,
        } | {f"first is {value!r}"[:40]: encode_cursor(value, *rest) for value in first}
        answers = {what: get(path, me, cursor=cursor) for what, cursor in wrong.items()}
        assert {what: pointers(answer) for what, answer in answers.items()} == {key: ["/cursor"] for key in wrong}
        assert get(path, me, cursor=right).status_code == 200

    @pytest.mark.parametrize(
        ("path", "query", "pointer"),
        [
            ("/api/points-logs/", {"user": "me"}, "/user"),
            ("/api/points-logs/", {"user": ""}, "/user"),
            ("/api/points/balance/", {"user": "0"}, "/user"),
            ("/api/points/balance/", {"limit": "5"}, "/limit"),
            ("/api/leaderboard/", {"period": "daily"}, "/period"),
            ("/api/leaderboard/", {"period": "ALL_TIME"}, "/period"),
            ("/api/leaderboard/", {"period": "9999d"}, "/period"),
            ("/api/leaderboard/", {"track": ""}, "/track"),
            ("/api/leaderboard/", {"university": "x" * 101}, "/university"),
            ("/api/leaderboard/", {"university": "a\u0000b"}, "/university"),
            ("/api/leaderboard/", {"sort": "id;drop"}, "/sort"),
            ("/api/points-logs/", {"id[]": "1"}, "/id[]"),
        ],
    )
    def test_a_wrong_parameter_is_named(self, path, query, pointer, get):
        assert pointers(get(path, role="admin", **query)) == [pointer]

    def test_a_parameter_given_twice_is_named(self, client, keys):
        answer = client.get("/api/leaderboard/?limit=5&limit=5", headers=keys.bearer(new_id()))
        assert pointers(answer) == ["/limit"]


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


def test_the_application_is_built_with_the_key_set_of_its_settings(monkeypatch):
    monkeypatch.setenv("JWKS_URL", "http://127.0.0.1:1/jwks.json")
    client = create_app().test_client()
    refused(client.get("/api/leaderboard/"), 401)
    assert client.get("/api/activities/").status_code == 200
