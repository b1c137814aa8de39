"""What admins do to members: who may, what is refused, what the others learn, and what is written down."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from fleet.database import transaction
from fleet.messages import new_id, now
from services.users import accounts, chores, moderation
from tests.answers import pointers, refused
from tests.users.conftest import PASSWORD

ROUTES = {
    "list": ("GET", "/api/users/", None),
    "get": ("GET", "/api/users/{id}/", None),
    "change": ("PATCH", "/api/users/{id}/", {"role": "university"}),
    "track": ("PATCH", "/api/users/{id}/update_track/", {"track": "tech"}),
    "approve": ("POST", "/api/users/{id}/approve/", None),
    "warn": ("POST", "/api/users/{id}/warn/", {"reason": "spam"}),
    "clear": ("POST", "/api/users/{id}/clear_warnings/", None),
    "suspend": ("POST", "/api/users/{id}/suspend/", {"minutes": 60, "reason": "spam"}),
    "unsuspend": ("POST", "/api/users/{id}/unsuspend/", None),
    "audit": ("GET", "/api/users/{id}/audit/", None),
}
CHANGES = [name for name, (method, _path, _body) in ROUTES.items() if method != "GET"]


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access']}"}


@pytest.fixture
def admin(post: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """`admin("root")` makes an administrator and signs in."""

    def make(name: str = "root") -> dict[str, Any]:
        with transaction() as session:
            accounts.ensure_account(session, name, f"{name}@example.org", PASSWORD, "admin")
        return post("login", username=name, password=PASSWORD).json

    return make


@pytest.fixture
def root(admin) -> dict[str, Any]:
    return admin()


@pytest.fixture
def act(app, root) -> Callable[..., Any]:
    """`act("suspend", member_id, minutes=5, reason="...")` by root; `by=` somebody else's tokens."""

    def send(name: str, member_id: Any = "", by: dict[str, str] | None = None, **body: Any) -> Any:
        method, path, usual = ROUTES[name]
        headers = bearer(by or root["tokens"])
        wanted = path.format(id=member_id)
        if method == "GET":
            return app.test_client().get(wanted, headers=headers, query_string=body)
        return app.test_client().open(wanted, method=method, headers=headers, json=body or usual)

    return send


def trail(act, member_id) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [(item["action"], item["before"], item["after"]) for item in act("audit", member_id).json["items"]]


class TestWhoMay:
    @pytest.mark.parametrize("role", ["student", "company", "university", "applicant", ""])
    @pytest.mark.parametrize("route", ROUTES)
    def test_only_admins(self, route, role, keys, row_count):
        from services.users.app import create_app

        method, path, body = ROUTES[route]
        client = create_app(keys=keys).test_client()
        refused(client.open(path.format(id=new_id()), method=method, json=body), 401)
        headers = keys.bearer(new_id(), role)
        refused(client.open(path.format(id=new_id()), method=method, json=body, headers=headers), 403, "forbidden")
        assert row_count("audit_entries") == 0

    @pytest.mark.parametrize("route", ROUTES)
    def test_nobody_is_no_member(self, route, act):
        if route == "list":
            return
        refused(act(route, new_id()), 404)
        refused(act(route, "ada"), 404)

    @pytest.mark.parametrize("route", CHANGES)
    def test_the_token_of_a_former_admin_changes_nothing(self, route, act, admin, register):
        eve, ada = admin("eve"), register("ada")["user"]["id"]
        with transaction() as session:  # as if the news had not reached this process yet
            session.execute(text("UPDATE members SET role = 'student' WHERE username = 'eve'"))
        refused(act(route, ada, by=eve["tokens"]), 403)

    @pytest.mark.parametrize("route", CHANGES)
    def test_a_suspended_admin_changes_nothing(self, route, act, admin, post, register):
        eve, ada = admin("eve"), register("ada")["user"]["id"]
        assert act("suspend", eve["user"]["id"]).status_code == 200
        again = post("login", username="eve", password=PASSWORD).json
        refused(act(route, ada, by=again["tokens"]), 403)

    @pytest.mark.parametrize("route", ["warn", "clear", "suspend", "unsuspend"])
    def test_nobody_moderates_themselves(self, route, act, root):
        refused(act(route, root["user"]["id"]), 403)


class TestRoles:
    def test_a_new_role_ends_the_tokens_and_is_told(self, act, register, client, told, post):
        ada = register("ada")
        answer = act("change", ada["user"]["id"], role="university", first_name="Ada")
        assert (answer.status_code, answer.json["role"], answer.json["first_name"]) == (200, "university", "Ada")
        refused(client.get("/api/users/profile/", headers=bearer(ada["tokens"])), 401)
        fresh = post("refresh", refresh=ada["tokens"]["refresh"]).json
        assert client.get("/api/users/profile/", headers=bearer(fresh)).json["role"] == "university"
        [state] = told("users.auth_state_changed.v1")
        assert (state.data.role, state.data.security_version) == ("university", 2)
        assert told("users.user_updated.v1")[-1].data.role == "university"
        [entry] = act("audit", ada["user"]["id"]).json["items"]
        assert entry["before"] == {"role": "student", "first_name": ""}
        assert entry["after"] == {"role": "university", "first_name": "Ada"}
        assert entry["actor_id"] == accounts_id("root")
        assert abs(datetime.fromisoformat(entry["occurred_at"]) - now()) < timedelta(minutes=1)

    def test_other_fields_leave_the_tokens_alone(self, act, register, client):
        ada = register("ada")
        act("change", ada["user"]["id"], track="finance", university="ETH")
        seen = client.get("/api/users/profile/", headers=bearer(ada["tokens"])).json
        assert (seen["track"], seen["university"]) == ("finance", "ETH")

    def test_what_does_not_change_leaves_no_trace(self, act, register, row_count):
        ada = register("ada")["user"]["id"]
        before = row_count("outbox")
        assert act("change", ada, role="student", track=None).status_code == 200
        assert (row_count("audit_entries"), row_count("outbox")) == (0, before)

    def test_nobody_changes_their_own_role(self, act, root, admin):
        admin("eve")
        refused(act("change", root["user"]["id"], role="student"), 403, "forbidden")
        assert act("change", root["user"]["id"], first_name="Grace").status_code == 200

    def test_the_last_admin_stays(self, act, root, admin):
        refused(act("change", root["user"]["id"], role="student"), 409, "last-admin")
        eve = admin("eve")["user"]["id"]
        act("suspend", eve)
        refused(act("change", root["user"]["id"], role="student"), 409, "last-admin")
        assert act("change", eve, role="student").status_code == 200

    def test_admins_who_demote_one_another_leave_one(self, act, admin, root, row_count, post):
        for number in range(8):
            one, two = admin(f"one{number}"), admin(f"two{number}")
            with ThreadPoolExecutor(2) as pool:
                moves = [
                    pool.submit(act, "change", b["user"]["id"], by=a["tokens"], role="student")
                    for a, b in ((one, two), (two, one))
                ]
            statuses = sorted(move.result().status_code for move in moves)
            assert statuses[0] == 200
            assert statuses[1] in (401, 403)
            assert row_count("members", "role = 'admin'") == 2 + number

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"role": "root"}, "/role"),
            ({"role": None}, "/role"),
            ({"role": ["admin"]}, "/role"),
            ({"status": "active"}, "/status"),
            ({"email": "x@example.org"}, "/email"),
            ({"username": "eve"}, "/username"),
            ({"warnings": 0}, "/warnings"),
            ({"track": "wizardry"}, "/track"),
            ({"first_name": "x" * 101}, "/first_name"),
            ([], "/"),
        ],
    )
    def test_what_an_admin_may_not_change_is_named(self, body, pointer, app, root, register, row_count):
        ada = register("ada")["user"]["id"]
        answer = app.test_client().patch(f"/api/users/{ada}/", headers=bearer(root["tokens"]), json=body)
        assert pointers(answer) == [pointer]
        assert row_count("audit_entries") == 0

    def test_nothing_to_change_is_refused(self, app, root):
        path = f"/api/users/{root['user']['id']}/"
        assert pointers(app.test_client().patch(path, headers=bearer(root["tokens"]), json={})) == ["/"]

    def test_a_track_is_set_and_taken_away(self, act, register, told):
        ada = register("ada")["user"]["id"]
        assert act("track", ada).json["track"] == "tech"
        assert told("users.user_updated.v1")[-1].data.track == "tech"
        assert act("track", ada, track=None).json["track"] is None
        assert trail(act, ada) == [
            ("changed", {"track": "tech"}, {"track": None}),
            ("changed", {"track": None}, {"track": "tech"}),
        ]
        assert pointers(act("track", ada, track="x")) == ["/track"]
        assert pointers(act("track", ada, role="admin")) == ["/track", "/role"]


class TestApproval:
    @pytest.mark.parametrize("role", ["company", "university"])
    def test_an_applicant_sees_only_their_own_profile(self, role, register, client, post):
        made = register("acme", role=role)
        headers = bearer(made["tokens"])
        assert made["user"]["status"] == "awaiting_approval"
        assert client.get("/api/users/profile/", headers=headers).status_code == 200
        assert client.patch("/api/users/profile/", headers=headers, json={"company": "Acme"}).status_code == 200
        refused(client.get("/api/user-status/", headers=headers), 403, "awaiting-approval")
        refused(client.get("/api/users/", headers=headers), 403, "awaiting-approval")
        assert client.get("/api/tracks/", headers=headers).status_code == 200
        assert post("logout", refresh=made["tokens"]["refresh"]).status_code == 200

    def test_the_others_are_told_when_an_applicant_registers(self, register, told):
        acme = register("acme", role="company")["user"]["id"]
        [state] = told("users.auth_state_changed.v1")
        assert (str(state.data.member_id), state.data.status) == (acme, "awaiting_approval")
        assert state.data.security_version == 1

    def test_the_queue_and_the_approval(self, act, register, client, post, told):
        acme = register("acme", role="company")
        register("ada")
        assert [item["username"] for item in act("list", status="awaiting_approval").json["items"]] == ["acme"]
        answer = act("approve", acme["user"]["id"])
        assert (answer.status_code, answer.json["status"]) == (200, "active")
        assert act("list", status="awaiting_approval").json["items"] == []
        refused(client.get("/api/user-status/", headers=bearer(acme["tokens"])), 401)
        fresh = post("refresh", refresh=acme["tokens"]["refresh"]).json
        assert client.get("/api/user-status/", headers=bearer(fresh)).status_code == 200
        assert told("users.auth_state_changed.v1")[-1].data.status == "active"
        assert trail(act, acme["user"]["id"]) == [
            ("approved", {"status": "awaiting_approval"}, {"status": "active"}),
        ]

    def test_twice_is_a_conflict(self, act, register):
        acme = register("acme", role="company")["user"]["id"]
        act("approve", acme)
        assert refused(act("approve", acme), 409, "not-awaiting-approval")["present_status"] == "active"

    def test_ten_approvals_at_once_are_one(self, act, register, row_count):
        acme = register("acme", role="company")["user"]["id"]
        with ThreadPoolExecutor(10) as pool:
            statuses = sorted(answer.status_code for answer in pool.map(lambda _: act("approve", acme), range(10)))
        assert statuses == [200] + [409] * 9
        assert row_count("audit_entries") == 1

    def test_a_suspension_is_no_way_round(self, act, register):
        acme = register("acme", role="company")["user"]["id"]
        refused(act("suspend", acme), 409, "awaiting-approval")
        refused(act("unsuspend", acme), 409, "not-suspended")
        assert act("get", acme).json["status"] == "awaiting_approval"

    def test_an_applicant_made_a_student_is_let_in(self, act, register):
        acme = register("acme", role="company")["user"]["id"]
        assert act("change", acme, role="university").json["status"] == "awaiting_approval"
        assert act("change", acme, role="student").json["status"] == "active"


class TestWarnings:
    def test_they_count_up_and_are_cleared(self, act, register, row_count):
        ada = register("ada")["user"]["id"]
        assert act("warn", ada, reason="first").json["warnings"] == 1
        assert act("warn", ada, reason="second").json["warnings"] == 2
        assert act("clear", ada).json["warnings"] == 0
        assert act("clear", ada).json["warnings"] == 0
        items = act("audit", ada).json["items"]
        assert [(item["action"], item["reason"]) for item in items] == [
            ("warnings_cleared", None),
            ("warned", "second"),
            ("warned", "first"),
        ]

    @pytest.mark.parametrize("body", [{"reason": ""}, {"reason": None}, {"reason": "x" * 501}, {"note": "x"}, []])
    def test_a_warning_has_a_reason(self, body, app, root, register):
        ada = register("ada")["user"]["id"]
        answer = app.test_client().post(f"/api/users/{ada}/warn/", headers=bearer(root["tokens"]), json=body)
        assert pointers(answer)

    def test_none_is_lost_among_twenty_at_once(self, act, register):
        ada = register("ada")["user"]["id"]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: act("warn", ada), range(20)))
        assert act("get", ada).json["warnings"] == 20


class TestSuspension:
    def test_it_ends_the_tokens_and_allows_a_new_sign_in(self, act, register, client, post, told):
        ada = register("ada")
        answer = act("suspend", ada["user"]["id"], minutes=60, reason="spam")
        assert (answer.status_code, answer.json["status"]) == (200, "suspended")
        end = datetime.fromisoformat(answer.json["suspension_end"])
        assert abs(end - now() - timedelta(minutes=60)) < timedelta(seconds=10)
        refused(client.get("/api/users/profile/", headers=bearer(ada["tokens"])), 401)
        refused(post("refresh", refresh=ada["tokens"]["refresh"]), 401)
        again = post("login", username="ada", password=PASSWORD).json
        assert again["user"]["status"] == "suspended"
        status = client.get("/api/user-status/", headers=bearer(again["tokens"])).json
        assert (status["points_suspended"], status["suspension_end"]) == (True, answer.json["suspension_end"])
        [suspended] = told("users.user_suspended.v1")
        assert (str(suspended.data.member_id), suspended.data.suspended_until) == (ada["user"]["id"], end)
        [state] = told("users.auth_state_changed.v1")
        assert (state.data.status, state.data.suspended_until) == ("suspended", end)
        assert told("users.user_updated.v1")[-1].data.status == "suspended"

    def test_until_an_instant_or_without_end(self, act, register):
        ada = register("ada")["user"]["id"]
        until = (now() + timedelta(days=2)).astimezone(UTC).replace(microsecond=0)
        assert act("suspend", ada, until=until.isoformat(), reason="x").json["suspension_end"] == (
            until.isoformat().replace("+00:00", "Z")
        )
        answer = act("suspend", ada, reason="for good").json
        assert (answer["status"], answer["suspension_end"]) == ("suspended", None)
        assert [action for action, _before, _after in trail(act, ada)] == ["suspended", "suspended"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"minutes": 0}, "/minutes"),
            ({"minutes": -5}, "/minutes"),
            ({"minutes": "5"}, "/minutes"),
            ({"minutes": 2.5}, "/minutes"),
            ({"minutes": True}, "/minutes"),
            ({"minutes": 10**9}, "/minutes"),
            ({"until": "2020-01-01T00:00:00Z"}, "/until"),
            ({"until": "0001-01-01T00:00:00+14:00"}, "/until"),
            ({"until": "9999-12-31T23:59:59-14:00"}, "/until"),
            ({"until": "2027-02-30T00:00:00Z"}, "/until"),
            ({"until": "2027-02-03T00:00:00"}, "/until"),
            ({"until": "tomorrow"}, "/until"),
            ({"until": 5}, "/until"),
            ({"until": "2027-01-01T00:00:00Z", "minutes": 5}, "/minutes"),
            ({"days": 5}, "/days"),
            ({"reason": ""}, "/reason"),
            ({"reason": None}, "/reason"),
        ],
    )
    def test_a_wrong_end_or_reason_is_named(self, body, pointer, act, register, row_count):
        ada = register("ada")["user"]["id"]
        assert pointers(act("suspend", ada, **({"reason": "x"} | body))) == [pointer]
        assert row_count("members", "status = 'suspended'") == 0

    def test_it_is_lifted(self, act, register, told):
        ada = register("ada")["user"]["id"]
        act("suspend", ada)
        answer = act("unsuspend", ada)
        assert (answer.status_code, answer.json["status"], answer.json["suspension_end"]) == (200, "active", None)
        assert len(told("users.user_reinstated.v1")) == 1
        states = [event.data.status for event in told("users.auth_state_changed.v1")]
        assert states == ["suspended", "active"]
        assert refused(act("unsuspend", ada), 409, "not-suspended")["present_status"] == "active"

    def test_it_ends_by_itself_and_that_is_told_once(self, act, register, post, told, client):
        ada = register("ada")["user"]["id"]
        act("suspend", ada)
        over()
        tokens = post("login", username="ada", password=PASSWORD).json
        assert tokens["user"]["status"] == "active"
        status = client.get("/api/user-status/", headers=bearer(tokens["tokens"])).json
        assert (status["points_suspended"], status["suspension_end"]) == (False, None)
        assert [item["username"] for item in act("list", status="suspended").json["items"]] == []
        assert "ada" in [item["username"] for item in act("list", status="active").json["items"]]
        with transaction() as session:
            assert moderation.reinstate_ended(session) == 1
            assert moderation.reinstate_ended(session) == 0
        assert len(told("users.user_reinstated.v1")) == 1
        assert [action for action, _before, _after in trail(act, ada)] == ["suspension_ended", "suspended"]
        assert act("audit", ada).json["items"][0]["actor_id"] is None
        refused(act("unsuspend", ada), 409, "not-suspended")

    def test_one_that_ended_unseen_is_settled_by_the_next_change(self, act, register, told):
        ada = register("ada")["user"]["id"]
        act("suspend", ada)
        over()
        refused(act("unsuspend", ada), 409, "not-suspended")
        act("suspend", ada)
        assert [action for action, _before, _after in trail(act, ada)][:2] == ["suspended", "suspension_ended"]

    def test_the_worker_ends_them(self, act, register, row_count):
        import threading

        for name in ("ada", "bob"):
            act("suspend", register(name)["user"]["id"])
        over()
        stop = threading.Event()
        worker = threading.Thread(target=chores.Chores(stop).run)
        worker.start()
        deadline = now() + timedelta(seconds=10)
        while row_count("members", "status = 'suspended'") and now() < deadline:
            stop.wait(0.02)
        stop.set()
        worker.join(5)
        assert not worker.is_alive()
        assert row_count("members", "status = 'suspended'") == 0


def over() -> None:
    """The time of every suspension runs out."""
    with transaction() as session:
        session.execute(text("UPDATE members SET suspended_until = now() - interval '1 second'"))


def accounts_id(username: str) -> str:
    with transaction() as session:
        member = accounts.by_login(session, username)
        assert member is not None
        return str(member.id)


class TestSearch:
    @pytest.fixture
    def people(self, register, act) -> dict[str, str]:
        return {
            name: register(name, **fields)["user"]["id"]
            for name, fields in {
                "ada": {"first_name": "Ada", "last_name": "Lovelace", "university": "ETH", "track": "tech"},
                "bob": {"first_name": "Bob", "university": "eth"},
                "acme": {"role": "company", "company": "100%_Acme"},
                "carl_x": {"last_name": "Änderson"},
                "cat": {"email": "meow@cats.example.org"},
            }.items()
        }

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, ["cat", "carl_x", "acme", "bob", "ada", "root"]),
            ({"role": "company"}, ["acme"]),
            ({"role": "admin"}, ["root"]),
            ({"status": "awaiting_approval"}, ["acme"]),
            ({"status": "suspended"}, []),
            ({"track": "tech"}, ["ada"]),
            ({"university": "ETH"}, ["bob", "ada"]),
            ({"university": "E"}, []),
            ({"q": "ADA"}, ["ada"]),
            ({"q": "ada love"}, ["ada"]),
            ({"q": "cats.example"}, ["cat"]),
            ({"q": "äND"}, ["carl_x"]),
            ({"q": "_"}, ["carl_x"]),
            ({"q": "%"}, []),
            ({"q": "' OR 1=1 --"}, []),
            ({"role": "student", "university": "eth", "q": "b"}, ["bob"]),
        ],
    )
    def test_filters(self, query, found, people, act):
        answer = act("list", **query)
        assert (answer.status_code, [item["username"] for item in answer.json["items"]]) == (200, found)
        assert answer.json["next_cursor"] is None

    def test_pages_show_everybody_once(self, people, act):
        seen, cursor = [], None
        while True:
            page = act("list", limit=2, **({"cursor": cursor} if cursor else {})).json
            assert len(page["items"]) <= 2
            seen += [item["username"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert seen == ["cat", "carl_x", "acme", "bob", "ada", "root"]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ({"role": "x"}, "/role"),
            ({"status": "erased"}, "/status"),
            ({"track": "x"}, "/track"),
            ({"q": ""}, "/q"),
            ({"q": "x" * 101}, "/q"),
            ({"q": "\x00"}, "/q"),
            ({"limit": 0}, "/limit"),
            ({"limit": 101}, "/limit"),
            ({"cursor": "x"}, "/cursor"),
            ({"cursor": ""}, "/cursor"),
            ({"page": 2}, "/page"),
        ],
    )
    def test_a_wrong_parameter_is_named(self, query, pointer, act):
        assert pointers(act("list", **query)) == [pointer]

    def test_a_member_as_admins_see_them(self, people, act):
        seen = act("get", people["ada"]).json
        assert (seen["warnings"], seen["suspension_end"], seen["last_activity"]) == (0, None, None)
        assert "password_hash" not in seen
        assert act("list", q="ada").json["items"] == [seen]

    def test_the_trail_is_paged_newest_first(self, people, act):
        for number in range(5):
            act("warn", people["ada"], reason=str(number))
        first = act("audit", people["ada"], limit=3).json
        second = act("audit", people["ada"], limit=3, cursor=first["next_cursor"]).json
        assert [item["reason"] for item in first["items"] + second["items"]] == ["4", "3", "2", "1", "0"]
        assert second["next_cursor"] is None
        assert pointers(act("audit", people["ada"], cursor="x")) == ["/cursor"]


class TestStatus:
    def test_ones_own_and_for_admins_that_of_others(self, act, register, client, root):
        ada, bob = register("ada"), register("bob")
        act("warn", ada["user"]["id"])
        first = client.get("/api/user-status/", headers=bearer(ada["tokens"])).json
        own = client.get("/api/user-status/", headers=bearer(ada["tokens"])).json
        assert (first["last_activity"], own["last_activity"] is None) == (None, False)
        assert own == {
            "user_id": ada["user"]["id"],
            "warnings": 1,
            "points_suspended": False,
            "suspension_end": None,
            "last_activity": own["last_activity"],
        }
        path = f"/api/user-status/?user={ada['user']['id']}"
        assert client.get(path, headers=bearer(root["tokens"])).json == own
        assert client.get(path, headers=bearer(ada["tokens"])).json == own
        refused(client.get(path, headers=bearer(bob["tokens"])), 403)
        refused(client.get(f"/api/user-status/?user={new_id()}", headers=bearer(root["tokens"])), 404)
        assert pointers(client.get("/api/user-status/?user=ada", headers=bearer(root["tokens"]))) == ["/user"]
        refused(client.get("/api/user-status/"), 401)

    def test_the_tracks_need_no_token(self, client):
        answer = client.get("/api/tracks/")
        assert [item["code"] for item in answer.json["items"]] == ["tech", "consulting", "finance"]
        assert answer.json["next_cursor"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET actor_id = NULL",
        "DELETE FROM audit_entries",
        "TRUNCATE audit_entries CASCADE",
        "UPDATE audit_notes SET reason = 'another'",
        "TRUNCATE audit_notes",
    ],
)
def test_the_service_itself_cannot_rewrite_the_trail(statement):
    with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
        session.execute(text(statement))


def test_a_change_that_fails_leaves_no_audit_entry(act, register, row_count, monkeypatch):
    ada = UUID(register("ada")["user"]["id"])
    monkeypatch.setattr(accounts, "tell_updated", lambda *_: 1 / 0)
    assert act("warn", ada).status_code == 200
    refused(act("suspend", ada), 500)
    assert row_count("audit_entries") == 1
    assert row_count("members", "status = 'suspended'") == 0
