"""What the bot hears: replies, which the fleet's consumer keeps in `answers`, where the client looks for them; whether
somebody is in the server; and what users asks on behalf of a member."""

from sqlalchemy.orm import Session

from fleet import exporting
from fleet.contracts import bot
from fleet.contracts.privacy import Erased, ExportPart
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions
from services.bot import privacy, roster

subscriptions = Subscriptions("bot")


@subscriptions.handles(bot.LookForMember)
def look_for_member(session: Session, question: Envelope[bot.LookForMember]) -> bot.Presence:
    """Is somebody of this name in the server?"""
    return bot.Presence(roster.has(session, question.data.discord_username))


@subscriptions.handles(bot.ExportMember)
def export_member(session: Session, command: Envelope[bot.ExportMember]) -> ExportPart:
    """A part of what is held."""
    return exporting.part(session, privacy.SECTIONS, command.data.member_ids, command.data.cursor)


@subscriptions.handles(bot.EraseMember)
def erase_member(session: Session, command: Envelope[bot.EraseMember]) -> Erased:
    """The person goes."""
    return Erased(privacy.forget(session, command.data.member_ids))
