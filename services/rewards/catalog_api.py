"""The HTTP door of the catalogue: everybody looks, admins change."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, url_for
from sqlalchemy.orm import Session

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.problems import Forbidden
from fleet.web import ADMIN, MEMBER, Answer, PageQuery, operation
from services.rewards import catalog, catalog_admin, schemas, shop
from services.rewards.models import Incentive

catalog_api = Blueprint("catalog_api", __name__)


def _shown(incentive: Incentive) -> dict[str, Any]:
    return dict(schemas.Incentive().dump(incentive))


@catalog_api.get("/api/rewards/available/")
@operation(who=MEMBER, query=schemas.AvailableQuery, answers={200: schemas.AvailableRewards})
def list_available(query: dict[str, Any]) -> Answer:
    """The shop, cheapest first: what one can redeem, and what is missing for the rest."""
    with transaction() as session:
        wanted = catalog.filters(is_active=True, category=query["category"], tier=query["tier"], words=query["q"])
        found = shop.page(session, caller().member_id, wanted, query["limit"], query["cursor"])
        return {
            "items": [schemas.offered(offer) for offer in found.offers],
            "available_points": found.available,
            "lifetime_points": found.lifetime,
            "next_cursor": found.next_cursor,
        }


@catalog_api.get("/api/incentives/")
@operation(who=MEMBER, query=schemas.IncentivesQuery, answers={200: schemas.Incentives})
def list_incentives(query: dict[str, Any]) -> Answer:
    """The catalogue, cheapest first; what was retired only for admins."""
    if query["is_active"] != "true" and caller().role != "admin":
        raise Forbidden("Only admins see what was retired.")
    active = {"true": True, "false": False, "any": None}[query["is_active"]]
    with transaction() as session:
        wanted = catalog.filters(is_active=active, category=query["category"], tier=query["tier"], words=query["q"])
        rows, following = catalog.listed(session, wanted, query["limit"], query["cursor"])
        return {"items": [_shown(row) for row in rows], "next_cursor": following}


@catalog_api.get("/api/incentives/<uuid:incentive_id>/")
@operation(who=MEMBER, answers={200: schemas.Incentive})
def get_incentive(incentive_id: UUID) -> Answer:
    """One reward, active or retired."""
    with transaction() as session:
        return _shown(catalog.find(session, incentive_id))


@catalog_api.post("/api/incentives/")
@operation(who=ADMIN, body=schemas.NewIncentive, answers={201: schemas.Incentive, 409: None}, idempotent=True)
def add_incentive(body: dict[str, Any]) -> Answer:
    """Add a reward to the shop."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            return _shown(catalog_admin.add(session, body, caller().member_id)), 201

        answer = once(session, make)
    answer.headers["Location"] = url_for("catalog_api.get_incentive", incentive_id=(answer.get_json() or {})["id"])
    return answer


@catalog_api.patch("/api/incentives/<uuid:incentive_id>/")
@operation(who=ADMIN, body=schemas.ChangedIncentive, answers={200: schemas.Incentive, 409: None})
def change_incentive(incentive_id: UUID, body: dict[str, Any]) -> Answer:
    """Change a reward. Redemptions keep the price at which they were made."""
    note = body.pop("note")
    with transaction() as session:
        return _shown(catalog_admin.change(session, incentive_id, body, caller().member_id, note))


def _once(act: Callable[[Session], Incentive]) -> Response:
    with transaction() as session:
        return once(session, lambda: (_shown(act(session)), 200))


@catalog_api.post("/api/incentives/<uuid:incentive_id>/restock/")
@operation(who=ADMIN, body=schemas.Restock, answers={200: schemas.Incentive, 409: None}, idempotent=True)
def restock_incentive(incentive_id: UUID, body: dict[str, Any]) -> Answer:
    """Put more on the shelf."""
    actor = caller().member_id
    return _once(lambda session: catalog_admin.restock(session, incentive_id, body["quantity"], actor, body["note"]))


@catalog_api.post("/api/incentives/<uuid:incentive_id>/retire/")
@operation(who=ADMIN, body=schemas.Note, answers={200: schemas.Incentive}, idempotent=True)
def retire_incentive(incentive_id: UUID, body: dict[str, Any]) -> Answer:
    """Take a reward out of the shop; what was redeemed goes on. PATCH is_active brings it back."""
    return _once(lambda session: catalog_admin.retire(session, incentive_id, caller().member_id, body["note"]))


@catalog_api.get("/api/incentives/<uuid:incentive_id>/history/")
@operation(who=MEMBER, query=PageQuery, answers={200: schemas.IncentiveHistory})
def get_incentive_history(incentive_id: UUID, query: dict[str, Any]) -> Answer:
    """What was changed of a reward, newest first; who did it only for admins."""
    with transaction() as session:
        rows, following = catalog_admin.history(session, incentive_id, query["limit"], query["cursor"])
        items = [dict(schemas.IncentiveChange().dump(row)) for row in rows]
    if caller().role != "admin":
        items = [item | {"actor_id": None, "note": None} for item in items]
    return {"items": items, "next_cursor": following}
