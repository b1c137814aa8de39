"""The HTTP door to one's own consent, onboarding and Discord state."""

import ipaddress
from typing import Any

from flask import Blueprint, request

from fleet.auth import caller
from fleet.database import transaction
from fleet.web import MEMBER, Answer, operation
from services.users import accounts, onboarding, schemas

onboarding_api = Blueprint("onboarding_api", __name__)


def _client_address() -> str | None:
    """Where the request came from: the gateway says so in a header that it sets itself."""
    try:
        return str(ipaddress.ip_address(request.headers.get("X-Real-IP") or request.remote_addr or ""))
    except ValueError:
        return None


@onboarding_api.post("/api/users/consent/")
@operation(who=MEMBER, body=schemas.Consent, answers={200: schemas.ConsentState, 404: None})
def give_consent(body: dict[str, Any]) -> Answer:
    """Give or withdraw the consent to be shown in media; its time and the client's address are kept."""
    with transaction() as session:
        member = onboarding.consent(session, caller().member_id, body["media_consent"], _client_address())
        return dict(schemas.ConsentState().dump(member))


@onboarding_api.post("/api/users/complete_onboarding/")
@operation(who=MEMBER, answers={200: schemas.OnboardingState, 404: None})
def complete_onboarding() -> Answer:
    """Mark the introduction as done; the first time counts."""
    with transaction() as session:
        return dict(schemas.OnboardingState().dump(onboarding.complete(session, caller().member_id)))


@onboarding_api.get("/api/users/discord_verification/")
@operation(who=MEMBER, answers={200: schemas.DiscordState, 404: None})
def get_discord_verification() -> Answer:
    """Whether a Discord account is linked, and which."""
    with transaction() as session:
        return dict(schemas.DiscordState().dump(accounts.get(session, caller().member_id)))
