"""The HTTP door of redemptions for members: redeem, look, take back."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, jsonify, url_for

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import named
from fleet.settings import read
from fleet.web import MEMBER, Answer, operation
from services.rewards import decisions, listings, outcomes, redemptions, schemas, waiting
from services.rewards import redemption_schemas as shapes
from services.rewards.settings import RedemptionSettings

redemptions_api = Blueprint("redemptions_api", __name__)


@redemptions_api.post("/api/rewards/redeem/")
@operation(
    who=MEMBER,
    body=schemas.Redeem,
    answers={201: shapes.Redeemed, 202: shapes.Redeemed, 404: None, 409: None},
    idempotent=True,
)
def redeem(body: dict[str, Any]) -> Answer:
    """Spend points on a reward. 202 with Location when points does not answer in time: it completes, or is declined, later."""

    def request() -> tuple[UUID, bool]:
        with transaction() as session:

            def make() -> UUID:
                made = redemptions.request(
                    session, caller().member_id, body["reward_id"], details=body["delivery_details"]
                )
                return made.id

            return named(session, make)

    redemption_id, repeated = waiting.undisturbed(request)
    waiting.room.until_decided(redemption_id, read(RedemptionSettings).wait_s)
    response = _redeemed(redemption_id)
    if repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _redeemed(redemption_id: UUID) -> Response:
    """The answer from the row's present state, the first time and at every repetition."""
    with transaction() as session:
        row = listings.described(session, redemption_id)
        made = row.Redemption
        if made.status == "declined":
            raise outcomes.refusal(session, made)
        waits = made.status == "requested"
        left = None if waits else row.available
        response = jsonify(shapes.described(row, shapes.Redeemed, remaining_points=left))
    response.status_code = 202 if waits else 201
    response.headers["Location"] = url_for("redemptions_api.get_redemption", redemption_id=redemption_id)
    if waits:
        response.headers["Retry-After"] = "1"
    return response


@redemptions_api.get("/api/redemptions/history/")
@operation(who=MEMBER, query=shapes.HistoryQuery, answers={200: shapes.History})
def list_history(query: dict[str, Any]) -> Answer:
    """One's own redemptions, newest first."""
    filters = listings.Filters(member=caller().member_id, status=query["status"])
    with transaction() as session:
        rows, following = listings.listed(session, filters, query["limit"], query["cursor"])
        return {"items": [shapes.described(row) for row in rows], "next_cursor": following}


@redemptions_api.get("/api/redemptions/<uuid:redemption_id>/")
@operation(who=MEMBER, answers={200: shapes.RedemptionWithSteps})
def get_redemption(redemption_id: UUID) -> Answer:
    """One of one's own redemptions (admins: any) with every step."""
    admin = caller().role == "admin"
    with transaction() as session:
        if not admin:
            redemptions.of_member(session, redemption_id, caller().member_id)
        row = listings.described(session, redemption_id)
        return shapes.stepped(row, redemptions.steps(session, redemption_id), for_staff=admin)


@redemptions_api.post("/api/redemptions/<uuid:redemption_id>/cancel/")
@operation(who=MEMBER, body=schemas.Note, answers={200: shapes.Redemption, 409: None}, idempotent=True)
def cancel_redemption(redemption_id: UUID, body: dict[str, Any]) -> Answer:
    """Take a redemption back before staff have decided: points and stock return."""
    with transaction() as session:
        decisions.cancel(session, redemption_id, caller().member_id, body["note"])
        return shapes.described(listings.described(session, redemption_id))
