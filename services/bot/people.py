"""Who was seen in Discord, which member they are, and whether they were welcomed.

The member id of a person is derived from their Discord id, so that every service can be told about them at once; it is
read back from the row, because a later stage may give a person another one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.users import RegisterMember
from fleet.messages import now
from fleet.settings import read
from services.bot.models import SeenPerson
from services.bot.settings import BotSettings

# A welcome that could not be sent for so long (Discord away) would only puzzle.
WELCOME_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class Person:
    """Somebody in Discord, as the message or interaction that shows them names them."""

    discord_id: str
    username: str
    display_name: str
    is_bot: bool = False


def clean(name: str) -> str:
    """A name that a database and a message can carry: no NUL, no half characters."""
    return name.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def derived_id(discord_id: str) -> UUID:
    """The member id that belongs to a Discord id."""
    return uuid5(read(BotSettings).namespace, discord_id)


def see(session: Session, people: Iterable[Person], *, in_guild: bool) -> dict[str, UUID]:
    """Note these people and return their member ids by Discord id; who is new, renamed or back is registered."""
    # One order in every transaction, so that two batches that share people cannot wait for one another.
    seen = sorted({person.discord_id: person for person in people}.values(), key=lambda person: person.discord_id)
    if not seen:
        return {}
    changed = _keep(session, seen, in_guild)
    ids = member_ids(session, [person.discord_id for person in seen])
    for person in seen:
        if person.discord_id in changed:
            _register(session, person, ids[person.discord_id])
    return ids


def _keep(session: Session, seen: Sequence[Person], in_guild: bool) -> set[str]:
    statement = insert(SeenPerson).values(
        [
            {
                "discord_id": person.discord_id,
                "member_id": derived_id(person.discord_id),
                "username": person.username,
                "display_name": person.display_name,
                "in_guild": in_guild,
            }
            for person in seen
        ]
    )
    # DO UPDATE arbitrates by one index alone: two who see somebody for the first time at once would collide in the other,
    # that of member_id. DO NOTHING without a target waits for every index; after it the row is there.
    born = set(session.scalars(statement.on_conflict_do_nothing().returning(SeenPerson.discord_id)))
    if len(born) == len(seen):
        return born
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[SeenPerson.discord_id],
        set_={
            "username": new.username,
            "display_name": new.display_name,
            "in_guild": or_(SeenPerson.in_guild, new.in_guild),
            "updated_at": func.now(),
        },
        where=or_(
            SeenPerson.username != new.username,
            SeenPerson.display_name != new.display_name,
            new.in_guild & ~SeenPerson.in_guild,
        ),
    )
    return born.union(session.scalars(statement.returning(SeenPerson.discord_id)))


def _register(session: Session, person: Person, member_id: UUID) -> None:
    message = RegisterMember(
        member_id=member_id,
        discord_id=person.discord_id,
        discord_username=person.username,
        display_name=person.display_name,
        seen_at=now(),
    )
    outbox.record(session, message, source="bot", subject=member_id)


def member_ids(session: Session, discord_ids: Sequence[str]) -> dict[str, UUID]:
    """The member ids of people seen before."""
    rows = session.execute(
        select(SeenPerson.discord_id, SeenPerson.member_id).where(SeenPerson.discord_id.in_(discord_ids))
    )
    return {row.discord_id: row.member_id for row in rows}


def member_id(session: Session, discord_id: str) -> UUID:
    """The member id of anybody in Discord, seen or not."""
    return member_ids(session, [discord_id]).get(discord_id) or derived_id(discord_id)


def find(session: Session, words: str) -> Person | None:
    """The person with this Discord id, user name or display name in the server; None when there is none or several."""
    name = clean(words).strip().removeprefix("@")
    matches = or_(
        SeenPerson.discord_id == name,
        func.lower(SeenPerson.username) == name.lower(),
        func.lower(SeenPerson.display_name) == name.lower(),
    )
    found = session.scalars(select(SeenPerson).where(matches, SeenPerson.in_guild).limit(2)).all()
    if len(found) != 1:
        return None
    return Person(found[0].discord_id, found[0].username, found[0].display_name)


def joined(session: Session, discord_ids: Sequence[str]) -> None:
    """These people came into the server: each is owed a welcome, unless they had one before."""
    session.execute(
        update(SeenPerson)
        .where(SeenPerson.discord_id.in_(discord_ids), SeenPerson.welcomed_at.is_(None))
        .values(welcome_due_at=func.now())
    )


def left(session: Session, discord_id: str) -> None:
    """This person left the server; what they earned stays, and coming back restores them."""
    session.execute(
        update(SeenPerson).where(SeenPerson.discord_id == discord_id).values(in_guild=False, welcome_due_at=None)
    )


def owed_welcomes(session: Session, limit: int = 50) -> list[str]:
    """Discord ids of those whose welcome is still to be sent, longest waiting first."""
    statement = (
        select(SeenPerson.discord_id)
        .where(SeenPerson.welcome_due_at > func.now() - WELCOME_WITHIN)
        .order_by(SeenPerson.welcome_due_at)
        .limit(limit)
    )
    return list(session.scalars(statement))


def welcomed(session: Session, discord_id: str) -> None:
    """The welcome was sent, or cannot be (direct messages closed): never again."""
    session.execute(
        update(SeenPerson)
        .where(SeenPerson.discord_id == discord_id)
        .values(welcome_due_at=None, welcomed_at=func.now())
    )
