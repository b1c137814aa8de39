"""Asking another service and waiting for its answer, without AMQP in the asking process.

The question or command is recorded in the outbox and committed; the relay takes it out, the consumer of replies writes
what comes back into `answers`, and whoever waits finds it there. The number of waiting threads is bounded, so that a
slow neighbour cannot take all threads of a web process.
"""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import Column, DateTime, Index, Table, Uuid, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from fleet import outbox, tracing
from fleet.contracts import by_type, contract_of
from fleet.database import fleet_metadata, transaction
from fleet.messages import Envelope, Reply, read_answer
from fleet.problems import Problem, Unavailable

answers = Table(
    "answers",
    fleet_metadata,
    Column("message_id", Uuid, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("arrived_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("ix_answers_arrived_at", "arrived_at"),
)

WAIT_S = 3.0
_waiters = threading.BoundedSemaphore(8)


class Refused(Problem):
    """What was asked was refused by its owner, in the owner's words."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or ""))
        self.status = int(problem.get("status", 500))
        self.slug = str(problem.get("type", "")).rsplit("/", 1)[-1] or "refused"
        self.title = str(problem.get("title") or "Refused")
        known = {"type", "title", "status", "detail"}
        self.extras = {key: value for key, value in problem.items() if key not in known}


def keep_reply(session: Session, reply: Envelope[Reply]) -> None:
    """Write a reply where its asker will look for it."""
    body = {"result": reply.data.result, "problem": reply.data.problem}
    statement = insert(answers).values(message_id=UUID(reply.data.to), body=body)
    session.execute(statement.on_conflict_do_nothing())


def look(session: Session, message_ids: list[UUID]) -> dict[UUID, Reply]:
    """The replies that have arrived to these messages; they stay until housekeeping takes them."""
    rows = session.execute(select(answers.c.message_id, answers.c.body).where(answers.c.message_id.in_(message_ids)))
    return {row.message_id: Reply(str(row.message_id), row.body["result"], row.body["problem"]) for row in rows}


def ask(message: Any, *, source: str, wait_s: float = WAIT_S) -> Any:
    """Send a question (or command) and wait for its typed answer.

    Not to be called inside a transaction. Raises Refused when the owner said no, Unavailable when no answer came within
    `wait_s` seconds or too many callers are waiting already.
    """

    def record(session: Session) -> UUID:
        return outbox.record(session, message, source=source, reply_to=source)

    return ask_by(record, contract_of(message).type, wait_s=wait_s)


def ask_by(record: Callable[[Session], UUID], type_: str, *, wait_s: float = WAIT_S, keep: bool = False) -> Any:
    """As `ask`, of a message of this type that `record` puts into the outbox in a transaction, or has put there before:
    it returns the message's id. With `keep` the answer stays where it is, for whoever asks the same once more.
    """
    if not _waiters.acquire(blocking=False):
        raise Unavailable("Too many requests wait for another part of Propel. Try again in a moment.")
    try:
        with tracing.span(f"ask {type_}", "client"):
            with transaction() as session:
                message_id = record(session)
            reply = _await(message_id, wait_s, keep)
    finally:
        _waiters.release()
    if reply is None:
        raise Unavailable(f"{by_type[type_].owner} did not answer in time. Try again in a moment.")
    if reply.problem is not None:
        raise Refused(reply.problem)
    return read_answer(type_, reply)


def _await(message_id: UUID, wait_s: float, keep: bool) -> Reply | None:
    deadline, pause = time.monotonic() + wait_s, 0.01
    while time.monotonic() < deadline:
        with transaction() as session:
            found = look(session, [message_id])
            if found:
                if not keep:
                    session.execute(delete(answers).where(answers.c.message_id == message_id))
                return found[message_id]
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return None
