"""What the bot says and hears. It publishes no events: what happens in Discord reaches the owners as commands."""

from dataclasses import dataclass

from fleet.contracts import command, question
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest


@dataclass(frozen=True)
class Presence:
    """Whether somebody of that name is in the server now; never who."""

    present: bool


@question("bot.look_for_member.v1", senders=("users",), answer=Presence)
@dataclass(frozen=True)
class LookForMember:
    """Is a person of this Discord user name (compared without case) in the server?"""

    discord_username: str


@command("bot.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what bot holds on a member."""


@command("bot.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget the person in bot."""
