"""The HTTP door for admins who change the ways to earn."""

from typing import Any

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.web import ADMIN, Answer, operation
from services.points import activity_admin, submissions_schemas

activities_api = Blueprint("activities_api", __name__)

_DEFAULTS: dict[str, Any] = {
    "description": "",
    "requires_approval": True,
    "evidence": "none",
    "evidence_once": "none",
    "min_description": 0,
    "cap": None,
    "cooldown_seconds": 0,
    "is_active": True,
}


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    """The body with its cap as the two columns it is kept in."""
    if "cap" not in body:
        return body
    cap = body["cap"] or {"count": None, "period": None}
    rest = {name: value for name, value in body.items() if name != "cap"}
    return rest | {"cap_count": cap["count"], "cap_period": cap["period"]}


@activities_api.post("/api/activities/")
@operation(
    who=ADMIN,
    body=submissions_schemas.NewActivity,
    answers={201: submissions_schemas.ActivityForAdmins, 409: None},
    idempotent=True,
)
def create_activity(body: dict[str, Any]) -> Answer:
    """Add a way to earn. What is left out: by approval, without evidence, cap or cooldown, active."""
    rule = _columns(_DEFAULTS | body)
    code = rule.pop("code")
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            activity = activity_admin.create(session, code, rule, caller().member_id)
            return dict(submissions_schemas.ActivityForAdmins().dump(activity)), 201

        return once(session, make)


@activities_api.patch("/api/activities/<code>/")
@operation(who=ADMIN, body=submissions_schemas.ActivityRule, answers={200: submissions_schemas.ActivityForAdmins})
def change_activity(code: str, body: dict[str, Any]) -> Answer:
    """Change the rule of a way to earn, or switch it off or on. A change makes a new version of it."""
    with transaction() as session:
        activity = activity_admin.change(session, code, _columns(body), caller().member_id)
        return dict(submissions_schemas.ActivityForAdmins().dump(activity))
