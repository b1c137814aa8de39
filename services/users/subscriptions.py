"""What users hears."""

from sqlalchemy.orm import Session

from fleet.contracts.users import (
    CancelLink,
    ClaimLink,
    ConfirmLink,
    GetIdentity,
    Identity,
    LinkClaim,
    LinkConfirmation,
    RegisterMember,
)
from fleet.mail import Sender
from fleet.messages import Envelope
from services.users import (  # noqa: F401 the *_subscriptions add their handlers when they are imported
    accounts,
    erasures,
    link_codes,
    linking,
    onboarding,
    preference_subscriptions,
    privacy_replies,
    staff_subscriptions,
)
from services.users.chores import Chores
from services.users.heard import subscriptions

# What the worker keeps doing beside the messages.
PARTS = (Sender, Chores)

subscriptions.on_reply = privacy_replies.on_reply


@subscriptions.handles(RegisterMember)
def register_member(session: Session, command: Envelope[RegisterMember]) -> None:
    """The bot saw a person."""
    member = accounts.register_from_discord(session, command.data)
    if command.data.derived_id is not None:
        erasures.came_back(session, command.data.derived_id, command.data.member_id)
    onboarding.was_active(session, member.id, command.data.seen_at)


@subscriptions.handles(ClaimLink)
def claim_link(session: Session, command: Envelope[ClaimLink]) -> LinkClaim:
    """Somebody typed a link code."""
    return link_codes.claim(session, command.data)


@subscriptions.handles(ConfirmLink)
def confirm_link(session: Session, command: Envelope[ConfirmLink]) -> LinkConfirmation:
    """The claimant confirms or declines."""
    data = command.data
    return link_codes.confirm_in_discord(session, data.link_id, data.discord_id, data.accept)


@subscriptions.handles(CancelLink)
def cancel_link(session: Session, command: Envelope[CancelLink]) -> None:
    """A code was typed where everybody reads."""
    link_codes.cancel(session, command.data.code_digest)


@subscriptions.handles(GetIdentity)
def get_identity(session: Session, question: Envelope[GetIdentity]) -> Identity:
    """Who somebody in Discord is."""
    return linking.identity(session, question.data.member_id)
