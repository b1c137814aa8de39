"""What users tells of links between Discord-born and web members."""

from sqlalchemy.orm import Session

from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked
from fleet.messages import Envelope
from services.points import merging
from services.points.heard import subscriptions


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
