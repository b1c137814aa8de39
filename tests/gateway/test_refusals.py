"""What the gateway itself refuses: each with a problem that says what to do."""

import socket
import time
from collections.abc import Callable

import pytest

from fleet import problems as services_problems
from gateway.problems import PROBLEMS, TYPE_BASE
from tests.gateway.fleet import PATIENCE, Answer, Fleet, Gateway

MIB = 1024 * 1024


def check(answer: Answer, status: int, slug: str, instance: str) -> None:
    """It is a complete problem, and of this kind."""
    assert answer.status == status
    assert answer.header("Content-Type") == "application/problem+json"
    assert set(answer.json) == {"type", "title", "status", "detail", "instance", "request_id"}
    assert answer.json["type"] == TYPE_BASE + slug
    assert (answer.json["status"], answer.json["instance"]) == (status, instance)
    assert answer.json["request_id"] == answer.header("X-Request-ID")
    assert answer.json["title"]
    assert answer.json["detail"].endswith(".")


def test_problems_are_those_of_the_services() -> None:
    assert TYPE_BASE == services_problems.TYPE_BASE
    ours = {problem.status: problem.slug for problem in PROBLEMS if not problem.causes}
    for theirs in ("Unreadable", "Forbidden", "NotFound", "TooManyRequests", "Unavailable"):
        problem = getattr(services_problems, theirs)
        assert ours[problem.status] == problem.slug


HOST = b"Host: x\r\n"
BAD = {
    "no path": b"GET\r\n\r\n",
    "not HTTP": b"\x16\x03\x01 hello\r\n\r\n",
    "a lower-case method": b"get /api/tracks/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": b"GET /api/tracks/ HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /api/tracks/ HTTP/1.1\r\n" + HOST * 2 + b"\r\n",
    "two tokens": b"GET /api/tracks/ HTTP/1.1\r\n" + HOST + b"Authorization: Bearer a\r\n" * 2 + b"\r\n",
    "a Host with a slash": b"GET /api/tracks/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "a space in the path": b"GET /api/tra cks/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in the path": b"GET /api/tracks%00/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a path above the root": b"GET /../api/tracks/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a length that is none": b"POST /api/tracks/ HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n",
    "two lengths": b"POST /api/tracks/ HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "two ways to tell the length": b"POST /api/tracks/ HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_400_for_what_is_not_http(fleet: Fleet, text: bytes) -> None:
    answer = fleet.gateway.say(text)
    check(answer, 400, "unreadable", answer.json["instance"])
    assert fleet.hits() == {}


@pytest.mark.parametrize(
    ("text", "status", "slug"),
    [
        (b"GET /api/tracks/ HTTP/3.0\r\n" + HOST + b"\r\n", 505, "http-version-not-supported"),
        (b"POST /api/tracks/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501, "not-implemented"),
    ],
)
def test_other_kinds_of_http(fleet: Fleet, text: bytes, status: int, slug: str) -> None:
    answer = fleet.gateway.say(text)
    check(answer, status, slug, answer.json["instance"])


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing/?a=1", "/api/%22quoted%22/", "/api/ünknown"])
def test_404_names_the_path(fleet: Fleet, path: str) -> None:
    answer = fleet.gateway.say(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    check(answer, 404, "not-found", path.split("?")[0].split("ü")[0])


@pytest.mark.parametrize("path", [b'/api/","evil":"', b"/api/\\u0022", b"/api/<script>"])
def test_a_path_cannot_break_out_of_the_answer(fleet: Fleet, path: bytes) -> None:
    check(fleet.gateway.say(b"GET " + path + b" HTTP/1.0\r\n\r\n"), 404, "not-found", "/api/")


def test_head_has_no_body(fleet: Fleet) -> None:
    answer = fleet.gateway.ask("HEAD", "/api/nothing/")
    assert (answer.status, answer.body, answer.header("Content-Type")) == (404, b"", "application/problem+json")


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "MKCOL", "FOO"])
def test_405_for_methods_nobody_has(fleet: Fleet, method: str) -> None:
    answer = fleet.gateway.ask(method, "/api/tracks/")
    check(answer, 405, "method-not-allowed", "/api/tracks/")
    assert "PATCH" in (answer.header("Allow") or "")
    assert fleet.hits() == {}


def test_413_without_waiting_for_the_body(fleet: Fleet) -> None:
    answer = fleet.gateway.ask("POST", "/api/submissions/", {"Content-Length": str(MIB + 1), "Expect": "100-continue"})
    check(answer, 413, "content-too-large", "/api/submissions/")


def test_413_in_the_middle_of_a_body_of_unknown_length(fleet: Fleet) -> None:
    head = b"POST /api/submissions/ HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = fleet.gateway.say(head + (b"10000\r\n" + b"x" * 0x10000 + b"\r\n") * 17)
    check(answer, 413, "content-too-large", "/api/submissions/")
    assert fleet.hits() == {}


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/submissions/", MIB),
        ("/api/users/login/", MIB),
        ("/api/evidence/", 8256 * 1024),
        ("/api/resumes", 8256 * 1024),
    ],
)
def test_the_largest_body_passes_and_one_byte_more_does_not(fleet: Fleet, path: str, most: int) -> None:
    assert fleet.gateway.ask("POST", path, body=b"x" * most).json["body"] == most
    check(fleet.gateway.ask("POST", path, {"Content-Length": str(most + 1)}), 413, "content-too-large", path)


def test_414_for_a_long_address(fleet: Fleet) -> None:
    assert fleet.gateway.get("/api/tracks/?q=" + "x" * 7000).status == 200
    check(fleet.gateway.get("/api/tracks/?q=" + "x" * 9000), 414, "uri-too-long", "")


def test_431_for_a_long_header(fleet: Fleet) -> None:
    assert fleet.gateway.get("/api/tracks/", Authorization="x" * 7000).status == 200
    check(
        fleet.gateway.get("/api/tracks/", Authorization="x" * 9000),
        431,
        "request-header-fields-too-large",
        "/api/tracks/",
    )


def test_415_for_a_compressed_body(fleet: Fleet) -> None:
    for encoding in ("gzip", "deflate", "br", "gzip, identity"):
        answer = fleet.gateway.ask("POST", "/api/submissions/", {"Content-Encoding": encoding}, b"\x1f\x8b")
        check(answer, 415, "unsupported-media-type", "/api/submissions/")
    assert fleet.hits() == {}
    assert fleet.gateway.ask("POST", "/api/submissions/", {"Content-Encoding": "identity"}, b"{}").status == 200


@pytest.mark.parametrize(
    ("setting", "path", "wait"),
    [
        ("GATEWAY_REGISTER_PER_MINUTE", "/api/users/register/", "20"),
        ("GATEWAY_LOGIN_PER_MINUTE", "/api/users/login", "20"),
        ("GATEWAY_VALIDATE_PER_MINUTE", "/api/validate-discord-user/", "20"),
    ],
)
def test_429_after_so_many_a_minute(
    start: Callable[..., Gateway], fleet: Fleet, setting: str, path: str, wait: str
) -> None:
    gateway = start(settings={setting: "3", "GATEWAY_WORKERS": "4"})
    answers = [gateway.ask("POST", path, {"Authorization": f"Bearer {number}"}, b"{}") for number in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429]
    check(answers[3], 429, "too-many-requests", path)
    assert answers[3].header("Retry-After") == wait
    # Another spelling of the path is the same door, and other doors stay open.
    assert gateway.ask("POST", path.replace("/api", "/%61pi"), body=b"{}").status == 429
    assert gateway.get("/api/tracks/").status == 200
    assert fleet.hits() == {"users": 4}


def test_429_for_one_token_leaves_others_alone(start: Callable[..., Gateway]) -> None:
    gateway = start(settings={"GATEWAY_TOKEN_RATE": "1", "GATEWAY_TOKEN_BURST": "2"})
    token = f"e30.e30.{'s' * 86}"
    spellings = (f"Bearer {token}", f"bearer  {token}", f"Bearer e30.e31.{'s' * 85}t")
    answers = [gateway.get("/api/tracks/", Authorization=spellings[number % 3]) for number in range(30)]
    assert [answer.status for answer in answers[:3]] == [200, 200, 200]
    refused = next(answer for answer in answers if answer.status == 429)
    check(refused, 429, "too-many-requests", "/api/tracks/")
    assert refused.header("Retry-After") == "1"
    assert gateway.get("/api/tracks/", Authorization=f"Bearer e30.e30.{'o' * 86}").status == 200
    assert {gateway.get("/api/tracks/").status for _ in range(30)} == {200}


def test_429_for_one_address_whatever_the_token(start: Callable[..., Gateway]) -> None:
    gateway = start(settings={"GATEWAY_ADDRESS_RATE": "1", "GATEWAY_ADDRESS_BURST": "2"})
    answers = [gateway.get(f"/api/tracks/{number}", Authorization=f"Bearer {number}").status for number in range(30)]
    assert answers[:3] == [200, 200, 200]
    assert 429 in answers


def test_429_for_health_in_a_loop(start: Callable[..., Gateway]) -> None:
    gateway = start(settings={"GATEWAY_HEALTH_RATE": "1"})
    assert 429 in [gateway.get("/health/").status for _ in range(30)]


@pytest.mark.parametrize(
    "text",
    [b"GET /api/tracks/ HTTP/1.1\r\nHost: x", b"POST /api/tracks/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"],
    ids=["headers", "a body"],
)
def test_a_client_that_stops_talking_is_let_go(start: Callable[..., Gateway], fleet: Fleet, text: bytes) -> None:
    gateway = start(settings={"GATEWAY_CLIENT_SECONDS": "1"})
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", gateway.port), PATIENCE) as line:
        line.sendall(text)
        try:
            assert line.recv(1000) == b""
        except ConnectionResetError:
            pass
    assert time.monotonic() - begun < 5
    assert fleet.hits() == {}
