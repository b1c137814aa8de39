"""What clients send and get about links to Discord."""

from typing import Any

from marshmallow import fields, validate

from fleet.web import Flag, Instant, Schema, Text
from services.users.link_models import LinkCode
from services.users.models import Member


class LinkStart(Schema):
    """A code to type in Discord, `/link CODE`, before `expires_at`; it is shown this once."""

    code = fields.String(required=True)
    expires_at = Instant(required=True)
    used_at = Instant(required=True, allow_none=True)


class LinkConfirm(Schema):
    """The Discord name that the member was shown, and whether it is their own."""

    discord_username = Text(required=True, validate=validate.Length(1, 100))
    accept = Flag(load_default=True)


class LinkPassword(Schema):
    """The member's password, once more."""

    password = fields.String(required=True, validate=validate.Length(1, 1000))


class UnlinkReason(Schema):
    """Why an admin unlinks a member."""

    reason = Text(required=True, validate=validate.Length(1, 500))


class Claimant(Schema):
    """The Discord account that wants to be linked."""

    discord_username = fields.String(required=True)
    discord_display_name = fields.String(required=True)


class PendingLink(Schema):
    """A link that waits. Only the sign-in that started it may confirm it (`this_session`)."""

    expires_at = Instant(required=True)
    this_session = fields.Boolean(required=True)
    claimed_by = fields.Nested(Claimant, required=True, allow_none=True)
    confirmed_on_web = fields.Boolean(required=True)
    confirmed_in_discord = fields.Boolean(required=True)


class LinkStatus(Schema):
    """The linked Discord account, and the link that waits to be confirmed."""

    linked = fields.Boolean(required=True)
    discord_id = fields.String(required=True, allow_none=True)
    discord_username = fields.String(required=True, allow_none=True)
    pending = fields.Nested(PendingLink, required=True, allow_none=True)


def status(member: Member, waiting: LinkCode | None, session_id: Any) -> dict[str, Any]:
    """What a LinkStatus says of a member, for one of their sessions."""
    pending = None
    if waiting is not None:
        claimant = {
            "discord_username": waiting.claimed_username,
            "discord_display_name": waiting.claimed_display_name,
        }
        pending = {
            "expires_at": waiting.expires_at,
            "this_session": waiting.session_id == session_id,
            "claimed_by": claimant if waiting.claimed_by else None,
            "confirmed_on_web": waiting.web_confirmed_at is not None,
            "confirmed_in_discord": waiting.discord_confirmed_at is not None,
        }
    found = {
        "linked": member.discord_id is not None,
        "discord_id": member.discord_id,
        "discord_username": member.discord_username if member.discord_id else None,
        "pending": pending,
    }
    return dict(LinkStatus().dump(found))
