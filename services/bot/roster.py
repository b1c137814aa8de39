"""Who is in the server now: a mirror of Discord's own list, kept as hashes that can be asked for a name.

The Discord client writes it, all in one order: the list as it was fetched, and whoever comes, goes or is renamed since.
While it cannot vouch for it (it is away, or still fetching), no question is answered from it.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.messages import now
from fleet.problems import Unavailable
from fleet.settings import read
from services.bot import people
from services.bot.models import RosterEntry, RosterState
from services.bot.people import Person
from services.bot.settings import PeopleSettings

# How long a confirmation holds. The client confirms every few seconds.
CURRENT_FOR = timedelta(seconds=30)


def _key(kind: str, words: str) -> bytes:
    return hmac.digest(read(PeopleSettings).namespace.bytes, f"{kind}:{words}".encode(), hashlib.sha256)


def person_key(discord_id: str) -> bytes:
    """What stands for a Discord id."""
    return _key("person", discord_id)


def name_key(username: str) -> bytes:
    """What stands for a user name, however it is written: `@`, case, and the `#0` of old clients do not matter."""
    plain = unicodedata.normalize("NFKC", people.clean(username)).strip().removeprefix("@")
    return _key("name", re.sub(r"#0{1,4}\Z", "", plain).casefold().strip())


def change(session: Session, changes: Mapping[str, Person | None]) -> None:
    """Write down who is here under which name, and (None) who is not, by Discord id.

    Those of them who are members are brought up to date by name; nobody becomes one by being on a list.
    """
    gone = [person_key(discord_id) for discord_id, person in changes.items() if person is None]
    if gone:
        session.execute(delete(RosterEntry).where(RosterEntry.person_key.in_(gone)))
    here = {discord_id: person for discord_id, person in changes.items() if person is not None}
    if not here:
        return
    rows = [{"person_key": person_key(id_), "name_key": name_key(person.username)} for id_, person in here.items()]
    statement = insert(RosterEntry).values(sorted(rows, key=lambda row: row["person_key"]))
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[RosterEntry.person_key],
            set_={"name_key": statement.excluded.name_key},
            where=RosterEntry.name_key != statement.excluded.name_key,
        )
    )
    known = people.member_ids(session, list(here))
    people.see(session, [here[discord_id] for discord_id in known], in_guild=True)


def keep_only(session: Session, discord_ids: Collection[str]) -> None:
    """Take everybody off the roster who is not among these: they went while nobody looked."""
    others = text(
        "DELETE FROM roster WHERE NOT EXISTS"
        " (SELECT FROM unnest(CAST(:keys AS bytea[])) AS present(key) WHERE present.key = roster.person_key)"
    )
    session.execute(others, {"keys": [person_key(discord_id) for discord_id in discord_ids]})


def confirm(session: Session, *, complete: bool) -> None:
    """Say that the roster is all of the server at this moment, or (not `complete`) that nobody can say so."""
    moment = func.now() if complete else None
    statement = insert(RosterState).values(id=1, confirmed_at=moment)
    session.execute(statement.on_conflict_do_update(index_elements=[RosterState.id], set_={"confirmed_at": moment}))


def has(session: Session, username: str) -> bool:
    """True when somebody of this user name is in the server; Unavailable while nobody can say."""
    confirmed_at = session.scalar(select(RosterState.confirmed_at))
    if confirmed_at is None or confirmed_at < now() - CURRENT_FOR:
        raise Unavailable("The bot is not connected to Discord at the moment. Try again in a minute.")
    found = select(RosterEntry.person_key).where(RosterEntry.name_key == name_key(username))
    return session.scalar(found.limit(1)) is not None
