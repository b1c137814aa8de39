"""Evidence: what is taken in, how it is kept and given out, and how attachments are fetched."""

import io
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
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
from tests.answers import alike, pointers, refused

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 40
TALK = "A walk through the careers fair in the main hall."


def package(*names: str) -> bytes:
    """A ZIP archive with these entries."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return held.getvalue()


WORD = ("[Content_Types].xml", "word/document.xml")
GOOD = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\x00" * 40,
    "image/gif": b"GIF89a" + b"\x00" * 40,
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + b"\x00" * 40,
    "application/pdf": b"%PDF-1.7\n" + b"\x00" * 40,
    evidence_files.DOC: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99 + "WordDocument".encode("utf-16-le"),
    evidence_files.DOCX: package(*WORD),
}
BAD = {
    "text": b"hello there",
    "html": b"<!doctype html><script>alert(1)</script>",
    "html behind white space": b"\n\n<html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "program": b"\x7fELF" + b"\x00" * 60,
    "windows program": b"MZ" + b"\x00" * 60,
    "bitmap": b"BM" + b"\x00" * 60,
    "avi": b"RIFF\x24\x00\x00\x00AVI LIST",
    "zip": package("a.txt"),
    "spreadsheet": package("[Content_Types].xml", "xl/workbook.xml"),
    "macros": package(*WORD, "word/vbaProject.bin"),
    "half a zip": package(*WORD)[:40],
    "old spreadsheet": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 99,
    "a pdf later": b"x%PDF-1.7",
    "one byte": b"\xff",
}


@pytest.fixture(autouse=True)
def store(points, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty evidence store."""
    monkeypatch.setenv("EVIDENCE_DIR", str(tmp_path / "store"))
    settings.read.cache_clear()
    return tmp_path / "store"


@pytest.fixture
def upload(call) -> Callable:
    """`upload(ada, b"...", "fair.png")`."""

    def post(member_id, data=PNG, name="fair.png", type_="image/png", field="file", **more):
        body = {field: (io.BytesIO(data), name, type_)} | more
        return call("POST", "/api/evidence/", member_id, data=body, content_type="multipart/form-data")

    return post


def files(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


class TestUploading:
    @pytest.mark.parametrize("type_", GOOD)
    def test_what_it_is_is_read_from_its_bytes(self, type_, upload, call, store):
        ada = new_id()
        made = upload(ada, GOOD[type_], "x.exe", "application/x-msdownload")
        assert made.status_code == 201
        extension = evidence_files.EXTENSIONS[type_][0]
        assert {name: made.json[name] for name in ("content_type", "name", "size", "sha256", "status", "reason")} == {
            "content_type": type_,
            "name": f"x.exe.{extension}",
            "size": len(GOOD[type_]),
            "sha256": sha256(GOOD[type_]).hexdigest(),
            "status": "kept",
            "reason": None,
        }
        got = call("GET", f"/api/evidence/{made.json['id']}/", ada)
        assert (got.status_code, got.data, got.content_type) == (200, GOOD[type_], type_)
        assert got.headers["Content-Disposition"] == f"attachment; filename=x.exe.{extension}"
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.headers["Cache-Control"] == "private, no-store"

    @pytest.mark.parametrize("kind_of_file", BAD)
    @pytest.mark.parametrize("type_", ["image/png", "application/pdf"])
    def test_whatever_it_is_called_other_kinds_are_refused(self, kind_of_file, type_, upload, row_count, store):
        refused(upload(new_id(), BAD[kind_of_file], "fair.png", type_), 422, "wrong-file-type")
        assert row_count("evidence") == 0
        assert files(store) == []

    def test_eight_megabytes_are_taken_and_a_byte_more_is_not(self, upload, call, row_count):
        ada = new_id()
        whole = PNG + b"\x01" * (MAX_BYTES - len(PNG))
        made = upload(ada, whole)
        assert made.status_code == 201
        assert call("GET", f"/api/evidence/{made.json['id']}/", ada).data == whole
        refused(upload(ada, whole + b"\x01"), 413, "content-too-large")
        refused(upload(ada, whole + b"\x01" * 200_000), 413, "content-too-large")
        assert row_count("evidence") == 1

    def test_elsewhere_a_mebibyte_stays_the_limit(self, call):
        refused(call("POST", "/api/submissions/", json={"description": "x" * 1_100_000}), 413, "content-too-large")

    def test_the_same_file_is_kept_once(self, upload, store):
        ids = {upload(new_id()).json["id"] for _ in range(3)}
        assert len(ids) == 3
        assert [path.name for path in files(store)] == [sha256(PNG).hexdigest()]

    def test_a_file_that_was_cut_short_is_put_right(self, upload, store, call):
        ada = new_id()
        upload(ada)
        files(store)[0].write_bytes(PNG[:10])
        again = upload(ada).json
        assert call("GET", f"/api/evidence/{again['id']}/", ada).data == PNG

    def test_nothing_half_done_is_left(self, upload, store, monkeypatch):
        monkeypatch.setattr(evidence_files.os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError("disk full")))
        assert upload(new_id()).status_code == 500
        assert files(store) == []

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ("../../etc/passwd", "passwd.png"),
            ("C:\\Users\\ada\\fair.png", "fair.png"),
            ("fair.PNG", "fair.png"),
            ("fair\u202egnp.exe", "fairgnp.exe.png"),
            ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie_ x=1.png"),
            ("   ..  ", "evidence.png"),
            ("", "evidence.png"),
            (".png", "png.png"),
            ('a"b;c.png', "a_b_c.png"),
            ("Карьера 🎓.png", "Карьера 🎓.png"),
            ("x" * 500 + ".png", "x" * 114 + ".png"),
        ],
    )
    def test_names_are_made_safe(self, given, kept, upload, call):
        assert evidence_files.safe_name(given, "image/png") == kept

    def test_a_name_in_other_letters_comes_back(self, upload, call):
        ada = new_id()
        made = upload(ada, name="Карьера.png").json
        assert made["name"] == "Карьера.png"
        header = call("GET", f"/api/evidence/{made['id']}/", ada).headers["Content-Disposition"]
        assert header.startswith("attachment; ")
        assert "filename*=UTF-8''%D0%9A" in header

    def test_what_is_no_upload_is_refused(self, upload, call, row_count):
        ada = new_id()
        refused(call("POST", "/api/evidence/", ada, json={"file": "x"}), 415, "unsupported-media-type")
        refused(call("POST", "/api/evidence/", ada, data=b"x", content_type="image/png"), 415)
        refused(call("POST", "/api/evidence/", ada), 415)
        for answer in (
            upload(ada, b""),
            upload(ada, field="picture"),
            upload(ada, more="words"),
            upload(ada, other=(io.BytesIO(PNG), "b.png")),
            call("POST", "/api/evidence/", ada, data={"file": "words"}, content_type="multipart/form-data"),
            call("POST", "/api/evidence/", ada, data=b"junk", content_type="multipart/form-data; boundary=x"),
        ):
            assert pointers(answer) == ["/file"]
        assert call("POST", "/api/evidence/", ada, data=b"x", content_type="multipart/form-data").status_code in (
            400,
            422,
        )
        many = {f"part{number}": "x" for number in range(50)}
        assert upload(ada, **many).status_code in (413, 422)
        assert row_count("evidence") == 0

    def test_so_many_a_day(self, upload, monkeypatch):
        monkeypatch.setattr(evidence, "UPLOADS_A_DAY", 2)
        ada = new_id()
        assert [upload(ada).status_code for _ in range(3)] == [201, 201, 429]
        assert upload(new_id()).status_code == 201


class TestGivingOut:
    def test_to_its_owner_and_admins_only(self, upload, call):
        ada, old = new_id(), new_id()
        path = f"/api/evidence/{upload(ada).json['id']}/"
        for role in ("student", "company", "university"):
            theirs = call("GET", path, role=role)
            refused(theirs, 404, "not-found")
            assert alike(theirs) == alike(call("GET", f"/api/evidence/{new_id()}/", role=role))
        assert call("GET", path, role="admin").status_code == 200
        with transaction() as session:
            session.execute(text("INSERT INTO aliases VALUES (:old, :new)"), {"old": old, "new": ada})
        assert call("GET", path, old).status_code == 200

    @pytest.mark.parametrize("nothing", ["me", "0", "..%2f..%2fetc%2fpasswd", "%00"])
    def test_what_is_none_is_not_found(self, nothing, call):
        refused(call("GET", f"/api/evidence/{nothing}/", role="admin"), 404)

    def test_a_part_of_it_may_be_asked_for(self, upload, call):
        ada = new_id()
        path = f"/api/evidence/{upload(ada).json['id']}/"
        part = call("GET", path, ada, headers={"Range": "bytes=0-3"})
        assert (part.status_code, part.data) == (206, PNG[:4])
        refused(call("GET", path, ada, headers={"Range": "bytes=900-"}), 416)


class TestWithASubmission:
    def submit(self, call, who, evidence_id, code="event_attendance"):
        body = {"activity_type": code, "description": TALK, "evidence_id": evidence_id}
        return call("POST", "/api/submissions/", who, json=body)

    def test_the_file_is_shown_with_it(self, upload, call):
        ada = new_id()
        file = upload(ada).json
        assert self.submit(call, ada, file["id"]).json["evidence"] == file

    def test_anothers_file_is_no_evidence(self, upload, call):
        assert pointers(self.submit(call, new_id(), upload(new_id()).json["id"])) == ["/evidence_id"]

    def test_a_file_counts_once_where_the_rule_says_so(self, upload, call, kind):
        code, ada = kind(evidence="attachment", evidence_once="everyone"), new_id()
        first = self.submit(call, ada, upload(ada).json["id"], code)
        assert first.status_code == 201
        eve = new_id()
        copy = upload(eve, name="mine.png").json["id"]
        refused(self.submit(call, eve, copy, code), 409, "evidence-used")
        call("POST", f"/api/submissions/{first.json['id']}/withdraw/", ada)
        assert self.submit(call, eve, copy, code).status_code == 201


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
