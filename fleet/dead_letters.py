"""Dead letters: messages that a service could not apply, kept in its own database with the cause until somebody decides.

What a consumer gives up is written here before it is acknowledged; what the broker gave up (a message that ended its
consumer again and again) comes from the dead queue, taken out by fleet/desk.py, which also sends round what is ordered to be.
A letter leaves by being replayed or purged, nothing else; one that dies again while it is sent round is there again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from fleet import metrics
from fleet.database import fleet_metadata
from fleet.messages import new_id
from fleet.paging import decode_cursor, page
from fleet.problems import NotFound, Problem

LONGEST_CAUSE = 1000

dead_letters = Table(
    "dead_letters",
    fleet_metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue", Text, nullable=False),
    # The message's id, or a hash of what carries none: one that is given up twice at once is kept once.
    Column("message_key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("died_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Ordered to be sent round; the desk does it and then deletes the row.
    Column("replay_at", DateTime(timezone=True)),
    Index("uq_dead_letters_queue_message_key", "queue", "message_key", unique=True),
    Index("ix_dead_letters_replay_at", "replay_at", postgresql_where=text("replay_at IS NOT NULL")),
)


class CannotBeReplayed(Problem):
    """It is not known which queue it died in."""

    status, slug, title = 409, "cannot-be-replayed", "This message cannot be sent round"


@dataclass(frozen=True)
class Dead:
    """A message that could not be applied. `queue` is where it was read last, empty when that is not known."""

    queue: str
    message_id: str
    type: str
    sender: str
    cause: str
    body: bytes


def _kept(words: Any) -> str:
    """Text as a database takes it, no longer than it was: a sender may write bytes that are no text, and a cause quotes them."""
    if isinstance(words, bytes):
        words = words.decode("ascii", "replace").replace("\ufffd", "?")
    return str(words).replace("\x00", "?").encode("utf-8", "replace").decode()


def keep(session: Session, dead: Dead) -> None:
    """Write a dead letter down; the same one a second time has its newest cause.

    While the desk sends a letter round this waits for it: the row the desk is about to delete is not the one that stays.
    """
    row = {
        "id": new_id(),
        "queue": dead.queue,
        "message_key": _kept(dead.message_id) or sha256(dead.body).hexdigest(),
        "type": _kept(dead.type),
        "sender": _kept(dead.sender),
        "cause": _kept(dead.cause)[:LONGEST_CAUSE],
    }
    written = upsert(dead_letters).values(**row, body=dead.body)
    session.execute(
        written.on_conflict_do_update(index_elements=["queue", "message_key"], set_={"cause": written.excluded.cause})
    )


def _chosen(ids: Sequence[UUID] | None, cause: str | None, type_: str | None) -> list[Any]:
    found: list[Any] = []
    if ids is not None:
        found.append(dead_letters.c.id.in_(list(ids)))
    if cause is not None:
        found.append(dead_letters.c.cause == cause)
    if type_ is not None:
        found.append(dead_letters.c.type == type_)
    return found


def listed(
    session: Session, *, cause: str | None = None, type_: str | None = None, limit: int = 50, cursor: str | None = None
) -> tuple[list[Any], str | None]:
    """Dead letters without their bodies, newest first."""
    columns = [column for column in dead_letters.c if column.name != "body"]
    rows = select(*columns).where(*_chosen(None, cause, type_)).order_by(dead_letters.c.id.desc()).limit(limit + 1)
    if after := decode_cursor(cursor, UUID):
        rows = rows.where(dead_letters.c.id < after[0])
    return page(session.execute(rows).all(), limit, lambda row: (row.id,))


def find(session: Session, letter_id: UUID) -> Any:
    """One dead letter with its body. Raises NotFound."""
    row = session.execute(select(dead_letters).where(dead_letters.c.id == letter_id)).first()
    if row is None:
        raise NotFound("There is no such dead letter: it was sent round or thrown away.")
    return row


def matching(
    session: Session, *, ids: Sequence[UUID] | None = None, cause: str | None = None, type_: str | None = None
) -> int:
    """How many there are of these ids, of this cause, of this type; all that is said must fit."""
    return session.scalar(select(func.count()).select_from(dead_letters).where(*_chosen(ids, cause, type_))) or 0


def order_replay(
    session: Session, *, ids: Sequence[UUID] | None = None, cause: str | None = None, type_: str | None = None
) -> int:
    """Have these sent round once more; returns how many. Raises CannotBeReplayed when one is named that cannot."""
    where = _chosen(ids, cause, type_)
    lost = select(dead_letters.c.id).where(*where, dead_letters.c.queue == "")
    if ids is not None and (unknown := session.scalars(lost).all()):
        raise CannotBeReplayed(f"It is not known where {', '.join(map(str, unknown))} died: throw it away.")
    ordered = update(dead_letters).where(*where, dead_letters.c.queue != "").values(replay_at=func.now())
    return session.execute(ordered).rowcount  # type: ignore[attr-defined]


def purge(
    session: Session, *, ids: Sequence[UUID] | None = None, cause: str | None = None, type_: str | None = None
) -> int:
    """Throw these away for good; returns how many."""
    return session.execute(delete(dead_letters).where(*_chosen(ids, cause, type_))).rowcount  # type: ignore[attr-defined]


def forget(session: Session, member_ids: list[UUID]) -> int:
    """Throw away what names one of these members; returns how many."""
    named = "DELETE FROM dead_letters WHERE position(convert_to(:id, 'UTF8') in body) > 0"
    found = [session.execute(text(named), {"id": str(member_id)}) for member_id in member_ids]
    return sum(each.rowcount for each in found)  # type: ignore[attr-defined]


def count(session: Session) -> None:
    """Set the metric of how many there are."""
    metrics.dead_letters.set(matching(session))
