"""The doors of reviews, and the faults that other products of this kind have, each by its number."""

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from uuid import UUID

from sqlalchemy import update

from fleet.database import transaction
from fleet.messages import new_id
from services.reviews import note_links
from services.reviews.session_models import Meeting

REQUEST = {
    "target_industry": "software",
    "target_role": "Engineer",
    "experience_level": "entry",
    "preferred_times": "weekdays 9-17, not Friday",
    "time_zone": "America/New_York",
}
PDF = b"%PDF-1.7\n" + b"x" * 100


def signed(body: dict[str, Any], secret: str = "form secret of the tests", stamp: int | None = None) -> dict[str, Any]:
    raw = json.dumps(body).encode()
    moment = str(int(time.time()) if stamp is None else stamp)
    said = b"msg_1." + moment.encode() + b"." + raw
    signature = base64.b64encode(hmac.new(secret.encode(), said, sha256).digest()).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": moment, "webhook-signature": f"v1,{signature}"}
    return {"data": raw, "content_type": "application/json", "headers": headers}


def booked(call: Callable[..., Any], ada: UUID, reviewer: UUID, at: datetime) -> dict[str, Any]:
    asked = call("POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": ""}).json
    body = {"review_request_id": asked["id"], "professional_id": str(reviewer), "scheduled_time": at.isoformat()}
    answer = call("POST", "/api/sessions/schedule/", ada, json=body)
    assert answer.status_code == 201, answer.json
    return answer.json


def begun(session_id: str) -> None:
    with transaction() as session:
        past = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        session.execute(update(Meeting).where(Meeting.id == UUID(session_id)).values(starts_at=past))


class TestParsing:
    def test_a_text_is_read_told_back_and_nothing_is_kept(self, call, row_count) -> None:
        body = {
            "text": "tue or thu after 4pm, not the 8th",
            "timezone": "America/New_York",
            "from": "2026-12-01",
            "until": "2026-12-10",
        }
        answer = call("POST", "/api/availability/parse/", json=body)
        assert answer.status_code == 200
        assert answer.json["intervals"] == [
            {"start": "2026-12-01T21:00:00Z", "end": "2026-12-02T02:00:00Z"},
            {"start": "2026-12-03T21:00:00Z", "end": "2026-12-04T02:00:00Z"},
            {"start": "2026-12-10T21:00:00Z", "end": "2026-12-11T02:00:00Z"},
        ]
        assert answer.json["readback"] == "Thu 16:00-21:00, Tue 1 Dec 16:00-21:00"
        assert answer.json["unparsed"] == answer.json["ambiguous"] == []

    def test_what_is_not_understood_is_told(self, call) -> None:
        answer = call("POST", "/api/availability/parse/", json={"text": "no idea", "timezone": "UTC"})
        assert answer.json == {"intervals": [], "readback": "", "unparsed": ["no idea"], "ambiguous": []}
        doubtful = call("POST", "/api/availability/parse/", json={"text": "next Tuesday", "timezone": "UTC"}).json
        assert doubtful["ambiguous"][0]["fragment"] == "next Tuesday"

    def test_bad_fields_are_named(self, call) -> None:
        right = {"text": "mon", "timezone": "UTC"}
        for wrong, pointer in (
            ({"timezone": "Mars/Olympus"}, "/timezone"),
            ({"text": "x" * 2001}, "/text"),
            ({"from": "2026-12-10", "until": "2026-12-01"}, "/until"),
            ({"from": "2026-12-10", "until": "2027-12-01"}, "/until"),
            ({"duration_minutes": 0}, "/duration_minutes"),
        ):
            answer = call("POST", "/api/availability/parse/", json=right | wrong)
            assert answer.status_code == 422
            assert answer.json["errors"][0]["pointer"] == pointer


class TestProfessionals:
    def test_admins_see_all_and_members_the_active_ones_without_contact_data(self, call, professional) -> None:
        professional(name="Bo")
        professional(name="Cy", is_active=False)
        staff = call("GET", "/api/professionals/", role="admin").json["items"]
        assert [one["name"] for one in staff] == ["Cy", "Bo"] and staff[0]["email"]
        shown = call("GET", "/api/professionals/").json["items"]
        assert [one["name"] for one in shown] == ["Bo"] and "email" not in shown[0]

    def test_an_address_belongs_to_one_however_it_is_written(self, call) -> None:
        body = {"name": "Bo", "email": "bo@firm.test", "time_zone": "UTC"}
        assert call("POST", "/api/professionals/", role="admin", json=body).status_code == 201
        again = call("POST", "/api/professionals/", role="admin", json=body | {"email": "BO@firm.test"})
        assert (again.status_code, again.json["type"].rsplit("/", 1)[1]) == (409, "email-taken")

    def test_availability_is_kept_as_windows_and_overrides(self, call, professional) -> None:
        reviewer = str(professional(weekly=[]))
        body = {
            "professional_id": reviewer,
            "valid_from": "2026-11-30",
            "valid_until": "2026-12-13",
            "text": "Mondays 9-11 and Wed after 3, not the 7th",
            "time_zone": "America/New_York",
        }
        kept = call("POST", "/api/professional-availability/", role="admin", json=body).json
        assert {"weekday": 2, "start": "15:00", "end": "21:00"} in kept["weekly"]
        assert kept["unparsed"] == [] and kept["text"] == body["text"]
        assert (
            len(call("GET", f"/api/professional-availability/?professional={reviewer}", role="admin").json["items"])
            == 2
        )

    def test_windows_past_midnight_end_on_the_next_day(self, call, professional) -> None:
        body = {
            "professional_id": str(professional(weekly=[])),
            "valid_from": "2026-12-01",
            "valid_until": "2026-12-20",
        }
        weekly = [{"weekday": 4, "start": "22:00", "end": "02:00"}]
        kept = call("POST", "/api/professional-availability/", role="admin", json=body | {"weekly": weekly}).json
        assert kept["weekly"] == weekly


class TestPeers:
    """Faults of the products that we measured, each a test of its own."""

    def test_d16_registering_with_a_reviewers_address_opens_nothing_of_theirs(
        self, call, professional, student, soon
    ) -> None:
        reviewer = professional(email="boss@firm.test")
        session = booked(call, student(), reviewer, soon())
        thief = student("Eve", email="boss@firm.test")
        for method, path in (("GET", ""), ("POST", "cancel/"), ("POST", "reschedule/")):
            body = {"scheduled_time": soon(3).isoformat()} if path.startswith("res") else {}
            answer = call(
                method, f"/api/sessions/{session['id']}/{path}", thief, json=body if method == "POST" else None
            )
            assert answer.status_code == 404
        assert call("GET", "/api/sessions/", thief).json["items"] == []
        assert call("GET", "/api/professional-availability/", thief).status_code == 403

    def test_d17_students_set_neither_state_nor_rating_nor_professional(self, call, student) -> None:
        ada = student()
        for name, value in (
            ("status", "completed"),
            ("rating", 5),
            ("professional_id", str(new_id())),
            ("priority", "high"),
            ("student", str(new_id())),
        ):
            assert call("POST", "/api/review-requests/", ada, json=REQUEST | {name: value}).status_code == 422
        made = call("POST", "/api/review-requests/", ada, json=REQUEST).json
        path = f"/api/review-requests/{made['id']}/"
        assert call("PATCH", path, ada, json={"status": "completed"}).status_code == 405
        assert call("POST", f"{path}feedback/", ada, json={"rating": 5}).status_code == 409
        for rating in (0, 6, 999, "5", 4.5):
            assert call("POST", f"{path}feedback/", ada, json={"rating": rating}).status_code == 422

    def test_d18_viewers_change_nothing(self, call, professional, student, soon) -> None:
        ada = student()
        session = booked(call, ada, professional(), soon())
        for path in ("complete/", "no-show/"):
            assert call("POST", f"/api/sessions/{session['id']}/{path}", ada, json={}).status_code == 403
        for method in ("PUT", "PATCH", "DELETE"):
            assert call(method, f"/api/sessions/{session['id']}/", ada, json={}).status_code == 405
        assert call("POST", "/api/professional-availability/", ada, json={}).status_code == 403

    def test_d51_a_form_names_nobody_but_by_a_confirmed_address_and_overwrites_nothing(
        self, call, client, student, row_count
    ) -> None:
        ada = student(email="ada@school.test")
        mine = call("POST", "/api/review-requests/", ada, json=REQUEST).json
        form = {
            "response_id": "r1",
            "student_email": "eve@evil.test",
            "responses": {"Discord ID": "zoe#1", "Target Industry": "x"},
        }
        answer = client.post("/api/form-submission/", **signed(form)).json
        assert answer["applied"] is False and row_count("review_requests") == 1
        form = {"response_id": "r2", "student_email": "ADA@school.test", "responses": {"Target Industry": "art"}}
        answer = client.post("/api/form-submission/", **signed(form)).json
        assert (answer["applied"], answer["reason"]) == (
            False,
            "End it, or let it come to its review, before you ask for another.",
        )
        assert call("GET", f"/api/review-requests/{mine['id']}/", ada).json["target_industry"] == "software"

    def test_d52_every_day_is_read_as_itself(self, call) -> None:
        names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
        for number, name in enumerate(names):
            body = {"text": f"{name} 2 PM", "timezone": "UTC", "from": "2026-11-30", "until": "2026-12-06"}
            found = call("POST", "/api/availability/parse/", json=body).json["intervals"]
            assert found == [
                {
                    "start": f"2026-{(11, 12)[number > 0]}-{(30, 1, 2, 3, 4, 5, 6)[number]:02}T14:00:00Z",
                    "end": found[0]["end"],
                }
            ]

    def test_d53_the_overlap_is_of_real_instants_in_both_zones(self, call, professional, student) -> None:
        reviewer = professional(weekly=[(day, 540, 600) for day in range(7)], zone="Europe/Berlin")
        ada = student()
        made = call("POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": "daily 9-10"}).json
        found = call("GET", f"/api/review-requests/{made['id']}/suggestions/", ada).json
        assert found["items"] == [] and found["worst"] == "no_overlap"
        call("POST", f"/api/review-requests/{made['id']}/cancel/", ada, json={})
        made = call(
            "POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": "daily 2:30am-4:30am"}
        ).json
        found = call("GET", f"/api/review-requests/{made['id']}/suggestions/", ada).json["items"]
        assert found and found[0]["professional_id"] == str(reviewer)

    def test_d55_words_are_read_in_their_zone_and_never_booked_in_the_past(
        self, call, professional, student, soon
    ) -> None:
        ada, reviewer = student(), str(professional())
        made = call("POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": ""}).json
        body = {"review_request_id": made["id"], "professional_id": reviewer}
        day = soon(3).date()
        naive = f"{day.isoformat()}T10:00"
        assert call("POST", "/api/sessions/schedule/", ada, json=body | {"scheduled_time": naive}).status_code == 422
        words = {"scheduled_time": f"{day:%B} {day.day} at 2pm", "timezone": "Asia/Kolkata"}
        answer = call("POST", "/api/sessions/schedule/", ada, json=body | words)
        assert answer.status_code == 201
        assert answer.json["scheduled_time"] == f"{day.isoformat()}T08:30:00Z"
        for text in ("next Tuesday at 3", "some day", "Monday 25:00"):
            wrong = call(
                "POST",
                f"/api/sessions/{answer.json['id']}/reschedule/",
                ada,
                json={"scheduled_time": text, "timezone": "UTC"},
            )
            assert wrong.status_code == 422

    def test_d56_reviews_and_ratings_are_counted_from_what_happened(self, call, professional, student, soon) -> None:
        ada, reviewer = student(), professional()
        session = booked(call, ada, reviewer, soon())
        begun(session["id"])
        for _ in range(2):
            assert call("POST", f"/api/sessions/{session['id']}/complete/", role="admin", json={}).status_code == 200
        path = f"/api/review-requests/{session['review_request_id']}/feedback/"
        assert call("POST", path, ada, json={"rating": 4, "text": "good"}).status_code == 201
        assert call("POST", path, ada, json={"rating": 5}).status_code == 409
        found = call("GET", f"/api/professionals/{reviewer}/performance/", role="admin").json
        assert (found["reviews"], found["average_rating"], found["ratings"]["4"]) == (1, 4.0, 1)
        assert found["trend"][-1]["reviews"] == 1 and found["turnaround_hours"] is not None
        figures = call("GET", "/api/reviews/statistics/", role="admin").json
        assert (figures["completed_requests"], figures["average_rating"]) == (1, 4.0)

    def test_d57_d58_invitations_are_sent_and_the_state_is_the_real_one(
        self, call, professional, student, soon, row_count
    ) -> None:
        ada = student()
        session = booked(call, ada, professional(), soon())
        assert row_count("invitations", "method = 'REQUEST'") == 2
        call("POST", f"/api/sessions/{session['id']}/cancel/", ada, json={})
        assert row_count("invitations", "method = 'CANCEL'") == 2
        shown = call("GET", f"/api/review-requests/{session['review_request_id']}/", ada).json
        assert shown["status"] == "pending" and shown["session_id"] is None

    def test_d59_two_forms_of_one_professional_make_one_and_lose_nothing(self, client, call, row_count) -> None:
        data = {
            "name": "Bo",
            "email": "bo@firm.test",
            "timezone": "Eastern Time (ET)",
            "preferred_days": ["Monday", "Wednesday"],
            "time_slots": ["9:00 AM - 10:00 AM", "2:00 PM - 3:00 PM"],
            "specific_times": "Friday 1-2 PM",
            "industries": ["Technology"],
            "experience_levels": ["Entry level (0-2 years)"],
            "max_reviews_per_week": "4",
            "start_date": "2026-11-30",
            "end_date": "2026-12-13",
        }
        for response_id in ("a", "a", "b"):
            body = {
                "response_id": response_id,
                "respondent_email": "bo@firm.test",
                "parsed_data": data,
                "form_type": "professional_availability",
            }
            assert client.post("/api/forms/professional-availability/", **signed(body)).json["applied"] is True
        assert row_count("professionals") == 1 and row_count("form_responses") == 2
        # D-60: what they prefer is used.
        shown = call("GET", "/api/professionals/", role="admin").json["items"][0]
        assert (shown["time_zone"], shown["max_reviews_per_week"], shown["experience_levels"]) == (
            "America/New_York",
            4,
            ["entry"],
        )
        kept = call("GET", "/api/professional-availability/", role="admin").json["items"]
        assert [one["is_active"] for one in kept] == [True, False]
        assert kept[0]["weekly"] == [
            {"weekday": 0, "start": "09:00", "end": "10:00"},
            {"weekday": 0, "start": "14:00", "end": "15:00"},
            {"weekday": 2, "start": "09:00", "end": "10:00"},
            {"weekday": 2, "start": "14:00", "end": "15:00"},
            {"weekday": 4, "start": "13:00", "end": "14:00"},
        ]

    def test_d60_levels_industries_and_the_weekly_maximum_bind(self, call, professional, student) -> None:
        professional(experience_levels=["senior"])
        near = professional(specialties=["Technology/Software"])
        professional(specialties=["Healthcare"])
        ada = student()
        made = call("POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": ""}).json
        found = call("GET", f"/api/review-requests/{made['id']}/suggestions/", ada).json
        assert found["items"][0]["professional_id"] == str(near)
        assert found["items"][0]["terms"]["industry"] == 35 and found["excluded"] == {"level": 1}

    def test_d61_the_student_is_the_caller_and_need_not_be_named(self, call, student) -> None:
        ada = student()
        answer = call("POST", "/api/review-requests/", ada, json=REQUEST)
        assert answer.status_code == 201 and answer.json["student_id"] == str(ada)
        again = call("POST", "/api/review-requests/", ada, json=REQUEST)
        assert (again.status_code, again.json["type"].rsplit("/", 1)[1]) == (409, "open-request")


class TestForms:
    def test_only_what_is_signed_now_with_our_secret_is_taken(self, client, row_count) -> None:
        body = {"response_id": "r", "student_email": "a@b.test", "responses": {}}
        right = signed(body)
        assert client.post("/api/form-submission/", **right).status_code == 200
        for wrong in (
            signed(body, secret="another"),
            signed(body, stamp=int(time.time()) - 400),
            signed(body) | {"headers": {}},
            right | {"data": right["data"].replace(b'"r"', b'"s"')},
        ):
            assert client.post("/api/form-submission/", **wrong).status_code == 401
        assert row_count("form_responses") == 1

    def test_a_confirmed_address_makes_a_request_once(self, client, student, row_count) -> None:
        student(email="ada@school.test")
        answers = {
            "Target Industry": "Tech",
            "Experience Level": "Entry",
            "Preferred Times": ["Monday 2-3 PM", "Wednesday 10-11 AM"],
        }
        body = {"response_id": "r", "student_email": "ada@school.test", "responses": answers}
        first, second = (client.post("/api/form-submission/", **signed(body)).json for _ in range(2))
        assert first["applied"] and not first["repeated"] and second["repeated"] and second["id"] == first["id"]
        assert row_count("review_requests", "experience_level = 'entry' AND unparsed = '{}'") == 1


class TestLinks:
    def test_a_professional_writes_notes_by_their_link_and_by_no_other(
        self, call, client, professional, student, soon, row_count
    ) -> None:
        session = booked(call, student("Ada <b>"), professional(), soon())
        begun(session["id"])
        session_id = UUID(session["id"])
        token = note_links.make("notes", session_id)
        for wrong in (
            token + "x",
            note_links.make("resume", session_id),
            note_links.make("notes", session_id, at=0.0),
            "",
            "a.b.c.d",
        ):
            answer = client.post("/api/review-requests/notes/", json={"token": wrong, "notes": "n"})
            assert answer.status_code in (404, 422)
        page = client.get(f"/api/review-requests/notes/?token={token}")
        assert page.status_code == 200 and "Ada &lt;b&gt;" in page.text and "<b>" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert client.get("/api/review-requests/notes/?token=none").status_code == 404
        body = {"token": token, "notes": "shorter summary", "outcome": "completed"}
        assert client.post("/api/review-requests/notes/", json=body).json["status"] == "completed"
        assert client.post("/api/review-requests/notes/", json=body).status_code == 409
        assert row_count("notes") == 1

    def test_a_resume_is_its_owners_and_each_look_is_shown_to_them(
        self, call, client, professional, student, soon
    ) -> None:
        ada = student()
        upload = {"data": {"file": (BytesIO(PDF), "../cv.pdf")}, "content_type": "multipart/form-data"}
        made = call("POST", "/api/resumes/", ada, **upload)
        assert (made.status_code, made.json["name"], made.json["content_type"]) == (201, "cv.pdf", "application/pdf")
        path = f"/api/resumes/{made.json['id']}/"
        assert call("GET", path, student("Eve")).status_code == 404
        assert (
            call(
                "POST", "/api/review-requests/", student("Eve"), json=REQUEST | {"resume_id": made.json["id"]}
            ).status_code
            == 422
        )
        token = note_links.make("resume", UUID(made.json["id"]))
        assert client.get(f"/api/resumes/shared/?token={token}").status_code == 404, "it is shared with nobody yet"
        reviewer, admin = professional(), new_id()
        asked = call(
            "POST", "/api/review-requests/", ada, json=REQUEST | {"resume_id": made.json["id"], "preferred_times": ""}
        ).json
        call(
            "POST",
            f"/api/review-requests/{asked['id']}/match/",
            admin,
            role="admin",
            json={"professional_id": str(reviewer)},
        )
        assert call("GET", f"{path}file/", admin, role="admin").data == PDF
        shared = client.get(f"/api/resumes/shared/?token={token}")
        assert shared.data == PDF and "attachment" in shared.headers["Content-Disposition"]
        views = call("GET", path, ada).json["views"]
        assert [(one["viewer_kind"], one["viewer_id"]) for one in views] == [
            ("professional", str(reviewer)),
            ("admin", str(admin)),
        ]
        assert (
            call(
                "POST",
                "/api/resumes/",
                ada,
                data={"file": (BytesIO(b"MZ"), "cv.pdf")},
                content_type="multipart/form-data",
            ).status_code
            == 422
        )


class TestMatching:
    def test_match_all_shows_first_and_matches_on_commit(self, call, professional, student, row_count) -> None:
        professional(max_reviews_per_week=1)
        for name in ("Ada", "Dan"):
            call("POST", "/api/review-requests/", student(name), json=REQUEST | {"preferred_times": ""})
        dry = call("POST", "/api/review-requests/match-all/", role="admin", json={}).json
        assert dry["committed"] is False and row_count("review_requests", "status = 'matched'") == 0
        done = call("POST", "/api/review-requests/match-all/", role="admin", json={"commit": True}).json
        assert done["matched"] == dry["matched"] == 2
        assert row_count("review_requests", "status = 'matched'") == 2
        assert row_count("outbox", "routing_key = 'reviews.review_matched.v1'") == 2
        assert call("POST", "/api/review-requests/match-all/", json={}).status_code == 403

    def test_nobody_comes_with_what_kept_most_of_them_out(self, call, professional, student) -> None:
        professional(experience_levels=["senior"])
        professional(experience_levels=["senior"])
        professional(is_active=False)
        call("POST", "/api/review-requests/", student(), json=REQUEST)
        item = call("POST", "/api/review-requests/match-all/", role="admin", json={}).json["items"][0]
        assert item["chosen"] is None and item["worst"] == "level" and item["excluded"] == {"level": 2, "not_active": 1}

    def test_an_idempotency_key_books_once(self, call, professional, student, soon, row_count) -> None:
        ada, reviewer = student(), str(professional())
        made = call("POST", "/api/review-requests/", ada, json=REQUEST | {"preferred_times": ""}).json
        body = {"review_request_id": made["id"], "professional_id": reviewer, "scheduled_time": soon().isoformat()}
        answers = [
            call("POST", "/api/sessions/schedule/", ada, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)
        ]
        assert [one.status_code for one in answers] == [201, 201] and answers[0].json == answers[1].json
        assert row_count("sessions") == 1
