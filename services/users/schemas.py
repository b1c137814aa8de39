"""What clients of users may send, and what they get."""

import re
import unicodedata
from typing import Any

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate

from fleet.problems import invalid
from fleet.web import Instant, Schema, Text, Whole
from services.users.accounts import TRACKS, display_name

_USERNAME = re.compile(r"^[\w.-]{3,32}$")
# Letters by category, blank by shape.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
NAME = validate.Length(max=100)


def _username(value: str) -> None:
    """3 to 32 letters, digits, `.`, `_` or `-`, of one direction and without invisible characters."""
    invisible = any(unicodedata.category(c) in ("Cf", "Cc", "Mn", "Me") or c in _FILLERS for c in value)
    directions = {unicodedata.bidirectional(c) for c in value}
    if not _USERNAME.match(value) or invisible or ("L" in directions and directions & {"R", "AL"}):
        raise ValidationError("must be 3 to 32 letters of one direction, digits, '.', '_' or '-'")


def _email(value: str) -> None:
    try:
        validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValidationError("is not an e-mail address") from error


class DiscordData(Schema):
    """The Discord name given at registration; it reserves nothing until it is linked."""

    discord_username = Text(required=True, validate=validate.Length(1, 40))


class Registration(Schema):
    """A new account."""

    username = Text(required=True, validate=_username)
    email = Text(required=True, validate=[validate.Length(max=254), _email])
    password = fields.String(required=True)
    first_name = Text(load_default="", validate=NAME)
    last_name = Text(load_default="", validate=NAME)
    role = fields.String(load_default="student", validate=validate.OneOf(["student", "company", "university"]))
    university = Text(load_default=None, allow_none=True, validate=NAME)
    company = Text(load_default=None, allow_none=True, validate=NAME)
    major = Text(load_default=None, allow_none=True, validate=NAME)
    graduation_year = Whole(load_default=None, allow_none=True, validate=validate.Range(1900, 2100))
    track = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(TRACKS))
    discord_data = fields.Nested(DiscordData, load_default=None, allow_none=True)


class Credentials(Schema):
    """Username or e-mail address, and password."""

    username = fields.String(required=True, validate=validate.Length(1, 254))
    password = fields.String(required=True, validate=validate.Length(1, 1000))


class RefreshRequest(Schema):
    """A refresh token."""

    refresh = fields.String(required=True, validate=validate.Length(1, 200))


class Profile(Schema):
    """The fields of their own profile that a member may change."""

    first_name = Text(validate=NAME)
    last_name = Text(validate=NAME)
    university = Text(allow_none=True, validate=NAME)
    company = Text(allow_none=True, validate=NAME)
    major = Text(allow_none=True, validate=NAME)
    graduation_year = Whole(allow_none=True, validate=validate.Range(1900, 2100))
    track = fields.String(allow_none=True, validate=validate.OneOf(TRACKS))


class User(Schema):
    """A member as they see themselves."""

    id = fields.UUID()
    username = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    email_verified = fields.Function(lambda m: m.email_verified_at is not None)
    first_name = fields.String()
    last_name = fields.String()
    display_name = fields.Function(display_name)
    role = fields.String()
    status = fields.String()
    track = fields.String(allow_none=True)
    university = fields.String(allow_none=True)
    company = fields.String(allow_none=True)
    major = fields.String(allow_none=True)
    graduation_year = fields.Integer(allow_none=True)
    discord_id = fields.String(allow_none=True)
    discord_username = fields.String(allow_none=True)
    discord_verified = fields.Function(lambda m: m.discord_id is not None)
    media_consent = fields.Function(lambda m: m.media_consent_at is not None)
    onboarding_completed = fields.Function(lambda m: m.onboarding_completed_at is not None)
    created_at = Instant()


class Tokens(Schema):
    """An access token for `Authorization: Bearer`, and the refresh token to get the next."""

    access = fields.String(required=True)
    refresh = fields.String(required=True)


class Session(Schema):
    """A signed-in member."""

    user = fields.Nested(User, required=True)
    tokens = fields.Nested(Tokens, required=True)


class Registered(Session):
    """A new, signed-in member."""

    discord_verification_required = fields.Boolean(required=True)


class KeySet(Schema):
    """A JSON Web Key Set."""

    keys = fields.List(fields.Dict(), required=True)


def check_name(username: str, email: str) -> None:
    """Raise InvalidFields unless a member may be called that and reached there."""
    for pointer, rule, value in (("/username", _username, username), ("/email", _email, email)):
        try:
            rule(value)
        except ValidationError as error:
            raise invalid(pointer, str(error.messages[0])) from error


def dump(member: Any) -> dict[str, Any]:
    """The user object of a member."""
    return User().dump(member)
