"""What the bot hears: replies, which the fleet's consumer keeps in `answers`, where the client looks for them; and
whether somebody is in the server."""

from sqlalchemy.orm import Session

from fleet.contracts.bot import LookForMember, Presence
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions
from services.bot import roster

subscriptions = Subscriptions("bot")


@subscriptions.handles(LookForMember)
def look_for_member(session: Session, question: Envelope[LookForMember]) -> Presence:
    """Is somebody of this name in the server?"""
    return Presence(roster.has(session, question.data.discord_username))
