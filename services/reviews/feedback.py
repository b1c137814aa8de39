"""Feedback: the student's rating after a completed session, once; the professional's notes by their link, once."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.reviews import FeedbackGiven
from fleet.messages import now
from fleet.problems import NotFound, Problem
from services.reviews import members, note_links, requests, sessions
from services.reviews.session_models import Feedback, Meeting, Note
from services.reviews.turns import Actor, WrongState

SOURCE = "reviews"


class GivenAlready(Problem):
    """It was said once, and once it is."""

    status, slug, title = 409, "feedback-given", "Feedback was given already"


def rate(session: Session, request_id: UUID, student_id: UUID, rating: int, comment: str) -> Feedback:
    """The student's word on a completed request. Raises NotFound, WrongState, GivenAlready."""
    request = requests.held(session, request_id, student_id)
    meeting = sessions.of_request(session, request_id)
    if request.status != "completed" or meeting is None or meeting.status != "completed":
        raise WrongState("Feedback is for completed reviews.", present_status=request.status)
    values = {"session_id": meeting.id, "rating": rating, "comment": comment, "given_at": now()}
    row = insert(Feedback).values(review_request_id=request_id, **values)
    if session.scalar(row.on_conflict_do_nothing().returning(Feedback.rating)) is None:
        raise GivenAlready("You gave your feedback on this review.")
    said = FeedbackGiven(request.id, meeting.id, request.student_id, meeting.professional_id, rating)
    request.version += 1
    session.flush()
    outbox.record(session, said, source=SOURCE, subject=request.id, sequence=request.version)
    return session.get_one(Feedback, request_id)


def write_notes(session: Session, token: str, notes: str, outcome: str | None) -> Meeting:
    """The professional's notes, through the link in their mail; they may also say how the session ended.

    Raises BadLink, NotFound, GivenAlready, WrongState.
    """
    session_id = note_links.open_one(token, "notes")
    meeting = session.get(Meeting, session_id)
    if meeting is None:
        raise NotFound("There is no such session.")
    actor = Actor("professional", meeting.professional_id)
    if outcome == "completed":
        meeting = sessions.complete(session, session_id, actor)
    elif outcome == "no_show":
        meeting = sessions.no_show(session, session_id, actor)
    if meeting.status not in ("completed", "no_show"):
        raise WrongState("Notes are for sessions that took place.", present_status=meeting.status)
    row = insert(Note).values(session_id=session_id, notes=notes, given_at=now())
    if session.scalar(row.on_conflict_do_nothing().returning(Note.session_id)) is None:
        raise GivenAlready("The notes of this session are written.")
    return meeting


def student_of_link(session: Session, token: str) -> str:
    """The name of the student whose session a professional's link is for. Raises BadLink, NotFound."""
    meeting = session.get(Meeting, note_links.open_one(token, "notes"))
    if meeting is None:
        raise NotFound("There is no such session.")
    return members.find(session, meeting.student_id).display_name or "a student"
