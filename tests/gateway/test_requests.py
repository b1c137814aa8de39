"""What services learn of a request, what clients get with every answer, and what is written down."""

import json
import re
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from tests.gateway.certificates import self_signed
from tests.gateway.fleet import PATIENCE, Answer, Fleet, Gateway

MADE = re.compile(r"[0-9a-f]{32}")
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
PAGE = "https://app.example.org"


@pytest.mark.parametrize("given", ["abcdefgh", "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f", "A" * 64])
@pytest.mark.parametrize("path", ["/api/tracks/", "/api/nothing/", "/health/"])
def test_a_proper_request_id_is_kept(fleet: Fleet, given: str, path: str) -> None:
    answer = fleet.gateway.get(path, X_Request_ID=given)
    assert answer.header("X-Request-ID") == given
    for service in fleet.services.values():
        assert all(seen.headers["X-Request-ID"] == given for seen in service.seen)
    if answer.status == 404:
        assert answer.json["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "short", "A" * 65, "has space in it", 'quote"quote', "abcdefgh\tx", "ümläute-ümläute"]
)
def test_any_other_request_id_is_replaced(fleet: Fleet, given: str) -> None:
    answer = fleet.gateway.get("/api/tracks/", X_Request_ID=given)
    made = answer.header("X-Request-ID")
    assert made is not None
    assert MADE.fullmatch(made)
    assert fleet.services["users"].seen[0].headers["X-Request-ID"] == made


def test_every_request_gets_another_id(fleet: Fleet) -> None:
    assert len({fleet.gateway.get("/api/nothing/").header("X-Request-ID") for _ in range(20)}) == 20


def test_the_id_of_the_service_is_not_given_twice(fleet: Fleet) -> None:
    fleet.services["users"].behave = lambda handler: (
        handler.answer(200, b"{}", (("X-Request-ID", "another-one"),)) or True
    )
    assert fleet.gateway.get("/api/tracks/", X_Request_ID="mine-mine-mine").header("X-Request-ID") == "mine-mine-mine"


SPOOFED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=203.0.113.9",
    "X-User-Id": "1",
    "X-User-Role": "admin",
    "X-Internal-Secret": "1",
    "X-Internal-Anything": "1",
    "X-Bot-Secret": "guess",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/metrics",
    "X-Accel-Internal": "/x",
    "X-Script-Name": "/x",
    "Cookie": "a=b",
    "Host": "evil.example",
    "traceparent": "nonsense",
}
KEPT = {
    "Authorization": "Bearer a.b.c",
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Language": "de",
    "User-Agent": "test",
    "Idempotency-Key": "key-1",
    "If-None-Match": '"1"',
    "If-Match": '"2"',
    "Range": "bytes=0-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


@pytest.mark.parametrize("path", ["/api/tracks/", "/api/points/balance/", "/api/form-submission/", "/api/stream/"])
def test_spoofed_headers_end_at_the_gateway(fleet: Fleet, path: str) -> None:
    seen = fleet.gateway.ask("GET", path, SPOOFED).json
    given = {name.lower(): value for name, value in seen["headers"].items()}
    assert given.pop("x-forwarded-for") == given.pop("x-real-ip") == "127.0.0.1"
    assert given.pop("x-forwarded-proto") == "http"
    assert given.pop("host") == seen["service"]
    assert given.pop("x-request-id")
    assert not {name.lower() for name in SPOOFED} & set(given)


def test_what_services_use_arrives(fleet: Fleet) -> None:
    given = fleet.gateway.ask("POST", "/api/rewards/redeem/", KEPT, b"{}").json["headers"]
    assert KEPT.items() <= given.items()
    assert given["Content-Length"] == "2"


def test_secrets_of_bots_reach_the_bot_alone(fleet: Fleet) -> None:
    headers = {f"X-Propel-{name}": "v" for name in ("Key-Id", "Timestamp", "Nonce", "Signature")} | {
        "X-Bot-Secret": "s"
    }
    assert headers.items() <= fleet.gateway.ask("POST", "/api/bot/", headers, b"{}").json["headers"].items()
    elsewhere = fleet.gateway.ask("POST", "/api/points/adjust/", headers, b"{}").json["headers"]
    assert not set(headers) & set(elsewhere)


def test_cookies_go_to_the_google_sign_in_and_the_last_event_to_the_stream(fleet: Fleet) -> None:
    headers = {"Cookie": "state=1", "Last-Event-ID": "7"}
    assert fleet.gateway.ask("GET", "/api/oauth/google/callback", headers).json["headers"]["Cookie"] == "state=1"
    assert fleet.gateway.ask("GET", "/api/stream/", headers).json["headers"]["Last-Event-ID"] == "7"


def test_the_address_of_a_client_is_believed_from_a_trusted_proxy_alone(
    start: Callable[..., Gateway], fleet: Fleet
) -> None:
    gateway = start(settings={"GATEWAY_TRUSTED_PROXIES": "127.0.0.0/8 10.0.0.0/8"})
    claimed = "198.51.100.1, 203.0.113.9, 10.1.2.3"
    assert gateway.get("/api/tracks/", X_Forwarded_For=claimed).json["headers"]["X-Forwarded-For"] == "203.0.113.9"
    assert fleet.gateway.get("/api/tracks/", X_Forwarded_For=claimed).json["headers"]["X-Forwarded-For"] == "127.0.0.1"


def check_headers(answer: Answer) -> None:
    for name, value in SECURITY.items():
        assert answer.header(name) == value
    assert answer.header("Server") == "nginx"
    assert answer.header("X-Request-ID")
    assert answer.header("X-Powered-By") is None


def test_security_headers_are_on_every_answer_once(fleet: Fleet) -> None:
    gateway = fleet.gateway
    own = tuple((name, "weaker") for name in SECURITY if name not in ("Content-Security-Policy", "Cache-Control"))
    own += (("Server", "gunicorn"), ("X-Powered-By", "Flask"))
    fleet.services["points"].behave = lambda handler: handler.answer(409, b"{}", own) or True
    for answer in (
        gateway.get("/api/tracks/"),
        gateway.get("/api/points/balance/"),
        gateway.get("/api/nothing/"),
        gateway.get("/health/"),
        gateway.ask("TRACE", "/api/tracks/"),
        gateway.ask("POST", "/api/tracks/", {"Content-Length": "2000000"}),
        gateway.say(b"nonsense\r\n\r\n"),
    ):
        check_headers(answer)


def test_a_service_may_say_how_a_page_of_its_own_is_kept_and_what_it_loads(fleet: Fleet) -> None:
    own = (("Content-Security-Policy", "default-src 'self'"), ("Cache-Control", "max-age=300"))
    fleet.services["users"].behave = lambda handler: handler.answer(200, b"{}", own) or True
    answer = fleet.gateway.get("/.well-known/jwks.json")
    assert [answer.header(name) for name, _ in own] == [value for _, value in own]


def test_no_service_can_make_the_gateway_read_its_own_files(fleet: Fleet) -> None:
    own = (("X-Accel-Redirect", "/_state/down"),)
    fleet.services["users"].behave = lambda handler: handler.answer(200, b'{"mine": 1}', own) or True
    assert fleet.gateway.get("/api/tracks/").json == {"mine": 1}


def test_pages_of_other_origins_are_refused_by_default(fleet: Fleet) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = fleet.gateway.ask("OPTIONS", "/api/users/login/", asked)
    assert answer.status == 403
    assert "CORS_ORIGINS" in answer.json["detail"]
    assert fleet.hits() == {}
    plain = fleet.gateway.ask("GET", "/api/tracks/", {"Origin": PAGE})
    assert plain.status == 200
    for each in (answer, plain):
        assert not [name for name, _ in each.headers if name.lower().startswith("access-control")]
        assert each.header("Vary") is None


def test_pages_of_listed_origins_are_answered_by_the_gateway(start: Callable[..., Gateway], fleet: Fleet) -> None:
    gateway = start(settings={"CORS_ORIGINS": f"{PAGE} http://localhost:3000"})
    for origin in (PAGE, "http://localhost:3000"):
        answer = gateway.ask(
            "OPTIONS", "/api/rewards/redeem/", {"Origin": origin, "Access-Control-Request-Method": "POST"}
        )
        assert (answer.status, answer.body) == (204, b"")
        assert answer.header("Access-Control-Allow-Origin") == origin
        assert "POST" in (answer.header("Access-Control-Allow-Methods") or "")
        assert {"authorization", "idempotency-key", "content-type"} <= {
            name.strip().lower() for name in (answer.header("Access-Control-Allow-Headers") or "").split(",")
        }
        assert answer.header("Access-Control-Max-Age") == "600"
        assert answer.header("Access-Control-Allow-Credentials") is None
        assert answer.header("Vary") == "Origin"
    assert fleet.hits() == {}
    for path in ("/api/tracks/", "/api/nothing/"):
        answer = gateway.ask("GET", path, {"Origin": PAGE})
        assert answer.header("Access-Control-Allow-Origin") == PAGE
        assert "X-Request-ID" in (answer.header("Access-Control-Expose-Headers") or "")
        assert answer.header("Access-Control-Allow-Methods") is None
    for origin in ("https://evil.example", f"{PAGE}.evil.example", "null", "https://app.example.org:444"):
        refused = gateway.ask("OPTIONS", "/api/tracks/", {"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert refused.status == 403
        plain = gateway.ask("GET", "/api/tracks/", {"Origin": origin})
        assert plain.header("Access-Control-Allow-Origin") is refused.header("Access-Control-Allow-Origin") is None
        assert plain.header("Vary") == "Origin"


def test_options_that_is_no_preflight_is_the_services_to_answer(fleet: Fleet) -> None:
    assert fleet.gateway.ask("OPTIONS", "/api/tracks/").json["method"] == "OPTIONS"


def test_logs_are_json_lines_without_tokens_or_queries(start: Callable[..., Gateway], dead: str, fleet: Fleet) -> None:
    gateway = start(
        {"users": fleet.services["users"].address, "points": dead}, settings={"GATEWAY_LOGIN_PER_MINUTE": "1"}
    )
    headers = {
        "Authorization": "Bearer canary",
        "Cookie": "canary",
        "X-Bot-Secret": "canary",
        "X-Request-ID": "canary canary",
    }
    headers |= {"Referer": "https://canary/", "User-Agent": "canary"}
    statuses = [
        gateway.ask(method, path, headers, body).status
        for method, path, body in (
            ("GET", "/api/oauth/google/callback?code=canary", None),
            ("GET", "/api/points/balance/?token=canary", None),
            ("GET", "/api/nothing/?token=canary", None),
            ("POST", "/api/users/login/?token=canary", b"canary"),
            ("POST", "/api/users/login/?token=canary", b"canary"),
            ("POST", "/api/tracks/?token=canary", b"canary" * 200_000),
            ("GET", f"/api/tracks/?token={'canary' * 2000}", None),
            ("TRACE", "/api/tracks/?token=canary", None),
        )
    ]
    statuses.append(gateway.say(b"GET /api/tracks/?token=canary BAD\r\n\r\n").status)
    assert statuses == [200, 502, 404, 200, 429, 413, 414, 405, 400]
    gateway.stop()
    written = {path: path.read_text() for path in (gateway.target / "run").rglob("*") if path.is_file()}
    assert not [path for path, text in written.items() if "canary" in text]
    lines = [json.loads(line) for line in written[gateway.target / "run/access.log"].splitlines()]
    # A line is written when a request is over, which for a body that nobody read is later than the answer.
    assert sorted(line["status"] for line in lines) == sorted(statuses)
    assert sorted(line["method"] for line in lines) == ["GET"] * 5 + ["POST"] * 3 + ["TRACE"]
    failed = next(line for line in lines if line["status"] == 502)
    assert (failed["path"], failed["upstream"]) == ("/api/points/balance/", dead)
    assert all(line["timestamp"].endswith("+00:00") and MADE.fullmatch(line["request_id"]) for line in lines)
    assert "127.0.0.1" not in {value for line in lines for value in map(str, line.values())}


def test_a_stream_is_passed_on_as_it_comes(fleet: Fleet) -> None:
    release = threading.Event()

    def stream(handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for event in (b"data: 1\n\n", b"data: 2\n\n"):
            handler.wfile.write(event)
            handler.wfile.flush()
            release.wait(PATIENCE)
        return True

    fleet.services["integrations-stream"].behave = stream
    line = HTTPConnection("127.0.0.1", fleet.gateway.port, timeout=PATIENCE)
    line.request("GET", "/api/stream/")
    answer = line.getresponse()
    assert answer.readline() == b"data: 1\n"
    release.set()
    assert answer.read() == b"\ndata: 2\n\n"
    line.close()


def test_tls_when_there_is_a_certificate(start: Callable[..., Gateway], fleet: Fleet, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    gateway = start(settings={"GATEWAY_TLS_CERT": str(certificate), "GATEWAY_TLS_KEY": str(key)})
    trust = ssl.create_default_context(cafile=str(certificate))
    line = HTTPSConnection("localhost", gateway.port, timeout=PATIENCE, context=trust)
    line.request("GET", "/api/tracks/")
    answer = line.getresponse()
    assert json.loads(answer.read())["headers"]["X-Forwarded-Proto"] == "https"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    line.close()
    plain = gateway.get("/api/tracks/")
    assert (plain.status, plain.json["type"].rsplit("/", 1)[1]) == (400, "https-required")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(certificate)
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        HTTPSConnection("localhost", gateway.port, timeout=PATIENCE, context=old).request("GET", "/")
