"""Linking the web account: link, unlink, whoami, and the buttons under a claim.

A code is turned into its keyed digest as soon as it is read: it is neither logged nor kept nor passed on.
"""

from typing import Any
from uuid import UUID

import nextcord
from nextcord.ext import commands
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.users import CancelLink, ClaimLink, ConfirmLink, GetIdentity
from fleet.contracts.users_linking import code_digest
from fleet.messages import now
from fleet.settings import read
from services.bot.calls import Call, ClickCall, TypedCall, apologise
from services.bot.cards import Rendered
from services.bot.client import PropelClient
from services.bot.commands import Option, command
from services.bot.link_presenters import HOW_TO_LINK, HOW_TO_UNLINK, PREFIX, exposed, parse
from services.bot.off_loop import transact
from services.bot.settings import PeopleSettings

GROUP = "Your account"


@command("link", "Link your web account, with the code you got there", Option("code", "text", "the code"), group=GROUP)
async def link(call: Call, code: str = "") -> None:
    """Claim a code in private; in public cancel it and say why."""
    if not code.strip():
        await call.answer(Rendered(HOW_TO_LINK))
        return
    digest = code_digest(read(PeopleSettings).namespace, code)
    if isinstance(call, TypedCall) and not call.alone:
        await _cancel(call, digest)
        return
    person = call.person

    def claim(_session: Session, me: UUID) -> ClaimLink:
        return ClaimLink(me, person.discord_id, person.username, person.display_name, digest, now())

    await call.ask(claim, "link_claim")


async def _cancel(call: TypedCall, digest: str) -> None:
    """Everybody could read it: cancel it first, take the message away whatever happens, and say why."""
    try:
        await transact(_record_cancel, call.person.discord_id, digest)
    finally:
        deleted = await call.take_down()
    await call.answer(Rendered(exposed(deleted)))


def _record_cancel(session: Session, discord_id: str, digest: str) -> None:
    outbox.record(session, CancelLink(discord_id, digest), source="bot", subject=discord_id)


@command("unlink", "How to unlink your web account", group=GROUP)
async def unlink(call: Call) -> None:
    """It takes the password, which has no business in Discord."""
    await call.answer(Rendered(HOW_TO_UNLINK))


@command("whoami", "Who you are to Propel, and which web account is linked", group=GROUP)
async def whoami(call: Call) -> None:
    """The caller as users knows them."""
    await call.ask(lambda _session, me: GetIdentity(me), "identity")


class LinkButtons(commands.Cog):
    """Takes the claimant's yes or no; users decides whether whoever clicks is the claimant."""

    def __init__(self, client: PropelClient) -> None:
        self.client = client

    @commands.Cog.listener()
    async def on_interaction(self, interaction: nextcord.Interaction[Any]) -> None:
        """Take the clicks that are ours."""
        data: Any = interaction.data or {}
        custom_id = str(data.get("custom_id", ""))
        if interaction.type is not nextcord.InteractionType.component or not custom_id.startswith(PREFIX):
            return
        call = ClickCall(self.client, interaction)
        try:
            accept, link_id = parse(custom_id)
            clicker = call.person.discord_id
            await call.ask(lambda _session, _me: ConfirmLink(link_id, clicker, accept), "link_confirmation")
        except Exception as error:
            await apologise(call, error)
