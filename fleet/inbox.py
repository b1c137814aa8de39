"""The inbox: what was already applied, remembered in the transaction that applied it.

The broker delivers at least once. (consumer, message id) is a primary key, so of two deliveries of a message one finds
its row taken, changes nothing and is acknowledged.
"""

from collections.abc import Sequence
from operator import attrgetter
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Table, Text, Uuid, func
from sqlalchemy.orm import Session

from fleet.database import fleet_metadata
from fleet.prepared import Statement, run

inbox = Table(
    "inbox",
    fleet_metadata,
    Column("consumer", Text, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_inbox_received_at", "received_at"),
)

_TAKE = Statement(
    "inbox_take",
    "INSERT INTO inbox (consumer, message_id) SELECT :consumer, unnest(:ids) ON CONFLICT DO NOTHING"
    " RETURNING message_id::text",
    consumer="text",
    ids="uuid[]",
)


def take(session: Session, consumer: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Mark the messages as applied by `consumer` and return those that were not yet: only these may have effects.

    A concurrent transaction that took the same id is waited for. Ids are inserted in order, so that two batches which
    share messages cannot wait for one another.
    """
    if not message_ids:
        return set()
    ids = sorted(set(message_ids), key=attrgetter("int"))
    taken = {row.message_id for row in run(session, _TAKE(consumer=consumer, ids=ids))}
    return {message_id for message_id in ids if str(message_id) in taken}
