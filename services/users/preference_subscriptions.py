"""Preferences as members see and change them in Discord. The same schema reads them as at the HTTP door."""

import dataclasses
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts import users
from fleet.messages import Envelope
from fleet.problems import invalid
from fleet.web import load
from services.users import accounts, preferences, schemas
from services.users.heard import subscriptions


@subscriptions.handles(users.GetPreferences)
def get_preferences(session: Session, question: Envelope[users.GetPreferences]) -> users.Preferences:
    """All of a member's."""
    return _shown(session, question.data.member_id)


@subscriptions.handles(users.ChangePreferences)
def change_preferences(session: Session, command: Envelope[users.ChangePreferences]) -> users.Preferences:
    """Change those that are named."""
    asked = command.data
    channels = ("email_notifications", "discord_notifications")
    changes = {name: _said(dataclasses.asdict(told)) for name in channels if (told := getattr(asked, name)) is not None}
    shown = {name: getattr(asked, name) for name in ("show_in_leaderboard", "display_name_preference")}
    changes |= {"privacy_settings": _said(shown), "display_preferences": _said({"time_zone": asked.time_zone})}
    loaded = load(schemas.Preferences, {group: values for group, values in changes.items() if values})
    if not loaded:
        raise invalid("/", "name at least one preference to change")
    accounts.change_preferences(session, asked.member_id, loaded, whole=False)
    return _shown(session, asked.member_id)


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _shown(session: Session, member_id: UUID) -> users.Preferences:
    member = accounts.get(session, member_id)
    present = preferences.complete(member.preferences)
    return users.Preferences(
        email_notifications=users.Told(**present["email_notifications"]),
        discord_notifications=users.Told(**present["discord_notifications"]),
        show_in_leaderboard=present["privacy_settings"]["show_in_leaderboard"],
        display_name_preference=present["privacy_settings"]["display_name_preference"],
        time_zone=present["display_preferences"]["time_zone"],
        locale=present["display_preferences"]["locale"],
        shown_as=accounts.display_name(member),
        has_email=member.email_verified_at is not None,
    )
