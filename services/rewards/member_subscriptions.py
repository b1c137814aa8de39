"""What users tells of members: names and roles, how they are reached, links between Discord-born and web members."""

from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.contracts.users import (
    AccountsMerged,
    AuthStateChanged,
    ContactChanged,
    DiscordLinked,
    DiscordUnlinked,
    UserUpdated,
)
from fleet.messages import Envelope
from services.rewards import members, merging
from services.rewards.heard import subscriptions

subscriptions.handles(AuthStateChanged)(auth_state.remember)


@subscriptions.handles(UserUpdated)
def on_user_updated(session: Session, event: Envelope[UserUpdated]) -> None:
    """A member's name or role changed."""
    members.apply_profile(session, event.data, event.sequence or 0)


@subscriptions.handles(ContactChanged)
def on_contact_changed(session: Session, event: Envelope[ContactChanged]) -> None:
    """A member is reached elsewhere, or wants more or less mail."""
    members.apply_contact(session, event.data, event.sequence or 0)


@subscriptions.handles(AccountsMerged)
def on_accounts_merged(session: Session, event: Envelope[AccountsMerged]) -> None:
    """What was the old member's is the new one's."""
    merging.change_link(session, event.data.old_id, event.data.link_version, event.data.new_id)


@subscriptions.handles(DiscordLinked)
def on_discord_linked(session: Session, event: Envelope[DiscordLinked]) -> None:
    """The same change, in the other words: whichever of the two comes first is applied."""
    merging.change_link(session, event.data.discord_born_id, event.data.link_version, event.data.member_id)


@subscriptions.handles(DiscordUnlinked)
def on_discord_unlinked(session: Session, event: Envelope[DiscordUnlinked]) -> None:
    """The Discord-born member begins anew."""
    merging.change_link(session, event.data.discord_born_id, event.data.link_version, None)
