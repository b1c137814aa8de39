"""Forgetting a person: nothing personal stays, what happened stays counted, and nothing that comes late brings them back."""

import threading

from sqlalchemy import text

from fleet import files
from fleet.contracts.points import Attachment
from fleet.contracts.users import ContactChanged, Notifications, UserUpdated
from fleet.database import transaction
from fleet.messages import new_id
from services.reviews import members, privacy, requests, resumes, sessions
from services.reviews.models import ReviewRequest
from tests.reviews.conftest import STAFF

SECRETS = ("Ada Planted", "planted@school.test", "planted role", "planted times", "planted note", "planted.pdf")


def dump() -> str:
    """Everything that the database of reviews holds, as text."""
    with transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = [
            str(session.execute(text(f"SELECT * FROM {name}")).all())
            for name in names
            if name not in ("outbox", "alembic_version")
        ]
    return "\n".join(rows)


def planted(student, asked, professional, soon):
    ada = student("Ada Planted", email="planted@school.test")
    stored = files.keep(b"%PDF-1.7 planted")
    with transaction() as session:
        resume = resumes.record_upload(session, ada, "planted.pdf", stored, b"%PDF-1.7 planted")
    request_id = asked(ada, target_role="planted role", preferred_times="daily, planted times", resume_id=resume.id)
    with transaction() as session:
        sessions.schedule(session, request_id, professional(), soon(2, 20), None, STAFF)
    with transaction() as session:
        meeting = sessions.of_request(session, request_id)
        sessions.reschedule(session, meeting.id, soon(3, 20), STAFF, "planted note")
    return ada, request_id, stored


def test_everything_personal_goes_and_the_session_ends(student, asked, professional, soon, row_count) -> None:
    ada, request_id, stored = planted(student, asked, professional, soon)
    assert all(secret in dump() for secret in SECRETS)
    pseudonym = new_id()
    with transaction() as session:
        assert privacy.forget(session, [ada], pseudonym) > 0
    found = dump()
    assert not [secret for secret in SECRETS if secret in found]
    assert str(ada) not in "".join(line for line in found.splitlines() if "review" in line and "pending" in line)
    assert not files.path_of(stored.sha256).exists()
    assert row_count("booked_slots") == 0 and row_count("sessions", "status = 'cancelled'") == 1
    assert row_count("invitations", "method = 'CANCEL'") >= 1, "the professional learns of it"
    with transaction() as session:
        assert session.get_one(ReviewRequest, request_id).student_id == pseudonym
        privacy.forget(session, [ada], pseudonym)
        assert privacy.forget(session, [ada], pseudonym) == 0, "a further time there is nothing left"


def test_what_comes_late_brings_nobody_back(student, asked, professional, soon) -> None:
    ada, _request_id, _stored = planted(student, asked, professional, soon)
    with transaction() as session:
        privacy.forget(session, [ada], new_id())
    wants = Notifications(True, True, False)
    with transaction() as session:
        members.apply_update(session, UserUpdated(ada, "Ada Planted", True, "student", "active"), 7)
        members.apply_contact(session, ContactChanged(ada, "UTC", "en", wants, wants, "planted@school.test"), 7)
    assert "planted" not in dump().lower()


def test_a_file_that_somebody_else_handed_in_too_stays(student, reviews) -> None:
    ada, dan = student(), student("Dan")
    stored = files.keep(b"%PDF-1.7 the same")
    for who in (ada, dan):
        with transaction() as session:
            resumes.record_upload(session, who, "cv.pdf", stored, b"%PDF-1.7 the same")
    with transaction() as session:
        privacy.forget(session, [ada], new_id())
    assert files.path_of(stored.sha256).exists()


def test_a_file_that_goes_while_somebody_else_hands_it_in_is_put_back(student, reviews) -> None:
    """Between the store and its row: the file is there, then its last owner is forgotten, then the row is written."""
    ada, dan, data = student(), student("Dan"), b"%PDF-1.7 the same"
    with transaction() as session:
        resumes.record_upload(session, ada, "cv.pdf", files.keep(data), data)
    stored = files.keep(data)
    with transaction() as session:
        privacy.forget(session, [ada], new_id())
    assert not files.path_of(stored.sha256).exists()
    with transaction() as session:
        resumes.record_upload(session, dan, "cv.pdf", stored, data)
    assert files.path_of(stored.sha256).read_bytes() == data


def test_who_records_a_file_and_who_forgets_it_wait_for_each_other(student, reviews) -> None:
    """Fails when the recording does not hold the file: the erasure would delete what is being recorded."""
    ada, dan, data = student(), student("Dan"), b"%PDF-1.7 the same"
    stored = files.keep(data)
    with transaction() as session:
        resumes.record_upload(session, ada, "cv.pdf", stored, data)

    def forget() -> None:
        with transaction() as session:
            privacy.forget(session, [ada], new_id())

    forgetting = threading.Thread(target=forget)
    with transaction() as session:
        resumes.record_upload(session, dan, "cv.pdf", stored, data)
        forgetting.start()
        forgetting.join(0.5)
        assert forgetting.is_alive(), "the erasure waits for the file"
    forgetting.join(30)
    assert files.path_of(stored.sha256).read_bytes() == data


def test_an_attachment_that_is_being_fetched_while_its_owner_is_forgotten_does_not_stay(student, reviews) -> None:
    ada = student()
    with transaction() as session:
        resumes.expect(session, ada, Attachment("https://cdn.discordapp.com/cv.pdf", "cv.pdf", 9, "application/pdf"))
    with transaction() as session:
        fetch = resumes.take_due(session)
    stored = files.keep(b"%PDF-1.7 fetched")
    with transaction() as session:
        privacy.forget(session, [ada], new_id())
    with transaction() as session:
        resumes.fetched(session, fetch, stored)
    assert not files.path_of(stored.sha256).exists()


def test_every_section_of_an_export_reads_what_is_held(student, asked, professional, soon) -> None:
    ada, request_id, _stored = planted(student, asked, professional, soon)
    held = {}
    with transaction() as session:
        for name, statement in ((one.name, one.select) for one in privacy.SECTIONS):
            rows = (
                session.execute(text(f"SELECT * FROM ({statement}) AS held ORDER BY key"), {"ids": [ada]})
                .mappings()
                .all()
            )
            assert len({row["key"] for row in rows}) == len(rows)
            held[name] = len(rows)
    assert held["member"] == held["review_requests"] == held["sessions"] == held["resumes"] == 1
    assert held["history"] == 4 and held["preferred_times"] > 10
    with transaction() as session:
        assert requests.newest(session, ada).id == request_id
