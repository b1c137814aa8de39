"""The HTTP door of corrections: adjustments with their second admin, and reversals."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.web import ADMIN, Answer, operation
from services.points import analytics, corrections, schemas
from services.points import correction_schemas as shapes

corrections_api = Blueprint("corrections", __name__)


def _answer(session: Session, adjusted: corrections.Adjusted) -> dict[str, Any]:
    receipt = None
    if adjusted.transfer is not None:
        receipt = schemas.receipt(analytics.points_log_entry(session, None, adjusted.transfer.id))
    return shapes.adjustment_answer(adjusted, receipt)


@corrections_api.post("/api/points/adjust/")
@operation(
    who=ADMIN,
    body=shapes.Adjust,
    answers={201: shapes.AdjustmentAnswer, 202: shapes.AdjustmentAnswer, 404: None, 409: None},
    idempotent=True,
)
def adjust(body: dict[str, Any]) -> Answer:
    """Correct a member's points. 202 when there are so many that another admin must confirm it."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            made = corrections.adjust(
                session, body["user_id"], body["points"], body["reason"], actor=caller().member_id
            )
            return _answer(session, made), 201 if made.transfer else 202

        return once(session, make)


@corrections_api.get("/api/points/adjustments/")
@operation(who=ADMIN, query=shapes.AdjustmentsQuery, answers={200: shapes.Adjustments})
def list_adjustments(query: dict[str, Any]) -> Answer:
    """Adjustments, newest first; `status=pending` are those that wait for a second admin."""
    with transaction() as session:
        rows, cursor = corrections.listed(session, query["status"], query["user"], query["limit"], query["cursor"])
        return {"items": shapes.Adjustment(many=True).dump(rows), "next_cursor": cursor}


@corrections_api.post("/api/points/adjustments/<uuid:adjustment_id>/confirm/")
@operation(
    who=ADMIN, body=shapes.Decision, answers={200: shapes.AdjustmentAnswer, 404: None, 409: None}, idempotent=True
)
def confirm_adjustment(adjustment_id: UUID, body: dict[str, Any]) -> Answer:
    """Confirm, as another admin than the one who asked for it; the points move now."""

    def make(session: Session) -> corrections.Adjusted:
        return corrections.confirm(session, adjustment_id, actor=caller().member_id, note=body["note"])

    return _decided(make)


@corrections_api.post("/api/points/adjustments/<uuid:adjustment_id>/refuse/")
@operation(
    who=ADMIN, body=shapes.Decision, answers={200: shapes.AdjustmentAnswer, 404: None, 409: None}, idempotent=True
)
def refuse_adjustment(adjustment_id: UUID, body: dict[str, Any]) -> Answer:
    """Refuse, as another admin than the one who asked for it; no points move."""

    def make(session: Session) -> corrections.Adjusted:
        return corrections.refuse(session, adjustment_id, actor=caller().member_id, note=body["note"])

    return _decided(make)


def _decided(decide: Any) -> Response:
    with transaction() as session:
        return once(session, lambda: (_answer(session, decide(session)), 200))


@corrections_api.post("/api/points-logs/<uuid:log_id>/reverse/")
@operation(who=ADMIN, body=shapes.Reverse, answers={201: shapes.Reversed, 404: None, 409: None}, idempotent=True)
def reverse(log_id: UUID, body: dict[str, Any]) -> Answer:
    """Undo an award or an adjustment, once. Refused when its points are no longer available."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            made, balance = corrections.reverse(session, log_id, actor=caller().member_id, note=body["note"])
            receipt = schemas.receipt(analytics.points_log_entry(session, None, made.id))
            return {"points_log": receipt, "balance": schemas.Balance().dump(balance)}, 201

        return once(session, make)
