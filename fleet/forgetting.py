"""What a service keeps of a member because it belongs to the fleet, forgotten: keys of requests, and answers on their way."""

from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import dead_letters
from fleet.asking import answers

_KEYS = text("DELETE FROM idempotency_keys WHERE split_part(scope, ' ', 1) = ANY(CAST(:callers AS text[]))")


def forget_requests(session: Session, member_ids: list[UUID]) -> int:
    """Delete the idempotency keys of these callers, with the answers they were given, and the dead letters that name
    them; returns how many."""
    callers = [str(member_id) for member_id in member_ids]
    gone = int(session.execute(_KEYS, {"callers": callers}).rowcount)  # type: ignore[attr-defined]
    return gone + dead_letters.forget(session, member_ids)


def refuse_answers(session: Session, message_ids: list[UUID]) -> None:
    """Nobody waits for the answers to these messages any more: they are emptied, and what still comes is not kept.

    An empty row takes the place of each answer until housekeeping deletes it with the others.
    """
    if not message_ids:
        return
    empty = insert(answers).values([{"message_id": message_id, "body": {}} for message_id in message_ids])
    session.execute(
        empty.on_conflict_do_update(index_elements=[answers.c.message_id], set_={"body": {}, "arrived_at": func.now()})
    )
