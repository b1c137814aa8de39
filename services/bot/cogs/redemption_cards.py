"""The buttons of redemptions in the staff channel. Who pressed is the actor; rewards decides whether they may (admins with a
linked account), and takes the first decision: the card then says what it was."""

from typing import Any, Literal
from uuid import UUID

import nextcord
from nextcord.ext import commands

from fleet.contracts.rewards import DecideRedemption
from services.bot import shop_presenters  # noqa: F401 presenters by name
from services.bot.calls import ClickCall, apologise
from services.bot.client import PropelClient
from services.bot.forms import PARAGRAPH, filled_in, form, open_form
from services.bot.refusals import Usage
from services.bot.staff_cards import APPROVE, REDEMPTION, REJECT, button_id

PREFIX = f"{REDEMPTION}:"
LONGEST_NOTE = 1000


def parse(custom_id: str) -> tuple[str, UUID]:
    """Action and redemption of a button's or form's id. Raises Usage for one that is not ours (any more)."""
    try:
        _, action, subject = custom_id.split(":", 2)
        return action, UUID(subject)
    except ValueError as error:
        raise Usage("This button is not known any more.") from error


def reject_form(redemption_id: UUID) -> dict[str, Any]:
    """Asks why."""
    reason = {
        "custom_id": "note",
        "style": PARAGRAPH,
        "label": "Why? The member reads this.",
        "required": True,
        "max_length": LONGEST_NOTE,
    }
    return form(button_id(REDEMPTION, REJECT, redemption_id), "Reject this redemption", reason)


class RedemptionCards(commands.Cog):
    """Takes presses of Approve and Reject, and the form that follows."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take what is ours."""
        data: Any = interaction.data or {}
        if not str(data.get("custom_id", "")).startswith(PREFIX):
            return
        call = ClickCall(self.client, interaction)
        try:
            action, redemption_id = parse(str(data["custom_id"]))
            if interaction.type is nextcord.InteractionType.modal_submit:
                await self._decide(call, redemption_id, "reject", filled_in(data).get("note", "").strip() or None)
            elif action == REJECT:
                await open_form(self.client, interaction, reject_form(redemption_id))
            elif action == APPROVE:
                await self._decide(call, redemption_id, "approve", None)
        except Exception as error:
            await apologise(call, error)

    async def _decide(
        self, call: ClickCall, redemption_id: UUID, decision: Literal["approve", "reject"], note: str | None
    ) -> None:
        await call.ask(lambda _session, me: DecideRedemption(me, redemption_id, decision, note), "redemption_decided")
