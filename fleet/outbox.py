"""The outbox: messages recorded in the business transaction and published by the relay after it.

Rows exist if and only if their transaction committed, so there is never an effect without its message nor a message
without its effect. The relay deletes a row once the broker has confirmed it: what remains *is* the list of what is owed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    func,
)
from sqlalchemy.orm import Session

from fleet import logs, topology
from fleet.contracts import contract_of
from fleet.database import fleet_metadata
from fleet.messages import REPLY_SUFFIX, Envelope, Reply, encode, envelope_for, new_id, now, to_json
from fleet.prepared import Call, Statement, run

outbox = Table(
    "outbox",
    fleet_metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("message_id", Uuid, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("mandatory", Boolean, nullable=False),
    Column("ttl_ms", Integer),
    Column("body", LargeBinary, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Set when the broker returned or refused the row: it waits, the rows behind it go on.
    Column("retry_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default="0"),
)


# What a handler returns whose answer comes later: it has kept what `reply_envelope` needs of the request, and records the
# reply in the transaction in which the outcome becomes known.
LATER: Any = object()


class NotInTransaction(RuntimeError):
    """A message was recorded outside of `transaction()`: it could be lost, or told although nothing happened."""


# Written this way by every door; what is told in one transaction goes into the table at once.
_INSERT = Statement(
    "outbox_insert",
    "INSERT INTO outbox (message_id, exchange, routing_key, mandatory, ttl_ms, body)"
    " SELECT u.id, :exchange, u.key, u.mandatory, :ttl_ms, u.body FROM unnest(:ids, :keys, :mandatory, :bodies)"
    " AS u (id, key, mandatory, body)",
    exchange="text",
    ttl_ms="integer",
    ids="uuid[]",
    keys="text[]",
    mandatory="boolean[]",
    bodies="bytea[]",
)


def _inserting(
    session: Session, envelopes: Sequence[Envelope[Any]], exchange: str, *, mandatory: bool | None, ttl_ms: int | None
) -> Call:
    """The rows of envelopes for one exchange; `mandatory` None: an event's is looked up by its type."""
    if not session.info.get("transaction"):
        raise NotInTransaction("record messages inside `with transaction() as session`")
    # An event nobody is bound to would be returned for ever; requests always have an owner that must hear them.
    return _INSERT(
        exchange=exchange,
        ttl_ms=ttl_ms,
        ids=[envelope.id for envelope in envelopes],
        keys=[envelope.type for envelope in envelopes],
        mandatory=[topology.is_heard(e.type) if mandatory is None else mandatory for e in envelopes],
        bodies=[encode(envelope) for envelope in envelopes],
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One of many events to record at once; `cause` is the envelope it follows from, when there is one for each."""

    message: Any
    subject: str | UUID
    sequence: int
    cause: Envelope[Any] | None = None


def recording(session: Session, entries: Sequence[Entry], *, source: str) -> Call:
    """What records many events, each as `record` would in the handler of its cause: to be run with what they tell of."""
    envelopes = [
        envelope_for(
            entry.message,
            source=source,
            subject=str(entry.subject),
            sequence=entry.sequence,
            **_following(entry.cause),
        )
        for entry in entries
    ]
    return _inserting(session, envelopes, topology.EVENTS, mandatory=None, ttl_ms=None)


def _following(cause: Envelope[Any] | None) -> dict[str, str | None]:
    """What a message carries on from its cause, or, without one, from the request or message that is being handled."""
    if cause is None:
        return {
            "correlation_id": logs.correlation_id.get() or logs.request_id.get(),
            "causation_id": logs.causation_id.get(),
            "traceparent": logs.traceparent.get(),
        }
    return {
        "correlation_id": cause.correlation_id or str(cause.id),
        "causation_id": str(cause.id),
        "traceparent": cause.traceparent,
    }


def record(
    session: Session,
    message: Any,
    *,
    source: str,
    subject: str | UUID | None = None,
    sequence: int | None = None,
    reply_to: str | None = None,
) -> UUID:
    """Record a declared message for publication after this transaction; returns its id.

    `subject` names the aggregate it is about and `sequence` that aggregate's version; lock the aggregate's row before
    recording, or two transactions may be told in the wrong order. `reply_to` names the service that awaits the outcome.
    """
    contract = contract_of(message)
    envelope = envelope_for(
        message,
        source=source,
        subject=None if subject is None else str(subject),
        sequence=sequence,
        reply_to=reply_to,
        **_following(None),
    )
    mandatory = None if contract.kind == "event" else True
    ttl_ms = topology.QUESTION_TTL_MS if contract.kind == "question" else None
    exchange = topology.EXCHANGE_OF_KIND[contract.kind]
    run(session, _inserting(session, [envelope], exchange, mandatory=mandatory, ttl_ms=ttl_ms))
    return envelope.id


def forward(session: Session, exchange: str, routing_key: str, messages: Sequence[tuple[UUID, bytes]]) -> None:
    """Record messages that exist already, (id, body), to be published once more under a key of their receiver.

    Nobody has to be bound to it: what is asked for by somebody who does not listen is not kept for them.
    """
    if not session.info.get("transaction"):
        raise NotInTransaction("record messages inside `with transaction() as session`")
    if messages:
        rows = _INSERT(
            exchange=exchange,
            ttl_ms=None,
            ids=[message_id for message_id, _body in messages],
            keys=[routing_key] * len(messages),
            mandatory=[False] * len(messages),
            bodies=[body for _id, body in messages],
        )
        run(session, rows)


def reply_envelope(
    source: str, request: Envelope[Any], *, result: Any = None, problem: dict[str, Any] | None = None
) -> Envelope[Reply]:
    """The message that tells `request.reply_to` the outcome; exactly one of `result` and `problem` is given."""
    body: dict[str, Any] = {"to": str(request.id)}
    body |= {"problem": problem} if problem is not None else {"result": to_json(result) if result is not None else {}}
    return Envelope(
        id=new_id(),
        source=source,
        type=f"{request.reply_to}{REPLY_SUFFIX}",
        subject=request.subject,
        time=now(),
        data=body,  # type: ignore[arg-type]
        correlation_id=request.correlation_id,
        causation_id=str(request.id),
        # Of what is being done for it; what is answered for many at once goes on from each request.
        traceparent=logs.traceparent.get() or request.traceparent,
    )


def record_replies(session: Session, envelopes: Sequence[Envelope[Reply]]) -> None:
    """Record replies in the transaction whose outcomes they tell."""
    if envelopes:
        run(session, _inserting(session, envelopes, topology.REPLIES, mandatory=True, ttl_ms=None))
