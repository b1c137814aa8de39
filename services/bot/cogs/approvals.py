"""The buttons of cards in the staff channel, and the forms they open: submissions and redemptions.

Ids carry what is decided, so they work after any restart. Who pressed is the actor; whether they may is decided by the
service that executes, to which the bot vouches for the staff role of the server where that counts (submissions).
Pressing twice, or two at once, decides once: the first decision is taken, every other is told what it was.
"""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import tracing
from fleet.contracts.points import DecideSubmission
from fleet.contracts.rewards import DecideRedemption
from services.bot import guilds
from services.bot.calls import ClickCall, apologise
from services.bot.client import PropelClient
from services.bot.forms import PARAGRAPH, SHORT, filled_in, form, open_form
from services.bot.notice_models import Notice
from services.bot.notices import STAFF
from services.bot.off_loop import transact
from services.bot.refusals import Usage
from services.bot.staff_cards import APPROVE, OTHER, REDEMPTION, REJECT, SUBMISSION, button_id

PREFIXES = (f"{SUBMISSION}:", f"{REDEMPTION}:")
MOST_POINTS, LONGEST_NOTE = 2000, 1000


def reject_form(what: str, subject: UUID) -> dict[str, Any]:
    """Asks why."""
    reason = {
        "custom_id": "note",
        "style": PARAGRAPH,
        "label": "Why? The member reads this.",
        "required": True,
        "max_length": LONGEST_NOTE,
    }
    return form(button_id(what, REJECT, subject), f"Reject this {what}", reason)


def points_form(submission_id: UUID, promised: int) -> dict[str, Any]:
    """Asks how many points it is worth; what the rule promised stands there already."""
    amount = {
        "custom_id": "points",
        "style": SHORT,
        "label": f"Points (0 to {MOST_POINTS})",
        "required": True,
        "max_length": 4,
        "value": str(min(max(promised, 0), MOST_POINTS)),
    }
    note = {
        "custom_id": "note",
        "style": PARAGRAPH,
        "label": "A word to the member",
        "required": False,
        "max_length": LONGEST_NOTE,
    }
    return form(button_id(SUBMISSION, OTHER, submission_id), "Approve with other points", amount, note)


def parse(custom_id: str) -> tuple[str, str, UUID]:
    """What a button's or form's id decides, how, and which one. Raises Usage for an id that is not ours (any more)."""
    try:
        what, action, subject = custom_id.split(":", 2)
        return what, action, UUID(subject)
    except ValueError as error:
        raise Usage("This button is not known any more.") from error


def amount_of(text: str) -> int:
    """The points somebody typed. Raises Usage."""
    cleaned = text.strip().removeprefix("+").replace(",", "")
    if not (cleaned.isascii() and cleaned.isdecimal()) or int(cleaned) > MOST_POINTS:
        raise Usage(
            f"Points are a whole number from 0 to {MOST_POINTS:,}. Nothing was decided: press the button again."
        )
    return int(cleaned)


class Approvals(commands.Cog):
    """Takes presses of Approve, Reject and Other points, and the forms that follow."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take what is ours."""
        data: Any = interaction.data or {}
        if not str(data.get("custom_id", "")).startswith(PREFIXES):
            return
        call = ClickCall(self.client, interaction)
        try:
            what, action, subject = parse(str(data["custom_id"]))
            if interaction.type is nextcord.InteractionType.modal_submit:
                await self._submitted(call, what, action, subject, filled_in(data))
            elif action == REJECT:
                await open_form(self.client, interaction, reject_form(what, subject))
            elif action == OTHER:
                promised = await transact(_promised, subject)
                await open_form(self.client, interaction, points_form(subject, promised))
            elif action == APPROVE:
                await self._decide(call, what, subject, "approve")
        except Exception as error:
            await apologise(call, error)

    async def _submitted(self, call: ClickCall, what: str, action: str, subject: UUID, fields: dict[str, str]) -> None:
        note = fields.get("note", "").strip() or None
        if action == REJECT:
            if note is None:
                raise Usage("Say why, so that the member can do better. Nothing was decided: press the button again.")
            await self._decide(call, what, subject, "reject", note=note)
        else:
            points = amount_of(fields.get("points", ""))
            await self._decide(call, what, subject, "approve", points=points, note=note)

    async def _decide(
        self,
        call: ClickCall,
        what: str,
        subject: UUID,
        decision: Any,
        *,
        points: int | None = None,
        note: str | None = None,
    ) -> None:
        def submission(session: Session, me: UUID) -> DecideSubmission:
            return DecideSubmission(
                submission_id=subject,
                decision=decision,
                actor_member_id=me,
                points=points,
                note=note,
                staff_attested=guilds.attests(session, call.seat.guild_id, call.seat.role_ids),
            )

        def redemption(_session: Session, me: UUID) -> DecideRedemption:
            return DecideRedemption(actor_member_id=me, redemption_id=subject, decision=decision, note=note)

        # Hours may lie between, and still it is one story: what is decided goes on in the trace its card came in.
        parent = await transact(_trace, subject) if tracing.enabled() else None
        with tracing.span(f"{decision} {what}", parent=parent):
            if what == SUBMISSION:
                await call.ask(submission, "decided")
            else:
                await call.ask(redemption, "redemption_decided")


def _trace(session: Session, subject: UUID) -> str | None:
    return session.scalar(select(Notice.traceparent).where(Notice.event_id == subject, Notice.recipient == STAFF))


def _promised(session: Session, submission_id: UUID) -> int:
    data = session.scalar(select(Notice.data).where(Notice.event_id == submission_id, Notice.kind == "submission_card"))
    return int((data or {}).get("points", 0))
