"""How a member's preferences look."""

from typing import Any

from fleet.contracts.users import Preferences, Told
from services.bot.cards import BLUE, Card, Rendered, name_of, plain
from services.bot.presenters import presenter
from services.bot.refusals import SENT_DIRECTLY

NAMES = {
    "first_name_only": "your first name",
    "username": "your user name",
    "first_last_initial": "your first name and an initial",
    "pseudonym": "a pseudonym",
}
_SUBJECTS = {
    "new_activities": "Points and submissions",
    "reward_updates": "Rewards and redemptions",
    "leaderboard_changes": "The leaderboard",
}


@presenter("privacy")
def show_privacy(found: Preferences, _arguments: dict[str, Any]) -> Rendered:
    """What others see of the member."""
    shown = (
        "You are shown on the leaderboard." if found.show_in_leaderboard else "You are not shown on the leaderboard."
    )
    fields = [
        ("Leaderboard", f"{shown} Your points and your own rank are the same either way."),
        ("Your name", f"Others see you as {name_of(found.shown_as)}: {NAMES[found.display_name_preference]}."),
        ("Time zone", f"{plain(found.time_zone)}, for mail; here in Discord times are shown in your own."),
    ]
    card = Card(
        title="What others see of you",
        fields=fields,
        footer="Change it: /privacy hide, /privacy show, /privacy pseudonym … · What you are told: /notifications",
        colour=BLUE,
    )
    return Rendered(card, short=SENT_DIRECTLY)


@presenter("notifications")
def show_notifications(found: Preferences, _arguments: dict[str, Any]) -> Rendered:
    """What the member is told of, by which channel."""
    mail = _told(found.email_notifications)
    if not found.has_email:
        mail += "\nYou have no confirmed e-mail address yet, so no mail is sent. Link your web account: /link"
    card = Card(
        title="What you are told of",
        fields=[("Here, by direct message", _told(found.discord_notifications)), ("By e-mail", mail)],
        footer="Change it: /notifications reward_updates off · News of your account itself always come",
        colour=BLUE,
    )
    return Rendered(card, short=SENT_DIRECTLY)


def _told(told: Told) -> str:
    lines = [f"{'🔔 on' if getattr(told, name) else '🔕 off'}: {words} (`{name}`)" for name, words in _SUBJECTS.items()]
    return "\n".join(lines)
