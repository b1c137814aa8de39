"""The HTTP door of check-in codes: admins open and close them, members type them in."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.web import ADMIN, MEMBER, Answer, PageQuery, operation
from services.points import checkins, ledger, submissions_schemas

checkins_api = Blueprint("checkins_api", __name__)


@checkins_api.post("/api/checkins/")
@operation(who=ADMIN, body=submissions_schemas.OpenCheckin, answers={201: submissions_schemas.OpenedCheckin, 404: None})
def open_checkin(body: dict[str, Any]) -> Answer:
    """Make a check-in code for an event. The code is in this answer only: what is kept is its hash."""
    opening = checkins.Opening(
        body["activity_type"], body["label"].strip(), body["starts_at"], body["ends_at"], body["max_uses"]
    )
    with transaction() as session:
        row, code = checkins.open_one(session, opening, caller().member_id)
        return {**submissions_schemas.Checkin().dump(row), "code": code}, 201


@checkins_api.get("/api/checkins/")
@operation(who=ADMIN, query=PageQuery, answers={200: submissions_schemas.Checkins})
def list_checkins(query: dict[str, Any]) -> Answer:
    """All check-ins, newest first."""
    with transaction() as session:
        rows, cursor = checkins.listing(session, query["limit"], query["cursor"])
        return {"items": [submissions_schemas.Checkin().dump(row.Checkin) for row in rows], "next_cursor": cursor}


@checkins_api.post("/api/checkins/<uuid:checkin_id>/revoke/")
@operation(who=ADMIN, answers={200: submissions_schemas.Checkin})
def revoke_checkin(checkin_id: UUID) -> Answer:
    """Close a check-in for good. What was awarded stays."""
    with transaction() as session:
        return dict(submissions_schemas.Checkin().dump(checkins.revoke(session, checkin_id, caller().member_id)))


@checkins_api.post("/api/checkins/redeem/")
@operation(
    who=MEMBER,
    body=submissions_schemas.RedeemCheckin,
    answers={200: submissions_schemas.RedeemedCheckin, 404: None, 409: None},
    idempotent=True,
)
def redeem_checkin(body: dict[str, Any]) -> Answer:
    """Type in the code of an event and get its points at once; five wrong tries a minute."""
    with transaction() as session:
        member_id = ledger.resolve(session, caller().member_id)
        # By itself, so that a try stays counted when the code turns out to be wrong.
        checkins.count_try(session, member_id)
    wrong = False
    try:
        with transaction() as session:
            return once(session, lambda: (_redeemed(checkins.redeem(session, member_id, body["code"])), 200))
    except checkins.WrongCode:
        wrong = True
        raise
    finally:
        if not wrong:
            with transaction() as session:
                checkins.give_back(session, member_id)


def _redeemed(found: checkins.Redeemed) -> dict[str, Any]:
    brought = {
        "label": found.checkin.label,
        "activity": found.activity.code,
        "name": found.activity.name,
        "points": found.award.points,
        "available": found.award.available,
        "points_log_id": found.award.id,
    }
    return dict(submissions_schemas.RedeemedCheckin().dump(brought))
