"""What the bot says and hears. It publishes no events: what happens in Discord reaches the owners as commands."""

from dataclasses import dataclass

from fleet.contracts import command
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest


@command("bot.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what bot holds on a member."""


@command("bot.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget the person in bot."""
