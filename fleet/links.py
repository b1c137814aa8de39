"""The order of links: users' DiscordLinked, AccountsMerged and DiscordUnlinked, applied in each service as users made them.

The changes of one Discord-born member's link are numbered from 1 without gaps (`link_version`). However the broker
shuffles and repeats them, each is applied once, after its predecessor; one that arrives early waits in
`waiting_link_changes`. What joining and parting mean, only the service knows: it hands over three functions. A service
that uses this declares the tables (`links.to_metadata(Base.metadata)`, and so the other).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Column, DateTime, Integer, Table, Uuid, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked
from fleet.database import metadata

_tables = metadata()

links = Table(
    "links",
    _tables,
    Column("discord_born_id", Uuid, primary_key=True),
    # How many changes have been applied; the row is locked while the next one is.
    Column("version", Integer, nullable=False),
)

waiting_link_changes = Table(
    "waiting_link_changes",
    _tables,
    Column("discord_born_id", Uuid, primary_key=True),
    Column("version", Integer, primary_key=True),
    # Whom it is linked to from then on; null: nobody.
    Column("member_id", Uuid),
    Column("arrived_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


@dataclass(frozen=True)
class Steps:
    """What a service does. `lock` is called once, with all ids concerned, before anything is changed; `join` makes all
    that is the first member's the second one's; `part` lets the Discord-born member begin anew."""

    lock: Callable[[Session, list[UUID]], None]
    join: Callable[[Session, UUID, UUID], None]
    part: Callable[[Session, UUID], None]


def read(event: DiscordLinked | AccountsMerged | DiscordUnlinked) -> tuple[UUID, int, UUID | None]:
    """The Discord-born member, the version of its link, and whose it is from then on. Two of the events say the same."""
    if isinstance(event, AccountsMerged):
        return event.old_id, event.link_version, event.new_id
    linked = isinstance(event, DiscordLinked)
    return event.discord_born_id, event.link_version, event.member_id if linked else None


def change(session: Session, discord_born_id: UUID, version: int, member_id: UUID | None, steps: Steps) -> None:
    """By the `version`-th change of its link the Discord-born member belongs to `member_id` (None: to nobody).

    Applied once, after all its predecessors, with all successors that have been waiting for it.
    """
    session.execute(insert(links).values(discord_born_id=discord_born_id, version=0).on_conflict_do_nothing())
    mine = links.c.discord_born_id == discord_born_id
    applied: int = session.execute(select(links.c.version).where(mine).with_for_update()).scalar_one()
    if version <= applied:
        return
    waiting = insert(waiting_link_changes).values(
        discord_born_id=discord_born_id, version=version, member_id=member_id, arrived_at=func.clock_timestamp()
    )
    session.execute(waiting.on_conflict_do_nothing())
    due = _due(session, discord_born_id, applied)
    if not due:
        return
    steps.lock(session, [discord_born_id, *(owner for owner in due if owner is not None)])
    for owner in due:
        if owner is None:
            steps.part(session, discord_born_id)
        else:
            steps.join(session, discord_born_id, owner)
    applied += len(due)
    session.execute(update(links).where(mine).values(version=applied))
    session.execute(
        delete(waiting_link_changes).where(
            waiting_link_changes.c.discord_born_id == discord_born_id, waiting_link_changes.c.version <= applied
        )
    )


def _due(session: Session, discord_born_id: UUID, applied: int) -> list[UUID | None]:
    """The owners of the waiting changes that follow one another from the last applied one on."""
    table = waiting_link_changes.c
    mine = select(table.version, table.member_id).where(table.discord_born_id == discord_born_id)
    found: list[UUID | None] = []
    for row in session.execute(mine.order_by(table.version)):
        if row.version != applied + len(found) + 1:
            break
        found.append(row.member_id)
    return found
