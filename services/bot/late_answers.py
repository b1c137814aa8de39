"""Answers that come when the interaction they belong to is over: after Discord's quarter of an hour they become notices."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet import logs
from fleet.contracts.codec import SchemaError
from fleet.messages import Reply, read_answer
from services.bot import answers, notices, refusals
from services.bot.answers import Due
from services.bot.cards import Card, Rendered
from services.bot.notice_kinds import Data, notice
from services.bot.presenters import presenters

log = logs.get(__name__)

KIND = "late_answer"


def present(
    type_: str, presenter: str, arguments: dict[str, Any], message_id: UUID | str, body: dict[str, Any]
) -> Rendered:
    """An answer, or a refusal, as it is shown; an apology where it does not fit its presenter."""
    if body.get("problem") is not None:
        refusal = refusals.refused(body["problem"])
        return Rendered(refusal, short=f"{refusal.title}. {refusals.SENT_DIRECTLY}")
    try:
        reply = Reply(str(message_id), body.get("result"))
        return presenters[presenter](read_answer(type_, reply), arguments)
    except (SchemaError, LookupError, ValueError, TypeError, AttributeError):
        log.exception("answer_not_presentable", type=type_, presenter=presenter)
        return Rendered(refusals.broken())


def become_notice(session: Session, due: Due) -> None:
    """Owe the answer as a notice, and let its interaction be over: both or neither."""
    _owe(session, due)
    answers.settle(session, due.message_id)


def postpone(session: Session, due: Due) -> bool:
    """Discord did not take the answer: try again later, and after the last time leave it to the notices."""
    again = answers.postpone(session, due.message_id)
    if not again:
        _owe(session, due)
    return again


def _owe(session: Session, due: Due) -> None:
    if due.body is None:
        return
    data = {
        "type": due.type,
        "presenter": due.presenter,
        "arguments": due.arguments,
        "message_id": str(due.message_id),
        "body": due.body,
    }
    notices.add(session, due.message_id, notices.to_account(due.door.discord_id), KIND, data)


@notice(KIND)
def late_answer(data: Data, _words: Any) -> Card:
    """What somebody asked for, later than they could be answered where they asked."""
    shown = present(data["type"], data["presenter"], data["arguments"], data["message_id"], data["body"])
    return Card(
        title=shown.card.title,
        text=shown.card.text,
        fields=shown.card.fields,
        footer=shown.card.footer,
        colour=shown.card.colour,
        content=shown.card.content,
    )
