"""The HTTP door of redemptions for staff: the queue, decisions one by one or many at once, refunds, figures."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.problems import Problem
from fleet.settings import ProgramSettings, read
from fleet.web import ADMIN, Answer, operation
from services.rewards import decisions, listings, refunds, schemas, statistics
from services.rewards import redemption_schemas as shapes

admin_api = Blueprint("admin_api", __name__)


@admin_api.get("/api/redemptions/")
@operation(who=ADMIN, query=shapes.QueueQuery, answers={200: shapes.Queue})
def list_redemptions(query: dict[str, Any]) -> Answer:
    """Everybody's redemptions; `status=pending&order=oldest` is the queue."""
    filters = listings.Filters(query["member"], query["status"], query["reward"], query["older_than"], query["order"])
    with transaction() as session:
        rows, following = listings.listed(session, filters, query["limit"], query["cursor"])
        return {"items": [shapes.described(row, shapes.ForStaff) for row in rows], "next_cursor": following}


@admin_api.get("/api/redemptions/statistics/")
@operation(who=ADMIN, answers={200: shapes.Statistics})
def get_statistics() -> Answer:
    """The shop in figures."""
    with transaction() as session:
        return dict(shapes.Statistics().dump(statistics.figures(session, str(read(ProgramSettings).zone))))


def _decided(session: Session, redemption_id: UUID, decision: Any, words: dict[str, Any]) -> dict[str, Any]:
    """Decide as the caller and describe what became of it."""
    decisions.decide(session, redemption_id, decision, caller().member_id, **words)
    return shapes.described(listings.described(session, redemption_id), shapes.ForStaff)


def _once(make: Callable[[Session], dict[str, Any]]) -> Response:
    with transaction() as session:
        return once(session, lambda: (make(session), 200))


@admin_api.post("/api/redemptions/<uuid:redemption_id>/approve/")
@operation(who=ADMIN, body=schemas.Note, answers={200: shapes.ForStaff, 409: None}, idempotent=True)
def approve_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Approve: the reserved points are spent."""
    return _once(lambda session: _decided(session, redemption_id, "approve", body))


@admin_api.post("/api/redemptions/<uuid:redemption_id>/reject/")
@operation(who=ADMIN, body=schemas.Note, answers={200: shapes.ForStaff, 409: None}, idempotent=True)
def reject_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Reject: points and stock return."""
    return _once(lambda session: _decided(session, redemption_id, "reject", body))


@admin_api.post("/api/redemptions/<uuid:redemption_id>/ship/")
@operation(who=ADMIN, body=shapes.Ship, answers={200: shapes.ForStaff, 409: None}, idempotent=True)
def ship_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """An approved one is on its way; once more with other particulars corrects them."""
    return _once(lambda session: _decided(session, redemption_id, "ship", body))


@admin_api.post("/api/redemptions/<uuid:redemption_id>/deliver/")
@operation(who=ADMIN, body=schemas.Note, answers={200: shapes.ForStaff, 409: None}, idempotent=True)
def deliver_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """It has arrived; digital rewards may without having been shipped."""
    return _once(lambda session: _decided(session, redemption_id, "deliver", body))


@admin_api.post("/api/redemptions/bulk/")
@operation(who=ADMIN, body=shapes.Bulk, answers={200: shapes.BulkOutcomes})
def decide_redemptions(body: dict[str, Any]) -> Answer:
    """One decision on many: each has its own transaction and its own outcome, so that one refusal stops no other."""
    items = []
    for redemption_id in body["ids"]:
        item: dict[str, Any] = {"id": redemption_id, "status": 200, "redemption": None, "problem": None}
        try:
            with transaction() as session:
                item["redemption"] = _decided(session, redemption_id, body["decision"], {"note": body["note"]})
        except Problem as problem:
            item |= {"status": problem.status, "problem": problem.to_dict()}
        items.append(item)
    return {"items": items}


def _refunded(session: Session, made: refunds.Refunded) -> dict[str, Any]:
    row = listings.described(session, made.redemption.id)
    request = shapes.RefundRequest().dump(made.request) if made.request else None
    return shapes.described(row, shapes.Refunded) | {"refund": request}


@admin_api.post("/api/redemptions/<uuid:redemption_id>/refund/")
@operation(
    who=ADMIN,
    body=shapes.Refund,
    answers={200: shapes.Refunded, 202: shapes.Refunded, 409: None},
    idempotent=True,
)
def refund_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Give spent points back. 202 when there are so many that another admin must confirm it."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            made = refunds.refund(session, redemption_id, caller().member_id, body["reason"], restock=body["restock"])
            return _refunded(session, made), 202 if made.request else 200

        return once(session, make)


@admin_api.get("/api/redemptions/refunds/")
@operation(who=ADMIN, query=shapes.RefundRequestsQuery, answers={200: shapes.RefundRequests})
def list_refunds(query: dict[str, Any]) -> Answer:
    """Refunds that need or needed a second admin, newest first; `status=pending` are those that wait."""
    with transaction() as session:
        rows, following = refunds.listed(session, query["status"], query["limit"], query["cursor"])
        return {"items": shapes.RefundRequest(many=True).dump(rows), "next_cursor": following}


@admin_api.post("/api/redemptions/<uuid:redemption_id>/refund/confirm/")
@operation(who=ADMIN, body=schemas.Note, answers={200: shapes.Refunded, 409: None}, idempotent=True)
def confirm_refund(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Confirm, as another admin than the one who asked for it; the points go back now."""
    actor = caller().member_id
    return _once(lambda s: _refunded(s, refunds.confirm(s, redemption_id, actor, body["note"])))


@admin_api.post("/api/redemptions/<uuid:redemption_id>/refund/refuse/")
@operation(who=ADMIN, body=schemas.Note, answers={200: shapes.Refunded, 409: None}, idempotent=True)
def refuse_refund(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Refuse, as another admin than the one who asked for it; nothing goes back."""
    actor = caller().member_id
    return _once(lambda s: _refunded(s, refunds.refuse(s, redemption_id, actor, body["note"])))
