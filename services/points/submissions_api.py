"""The HTTP door of submissions: members hand in and take back, admins decide, one by one or many at once."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.problems import Forbidden, Problem
from fleet.web import ADMIN, MEMBER, Answer, operation
from services.points import decisions, submissions, submissions_schemas
from services.points.decisions import Actor
from services.points.submissions import Claim, Filters

submissions_api = Blueprint("submissions_api", __name__)


@submissions_api.post("/api/submissions/")
@operation(
    who=MEMBER,
    body=submissions_schemas.Submit,
    answers={201: submissions_schemas.Submission, 404: None, 409: None},
    idempotent=True,
)
def create_submission(body: dict[str, Any]) -> Answer:
    """Hand in what staff are to approve."""
    claim = Claim(body["activity_type"], body["description"], body["url"], body["evidence_id"])
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            submission_id = submissions.submit(session, caller().member_id, claim)
            return submissions_schemas.described(submissions.described(session, submission_id)), 201

        return once(session, make)


@submissions_api.get("/api/submissions/")
@operation(who=MEMBER, query=submissions_schemas.SubmissionsQuery, answers={200: submissions_schemas.Submissions})
def list_submissions(query: dict[str, Any]) -> Answer:
    """One's own submissions; for admins everybody's, so `status=pending` is the queue."""
    whose = query["member"]
    if caller().role != "admin":
        if whose not in (None, caller().member_id):
            raise Forbidden("Only admins see the submissions of others.")
        whose = caller().member_id
    filters = Filters(whose, query["status"], query["activity"], query["older_than"], query["order"])
    with transaction() as session:
        rows, cursor = submissions.listing(session, filters, query["limit"], query["cursor"])
        return {"items": [submissions_schemas.described(row) for row in rows], "next_cursor": cursor}


@submissions_api.get("/api/submissions/<uuid:submission_id>/")
@operation(who=MEMBER, answers={200: submissions_schemas.Submission})
def get_submission(submission_id: UUID) -> Answer:
    """One of one's own submissions (admins: any)."""
    with transaction() as session:
        if caller().role != "admin":
            submissions.of_member(session, submission_id, caller().member_id)
        return submissions_schemas.described(submissions.described(session, submission_id))


@submissions_api.post("/api/submissions/<uuid:submission_id>/withdraw/")
@operation(who=MEMBER, answers={200: submissions_schemas.Submission, 409: None})
def withdraw_submission(submission_id: UUID) -> Answer:
    """Take a pending submission back; what it claimed may be handed in again."""
    with transaction() as session:
        decisions.withdraw(session, submission_id, caller().member_id)
        return submissions_schemas.described(submissions.described(session, submission_id))


@submissions_api.post("/api/submissions/<uuid:submission_id>/approve/")
@operation(
    who=ADMIN,
    body=submissions_schemas.Approve,
    answers={200: submissions_schemas.Submission, 409: None},
    idempotent=True,
)
def approve_submission(submission_id: UUID, body: dict[str, Any]) -> Answer:
    """Approve and pay. The same approval again answers 200 and pays nothing more."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            return _decided(session, submission_id, "approve", body), 200

        return once(session, make)


@submissions_api.post("/api/submissions/<uuid:submission_id>/reject/")
@operation(
    who=ADMIN,
    body=submissions_schemas.Reject,
    answers={200: submissions_schemas.Submission, 409: None},
    idempotent=True,
)
def reject_submission(submission_id: UUID, body: dict[str, Any]) -> Answer:
    """Reject, and say why."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            return _decided(session, submission_id, "reject", body), 200

        return once(session, make)


@submissions_api.post("/api/submissions/bulk/")
@operation(who=ADMIN, body=submissions_schemas.BulkDecision, answers={200: submissions_schemas.BulkOutcomes})
def decide_submissions(body: dict[str, Any]) -> Answer:
    """One decision on many: each has its own transaction and its own outcome, so that one refusal stops no other."""
    items = []
    for submission_id in body["ids"]:
        item: dict[str, Any] = {"id": submission_id, "status": 200, "submission": None, "problem": None}
        try:
            with transaction() as session:
                item["submission"] = _decided(session, submission_id, body["decision"], body)
        except Problem as problem:
            item |= {"status": problem.status, "problem": problem.to_dict()}
        items.append(item)
    return {"items": items}


def _decided(session: Any, submission_id: UUID, decision: str, words: dict[str, Any]) -> dict[str, Any]:
    """Decide as the caller and describe what became of it."""
    actor = Actor(caller().member_id, "admin")
    if decision == "approve":
        decisions.approve(session, submission_id, actor, points=words["points"], note=words["note"])
    else:
        decisions.reject(session, submission_id, actor, words["note"])
    return submissions_schemas.described(submissions.described(session, submission_id))
