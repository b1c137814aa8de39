"""What clients of users may send, and what they get."""

import re
import unicodedata
from typing import Any
from zoneinfo import available_timezones

from email_validator import EmailNotValidError, validate_email
from marshmallow import ValidationError, fields, validate, validates_schema

from fleet.problems import invalid
from fleet.web import Derived, Flag, Instant, PageQuery, Schema, Text, Whole
from services.users import preferences
from services.users.accounts import TRACKS, display_name, shown_status

_USERNAME = re.compile(r"^[\w.-]{3,32}$")
# Letters by category, blank by shape.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
NAME = validate.Length(max=100)
REASON = validate.Length(1, 500)
ROLES = ("student", "company", "university", "admin")


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


def _time_zone(value: str) -> None:
    if value not in available_timezones():
        raise ValidationError("is not an IANA time zone")


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


class Message(Schema):
    """A sentence that says what was done."""

    message = fields.String(required=True)


class OneTimeToken(Schema):
    """The code from a mail."""

    token = fields.String(required=True, validate=validate.Length(1, 200))


class Verified(Message):
    """An address that was confirmed."""

    email_verified = fields.Boolean(required=True)


class PasswordChange(Schema):
    """The present password and the next."""

    current_password = fields.String(required=True, validate=validate.Length(1, 1000))
    new_password = fields.String(required=True, validate=validate.Length(1, 1000))


class ResetRequest(Schema):
    """The address of the account whose password is forgotten."""

    email = Text(required=True, validate=[validate.Length(max=254), _email])


class PasswordReset(OneTimeToken):
    """The code from the mail and the new password."""

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
    email_verified = Derived(fields.Boolean(), lambda m: m.email_verified_at is not None)
    first_name = fields.String()
    last_name = fields.String()
    display_name = Derived(fields.String(), display_name)
    role = fields.String()
    status = Derived(fields.String(), shown_status)
    track = fields.String(allow_none=True)
    university = fields.String(allow_none=True)
    company = fields.String(allow_none=True)
    major = fields.String(allow_none=True)
    graduation_year = fields.Integer(allow_none=True)
    discord_id = fields.String(allow_none=True)
    discord_username = fields.String(allow_none=True)
    discord_verified = Derived(fields.Boolean(), lambda m: m.discord_id is not None)
    media_consent = Derived(fields.Boolean(), lambda m: m.media_consent_at is not None)
    onboarding_completed = Derived(fields.Boolean(), lambda m: m.onboarding_completed_at is not None)
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


class NotificationChoice(Schema):
    """What to be told of by one channel."""

    new_activities = Flag()
    reward_updates = Flag()
    leaderboard_changes = Flag()


class PrivacyChoice(Schema):
    """What others see."""

    show_in_leaderboard = Flag()
    display_name_preference = fields.String(validate=validate.OneOf(preferences.DISPLAY_NAMES))


class DisplayChoice(Schema):
    """How times and texts are shown."""

    time_zone = fields.String(validate=_time_zone)
    locale = fields.String(validate=validate.Regexp(r"\A[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}\Z"))


class Preferences(Schema):
    """A member's preferences."""

    email_notifications = fields.Nested(NotificationChoice)
    discord_notifications = fields.Nested(NotificationChoice)
    privacy_settings = fields.Nested(PrivacyChoice)
    display_preferences = fields.Nested(DisplayChoice)


class Consent(Schema):
    """Whether the member may be shown in media."""

    media_consent = Flag(required=True)


class ConsentState(Schema):
    """The media consent, and since when."""

    media_consent = Derived(fields.Boolean(), lambda m: m.media_consent_at is not None)
    media_consent_at = Instant(allow_none=True)


class OnboardingState(Schema):
    """Whether the introduction is done, and since when."""

    onboarding_completed = Derived(fields.Boolean(), lambda m: m.onboarding_completed_at is not None)
    onboarding_completed_at = Instant(allow_none=True)


class DiscordState(Schema):
    """The link to Discord; an unlinked name is only what the member said."""

    discord_linked = Derived(fields.Boolean(), lambda m: m.discord_id is not None)
    discord_verified = Derived(fields.Boolean(), lambda m: m.discord_id is not None)
    discord_id = fields.String(allow_none=True)
    discord_username = fields.String(allow_none=True)
    verification_required = Derived(fields.Boolean(), lambda m: m.discord_id is None and m.discord_username is not None)


class UserFilter(PageQuery):
    """Which members to list."""

    role = fields.String(load_default=None, validate=validate.OneOf(ROLES))
    status = fields.String(load_default=None, validate=validate.OneOf(["active", "awaiting_approval", "suspended"]))
    track = fields.String(load_default=None, validate=validate.OneOf(TRACKS))
    university = fields.String(load_default=None, validate=validate.Length(1, 100))
    q = fields.String(load_default=None, validate=validate.Length(1, 100))


def suspension_end(member: Any) -> str | None:
    """When the member's suspension ends; None when they are not suspended, or without end."""
    if shown_status(member) != "suspended" or member.suspended_until is None:
        return None
    return str(member.suspended_until.isoformat().replace("+00:00", "Z"))


class ManagedUser(User):
    """A member as admins see them."""

    warnings = fields.Integer()
    suspension_end = Derived(fields.DateTime(allow_none=True), suspension_end)
    last_activity = Instant(attribute="last_activity_at", allow_none=True)


class ManagedUsers(Schema):
    """A page of members."""

    items = fields.List(fields.Nested(ManagedUser), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class UserChange(Profile):
    """What an admin may change about a member."""

    role = fields.String(validate=validate.OneOf(ROLES))


class TrackChange(Schema):
    """A member's track; null takes it away."""

    track = fields.String(required=True, allow_none=True, validate=validate.OneOf(TRACKS))


class Warning(Schema):
    """Why a member is warned."""

    reason = Text(required=True, validate=REASON)


class Suspension(Schema):
    """Until when (`until` or `minutes`, neither for no end) and why a member is suspended."""

    until = Instant(load_default=None, allow_none=True)
    minutes = Whole(load_default=None, allow_none=True, validate=validate.Range(1, 10 * 365 * 24 * 60))
    reason = Text(required=True, validate=REASON)

    @validates_schema
    def one_end(self, data: dict[str, Any], **_kwargs: Any) -> None:
        """Two ends would leave open which one counts."""
        if data.get("until") is not None and data.get("minutes") is not None:
            raise ValidationError("give either until or minutes", "minutes")


class AuditEntry(Schema):
    """One change of a member: who, when, what it was and what it became."""

    id = fields.UUID(required=True)
    action = fields.String(required=True)
    actor_id = fields.UUID(required=True, allow_none=True)
    occurred_at = Instant(required=True)
    before = fields.Dict(required=True)
    after = fields.Dict(required=True)
    reason = fields.String(required=True, allow_none=True)


class Audit(Schema):
    """A page of a member's audit trail."""

    items = fields.List(fields.Nested(AuditEntry), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class StatusQuery(Schema):
    """Whose status; admins may ask for that of others."""

    user = fields.UUID(load_default=None)


class UserStatus(Schema):
    """A member's standing."""

    user_id = fields.UUID(required=True, attribute="id")
    warnings = fields.Integer(required=True)
    points_suspended = Derived(fields.Boolean(), lambda m: shown_status(m) == "suspended")
    suspension_end = Derived(fields.DateTime(allow_none=True), suspension_end)
    last_activity = Instant(attribute="last_activity_at", allow_none=True)


class Track(Schema):
    """A career track."""

    code = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)


class Tracks(Schema):
    """All career tracks."""

    items = fields.List(fields.Nested(Track), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


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
