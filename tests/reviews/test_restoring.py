"""Reviews after a restore of another service: it says which reviews were asked for since, and which took place."""

from datetime import timedelta

from fleet.contracts.reviews import ReviewRequested, SessionCompleted
from fleet.database import transaction
from fleet.messages import now
from fleet.restoring import STEP
from services.reviews import sessions
from services.reviews.session_models import Meeting
from tests.reviews.test_sessions import STAFF, begun, schedule
from tests.told_anew import raise_all, told_anew


def test_what_earned_since_then_is_told_and_nothing_older(asked, professional, student, soon):
    ada = student()
    request_id = asked(ada)
    meeting_id = schedule(request_id, professional(), soon())
    begun(meeting_id)
    with transaction() as session:
        meeting = sessions.complete(session, meeting_id, STAFF)
        version, ended = meeting.version, meeting.ended_at
    requested, completed = told_anew("reviews")
    assert isinstance(requested.data, ReviewRequested)
    assert (requested.data.review_request_id, requested.data.member_id) == (request_id, ada)
    assert isinstance(completed.data, SessionCompleted)
    assert (completed.data.session_id, completed.data.completed_at, completed.sequence) == (meeting_id, ended, version)
    assert told_anew("reviews", now() + timedelta(seconds=1)) == []


def test_a_session_goes_on_where_nobody_has_been(asked, professional, soon):
    meeting_id = schedule(asked(), professional(), soon())
    raise_all("reviews")
    with transaction() as session:
        sessions.cancel(session, meeting_id, STAFF)
    with transaction() as session:
        meeting = session.get_one(Meeting, meeting_id)
        # An invitation with a lower sequence than a calendar has seen is dropped there.
        assert (meeting.version, meeting.sequence) == (STEP + 2, STEP + 1)
