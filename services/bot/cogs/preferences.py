"""What others see of a member, and what the member is told of. The preferences are those of the web, kept by users."""

from typing import Any, get_args

from fleet.contracts.users import ChangePreferences, DisplayName, GetPreferences, ToldChanges
from services.bot import preference_presenters  # noqa: F401 presenters by name
from services.bot.calls import Call
from services.bot.commands import Option, command
from services.bot.refusals import Usage

GROUP = "Your account"
SHOW, HIDE = "show", "hide"
SUBJECTS = ("new_activities", "reward_updates", "leaderboard_changes")


@command(
    "privacy",
    "What others see of you: the leaderboard, your name",
    Option("change", "choice", "show or hide you, or how you are called", choices=(SHOW, HIDE, *get_args(DisplayName))),
    Option("time_zone", "time_zone", "the zone of your times in mail, for example Europe/Berlin", named=True),
    group=GROUP,
)
async def privacy(call: Call, change: str | None = None, time_zone: str | None = None) -> None:
    """Shows the preferences, or changes them and shows what they are now."""
    changes: dict[str, Any] = {}
    if change in (SHOW, HIDE):
        changes["show_in_leaderboard"] = change == SHOW
    elif change is not None:
        changes["display_name_preference"] = change
    if time_zone is not None:
        changes["time_zone"] = time_zone.strip()
    await _show_or_change(call, "privacy", changes)


@command(
    "notifications",
    "What I tell you of, and by which way",
    Option("about", "choice", "what it is about", choices=SUBJECTS),
    Option("turn", "choice", "on or off", choices=("on", "off")),
    Option("by", "choice", "direct messages here, or e-mail; here when left out", choices=("discord", "email")),
    group=GROUP,
)
async def notifications(call: Call, about: str | None = None, turn: str | None = None, by: str = "discord") -> None:
    """Shows the preferences, or changes one and shows what they are now."""
    if (about is None) != (turn is None):
        raise Usage("Say both what it is about and whether it is to be on or off: `/notifications reward_updates off`.")
    changes: dict[str, Any] = {}
    if about is not None:
        changes[f"{by}_notifications"] = ToldChanges(**{about: turn == "on"})
    await _show_or_change(call, "notifications", changes)


async def _show_or_change(call: Call, presenter: str, changes: dict[str, Any]) -> None:
    if changes:
        await call.ask(lambda _session, me: ChangePreferences(me, **changes), presenter)
    else:
        await call.ask(lambda _session, me: GetPreferences(me), presenter)
