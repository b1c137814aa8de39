"""Who was seen in Discord, which member they are, and whether they were welcomed.

The member id of a person is derived from their Discord id, so that every service can be told about them at once; it is
read back from the row, because who was erased and comes back has another one: a random one, of which the derived id
becomes an alias. Until they come back, by using a command, nothing of them is noted.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4, uuid5

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.users import RegisterMember
from fleet.messages import now
from fleet.settings import read
from services.bot.models import ForgottenPerson, SeenPerson
from services.bot.settings import PeopleSettings

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
    return uuid5(read(PeopleSettings).namespace, discord_id)


# One number for who notes people (together) and who forgets one (alone): a name cannot be written down again behind it.
FORGETTING = 5_271_030


def see(
    session: Session, people: Iterable[Person], *, in_guild: bool, by_command: Collection[str] = ()
) -> dict[str, UUID]:
    """Note these people and return their member ids by Discord id; who is new, renamed or back is registered.

    Somebody who was erased is not noted and has no id, unless they are among `by_command` (Discord ids).
    """
    # One order in every transaction, so that two batches that share people cannot wait for one another.
    seen = sorted({person.discord_id: person for person in people}.values(), key=lambda person: person.discord_id)
    if not seen:
        return {}
    wanted = _wanted_ids(session, [person.discord_id for person in seen], by_command)
    seen = [person for person in seen if person.discord_id in wanted]
    if not seen:
        return {}
    changed = _keep(session, seen, wanted, in_guild)
    ids = member_ids(session, [person.discord_id for person in seen])
    for person in seen:
        if person.discord_id in changed:
            _register(session, person, ids[person.discord_id], came_back=wanted[person.discord_id])
    return ids


def _wanted_ids(session: Session, discord_ids: list[str], by_command: Collection[str]) -> dict[str, UUID]:
    """The member ids to give those who have none yet; who was erased is left out, or gets a random one."""
    session.execute(select(func.pg_advisory_xact_lock_shared(FORGETTING)))
    wanted = {discord_id: derived_id(discord_id) for discord_id in discord_ids}
    forgotten = select(ForgottenPerson.member_id).where(ForgottenPerson.member_id.in_(wanted.values()))
    gone = set(session.scalars(forgotten))
    erased = [discord_id for discord_id in discord_ids if wanted[discord_id] in gone]
    back = member_ids(session, erased) if erased else {}
    for discord_id in erased:
        if discord_id in by_command:
            wanted[discord_id] = uuid4()
        elif discord_id not in back:
            del wanted[discord_id]
    return wanted


def _keep(session: Session, seen: Sequence[Person], wanted: dict[str, UUID], in_guild: bool) -> set[str]:
    statement = insert(SeenPerson).values(
        [
            {
                "discord_id": person.discord_id,
                "member_id": wanted[person.discord_id],
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


def register_again(session: Session, seen: SeenPerson) -> None:
    """Tell users once more of somebody whom it may have forgotten, as they were when they were seen last."""
    person = Person(seen.discord_id, seen.username, seen.display_name)
    _register(session, person, seen.member_id, came_back=seen.member_id, seen_at=seen.updated_at)


def _register(
    session: Session, person: Person, member_id: UUID, *, came_back: UUID, seen_at: datetime | None = None
) -> None:
    """Tell users; when `came_back` is the id they have now, whether it is a new beginning of somebody who was erased."""
    derived = derived_id(person.discord_id)
    message = RegisterMember(
        member_id=member_id,
        discord_id=person.discord_id,
        discord_username=person.username,
        display_name=person.display_name,
        seen_at=seen_at or now(),
        derived_id=derived if came_back == member_id != derived else None,
    )
    outbox.record(session, message, source="bot", subject=member_id)


def member_ids(session: Session, discord_ids: Sequence[str]) -> dict[str, UUID]:
    """The member ids of people seen before."""
    rows = session.execute(
        select(SeenPerson.discord_id, SeenPerson.member_id).where(SeenPerson.discord_id.in_(discord_ids))
    )
    return {row.discord_id: row.member_id for row in rows}


def username(session: Session, discord_id: str) -> str:
    """The user name under which somebody was seen last; their id when they never were."""
    return session.scalar(select(SeenPerson.username).where(SeenPerson.discord_id == discord_id)) or discord_id


def member_id(session: Session, discord_id: str) -> UUID:
    """The member id of anybody in Discord, seen or not. Somebody who was erased has none: an id of nobody."""
    known = member_ids(session, [discord_id]).get(discord_id)
    if known is None and session.get(ForgottenPerson, derived_id(discord_id)) is not None:
        return uuid4()
    return known or derived_id(discord_id)


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
