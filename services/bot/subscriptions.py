"""What the bot hears: replies to what it asked, which the fleet's consumer keeps in `answers` where the client looks for
them, and the events that somebody is told of in Discord."""

from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts.points import ActivityLogged
from fleet.contracts.users import AuthStateChanged, ContactChanged
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions
from services.bot import contacts, member_notices, notice_kinds, staff_cards  # noqa: F401 they declare kinds of notices

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
