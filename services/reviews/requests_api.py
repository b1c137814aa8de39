"""The HTTP door of review requests: asking, matching, feedback."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.problems import Forbidden, Problem
from fleet.web import ADMIN, ANYONE, MEMBER, Answer, operation
from services.reviews import feedback, matching, members, notes_page, requests, review_schemas, sessions, shown
from services.reviews.requests import Filters, Wish
from services.reviews.turns import Actor

requests_api = Blueprint("requests_api", __name__)


def viewer() -> UUID | None:
    """Whose rows the caller sees; None: all."""
    return None if caller().role == "admin" else caller().member_id


def actor(session: Any) -> Actor:
    """The caller as the one who does something."""
    kind = "admin" if caller().role == "admin" else "student"
    return Actor(kind, members.resolve(session, caller().member_id))


@requests_api.post("/api/review-requests/")
@operation(
    who=MEMBER,
    body=review_schemas.RequestReview,
    answers={201: review_schemas.ReviewRequest, 409: None},
    idempotent=True,
)
def create_request(body: dict[str, Any]) -> Answer:
    """Ask for a review of one's resume. One open request at a time; `preferred_times` is read at once."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            return shown.request(session, requests.submit(session, caller().member_id, Wish(**body))), 201

        return once(session, make)


@requests_api.get("/api/review-requests/")
@operation(who=MEMBER, query=review_schemas.RequestsQuery, answers={200: review_schemas.ReviewRequests})
def list_requests(query: dict[str, Any]) -> Answer:
    """One's own requests, newest first; for admins everybody's."""
    whose = query["student"]
    if caller().role != "admin":
        if whose not in (None, caller().member_id):
            raise Forbidden("Only admins see the requests of others.")
        whose = caller().member_id
    with transaction() as session:
        rows, cursor = requests.listing(session, Filters(whose, query["status"]), query["limit"], query["cursor"])
        return {"items": [shown.request(session, row) for row in rows], "next_cursor": cursor}


@requests_api.get("/api/review-requests/<uuid:request_id>/")
@operation(who=MEMBER, answers={200: review_schemas.ReviewRequest})
def get_request(request_id: UUID) -> Answer:
    """One of one's own requests (admins: any), with its history."""
    with transaction() as session:
        return shown.request(session, requests.get(session, request_id, viewer()))


@requests_api.post("/api/review-requests/<uuid:request_id>/cancel/")
@operation(
    who=MEMBER, body=review_schemas.Reason, answers={200: review_schemas.ReviewRequest, 409: None}, idempotent=True
)
def cancel_request(request_id: UUID, body: dict[str, Any]) -> Answer:
    """End an open request, and its session with it. The same again answers 200."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            row = sessions.cancel_request(session, request_id, actor(session), body["note"])
            return shown.request(session, row), 200

        return once(session, make)


@requests_api.post("/api/review-requests/<uuid:request_id>/match/")
@operation(
    who=ADMIN, body=review_schemas.Match, answers={200: review_schemas.ReviewRequest, 409: None}, idempotent=True
)
def match_request(request_id: UUID, body: dict[str, Any]) -> Answer:
    """Give a request to a professional."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            row = requests.match(session, request_id, body["professional_id"], actor(session))
            return shown.request(session, row), 200

        return once(session, make)


@requests_api.get("/api/review-requests/<uuid:request_id>/suggestions/")
@operation(who=MEMBER, answers={200: review_schemas.Suggestions, 409: None})
def suggestions(request_id: UUID) -> Answer:
    """Ranked slots for an open request, each with its score and why; or what kept everybody out."""
    with transaction() as session:
        row = requests.get(session, request_id, viewer())
        requests.require_open(row, "pending", "matched", "scheduled")
        found, nobody = matching.suggest(session, row)
        worst = None if found else nobody.worst
        return {"items": [shown.suggestion(one) for one in found], "excluded": nobody.excluded, "worst": worst}


@requests_api.post("/api/review-requests/match-all/")
@operation(who=ADMIN, body=review_schemas.MatchAll, answers={200: review_schemas.Assignment}, idempotent=True)
def match_all(body: dict[str, Any]) -> Answer:
    """The best assignment of all pending requests under everybody's weekly maximum; `commit` makes it so.

    A request that changed meanwhile is left as it is.
    """
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            choices = matching.match_all(session)
            if body["commit"]:
                who = actor(session)
                for choice in sorted(choices, key=lambda one: one.request.id):
                    if choice.chosen is not None:
                        _commit(session, choice.request.id, choice.chosen.professional.id, who)
            items = [shown.choice(choice) for choice in choices]
            return {"committed": body["commit"], **matching.totals(choices), "items": items}, 200

        return once(session, make)


def _commit(session: Any, request_id: UUID, professional_id: UUID, who: Actor) -> None:
    try:
        with session.begin_nested():
            row = requests.held(session, request_id, None)
            if row.status == "pending":
                requests.match(session, request_id, professional_id, who)
    except Problem:
        # It, or the professional, changed while we were counting: the next run takes it up.
        return


@requests_api.post("/api/review-requests/<uuid:request_id>/feedback/")
@operation(
    who=MEMBER, body=review_schemas.Rate, answers={201: review_schemas.FeedbackGiven, 409: None}, idempotent=True
)
def give_feedback(request_id: UUID, body: dict[str, Any]) -> Answer:
    """Rate a completed review of one's own, once."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            row = feedback.rate(session, request_id, caller().member_id, body["rating"], body["text"])
            said = {
                "review_request_id": row.review_request_id,
                "rating": row.rating,
                "text": row.comment,
                "given_at": row.given_at,
            }
            return dict(review_schemas.FeedbackGiven().dump(said)), 201

        return once(session, make)


@requests_api.get("/api/review-requests/notes/")
@operation(who=ANYONE, query=review_schemas.SharedQuery, answers={200: None, 404: None})
def notes_form(query: dict[str, Any]) -> Answer:
    """The page on which a professional writes their notes, for whoever has the link that was mailed to them."""
    with transaction() as session:
        name = feedback.student_of_link(session, query["token"])
    return notes_page.page(name)


@requests_api.post("/api/review-requests/notes/")
@operation(who=ANYONE, body=review_schemas.WriteNotes, answers={201: review_schemas.NotesWritten, 404: None, 409: None})
def write_notes(body: dict[str, Any]) -> Answer:
    """The professional's notes on a session, with the token of the link that was mailed to them; once, without an account."""
    with transaction() as session:
        row = feedback.write_notes(session, body["token"], body["notes"], body["outcome"])
        return {"session_id": str(row.id), "status": row.status}, 201
