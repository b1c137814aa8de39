"""What the bot says and hears. It publishes no events: what happens in Discord reaches the owners as commands."""

from dataclasses import dataclass

from fleet.contracts import question


@dataclass(frozen=True)
class Presence:
    """Whether somebody of that name is in the server now; never who."""

    present: bool


@question("bot.look_for_member.v1", senders=("users",), answer=Presence)
@dataclass(frozen=True)
class LookForMember:
    """Is a person of this Discord user name (compared without case) in the server?"""

    discord_username: str
