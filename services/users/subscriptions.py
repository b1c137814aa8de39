"""What users hears."""

from sqlalchemy.orm import Session

from fleet.contracts.users import RegisterMember
from fleet.mail import Sender
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions
from services.users import accounts, onboarding
from services.users.chores import Chores

# What the worker keeps doing beside the messages.
PARTS = (Sender, Chores)

subscriptions = Subscriptions("users")


@subscriptions.handles(RegisterMember)
def register_member(session: Session, command: Envelope[RegisterMember]) -> None:
    """The bot saw a person."""
    member = accounts.register_from_discord(session, command.data)
    onboarding.was_active(session, member.id, command.data.seen_at)
