"""What every door of the fleet does with any request: shown on a small application of its own."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from marshmallow import fields

from fleet import logs, settings, web
from fleet.auth import caller
from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import Problem, TooManyRequests
from fleet.web import ADMIN, ANYONE, MEMBER, Answer, Schema, operation
from tests.answers import pointers, refused

MIB = 1024 * 1024


class Body(Schema):
    text = web.Text()
    number = web.Whole()
    at = web.Instant()
    inner = fields.Raw()


class Teapot(Problem):
    status, slug, title = 409, "teapot", "I am a teapot"


def blueprint() -> Blueprint:
    api = Blueprint("api", __name__)

    @api.post("/open/")
    @operation(who=ANYONE, body=Body, answers={200: None})
    def open_(body: dict[str, Any]) -> Answer:
        return {"got": {name: str(value) for name, value in body.items()}}

    @api.get("/list/")
    @operation(who=ANYONE, query=web.PageQuery, answers={200: None})
    def list_(query: dict[str, Any]) -> Answer:
        return {"query": query}

    @api.get("/open/<text>/")
    @operation(who=ANYONE, answers={200: None})
    def text_(text: str) -> Answer:
        return {"text": text, "log": logs.request_id.get()}

    @api.get("/fault/")
    @operation(who=ANYONE, answers={200: None})
    def fault() -> Answer:
        raise RuntimeError("the secret of the house")

    @api.get("/problem/<kind>/")
    @operation(who=ANYONE, answers={409: None})
    def problem(kind: str) -> Answer:
        if kind == "rate":
            raise TooManyRequests("Wait.", 7)
        raise Teapot("Short and stout.", lid="on")

    @api.route("/closed/", methods=["GET", "POST"])
    @operation(who=MEMBER, answers={200: None})
    def closed() -> Answer:
        return {"me": caller().member_id, "role": caller().role}

    @api.post("/staff/")
    @operation(who=ADMIN, body=Body, query=web.PageQuery, answers={200: None})
    def staff(body: dict[str, Any], query: dict[str, Any]) -> Answer:
        return {}

    return api


PUBLIC = ("api.open_", "api.list_", "api.text_", "api.fault", "api.problem")


@pytest.fixture
def app(keys) -> Flask:
    return web.create_app("points", [blueprint()], PUBLIC, keys=keys)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def send(client: FlaskClient) -> Callable[..., Any]:
    """`send(body)`: these very bytes, as JSON."""

    def post(body: bytes | str, content_type: str | None = "application/json", **options: Any) -> Any:
        return client.post("/open/", data=body, content_type=content_type, **options)

    return post


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"{",
            b"{}}",
            b'{"text": "a"} {}',
            b"{'text': 'a'}",
            b'{"text": "a",}',
            b'{"text": "a" /* b */}',
            b'{"text": "a", "text": "b"}',
            b'{"inner": {"amount": 1, "amount": 999}}',
            b'{"inner": [{"a": 1, "\\u0061": 2}]}',
            b'{"number": NaN}',
            b'{"number": Infinity}',
            b'{"number": -Infinity}',
            b'{"number": 1e400}',
            b'{"number": 9007199254740993}',
            b'{"number": -9007199254740993}',
            b'{"number": ' + b"9" * 400 + b"}",
            b'{"number": ' + b"9" * 5000 + b"}",
            b'{"number": 01}',
            b'{"number": +1}',
            b'{"number": 0x10}',
            '{"number": １２}'.encode(),
            b'{"text": "a\\u0000"}',
            b'{"a\\u0000": 1}',
            b'{"inner": ["\\u0000"]}',
            b'{"text": "\\ud800"}',
            b'{"text": "\\udc00\\ud800"}',
            b'{"\\ud800": 1}',
            b'{"text": "a\nb"}',
            b'{"text": "\xff"}',
            b'{"text": "\xc0\x80"}',
            b'{"text": "\xed\xa0\x80"}',
            b"\xef\xbb\xbf{}",
            '{"text": "a"}'.encode("utf-16"),
            '{"text": "a"}'.encode("utf-16-le"),
            '{"text": "a"}'.encode("utf-32"),
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
            b'{"inner": ' + b"[" * 32 + b"]" * 32 + b"}",
            b"[" * 33 + b"]" * 33,
            b"[" * 10_000 + b"]" * 10_000,
            b"[" * 500_000,
            b'{"a":' * 33 + b"1" + b"}" * 33,
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        ],
        ids=lambda body: str(body[:30]),
    )
    def test_what_cannot_be_read_is_400(self, body, send):
        refused(send(body), 400, "unreadable")

    @pytest.mark.parametrize("body", [b"null", b"[]", b'"text"', b"5", b"true", b'["text"]'])
    def test_what_is_no_object_is_422(self, body, send):
        assert pointers(send(body)) == ["/"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"number": "5"}, "/number"),
            ({"number": True}, "/number"),
            ({"number": 5.0}, "/number"),
            ({"number": 1.5}, "/number"),
            ({"number": None}, "/number"),
            ({"number": [5]}, "/number"),
            ({"text": 5}, "/text"),
            ({"text": "a\u0001b"}, "/text"),
            ({"text": "a\rb"}, "/text"),
            ({"at": "2026-02-30T00:00:00Z"}, "/at"),
            ({"at": "2026-03-04T12:00:00"}, "/at"),
            ({"at": "2026-03-04T25:00:00Z"}, "/at"),
            ({"at": 5}, "/at"),
            ({"unknown": 1}, "/unknown"),
            ({"a/b~c": 1}, "/a~1b~0c"),
            ({"": 1}, "/"),
        ],
    )
    def test_a_wrong_field_is_422_and_named(self, body, pointer, send):
        assert pointers(send(json.dumps(body))) == [pointer]

    @pytest.mark.parametrize(
        "body",
        [
            b"{}",
            b' \n\t{"text": "a\\nb\\tc"}\r\n',
            b'{"number": 9007199254740992}',
            b'{"number": -0}',
            '{"text": "עברית 👩‍💻 \\ud83d\\udc4d"}'.encode(),
            b'{"inner": ' + b"[" * 31 + b"1" + b"]" * 31 + b"}",
            b'{"inner": {' + b",".join(b'"%d":1' % number for number in range(50_000)) + b"}}",
            b'{"at": "2026-03-04T12:00:00+02:00"}',
        ],
        ids=lambda body: str(body[:30]),
    )
    def test_what_is_right_is_read(self, body, send):
        assert send(body).status_code == 200

    def test_a_mebibyte_is_read_and_a_byte_more_is_413(self, send):
        frame = len(b'{"text": ""}')
        assert send(b'{"text": "' + b"a" * (MIB - frame) + b'"}').status_code == 200
        refused(send(b'{"text": "' + b"a" * (MIB - frame + 1) + b'"}'), 413, "content-too-large")

    @pytest.mark.parametrize(
        "content_type",
        [
            None,
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "text/json",
            "application/jsonx",
            "multipart/form-data; boundary=x",
            "application/json+x",
            "*/*",
            "ÿ",
        ],
    )
    def test_another_content_type_is_415(self, content_type, send):
        refused(send(b"{}", content_type), 415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"]
    )
    def test_json_by_any_spelling_is_read(self, content_type, send):
        assert send(b"{}", content_type).status_code == 200


class TestParameters:
    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=5%20", "/limit"),
            ("limit=%205", "/limit"),
            ("limit=5%0a", "/limit"),
            ("limit=%EF%BC%95", "/limit"),
            ("limit=%D9%A5", "/limit"),
            ("limit=1e1", "/limit"),
            ("limit=", "/limit"),
            ("limit", "/limit"),
            ("limit=" + "9" * 5000, "/limit"),
            ("limit=5&limit=5", "/limit"),
            ("limit=5&limit=6&cursor=x", "/limit"),
            ("page=1", "/page"),
            ("limit[]=5", "/limit[]"),
            ("Limit=5", "/Limit"),
            ("cursor=%00", "/cursor"),
            ("cursor=%EF%BF%BD", "/cursor"),
            ("a%00=1", "/a\x00"),
        ],
    )
    def test_a_wrong_one_is_422_and_named(self, query, pointer, client):
        assert pointers(client.get(f"/list/?{query}")) == [pointer]

    def test_the_bounds_and_the_default(self, client):
        assert [client.get(f"/list/{query}").json["query"]["limit"] for query in ("", "?limit=1", "?limit=100")] == [
            50,
            1,
            100,
        ]


class TestOrderOfChecks:
    @pytest.fixture(autouse=True)
    def points(self, on) -> None:
        on("points")

    def test_401_comes_before_404_and_405(self, client):
        for method, path in (("GET", "/no/such/path"), ("DELETE", "/closed/"), ("DELETE", "/open/"), ("GET", "/%00")):
            answer = client.open(path, method=method)
            refused(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_404_and_405_follow(self, client, keys):
        bearer = keys.bearer(new_id())
        for path in ("/no/such/path", "//open/x/", "/closed/x", "/list/../open/", "/closed/%00", "/open/a%2fb/"):
            refused(client.get(path, headers=bearer), 404, "not-found")
        for method in ("DELETE", "PUT", "PATCH", "TRACE", "PROPFIND"):
            answer = client.open("/closed/", method=method, headers=bearer)
            refused(answer, 405, "method-not-allowed")
            assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"

    def test_another_method_in_a_header_changes_nothing(self, client, keys):
        headers = keys.bearer(new_id()) | {"X-HTTP-Method-Override": "DELETE"}
        assert client.get("/closed/", headers=headers).status_code == 200

    def test_403_comes_before_400_and_422(self, client, keys):
        for role in ("student", "company", "university", "ghost", ""):
            answer = client.post("/staff/?limit=0", headers=keys.bearer(new_id(), role), data=b"{")
            refused(answer, 403, "forbidden")

    def test_a_right_token_opens_the_door(self, client, keys):
        member_id = new_id()
        for path in ("/closed/", "/closed"):
            answer = client.get(path, headers=keys.bearer(member_id, "company"))
            assert answer.json == {"me": str(member_id), "role": "company"}
        assert client.head("/closed/", headers=keys.bearer(member_id)).status_code == 200
        assert client.post("/staff/", headers=keys.bearer(member_id, "admin"), json={}).status_code == 200

    def test_an_outage_of_the_database_is_503(self, client, keys, monkeypatch):
        from tests.conftest import forget

        forget()
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/points")
        for path, headers in (("/readyz", {}), ("/closed/", keys.bearer(new_id()))):
            answer = client.get(path, headers=headers)
            refused(answer, 503, "unavailable")
            assert answer.headers["Retry-After"] == "1"
        assert client.get("/healthz").json == {"status": "alive"}

    def test_probes_need_no_token(self, client):
        assert client.get("/readyz").json == {"status": "ready"}
        assert client.get("/healthz").json == {"status": "alive"}
        client.get("/open/a/")
        assert b"/open/<text>/" in client.get("/metrics").data


class TestProblems:
    def test_a_fault_is_500_and_tells_nothing(self, client):
        answer = client.get("/fault/")
        body = refused(answer, 500, "internal-error")
        assert "secret" not in answer.text
        assert body["request_id"]

    def test_a_problem_carries_its_extras(self, client):
        body = refused(client.get("/problem/teapot/"), 409, "teapot")
        assert (body["title"], body["detail"], body["lid"]) == ("I am a teapot", "Short and stout.", "on")

    def test_a_rate_says_when_to_come_back(self, client):
        answer = client.get("/problem/rate/")
        assert refused(answer, 429, "too-many-requests")["retry_after"] == 7
        assert answer.headers["Retry-After"] == "7"

    def test_a_path_that_is_not_utf_8_is_no_fault(self, client):
        assert client.get("/open/%ff%fe/").status_code == 200
        refused(client.get("/open/a%00b/"), 404, "not-found")

    def test_no_answer_is_kept_by_caches(self, client):
        assert client.get("/open/a/").headers["Cache-Control"] == "no-store"


class TestRequestIds:
    @pytest.mark.parametrize("given", ["abcdefgh", "A-1b2c3d4", "x" * 64, "01a216ee-e609-71bf-9d74-ab45223c6cb6"])
    def test_a_good_one_is_kept(self, given, client):
        answer = client.get("/open/a/", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given
        assert answer.json["log"] == given
        assert refused(client.get("/fault/", headers={"X-Request-ID": given}), 500)["request_id"] == given

    @pytest.mark.parametrize(
        "given", [None, "", "short", "x" * 65, "abc defgh", "abcdefgh;", "ÿ" * 10, "a/b/c/d/e", "{{7*7}}--"]
    )
    def test_another_is_replaced(self, given, client):
        headers = {} if given is None else {"X-Request-ID": given}
        answers = [client.get("/open/a/", headers=headers) for _ in range(2)]
        made = {answer.headers["X-Request-ID"] for answer in answers}
        assert len(made) == 2
        assert given not in made
        assert {answer.json["log"] for answer in answers} == made


class TestDecisions:
    """An application whose routes do not say who may call them does not start."""

    @staticmethod
    def build(view: Any, public: tuple[str, ...], keys: Any) -> Flask:
        api = Blueprint("api", __name__)
        api.add_url_rule("/x/", "view", view)
        return web.create_app("points", [api], public, keys=keys)

    def test_a_route_without_an_operation(self, keys):
        for public in ((), ("api.view",)):
            with pytest.raises(ValueError, match="/x/: say who may call it"):
                self.build(dict, public, keys)

    def test_anyone_who_is_not_on_the_public_list(self, keys):
        view = operation(who=ANYONE, answers={})(dict)
        with pytest.raises(ValueError, match=r"/x/: .* disagree"):
            self.build(view, (), keys)
        assert self.build(view, ("api.view",), keys)

    @pytest.mark.parametrize("who", [MEMBER, ADMIN, (), ("student",)])
    def test_a_closed_one_on_the_public_list(self, who, keys):
        view = operation(who=who, answers={})(dict)
        with pytest.raises(ValueError, match=r"/x/: .* disagree"):
            self.build(view, ("api.view",), keys)
        assert self.build(view, (), keys)

    def test_keys_come_from_the_settings_when_none_are_given(self, monkeypatch):
        monkeypatch.delenv("JWKS_URL", raising=False)
        settings.read.cache_clear()
        with pytest.raises(SystemExit) as ended:
            web.create_app("points", [], ())
        assert ended.value.code == 2
        settings.read.cache_clear()


def test_every_service_has_decided_about_every_route(keys):
    """They start, so each route has its decision."""
    from services.points.app import create_app as points
    from services.users.app import create_app as users

    for app in (points(keys=keys), users(keys=keys)):
        decided = [rule for rule in app.url_map.iter_rules() if hasattr(app.view_functions[rule.endpoint], "operation")]
        assert len(decided) >= 6


def test_a_session_of_a_refused_request_leaves_nothing_behind(on, keys):
    """A problem raised inside of `transaction()` rolls back what was done before it."""
    on("points")
    api = Blueprint("api", __name__)

    @api.post("/x/")
    @operation(who=ANYONE, answers={200: None})
    def view() -> Answer:
        from sqlalchemy import text

        with transaction() as session:
            session.execute(text("INSERT INTO members (id) VALUES (gen_random_uuid())"))
            raise Teapot("No.")

    client = web.create_app("points", [api], ("api.view",), keys=keys).test_client()
    refused(client.post("/x/"), 409, "teapot")
    with transaction() as session:
        from sqlalchemy import text

        assert session.execute(text("SELECT count(*) FROM members")).scalar_one() == 0


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2026-03-04T12:00:00Z", "2026-03-04 12:00:00+00:00"),
        ("2026-03-04T12:00:00+05:30", "2026-03-04 06:30:00+00:00"),
        # Further from Greenwich than PostgreSQL believes in.
        ("1012-07-20T03:24:47.0-21:11", "1012-07-21 00:35:47+00:00"),
    ],
)
def test_an_instant_is_read_as_utc_whatever_its_offset(client, given, read):
    assert client.post("/open/", json={"at": given}).get_json() == {"got": {"at": read}}


@pytest.mark.parametrize("given", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-03-04T12:00:00"])
def test_an_instant_that_is_none_in_utc_is_named(client, given):
    assert pointers(client.post("/open/", json={"at": given})) == ["/at"]
