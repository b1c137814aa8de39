"""What the bot hears: replies to what it asked, which the fleet's consumer keeps in `answers` where the client looks for
them; the events that somebody is told of in Discord; whether somebody is in the server; and what users asks on behalf of a
member."""

from sqlalchemy.orm import Session

from fleet import auth_state, exporting
from fleet.contracts import bot
from fleet.contracts.points import ActivityLogged
from fleet.contracts.privacy import Erased, ExportPart
from fleet.contracts.users import AuthStateChanged, ContactChanged
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions
from services.bot import (  # noqa: F401 they declare kinds of notices
    contacts,
    member_notices,
    notice_kinds,
    privacy,
    review_notices,
    roster,
    staff_cards,
)

subscriptions = Subscriptions("bot")

# Awards come by the thousand, and hardly one of them is worth a notice: many in one transaction.
BATCH = 200

subscriptions.handles(AuthStateChanged)(auth_state.remember)


@subscriptions.handles(ContactChanged)
def on_contact_changed(session: Session, event: Envelope[ContactChanged]) -> None:
    """How a member may be told things."""
    contacts.remember(session, event.data, event.sequence or 0)


for _event in sorted(notice_kinds.heard(), key=lambda cls: cls.__name__):
    subscriptions.handles(_event)(notice_kinds.on_event)


@subscriptions.handles_together(ActivityLogged)
def on_activities_logged(session: Session, events: list[Envelope[ActivityLogged]]) -> list[None]:
    """Many awards at once."""
    for event in events:
        notice_kinds.on_event(session, event)
    return [None] * len(events)


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
