"""Notices: what the bot says by itself, each once for each recipient, whatever is killed or told twice on the way.

Handlers of events `add` rows; the client takes what is `due`, asks the owner for the words, `begin`s, speaks under a
nonce that is the notice's own, and only Discord's answer makes it `told`. Between those two it may be killed at any
moment: the row is due again, and Discord drops the second message of the same nonce.

A notice ends unsaid after a week, as `expired`; its row is forgotten a month after that. A card in the staff channel has
no such end while it waits for a decision.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from fleet import forgetting, logs, outbox
from fleet.asking import answers
from fleet.messages import new_id
from services.bot import contacts
from services.bot.contacts import Reach
from services.bot.notice_models import HandedInPicture, Notice

STAFF = "staff"
TOLD_WITHIN = timedelta(days=7)
KEPT_AFTER = timedelta(days=30)
# Questions live 3 s on the bus.
ANSWERED_WITHIN = timedelta(seconds=3.5)
LONGEST_PAUSE_S = 300
# A member nobody has heard of yet: the message that tells of them may be a little slower than this notice.
HEARD_OF_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class Job:
    """A notice whose turn it is, with what is known of its recipient and of what was asked for it."""

    id: UUID
    kind: str
    recipient: str
    member_id: UUID | None
    data: dict[str, Any]
    version: int
    reach: Reach
    created_at: datetime
    expired: bool
    tried_at: datetime | None
    asked: bool
    answer: dict[str, Any] | None
    channel_id: str | None
    message_id: str | None
    traceparent: str | None

    @property
    def for_staff(self) -> bool:
        """True for a card of the staff channel."""
        return self.recipient == STAFF


def to_member(member_id: UUID) -> str:
    """The recipient of a notice to a member."""
    return f"member:{member_id}"


def to_account(discord_id: str) -> str:
    """The recipient of a notice to a Discord account, whoever it belongs to."""
    return f"discord:{discord_id}"


def add(
    session: Session,
    event_id: UUID,
    recipient: str,
    kind: str,
    data: dict[str, Any],
    *,
    member_id: UUID | None = None,
    after: timedelta = timedelta(0),
) -> None:
    """Owe `recipient` a notice of what happened; a second one for the same event changes nothing."""
    expires_at = None if recipient == STAFF else func.now() + TOLD_WITHIN
    statement = insert(Notice).values(
        id=new_id(),
        event_id=event_id,
        recipient=recipient,
        kind=kind,
        member_id=member_id,
        data=data,
        due_at=func.now() + after,
        expires_at=expires_at,
        traceparent=logs.traceparent.get(),
    )
    session.execute(statement.on_conflict_do_nothing())


def say_instead(session: Session, event_id: UUID, recipient: str, kind: str, data: dict[str, Any]) -> None:
    """Owe a notice that says more than another one of the same event, if that one is not under way yet."""
    statement = insert(Notice).values(
        id=new_id(),
        event_id=event_id,
        recipient=recipient,
        kind=kind,
        member_id=_member_of(recipient),
        data=data,
        expires_at=func.now() + TOLD_WITHIN,
        traceparent=logs.traceparent.get(),
    )
    changed = {"kind": kind, "data": data, "due_at": func.now(), "version": Notice.version + 1}
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Notice.event_id, Notice.recipient],
            set_={**changed, "traceparent": statement.excluded.traceparent},
            where=(Notice.state == "due") & Notice.tried_at.is_(None),
        )
    )


def change_card(session: Session, subject: UUID, kind: str, member_id: UUID | None, changes: dict[str, Any]) -> None:
    """What a card in the staff channel is about has come to its end: show that on the card, if there is one.

    A card nobody has seen yet is not shown any more, and one whose beginning is still to be heard of never will be.
    """
    row = insert(Notice).values(
        id=new_id(),
        event_id=subject,
        recipient=STAFF,
        kind=kind,
        member_id=member_id,
        data=changes,
        state="dropped",
        reason="it ended before it was shown",
        expires_at=func.now() + TOLD_WITHIN,
        traceparent=logs.traceparent.get(),
    )
    _forget_answer(session, (Notice.event_id == subject) & (Notice.recipient == STAFF))
    unseen = Notice.message_id.is_(None) & Notice.tried_at.is_(None)
    session.execute(
        row.on_conflict_do_update(
            index_elements=[Notice.event_id, Notice.recipient],
            set_={
                "state": case((unseen, "dropped"), else_="due"),
                "reason": case((unseen, "it ended before it was shown"), else_=None),
                "data": Notice.data.op("||")(row.excluded.data),
                "version": Notice.version + 1,
                "question_id": None,
                "attempts": 0,
                "due_at": func.now(),
                "expires_at": func.now() + TOLD_WITHIN,
                "traceparent": row.excluded.traceparent,
            },
            where=Notice.state != "dropped",
        )
    )


def due(session: Session, limit: int = 50) -> list[Job]:
    """Notices whose turn it is, longest waiting first."""
    lapsed = Notice.asked_at <= func.now() - ANSWERED_WITHIN
    statement = (
        select(Notice, answers.c.body, Notice.expires_at <= func.now())
        .outerjoin(answers, answers.c.message_id == Notice.question_id)
        .where(
            Notice.state == "due",
            Notice.due_at <= func.now(),
            or_(Notice.question_id.is_(None), answers.c.message_id.is_not(None), lapsed),
        )
        .order_by(Notice.due_at)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    rows = session.execute(statement).all()
    members = {found for row, _, _ in rows if (found := _member_of(row.recipient))}
    reached = contacts.reach(session, members) if members else {}
    return [_job(row, body, bool(expired), reached) for row, body, expired in rows]


def _member_of(recipient: str) -> UUID | None:
    kind, _, value = recipient.partition(":")
    return UUID(value) if kind == "member" else None


def _job(row: Notice, body: dict[str, Any] | None, expired: bool, reached: dict[UUID, Reach]) -> Job:
    member_id = _member_of(row.recipient)
    if member_id is not None:
        reach = reached[member_id]
    else:
        kind, _, value = row.recipient.partition(":")
        reach = Reach(value if kind == "discord" else None, dict(contacts.DEFAULTS))
    return Job(
        id=row.id,
        kind=row.kind,
        recipient=row.recipient,
        member_id=row.member_id,
        data=row.data,
        version=row.version,
        reach=reach,
        created_at=row.created_at,
        expired=expired,
        tried_at=row.tried_at,
        asked=row.question_id is not None,
        answer=body,
        channel_id=row.channel_id,
        message_id=row.message_id,
        traceparent=row.traceparent,
    )


def find(session: Session, notice_id: UUID) -> Job | None:
    """A notice that was mentioned or told; None when it is forgotten."""
    row = session.get(Notice, notice_id)
    if row is None:
        return None
    member_id = _member_of(row.recipient)
    return _job(row, None, False, contacts.reach(session, [member_id]) if member_id else {})


def ask(session: Session, job: Job, question: Any) -> None:
    """Ask the owner for the words of a notice; it is due again when they have come."""
    message_id = outbox.record(session, question, source="bot", subject=job.member_id, reply_to="bot")
    asked = (
        update(Notice)
        .where(Notice.id == job.id, Notice.version == job.version, Notice.state == "due")
        .values(question_id=message_id, asked_at=func.now())
        .returning(Notice.id)
    )
    if session.scalar(asked) is None:
        # It changed, or was forgotten, a moment ago: nobody will look for this answer.
        forgetting.refuse_answers(session, [message_id])


def begin(session: Session, job: Job) -> bool:
    """About to be said: from here on it may have been. False when it changed meanwhile and must be looked at anew."""
    begun = (
        update(Notice)
        .where(Notice.id == job.id, Notice.version == job.version, Notice.state == "due")
        .values(tried_at=func.coalesce(Notice.tried_at, func.now()))
        .returning(Notice.id)
    )
    return session.scalar(begun) is not None


def said(session: Session, job: Job, channel_id: str, message_id: str, *, mentioned: bool = False, **kept: Any) -> None:
    """Discord has it. What changed while it was said is still to be said."""
    state = "mentioned" if mentioned else "told"
    values: dict[str, Any] = {
        "channel_id": channel_id,
        "message_id": message_id,
        "state": case((Notice.version == job.version, state), else_="due"),
        "tried_at": None,
        "question_id": None,
        "attempts": 0,
    }
    if kept:
        values["data"] = Notice.data.op("||")(literal(kept, JSONB))
    _forget_answer(session, Notice.id == job.id)
    session.execute(update(Notice).where(Notice.id == job.id).values(values))


def postpone(session: Session, job: Job, seconds: float | None = None, *, unsaid: bool = True) -> None:
    """Not now: again after a pause that grows, or after `seconds`. `unsaid`: Discord certainly has not taken it."""
    # power() of a large number overflows; eight doublings are over the longest pause.
    growing = func.least(LONGEST_PAUSE_S, func.power(2, func.least(Notice.attempts, 9)))
    pause = func.make_interval(0, 0, 0, 0, 0, 0, growing if seconds is None else seconds)
    values: dict[str, Any] = {"due_at": func.now() + pause, "attempts": Notice.attempts + 1, "question_id": None}
    if unsaid:
        values["tried_at"] = None
    same = (Notice.id == job.id) & (Notice.version == job.version) & (Notice.state == "due")
    _forget_answer(session, Notice.id == job.id)
    session.execute(update(Notice).where(same).values(values))


def drop(session: Session, job: Job, reason: str) -> None:
    """It will not be told: nobody wants it, nobody can be reached, or it is too late."""
    _forget_answer(session, Notice.id == job.id)
    same = (Notice.id == job.id) & (Notice.version == job.version) & (Notice.state == "due")
    values: dict[str, Any] = {"state": "dropped", "reason": reason, "question_id": None, "tried_at": None}
    values["expires_at"] = func.coalesce(Notice.expires_at, func.now() + TOLD_WITHIN)
    session.execute(update(Notice).where(same).values(values))


def _forget_answer(session: Session, which: ColumnElement[bool]) -> None:
    """The owner's words pass through: they go with the attempt, and those that come after it are not kept.

    The rows stay locked: a question that is being recorded at this moment is seen, and one after it finds the row changed.
    """
    asked = select(Notice.question_id).where(which).order_by(Notice.id).with_for_update()
    forgetting.refuse_answers(session, [each for each in session.scalars(asked) if each])


def forget(session: Session, member_ids: Collection[UUID], discord_ids: Collection[str]) -> int:
    """Delete all that is or was owed to or about these, with the words that were asked for it; returns how many notices."""
    recipients = [*map(to_member, member_ids), *map(to_account, discord_ids)]
    theirs = or_(Notice.member_id.in_(member_ids), Notice.recipient.in_(recipients))
    _forget_answer(session, theirs)
    gone = session.execute(delete(Notice).where(theirs), execution_options={"synchronize_session": False})
    return int(gone.rowcount)  # type: ignore[attr-defined]


def look_again(session: Session) -> None:
    """A server was set up: what waited for a channel need not wait any longer."""
    session.execute(update(Notice).where(Notice.state == "due").values(due_at=func.now()))


def forget_old(session: Session) -> None:
    """Forget notices a month after their end, and pictures whose cards were never shown."""
    session.execute(delete(Notice).where(Notice.expires_at < func.now() - KEPT_AFTER))
    session.execute(delete(HandedInPicture).where(HandedInPicture.created_at < func.now() - KEPT_AFTER))
