"""Answers somebody in Discord waits for.

What is asked and who waits are one transaction; the reply arrives in `answers` through the worker, and the client shows
it and deletes both rows. Because everything needed to answer is in the row, a restart in between changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import logs, outbox
from fleet.asking import answers
from fleet.contracts import contract_of
from services.bot.models import ListingPage, PendingAnswer

# Questions live 3 s on the bus: after that nobody will answer them any more.
QUESTION_WAIT = timedelta(seconds=3.5)
COMMAND_WAIT = timedelta(seconds=2.5)
# Discord's 15 minutes, less what an edit may take.
TOKEN_LIFE = timedelta(minutes=14, seconds=30)
COMMANDS_KEPT = timedelta(days=30)
LISTINGS_KEPT = timedelta(days=7)
GIVE_UP_AFTER = 8
# So long Discord waits for the first word to an interaction; until then nothing can be said to it but that word.
FIRST_WORD_WITHIN = timedelta(seconds=3)


@dataclass(frozen=True)
class Door:
    """Where an answer goes: an interaction (`token`), or a reply to a message in a channel."""

    discord_id: str
    token: str | None = None
    channel_id: str | None = None
    message_ref: str | None = None
    direct: bool = False


@dataclass(frozen=True)
class Due:
    """An answer that has come, or that did not come in time (`body` is None)."""

    message_id: UUID
    kind: str
    type: str
    presenter: str
    arguments: dict[str, Any]
    door: Door
    asked_at: datetime
    token_alive: bool
    body: dict[str, Any] | None
    traceparent: str | None = None


def expect(
    session: Session,
    message: Any,
    *,
    subject: UUID | None,
    presenter: str,
    arguments: dict[str, Any],
    door: Door,
    acknowledged: bool = True,
) -> UUID:
    """Send a question or command and remember who waits for its answer, and how it will be shown.

    Before Discord is told that the interaction was taken (`acknowledged` false), its answer is held back until `release`.
    """
    contract = contract_of(message)
    message_id = outbox.record(session, message, source="bot", subject=subject, reply_to="bot")
    wait = QUESTION_WAIT if contract.kind == "question" else COMMAND_WAIT
    session.add(
        PendingAnswer(
            message_id=message_id,
            kind=contract.kind,
            type=contract.type,
            presenter=presenter,
            arguments=arguments,
            discord_id=door.discord_id,
            token=door.token,
            channel_id=door.channel_id,
            message_ref=door.message_ref,
            direct=door.direct,
            due_at=func.now() + wait,
            traceparent=logs.traceparent.get(),
            retry_at=None if acknowledged else func.now() + FIRST_WORD_WITHIN,
        )
    )
    session.flush()
    return message_id


def due(session: Session, limit: int = 100) -> list[Due]:
    """What can be told now, oldest first."""
    pending = PendingAnswer
    statement = (
        select(pending, answers.c.body, pending.asked_at > func.now() - TOKEN_LIFE)
        .outerjoin(answers, answers.c.message_id == pending.message_id)
        .where(
            or_(answers.c.message_id.is_not(None), pending.due_at <= func.now()),
            or_(pending.retry_at.is_(None), pending.retry_at <= func.now()),
        )
        .order_by(pending.asked_at)
        .limit(limit)
    )
    return [_due(row, body, alive) for row, body, alive in session.execute(statement)]


def _due(row: PendingAnswer, body: dict[str, Any] | None, token_alive: bool) -> Due:
    door = Door(row.discord_id, row.token, row.channel_id, row.message_ref, row.direct)
    return Due(
        row.message_id,
        row.kind,
        row.type,
        row.presenter,
        row.arguments,
        door,
        row.asked_at,
        token_alive,
        body,
        row.traceparent,
    )


def release(session: Session, message_id: UUID) -> None:
    """The interaction is acknowledged: its answer may be shown as soon as it is there."""
    held = (PendingAnswer.message_id == message_id) & (PendingAnswer.attempts == 0)
    session.execute(update(PendingAnswer).where(held).values(retry_at=None))


def settle(session: Session, message_id: UUID) -> None:
    """The answer was told, or cannot be told any more: forget it."""
    session.execute(delete(PendingAnswer).where(PendingAnswer.message_id == message_id))
    session.execute(delete(answers).where(answers.c.message_id == message_id))


def keep_waiting(session: Session, message_id: UUID) -> None:
    """It was told that the command was received; what becomes of it is told whenever it is known."""
    session.execute(update(PendingAnswer).where(PendingAnswer.message_id == message_id).values(due_at=None))


def postpone(session: Session, message_id: UUID) -> bool:
    """Discord did not take the answer: try again later, with growing pauses. False when that was the last attempt."""
    pending = PendingAnswer
    pause = func.make_interval(0, 0, 0, 0, 0, 0, func.power(2, pending.attempts))
    attempts = session.scalar(
        update(pending)
        .where(pending.message_id == message_id)
        .values(attempts=pending.attempts + 1, retry_at=func.now() + pause)
        .returning(pending.attempts)
    )
    if attempts is not None and attempts < GIVE_UP_AFTER:
        return True
    settle(session, message_id)
    return False


def keep_page(session: Session, listing: str, page: int, cursor: str) -> None:
    """Remember where a page of a list begins, for the button that leads to it."""
    statement = insert(ListingPage).values(listing=listing, page=page, cursor=cursor)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[ListingPage.listing, ListingPage.page], set_={"cursor": statement.excluded.cursor}
        )
    )


def page_start(session: Session, listing: str, page: int) -> str | None:
    """Where a page begins; None for the first page and for lists that are too old to be known."""
    return session.scalar(
        select(ListingPage.cursor).where(and_(ListingPage.listing == listing, ListingPage.page == page))
    )


def forget_old(session: Session) -> None:
    """Drop lists nobody leafs through any more, and commands that were never answered."""
    session.execute(delete(ListingPage).where(ListingPage.created_at < func.now() - LISTINGS_KEPT))
    session.execute(delete(PendingAnswer).where(PendingAnswer.asked_at < func.now() - COMMANDS_KEPT))
