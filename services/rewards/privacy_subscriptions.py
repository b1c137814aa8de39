"""What users asks on behalf of a member: show all that is held, or forget the person."""

from sqlalchemy.orm import Session

from fleet import exporting
from fleet.contracts import rewards
from fleet.contracts.privacy import Erased, ExportPart
from fleet.messages import Envelope
from services.rewards import privacy
from services.rewards.heard import subscriptions


@subscriptions.handles(rewards.ExportMember)
def export_member(session: Session, command: Envelope[rewards.ExportMember]) -> ExportPart:
    """A part of what is held."""
    return exporting.part(session, privacy.SECTIONS, command.data.member_ids, command.data.cursor)


@subscriptions.handles(rewards.EraseMember)
def erase_member(session: Session, command: Envelope[rewards.EraseMember]) -> Erased:
    """Everything personal goes."""
    return Erased(privacy.forget(session, command.data.member_ids, command.data.pseudonym))
