"""The queue of submissions without its cards: what waits, and deciding by short id. Points decides whether one may."""

from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts.points import DecideSubmission
from services.bot import staff_listings
from services.bot.calls import Call
from services.bot.cogs.submissions import named
from services.bot.commands import STAFF, Option, command
from services.bot.off_loop import transact
from services.bot.refusals import Usage
from services.bot.staff_listings import attested
from services.bot.suggesting import activity_meant

ID = Option("id", "text", "its short id, which /pending and the card show", True)
LONGEST_NOTE = 1000


@command(
    "pending",
    "What waits for a decision, oldest first",
    Option("kind", "activity", "one kind only"),
    group=STAFF,
)
async def pending(call: Call, kind: str = "") -> None:
    """The queue of submissions."""
    await staff_listings.ask_page(call, "queue", await transact(activity_meant, kind))


@command(
    "approve",
    "Approve a submission",
    ID,
    Option("points", "number", "how many; as promised when left out", least=0, most=2000),
    Option("note", "text", "a word to the member", named=True),
    group=STAFF,
)
async def approve(call: Call, id: str, points: int | None = None, note: str | None = None) -> None:
    """Once, whoever is first."""
    await decide(call, id, "approve", points, note)


@command(
    "reject",
    "Reject a submission; the member is told why",
    ID,
    Option("reason", "text", "why", True),
    group=STAFF,
)
async def reject(call: Call, id: str, reason: str) -> None:
    """Once, whoever is first."""
    await decide(call, id, "reject", None, reason)


async def decide(
    call: Call, id: str, decision: Literal["approve", "reject"], points: int | None, note: str | None
) -> None:
    """Have points decide a submission as the caller wants."""
    if note is not None and len(note) > LONGEST_NOTE:
        raise Usage(f"That is too long: at most {LONGEST_NOTE:,} characters. Nothing was decided.")
    submission_id = await transact(named, id)

    def build(session: Session, me: UUID) -> DecideSubmission:
        return DecideSubmission(submission_id, decision, me, points, note, attested(session, call))

    await call.ask(build, "decided")
