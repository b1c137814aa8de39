"""A member's preferences as the bot shows and changes them; a part of `users`, which names all of it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from fleet.contracts import command, question

DisplayName = Literal["first_name_only", "username", "first_last_initial", "pseudonym"]


@dataclass(frozen=True)
class Told:
    """What a member wants to be told of, by one channel."""

    new_activities: bool
    reward_updates: bool
    leaderboard_changes: bool


@dataclass(frozen=True)
class Preferences:
    """All preferences of a member. `shown_as` is the name that others see, as it comes of them."""

    email_notifications: Told
    discord_notifications: Told
    show_in_leaderboard: bool
    display_name_preference: DisplayName
    time_zone: str
    locale: str
    shown_as: str
    has_email: bool = False


@question("users.get_preferences.v1", senders=("bot",), answer=Preferences)
@dataclass(frozen=True)
class GetPreferences:
    """What does this member prefer?"""

    member_id: UUID


@dataclass(frozen=True)
class ToldChanges:
    """What changes of what a member is told of; null stays as it is."""

    new_activities: bool | None = None
    reward_updates: bool | None = None
    leaderboard_changes: bool | None = None


@command("users.change_preferences.v1", senders=("bot",), answer=Preferences)
@dataclass(frozen=True)
class ChangePreferences:
    """A member changes their own preferences; null stays as it is."""

    member_id: UUID
    email_notifications: ToldChanges | None = None
    discord_notifications: ToldChanges | None = None
    show_in_leaderboard: bool | None = None
    display_name_preference: DisplayName | None = None
    time_zone: str | None = None
