"""What reviews does by itself: reminders once, requests that lie handed over, resumes fetched."""

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from fleet.contracts.points_submissions import Attachment
from fleet.database import transaction
from fleet.problems import InvalidFields
from fleet.settings import read
from services.reviews import chores, requests, resumes, sessions
from services.reviews.models import Professional, Resume, ReviewRequest
from services.reviews.session_models import Meeting
from tests.reviews.conftest import STAFF

PDF = b"%PDF-1.7\n" + b"y" * 500


def remind() -> int:
    with transaction() as session:
        return chores.remind(session)


def test_reminders_are_told_once_for_each_time_a_session_is_set_to(asked, professional, soon, row_count) -> None:
    with transaction() as session:
        meeting = sessions.schedule(session, asked(), professional(), soon(3), None, STAFF).id
    assert remind() == 0
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    def begins(hours: int) -> None:
        with transaction() as session:
            moved = update(Meeting).where(Meeting.id == meeting).values(starts_at=hour + timedelta(hours=hours))
            session.execute(moved)

    begins(20)
    assert (remind(), remind()) == (1, 0)
    assert row_count("outbox", "routing_key = 'reviews.session_reminder_due.v1'") == 1
    assert row_count("mail_queue", "subject LIKE 'In 24 hours%'") == 2
    begins(1)
    remind()
    remind()
    assert row_count("mail_queue", "subject LIKE 'In one hour%'") == 2
    assert row_count("outbox", "routing_key = 'reviews.session_reminder_due.v1'") == 2


def test_a_cancelled_session_is_not_reminded_of(asked, professional, soon, row_count) -> None:
    with transaction() as session:
        meeting = sessions.schedule(session, asked(), professional(), soon(1, 23), None, STAFF)
        sessions.cancel(session, meeting.id, STAFF)
    assert remind() == 0


def test_two_requests_left_lying_pause_a_professional_and_open_the_requests_again(
    asked, professional, row_count
) -> None:
    reviewer = professional()
    wanted = [asked(), asked()]
    for request_id in wanted:
        with transaction() as session:
            requests.match(session, request_id, reviewer, STAFF)
            late = update(ReviewRequest).where(ReviewRequest.id == request_id)
            session.execute(late.values(matched_at=datetime.now(UTC) - timedelta(days=4)))
    for _ in range(3):
        with transaction() as session:
            chores.hand_over(session)
    assert row_count("review_requests", "status = 'pending' AND professional_id IS NULL") == 2
    assert row_count("mail_queue", "subject LIKE '%goes to somebody else%'") == 2
    with transaction() as session:
        row = session.get_one(Professional, reviewer)
        assert row.unanswered == 2 and row.paused_at is not None
    with pytest.raises(Exception, match="takes no reviews"), transaction() as session:
        requests.match(session, wanted[0], reviewer, STAFF)


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path.endswith("cv.pdf") else 404)
        self.end_headers()
        self.wfile.write(PDF if self.path.endswith("cv.pdf") else b"")

    def log_message(self, *_words: object) -> None:
        return


@pytest.fixture
def server(reviews: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as found:
        threading.Thread(target=found.serve_forever, daemon=True).start()
        monkeypatch.setenv("ATTACHMENT_HOSTS", f"127.0.0.1:{found.server_port}")
        read.cache_clear()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def test_an_attachment_is_copied_into_the_store(server: str, student) -> None:
    with transaction() as session:
        row = resumes.expect(session, student(), Attachment(f"{server}/cv.pdf", "cv.pdf", len(PDF)))
        gone = resumes.expect(session, student(), Attachment(f"{server}/gone.pdf", "gone.pdf", 5))
    while chores.fetch_resume():
        pass
    with transaction() as session:
        kept, failed = session.get_one(Resume, row.id), session.get_one(Resume, gone.id)
        assert (kept.status, kept.content_type, kept.source_url) == ("kept", "application/pdf", None)
        assert (failed.status, failed.source_url) == ("failed", None)


def test_attachments_from_elsewhere_are_refused_at_once(server: str, student) -> None:
    for url in ("https://evil.test/cv.pdf", "http://169.254.169.254/cv.pdf", "file:///etc/passwd"):
        with pytest.raises(InvalidFields), transaction() as session:
            resumes.expect(session, student(), Attachment(url, "cv.pdf", 10))
