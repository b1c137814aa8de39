"""Asking another service and waiting for its answer here: only for what is worth nothing to anybody after a moment.

What somebody in Discord is owed an answer to goes by `Call.ask`, which survives a restart.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet import asking, outbox
from fleet.asking import answers
from fleet.contracts import contract_of
from fleet.messages import Reply, read_answer
from services.bot.off_loop import transact

WITHIN_S = 2.2
_LOOK_S = 0.025


class Refused(Exception):
    """The service said no; the text says why."""


async def inquire(question: Any, within_s: float = WITHIN_S) -> Any:
    """The typed answer; None when there is none in time. Raises Refused."""
    message_id = await transact(outbox.record, question, source="bot", reply_to="bot")
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_S)
        reply = await transact(_take, message_id)
        if reply is None:
            continue
        if reply.problem is not None:
            raise Refused(str(reply.problem.get("detail") or reply.problem.get("title") or ""))
        return read_answer(contract_of(question).type, reply)
    return None


def _take(session: Session, message_id: UUID) -> Reply | None:
    found = asking.look(session, [message_id]).get(message_id)
    if found is not None:
        session.execute(answers.delete().where(answers.c.message_id == message_id))
    return found
