"""Evidence: what is taken into the store, who is given it, and how it belongs to a submission."""

import io
from hashlib import sha256

import pytest
from sqlalchemy import text

from fleet import files as evidence_files
from fleet.database import transaction
from fleet.files import MAX_BYTES
from fleet.messages import new_id
from services.points import evidence
from tests.answers import alike, pointers, refused
from tests.points.files import BAD, GOOD, PNG, TALK, files

pytestmark = pytest.mark.usefixtures("store")


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
