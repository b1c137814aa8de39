"""A member's preferences: one object of four groups, each key with its default."""

from typing import Any

_NOTIFICATIONS = {"new_activities": True, "reward_updates": True, "leaderboard_changes": False}

DEFAULTS: dict[str, dict[str, Any]] = {
    "email_notifications": _NOTIFICATIONS,
    "discord_notifications": _NOTIFICATIONS,
    "privacy_settings": {"show_in_leaderboard": True, "display_name_preference": "first_name_only"},
    "display_preferences": {"time_zone": "UTC", "locale": "en"},
}
DISPLAY_NAMES = ("first_name_only", "username", "first_last_initial", "pseudonym")


def complete(chosen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All preferences: what was chosen, and the defaults of the rest."""
    return {group: defaults | chosen.get(group, {}) for group, defaults in DEFAULTS.items()}


def merged(chosen: dict[str, Any], changes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All preferences after `changes`, which names groups and in them only the keys that change."""
    present = complete(chosen)
    return {group: values | changes.get(group, {}) for group, values in present.items()}
