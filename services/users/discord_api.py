"""The HTTP door to what the bot knows of the Discord server."""

from typing import Any

from flask import Blueprint

from fleet import asking
from fleet.contracts.bot import LookForMember
from fleet.problems import Unavailable
from fleet.web import ANYONE, Answer, operation
from services.users import discord_schemas

discord_api = Blueprint("discord_api", __name__)


@discord_api.post("/api/validate-discord-user/")
@operation(
    who=ANYONE, body=discord_schemas.NameToCheck, answers={200: discord_schemas.NameChecked, 429: None, 503: None}
)
def validate_discord_user(body: dict[str, Any]) -> Answer:
    """Say whether a Discord user name is a member of the server now.

    For the form of registration, before there is an account: it reserves nothing and links nothing. The bot answers; 503
    when it does not within three seconds, or is not connected to Discord.
    """
    try:
        found = asking.ask(LookForMember(body["discord_username"]), source="users")
    except asking.Refused as refused:
        # All that the bot refuses is to answer while it cannot know.
        raise Unavailable(refused.detail) from refused
    if found.present:
        return {"valid": True, "message": "This name is a member of the server."}
    return {
        "valid": False,
        "message": "Nobody of this name is in the server. Join it first, and write the name as Discord shows it.",
    }
