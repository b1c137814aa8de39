"""Services that are slow, dead or being replaced, and what /health/ says about them."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.fleet import PATIENCE, Answer, Fleet, Gateway, Upstream
from tests.gateway.test_refusals import check


def hang_up(handler: Any) -> bool:
    """End the connection without a word."""
    handler.close_connection = True
    return True


def reliably(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end


PROBLEM = b'{"type":"https://propel.example/problems/x","title":"T","status":%d,"extra":[1]}'


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 429, 500, 502, 503, 504])
def test_the_problem_of_a_service_passes_untouched(fleet: Fleet, status: int) -> None:
    body = PROBLEM % status
    own = (
        ("Content-Type", "application/problem+json"),
        ("Retry-After", "77"),
        ("Allow", "GET"),
        ("WWW-Authenticate", "Bearer"),
    )
    fleet.services["users"].behave = lambda handler: handler.answer(status, body, own) or True
    answer = fleet.gateway.ask("POST", "/api/link/confirm", body=b"{}")
    assert (answer.status, answer.body) == (status, body)
    for name, value in own:
        assert answer.header(name) == value


def test_502_at_once_when_a_service_is_down(start: Callable[..., Gateway], fleet: Fleet, dead: str) -> None:
    gateway = start({"users": fleet.services["users"].address, "points": dead})
    for method in ("GET", "POST", "PATCH", "DELETE"):
        begun = time.monotonic()
        answer = gateway.ask(method, "/api/points/balance/", body=None if method == "GET" else b"{}")
        assert time.monotonic() - begun < 1
        check(answer, 502, "bad-gateway", "/api/points/balance/")
        assert answer.header("Retry-After") == "1"
    assert gateway.get("/api/tracks/").status == 200


def test_504_soon_when_a_service_cannot_be_reached(start: Callable[..., Gateway]) -> None:
    """A host that is gone does not refuse; here a queue that is full stands for it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            gateway = start({"users": f"127.0.0.1:{full.getsockname()[1]}"})
            begun = time.monotonic()
            check(gateway.get("/api/tracks/"), 504, "gateway-timeout", "/api/tracks/")
            assert time.monotonic() - begun < 2


def test_504_when_a_service_takes_too_long(start: Callable[..., Gateway], fleet: Fleet) -> None:
    release = threading.Event()
    fleet.services["users"].behave = lambda _handler: release.wait(PATIENCE)
    gateway = start(settings={"GATEWAY_ANSWER_SECONDS": "1"})
    answer = gateway.ask("POST", "/api/link/confirm", body=b"{}")
    release.set()
    check(answer, 504, "gateway-timeout", "/api/link/confirm")
    assert fleet.hits() == {"users": 1}


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 1), ("GET", 2)])
def test_only_what_may_be_repeated_is(start: Callable[..., Gateway], fleet: Fleet, method: str, times: int) -> None:
    """Two servers that take the request in and hang up: a POST has reached one of them, once."""
    pair = [fleet.services["points"], fleet.services["rewards"]]
    for each in pair:
        each.behave = hang_up
    gateway = start({"points": " ".join(each.address for each in pair)})
    answer = gateway.ask(method, "/api/points/adjust/", body=None if method == "GET" else b"{}")
    check(answer, 502, "bad-gateway", "/api/points/adjust/")
    assert sum(fleet.hits().values()) == times


def test_a_post_is_not_repeated_when_a_kept_connection_breaks(fleet: Fleet) -> None:
    """The connection served a request before, and ends when the POST has arrived."""
    users = fleet.services["users"]
    for _ in range(8):
        assert fleet.gateway.get("/api/tracks/").status == 200
    users.seen.clear()
    users.behave = hang_up
    assert [fleet.gateway.ask("POST", "/api/link/start", body=b"{}").status for _ in range(5)] == [502] * 5
    assert len(users.seen) == 5


def test_a_dead_server_beside_a_living_one_is_not_noticed(
    start: Callable[..., Gateway], fleet: Fleet, dead: str
) -> None:
    gateway = start({"users": f"{dead} {fleet.services['users'].address}"})
    assert {gateway.ask("POST", "/api/link/start", body=b"{}").status for _ in range(6)} == {200}
    assert fleet.hits() == {"users": 6}


def test_connections_to_services_are_kept(fleet: Fleet) -> None:
    ports: set[int] = set()

    def note(handler: Any) -> bool:
        ports.add(handler.client_address[1])
        assert handler.seen.headers.get("Connection") is None
        return False

    fleet.services["users"].behave = note
    for _ in range(20):
        fleet.gateway.get("/api/tracks/")
    # At most one for each of nginx's workers.
    assert len(ports) <= 2


def test_reload_drops_nothing(start: Callable[..., Gateway], fleet: Fleet) -> None:
    """Requests in flight are finished, new ones are served, and the new configuration takes over."""
    old, new = fleet.services["users"], Upstream("new")
    arrived, release, done = threading.Event(), threading.Event(), threading.Event()

    def hold(handler: Any) -> bool:
        if handler.path == "/api/link/confirm":
            arrived.set()
            release.wait(PATIENCE)
        return False

    old.behave = hold
    gateway = start(
        {"users": old.address}, settings={"GATEWAY_ADDRESS_RATE": "99999", "GATEWAY_ADDRESS_BURST": "99999"}
    )
    held: list[Answer] = []
    answers: list[Answer] = []

    def ask_on() -> None:
        while not done.is_set():
            answers.append(gateway.ask("POST", "/api/link/start", body=b"{}"))

    threads = [threading.Thread(target=lambda: held.append(gateway.ask("POST", "/api/link/confirm", body=b"{}")))]
    threads += [threading.Thread(target=ask_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert arrived.wait(PATIENCE)
    for turn, behind in enumerate((new, old, new)):
        gateway.upstreams = {"users": behind.address}
        gateway.render()
        gateway.reload()
        wanted = "new" if turn != 1 else "users"
        reliably(lambda wanted=wanted: gateway.get("/api/tracks/").json["service"] == wanted)
    release.set()
    done.set()
    for thread in threads:
        thread.join(PATIENCE)
    new.close()
    assert [answer.status for answer in held] == [200]
    assert held[0].json["service"] == "users"
    assert len(answers) > 10
    assert {answer.status for answer in answers} == {200}
    posts = [seen for each in (old, new) for seen in each.seen if seen.path == "/api/link/start"]
    assert len(posts) == len(answers)


@pytest.mark.parametrize("path", ["/health/", "/health"])
def test_health_is_ok_when_every_part_is_ready(fleet: Fleet, path: str) -> None:
    answer = fleet.gateway.get(path)
    parts = {name: {"status": "ready"} for name in fleet.services}
    assert (answer.status, answer.header("Content-Type")) == (200, "application/json")
    assert answer.json == {"gateway": "ready", "parts": parts, "status": "ok"}
    assert fleet.hits() == {}


def test_health_names_the_part_that_is_down(start: Callable[..., Gateway], fleet: Fleet, dead: str) -> None:
    fleet.services["bot"].ready = (503, b"<html>not for outside</html>")
    fleet.services["reviews"].ready = (404, b"<html>not for outside</html>")
    upstreams = {name: fleet.services[name].address for name in ("users", "reviews", "bot")} | {"points": dead}
    probes = {"users worker": fleet.services["rewards"].address, "points consumer": dead}
    gateway = start(upstreams, probes=probes)
    answer = gateway.get("/health/")
    assert answer.status == 200
    assert answer.json == {
        "gateway": "ready",
        "parts": {
            "users": {"status": "ready"},
            "points": {"status": "down"},
            "bot": {"status": "not ready"},
            "reviews": {"status": "not ready"},
            "users worker": {"status": "ready"},
            "points consumer": {"status": "down"},
        },
        "status": "degraded",
    }
    # One request's bad news is not the next one's.
    gateway.render(probes={})
    gateway.upstreams = {"users": fleet.services["users"].address}
    gateway.render()
    gateway.reload()
    reliably(lambda: gateway.get("/health/").json["status"] == "ok")


def test_health_waits_a_second_for_all_parts_together(start: Callable[..., Gateway]) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        gateway = start({"users": address, "points": address}, probes={f"part {n}": address for n in range(10)})
        begun = time.monotonic()
        parts = gateway.get("/health/").json["parts"]
        assert time.monotonic() - begun < 3
    assert len(parts) == 12
    assert {part["status"] for part in parts.values()} == {"down"}


def test_health_is_for_reading(fleet: Fleet) -> None:
    head = fleet.gateway.ask("HEAD", "/health/")
    assert (head.status, head.body) == (200, b"")
    check(fleet.gateway.ask("POST", "/health/", body=b"{}"), 405, "method-not-allowed", "/health/")


def test_health_without_any_part(start: Callable[..., Gateway]) -> None:
    assert start({}).get("/health/").json == {"gateway": "ready", "parts": {}, "status": "ok"}
