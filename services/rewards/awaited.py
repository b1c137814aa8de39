"""Commands that are answered later: whoever asked by message to redeem hears when points has said yes or no.

What the answer needs to find its way is a row, written with the redemption; the answer is recorded in the transaction in
which the redemption leaves `requested`. So each command is answered once, whatever ends in between.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.messages import Envelope, now
from services.rewards import outcomes
from services.rewards.models import AwaitedReply, Redemption

SOURCE = "rewards"


def keep(session: Session, redemption_id: UUID, command: Envelope[Any]) -> None:
    """Remember who awaits the outcome of a redemption that is still `requested`."""
    if command.reply_to is None:
        return
    row = insert(AwaitedReply).values(
        message_id=command.id,
        redemption_id=redemption_id,
        reply_to=command.reply_to,
        subject=command.subject,
        correlation_id=command.correlation_id,
        traceparent=command.traceparent,
    )
    session.execute(row.on_conflict_do_nothing())


def answer(session: Session, redemption: Redemption) -> None:
    """Tell everybody who awaits it what became of the redemption."""
    waiting = delete(AwaitedReply).where(AwaitedReply.redemption_id == redemption.id).returning(AwaitedReply)
    rows = session.scalars(waiting, execution_options={"synchronize_session": False}).all()
    if not rows:
        return
    if redemption.status == "declined":
        said: dict[str, Any] = {"problem": outcomes.refusal(session, redemption).to_dict()}
    else:
        said = {"result": outcomes.outcome(session, redemption)}
    replies = [outbox.reply_envelope(SOURCE, _request(row), **said) for row in rows]
    outbox.record_replies(session, replies)


def _request(row: AwaitedReply) -> Envelope[Any]:
    """As much of the command as its reply refers to."""
    return Envelope(
        id=row.message_id,
        source=row.reply_to,
        type="rewards.redeem.v1",
        subject=row.subject,
        time=now(),
        data=None,
        correlation_id=row.correlation_id,
        reply_to=row.reply_to,
        traceparent=row.traceparent,
    )
