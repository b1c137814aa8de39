"""A call of a command, whichever door it came through: what commands talk to instead of Discord.

`answer` says something at once. `ask` sends a question or command to another service and returns: the answer is shown
by `answering` when it comes, also by another process.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import nextcord
from prometheus_client import Counter
from sqlalchemy.orm import Session

from fleet import logs, tracing
from fleet.contracts.points import Attachment
from fleet.database import is_outage
from services.bot import answers, people, refusals
from services.bot.answers import Door
from services.bot.cards import Card, Rendered
from services.bot.commands import Command
from services.bot.delivery import Closed, Delivery, Gone
from services.bot.off_loop import transact
from services.bot.people import Person, clean
from services.bot.refusals import DIRECT_MESSAGES_CLOSED, Usage

log = logs.get(__name__)

used = Counter("discord_commands_total", "Commands used, by what became of them", ["command", "outcome"])

# Discord takes the first word to an interaction for three seconds.
FIRST_WORD_AFTER_S = 1.5
# Given the session and the caller's member id, what to ask.
Build = Callable[[Session, UUID], Any]


class Desk(Protocol):
    """What a call needs of the client."""

    delivery: Delivery
    started_at: datetime

    @property
    def latency(self) -> float: ...

    def expect_answers(self) -> None: ...

    def get_guild(self, id: int, /) -> Any: ...


def person_of(user: Any) -> Person:
    """The person behind nextcord's user or member."""
    return Person(str(user.id), clean(user.name), clean(user.display_name), bool(user.bot))


@dataclass(frozen=True)
class Seat:
    """What somebody is in the server they call from; nothing in direct messages."""

    guild_id: str | None = None
    role_ids: frozenset[str] = frozenset()
    manages: bool = False


def seat_of(user: Any, guild_id: int | None, *, manages: bool) -> Seat:
    """The seat of nextcord's member."""
    if guild_id is None:
        return Seat()
    return Seat(str(guild_id), frozenset(str(role.id) for role in getattr(user, "roles", ())), manages)


def attachment_of(file: Any) -> Attachment:
    """nextcord's attachment as other services are told of it."""
    return Attachment(
        url=str(file.url), filename=clean(file.filename), size=int(file.size), content_type=file.content_type
    )


def fresh_listing() -> str:
    """A name for one leafing through a list."""
    return secrets.token_urlsafe(9)


class Call:
    """What both doors share."""

    def __init__(
        self, desk: Desk, person: Person, *, in_guild: bool, correlation: int, seat: Seat | None = None
    ) -> None:
        self.desk, self.person, self.in_guild, self.correlation = desk, person, in_guild, str(correlation)
        self.seat = seat or Seat()

    async def answer(self, rendered: Rendered) -> None:
        """Say this now."""
        raise NotImplementedError

    async def acknowledge(self) -> None:
        """Let Discord know that an answer will come."""
        raise NotImplementedError

    def door(self) -> Door:
        """Where a later answer goes."""
        raise NotImplementedError

    @property
    def acknowledged(self) -> bool:
        """True when Discord knows that an answer will come, or does not ask."""
        return True

    @property
    def alone(self) -> bool:
        """True when nobody but the caller reads the answer."""
        raise NotImplementedError

    async def ask(self, build: Build, presenter: str, *, about: Person | None = None, **arguments: Any) -> None:
        """Send what `build` makes; its answer will be shown by `presenter` with these arguments.

        Somebody it is `about` is registered like the caller, so that whoever is asked knows them.
        """
        logs.correlation_id.set(self.correlation)
        await self._recorded(transact(self._ask, build, presenter, about, {"private": self.alone, **arguments}))
        self.desk.expect_answers()

    async def _recorded(self, recording: Coroutine[Any, Any, UUID]) -> None:
        """Write down what is asked, and only then tell Discord that it was taken: what dies in between has lost nothing
        that anybody was told of. Discord waits for three seconds; when the database is slow it is told before."""
        held = not self.acknowledged
        recorded = asyncio.ensure_future(recording)
        if held:
            await asyncio.wait({recorded}, timeout=FIRST_WORD_AFTER_S)
        if held and not recorded.done():
            await self.acknowledge()
        message_id = await recorded
        await self.acknowledge()
        if held:
            await transact(answers.release, message_id)

    def _ask(
        self, session: Session, build: Build, presenter: str, about: Person | None, arguments: dict[str, Any]
    ) -> UUID:
        mine, concerned = self.person.discord_id, [self.person, about] if about is not None else [self.person]
        member_id = people.see(session, concerned, in_guild=self.in_guild, by_command=[mine])[mine]
        message = build(session, member_id)
        return answers.expect(
            session,
            message,
            subject=member_id,
            presenter=presenter,
            arguments=arguments,
            door=self.door(),
            acknowledged=self.acknowledged,
        )


class SlashCall(Call):
    """A slash command or a click: its answer is seen by the caller alone."""

    def __init__(self, desk: Desk, interaction: nextcord.Interaction[Any]) -> None:
        rights = interaction.permissions
        super().__init__(
            desk,
            person_of(interaction.user),
            in_guild=interaction.guild_id is not None,
            correlation=interaction.id,
            seat=seat_of(interaction.user, interaction.guild_id, manages=rights.manage_guild or rights.administrator),
        )
        self._interaction = interaction

    @property
    def alone(self) -> bool:
        return True

    def door(self) -> Door:
        return Door(self.person.discord_id, token=self._interaction.token)

    @property
    def acknowledged(self) -> bool:
        return self._interaction.response.is_done()

    async def acknowledge(self) -> None:
        if not self.acknowledged:
            await self._interaction.response.defer(ephemeral=True, with_message=self._beside)

    @property
    def _beside(self) -> bool:
        """True when the answer is a message of its own."""
        return True

    async def answer(self, rendered: Rendered) -> None:
        await self.acknowledge()
        await self.desk.delivery.edit_answer(self._interaction.token, rendered.card)


class ClickCall(SlashCall):
    """A click on a button: on a message only the caller sees, the answer replaces that message."""

    @property
    def _beside(self) -> bool:
        message = self._interaction.message
        return self._interaction.guild_id is not None and not (message is not None and message.flags.ephemeral)


class TypedCall(Call):
    """A `!command` in a message: answered by a reply, in private matters by a direct message and a short reply."""

    def __init__(self, desk: Desk, message: nextcord.Message) -> None:
        rights = getattr(message.author, "guild_permissions", None)
        super().__init__(
            desk,
            person_of(message.author),
            in_guild=message.guild is not None,
            correlation=message.id,
            seat=seat_of(
                message.author,
                message.guild.id if message.guild else None,
                manages=rights is not None and (rights.manage_guild or rights.administrator),
            ),
        )
        self._message = message

    @property
    def alone(self) -> bool:
        return not self.in_guild

    def door(self) -> Door:
        return Door(
            self.person.discord_id,
            channel_id=str(self._message.channel.id),
            message_ref=str(self._message.id),
            direct=not self.in_guild,
        )

    async def acknowledge(self) -> None:
        """Nothing to do: a message has no deadline."""

    async def answer(self, rendered: Rendered) -> None:
        await tell(self.desk.delivery, self.door(), rendered)

    async def take_down(self) -> bool:
        """Delete the caller's message; False when the bot may not, or Discord does not take it."""
        try:
            await self._message.delete()
        except nextcord.NotFound:
            return True
        except (nextcord.HTTPException, aiohttp.ClientError, OSError) as error:
            log.warning("message_not_deleted", correlation=self.correlation, error=type(error).__name__)
            return False
        return True


async def carry_out(call: Call, command: Command, options: dict[str, Any]) -> None:
    """Run a command; whatever goes wrong, the caller reads a sentence that helps."""
    try:
        with tracing.span(f"command {command.name}", "server"):
            await command.run(call, **options)
        used.labels(command.name, "taken").inc()
    except Exception as error:
        outcome = "refused" if isinstance(error, Usage) else "not_sent" if is_outage(error) else "failed"
        used.labels(command.name, outcome).inc()
        if outcome == "not_sent":
            log.warning("command_not_sent", command=command.name, correlation=call.correlation)
        elif outcome == "failed":
            log.error("command_failed", command=command.name, correlation=call.correlation, exc_info=error)
        await apologise(call, error)


async def apologise(call: Call, error: BaseException) -> None:
    """Tell the caller what became of their command, if Discord still takes it."""
    card = refusals.not_answering() if is_outage(error) else refusals.card_for(error)
    try:
        await call.answer(Rendered(card))
    except (nextcord.HTTPException, aiohttp.ClientError, OSError, Closed, Gone) as failure:
        log.warning("apology_not_delivered", correlation=call.correlation, error=type(failure).__name__)


async def tell(
    delivery: Delivery, door: Door, rendered: Rendered, nonces: tuple[str | None, str | None] = (None, None)
) -> None:
    """Answer a typed command. What is for its reader alone goes by direct message, with a short word in the channel."""
    assert door.channel_id is not None
    card, (in_channel, directly) = rendered.card, nonces
    if rendered.short is not None and not door.direct:
        try:
            await delivery.direct(door.discord_id, card, directly)
            card = Card(content=rendered.short)
        except Closed:
            card = Card(content=DIRECT_MESSAGES_CLOSED)
    await delivery.reply(door.channel_id, door.message_ref, card, in_channel)
