"""What users asks on behalf of a member: show all that is held, or forget the person."""

from sqlalchemy.orm import Session

from fleet import exporting
from fleet.contracts import integrations
from fleet.contracts.privacy import Erased, ExportPart
from fleet.messages import Envelope
from services.integrations import privacy
from services.integrations.heard import subscriptions


@subscriptions.handles(integrations.ExportMember)
def export_member(session: Session, command: Envelope[integrations.ExportMember]) -> ExportPart:
    """A part of what is held."""
    return exporting.part(session, privacy.SECTIONS, command.data.member_ids, command.data.cursor)


@subscriptions.handles(integrations.EraseMember)
def erase_member(session: Session, command: Envelope[integrations.EraseMember]) -> Erased:
    """Everything personal goes."""
    return Erased(privacy.forget(session, command.data.member_ids, command.data.pseudonym))
