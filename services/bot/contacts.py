"""Whom a notice reaches: the Discord account of a member, what they want to be told there, and whose door is closed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.contracts.users import ContactChanged
from services.bot.models import ForgottenPerson, SeenPerson
from services.bot.notice_models import ClosedDoor, Contact
from services.bot.people import FORGETTING

# Who closed their direct messages is tried again by the first notice after this time.
TRY_AGAIN = timedelta(hours=6)
# What users sends a member by default, for those it has not told of yet.
DEFAULTS = {"new_activities": True, "reward_updates": True, "leaderboard_changes": False}


@dataclass(frozen=True)
class Reach:
    """How a member is reached. `discord_id` None: they have no Discord account that the bot knows of; `known` false:
    nothing was heard of them yet, which may still come."""

    discord_id: str | None
    wishes: dict[str, bool]
    known: bool = True


def remember(session: Session, told: ContactChanged, sequence: int) -> None:
    """Keep what users said of a member; something older that arrives late changes nothing, nor what is said of somebody
    who was forgotten."""
    session.execute(select(func.pg_advisory_xact_lock_shared(FORGETTING)))
    if session.get(ForgottenPerson, told.member_id) is not None:
        return
    values = {
        "discord_id": told.discord_id,
        "new_activities": told.discord_notifications.new_activities,
        "reward_updates": told.discord_notifications.reward_updates,
        "leaderboard_changes": told.discord_notifications.leaderboard_changes,
        "time_zone": told.time_zone,
        "locale": told.locale,
        "sequence": sequence,
    }
    statement = insert(Contact).values(member_id=told.member_id, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Contact.member_id], set_=values, where=Contact.sequence < statement.excluded.sequence
        )
    )


def reach(session: Session, member_ids: Collection[UUID]) -> dict[UUID, Reach]:
    """How each of these members is reached."""
    seen = {
        row.member_id: row.discord_id
        for row in session.execute(
            select(SeenPerson.member_id, SeenPerson.discord_id).where(SeenPerson.member_id.in_(member_ids))
        )
    }
    told = {row.member_id: row for row in session.scalars(select(Contact).where(Contact.member_id.in_(member_ids)))}
    found = {}
    for member_id in member_ids:
        contact = told.get(member_id)
        wishes = {name: getattr(contact, name) for name in DEFAULTS} if contact else dict(DEFAULTS)
        discord_id = (contact.discord_id if contact else None) or seen.get(member_id)
        found[member_id] = Reach(discord_id, wishes, known=contact is not None or member_id in seen)
    return found


def zone_of(session: Session, member_id: UUID) -> str | None:
    """The time zone a member prefers; None while users has not told."""
    return session.scalar(select(Contact.time_zone).where(Contact.member_id == member_id))


def in_guild(session: Session, discord_id: str) -> bool:
    """True while the person is in a server that the bot is in."""
    return bool(session.scalar(select(SeenPerson.in_guild).where(SeenPerson.discord_id == discord_id)))


def door_closed(session: Session, discord_id: str) -> bool:
    """True when direct messages to this person need not be tried now: they were refused, a short time ago."""
    lately = ClosedDoor.tried_at > func.now() - TRY_AGAIN
    return session.scalar(select(ClosedDoor.discord_id).where(ClosedDoor.discord_id == discord_id, lately)) is not None


def found_closed(session: Session, discord_id: str) -> None:
    """This person took no direct message just now."""
    statement = insert(ClosedDoor).values(discord_id=discord_id)
    session.execute(
        statement.on_conflict_do_update(index_elements=[ClosedDoor.discord_id], set_={"tried_at": func.now()})
    )


def found_open(session: Session, discord_id: str) -> None:
    """This person took a direct message just now."""
    session.execute(delete(ClosedDoor).where(ClosedDoor.discord_id == discord_id))
