"""What integrations hears beside events: it publishes none of its own."""

from dataclasses import dataclass

from fleet.contracts import command
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest


@command("integrations.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what integrations holds on a member."""


@command("integrations.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget the person in integrations: their events stay, as those of nobody."""
