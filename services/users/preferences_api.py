"""The HTTP door to one's own preferences."""

from typing import Any

from flask import Blueprint, request

from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import invalid
from fleet.web import MEMBER, Answer, operation
from services.users import accounts, preferences, schemas

preferences_api = Blueprint("preferences_api", __name__)


@preferences_api.get("/api/user-preferences/")
@operation(who=MEMBER, answers={200: schemas.Preferences, 404: None})
def get_preferences() -> Answer:
    """All preferences; what was never chosen has its default."""
    with transaction() as session:
        return dict(preferences.complete(accounts.get(session, caller().member_id).preferences))


@preferences_api.route("/api/user-preferences/", methods=["PUT", "PATCH"])
@operation(who=MEMBER, body=schemas.Preferences, answers={200: schemas.Preferences, 404: None})
def change_preferences(body: dict[str, Any]) -> Answer:
    """Change preferences: PATCH just those named, PUT all (what is not named goes back to its default)."""
    whole = request.method == "PUT"
    if not body and not whole:
        raise invalid("/", "name at least one preference to change")
    with transaction() as session:
        return accounts.change_preferences(session, caller().member_id, body, whole=whole)
