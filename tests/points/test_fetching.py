"""Evidence that a message names by its address: fetched by the worker, from allowed hosts only."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from fleet import files as evidence_files
from fleet import settings
from fleet.contracts import contract_of, points
from fleet.database import transaction
from fleet.files import MAX_BYTES
from fleet.messages import envelope_for, new_id
from fleet.problems import InvalidFields
from services.points import evidence, fetcher
from services.points.subscriptions import PARTS, subscriptions
from tests.answers import refused
from tests.points.files import PNG, TALK, files

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture
def host(monkeypatch) -> Iterator[SimpleNamespace]:
    """A server that attachments are fetched from; `host.answers[path]` is a function of its request handler."""
    seen: list[str] = []
    answers: dict[str, Callable] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seen.append(self.path)
            answers[self.path.split("?")[0]](self)

        def log_message(self, *_words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv("ATTACHMENT_HOSTS", f"cdn.discordapp.com, {address}")
    settings.read.cache_clear()
    yield SimpleNamespace(url=f"http://{address}", answers=answers, seen=seen, port=server.server_port)
    server.shutdown()
    server.server_close()


def body(data: bytes, status: int = 200, announced: int | None = None, **headers: str) -> Callable:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(data) if announced is None else announced))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)
        if announced is not None:
            request.close_connection = True

    return answer


def attach(url: str, size: int = len(PNG), who=None, activity="event_attendance", name="fair.jpg"):
    """What the bot sends for a photo; gives the submission's outcome."""
    said = points.Submit(
        who or new_id(), activity, str(new_id()), TALK, None, points.Attachment(url, name, size, "image/jpeg")
    )
    with transaction() as session:
        return subscriptions.handlers[contract_of(said).type](session, envelope_for(said, source="bot"))


def state() -> tuple[str, str | None, int]:
    with transaction() as session:
        return tuple(session.execute(text("SELECT status, reason, attempts FROM evidence")).one())


def hurry() -> None:
    """Make every row due at once."""
    with transaction() as session:
        session.execute(text("UPDATE evidence SET next_at = now() WHERE status = 'fetching'"))


class TestFetching:
    def test_an_attachment_is_fetched_after_its_submission(self, host, call):
        host.answers["/a.jpg"] = body(PNG)
        ada = new_id()
        outcome = attach(f"{host.url}/a.jpg?ex=1&hm=2", who=ada)
        assert (outcome.status, outcome.evidence, host.seen) == ("pending", "fetching", [])
        path = f"/api/submissions/{outcome.submission_id}/"
        refused(call("POST", f"{path}approve/", role="admin", json={}), 409, "evidence-not-kept")
        file = call("GET", path, ada).json["evidence"]
        refused(call("GET", f"/api/evidence/{file['id']}/", ada), 409, "evidence-not-kept")
        assert fetcher.fetch_next()
        assert not fetcher.fetch_next()
        assert host.seen == ["/a.jpg?ex=1&hm=2"]
        file = call("GET", path, ada).json["evidence"]
        assert (file["status"], file["content_type"], file["name"]) == ("kept", "image/png", "fair.jpg.png")
        assert call("GET", f"/api/evidence/{file['id']}/", ada).data == PNG
        assert call("POST", f"{path}approve/", role="admin", json={}).json["status"] == "approved"
        with transaction() as session:
            assert session.execute(text("SELECT source_url FROM evidence")).scalar_one() is None

    @pytest.mark.parametrize(
        "url",
        [
            "http://cdn.discordapp.com/a.jpg",
            "https://cdn.discordapp.com.evil.org/a.jpg",
            "https://evil.org/cdn.discordapp.com",
            "https://xcdn.discordapp.com/a.jpg",
            "https://cdn.discordapp.com:8443/a.jpg",
            "https://cdn.discordapp.com@evil.org/a.jpg",
            "https://evil.org\\@cdn.discordapp.com/a.jpg",
            "https://cdn.discordapp.com./a.jpg",
            "https://cdn.discordapp.com/a b.jpg",
            "https://cdn.discordapp.com/\r\nHost: evil.org",
            "https://cdn.discordapp.com/" + "x" * 2048,
            "https://[::1/a.jpg",
            "http://127.0.0.1/a.jpg",
            "http://127.0.0.1:1/a.jpg",
            "http://169.254.169.254/latest/meta-data/",
            "file:///etc/passwd",
            "gopher://cdn.discordapp.com/",
            "",
        ],
    )
    def test_from_elsewhere_nothing_is_taken(self, url, host, row_count):
        with pytest.raises(InvalidFields):
            attach(url)
        assert row_count("evidence") == row_count("submissions") == 0

    @pytest.mark.parametrize("url", ["https://cdn.discordapp.com/a.jpg?x=1", "https://CDN.discordapp.com:443/a.jpg"])
    def test_from_discord_it_is(self, url, host):
        assert evidence.is_allowed(url)

    @pytest.mark.parametrize("size", [0, -1, MAX_BYTES + 1, 2**40])
    def test_what_is_too_large_is_refused_at_once(self, size, host):
        with pytest.raises(InvalidFields):
            attach(f"{host.url}/a.jpg", size)

    def test_a_host_that_is_no_longer_allowed_is_not_asked(self, host, monkeypatch):
        attach(f"{host.url}/a.jpg")
        monkeypatch.setenv("ATTACHMENT_HOSTS", "cdn.discordapp.com")
        settings.read.cache_clear()
        fetcher.fetch_next()
        assert (state()[0], host.seen) == ("failed", [])

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (body(b"", 302, Location="http://127.0.0.1/secret"), "status 302"),
            (body(b"", 304), "status 304"),
            (body(b"gone", 404), "status 404"),
            (body(b"no", 403), "status 403"),
            (body(b"<script>alert(1)</script>"), "not taken"),
            (body(b"", announced=MAX_BYTES + 1), "larger than 8 MB"),
            (body(PNG + b"\x00" * MAX_BYTES), "larger than 8 MB"),
        ],
    )
    def test_what_another_attempt_would_not_mend_fails_at_once(self, answer, reason, host, call, store):
        host.answers["/a.jpg"] = answer
        size = 25 if reason == "not taken" else len(PNG)
        outcome = attach(f"{host.url}/a.jpg", size)
        assert fetcher.fetch_next()
        status, said, attempts = state()
        assert (status, attempts, len(host.seen)) == ("failed", 1, 1)
        assert reason in said
        assert files(store) == []
        path = f"/api/submissions/{outcome.submission_id}/"
        problem = refused(call("POST", f"{path}approve/", role="admin", json={}), 409, "evidence-not-kept")
        assert said in problem["detail"]
        assert call("POST", f"{path}reject/", role="admin", json={"note": "Send it again."}).status_code == 200

    def endless(self, request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        with pytest.raises(OSError):
            while True:
                request.wfile.write(PNG * 10_000)

    def test_an_endless_answer_ends(self, host):
        host.answers["/a.jpg"] = self.endless
        attach(f"{host.url}/a.jpg")
        fetcher.fetch_next()
        assert state()[:2] == ("failed", "it is larger than 8 MB")

    @pytest.mark.parametrize(
        "bad",
        [
            body(b"", 500),
            body(b"", 503),
            body(b"", 429),
            body(PNG[:20], announced=len(PNG)),
            body(PNG[:20]),
            lambda request: request.connection.shutdown(socket.SHUT_RDWR),
            lambda request: request.wfile.write(b"nonsense\r\n\r\n"),
        ],
    )
    def test_what_dies_half_way_is_tried_again(self, bad, host):
        host.answers["/a.jpg"] = bad
        attach(f"{host.url}/a.jpg")
        assert fetcher.fetch_next()
        assert state()[0] == "fetching"
        assert not fetcher.fetch_next(), "a pause comes first"
        host.answers["/a.jpg"] = body(PNG)
        hurry()
        assert fetcher.fetch_next()
        assert state() == ("kept", None, 2)

    def test_in_the_end_it_is_given_up(self, host):
        host.answers["/a.jpg"] = body(b"", 500)
        attach(f"{host.url}/a.jpg")
        pauses = []
        while state()[0] == "fetching":
            hurry()
            fetcher.fetch_next()
            with transaction() as session:
                pauses.append(
                    session.execute(text("SELECT extract(epoch FROM next_at - now()) FROM evidence")).scalar_one()
                )
        assert len(host.seen) == len(evidence.PAUSES_S) + 1
        assert pauses[-1] is None
        assert [round(pause) for pause in pauses[:-1]] == list(evidence.PAUSES_S)
        assert state()[1] == "its server answered with status 500"

    def test_a_slow_server_is_cut_off(self, host):
        def trickle(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Length", str(len(PNG)))
            request.end_headers()
            for byte in PNG:
                time.sleep(0.1)
                request.wfile.write(bytes([byte]))

        host.answers["/a.jpg"] = trickle
        fetch = evidence.Fetch(new_id(), f"{host.url}/a.jpg", len(PNG), 1)
        began = time.monotonic()
        with pytest.raises(fetcher.NotFetched):
            fetcher.download(fetch, time_limit_s=0.5)
        assert time.monotonic() - began < 2

    def test_when_the_fetcher_dies_another_takes_over(self, host):
        host.answers["/a.jpg"] = body(PNG)
        attach(f"{host.url}/a.jpg")
        with transaction() as session:
            first = evidence.take_due(session)
        assert not fetcher.fetch_next(), "it is reserved for a while"
        hurry()
        assert fetcher.fetch_next()
        with transaction() as session:
            evidence.not_fetched(session, first, "too late", for_good=True)
        assert state() == ("kept", None, 2)

    def test_one_that_ends_every_worker_is_given_up(self, host):
        attach(f"{host.url}/a.jpg")
        for _ in range(len(evidence.PAUSES_S) + 4):
            hurry()
            with transaction() as session:
                evidence.take_due(session)
        assert state()[0] == "failed"

    def test_workers_do_not_fetch_the_same_twice(self, host, row_count):
        for number in range(8):
            host.answers[f"/{number}.jpg"] = body(PNG)
            attach(f"{host.url}/{number}.jpg")
        stop = threading.Event()
        assert fetcher.Fetcher in PARTS
        parts = [fetcher.Fetcher(stop) for _ in range(3)]
        threads = [threading.Thread(target=part.run) for part in parts]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 20
        while row_count("evidence", "status = 'kept'") < 8 and time.monotonic() < deadline:
            time.sleep(0.05)
        stop.set()
        for thread in threads:
            thread.join(5)
        assert row_count("evidence", "status = 'kept' AND attempts = 1") == 8
        assert len(host.seen) == 8
        assert all(part.ready for part in parts)

    def test_a_fetched_file_counts_once_too(self, host, call, kind, row_count):
        code = kind(evidence="attachment", evidence_once="everyone")
        for name in "ab":
            host.answers[f"/{name}.jpg"] = body(PNG)
        first, second = (attach(f"{host.url}/{name}.jpg", activity=code) for name in "ab")
        while fetcher.fetch_next():
            pass
        answers = [
            call("POST", f"/api/submissions/{found.submission_id}/approve/", role="admin", json={})
            for found in (first, second)
        ]
        assert answers[0].json["status"] == "approved"
        assert "handed in before" in refused(answers[1], 409, "evidence-not-kept")["detail"]

    def test_when_the_disk_is_full_it_is_tried_again(self, host, monkeypatch):
        host.answers["/a.jpg"] = body(PNG)
        attach(f"{host.url}/a.jpg")
        with monkeypatch.context() as patch:
            patch.setattr(evidence_files.os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError("disk full")))
            fetcher.fetch_next()
        assert state()[:2] == ("fetching", None)
        hurry()
        fetcher.fetch_next()
        assert state()[0] == "kept"
