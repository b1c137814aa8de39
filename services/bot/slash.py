"""Slash commands for nextcord, made from the table of commands, and their registration in a server."""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import nextcord

from services.bot import people, suggesting
from services.bot.calls import SlashCall, attachment_of, person_of
from services.bot.commands import Command, Option
from services.bot.off_loop import transact
from services.bot.people import Person
from services.bot.refusals import Usage

Start = Callable[[nextcord.Interaction[Any], Command, dict[str, Any]], Awaitable[None]]

_ANNOTATIONS: dict[str, Any] = {
    "text": str,
    "number": int,
    "reward": str,
    "any_reward": str,
    "activity": str,
    "time_zone": str,
    "choice": str,
    "link": str,
    "member": nextcord.Member,
    "file": nextcord.Attachment,
    "channel": nextcord.TextChannel,
    "role": nextcord.Role,
}


def slash_command(command: Command, start: Start) -> nextcord.SlashApplicationCommand:
    """The slash command that calls `start` with the interaction, the command and the options that were given."""

    async def callback(interaction: Any, **given: Any) -> None:
        await start(interaction, command, {name: value for name, value in given.items() if value is not None})

    # nextcord reads options off the signature, as if each command were a function of its own.
    interaction = inspect.Parameter("interaction", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    callback.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [interaction, *(_parameter(option) for option in command.options)]
    )
    made = nextcord.SlashApplicationCommand(name=command.name, description=command.description, callback=callback)
    made.from_callback(callback)
    return made


def _suggest(kind: str) -> Callable[[Any, str], Awaitable[None]]:
    async def suggest(interaction: Any, typed: str) -> None:
        choices = await suggesting.offered(kind, person_of(interaction.user), str(typed or ""))
        # Who typed on, or left, does not wait for these any more.
        with suppress(nextcord.NotFound):
            # nextcord itself leaves an empty list unsent, and Discord would show an error.
            await interaction.response.send_autocomplete(choices)

    return suggest


def _parameter(option: Option) -> inspect.Parameter:
    described = nextcord.SlashOption(
        name=option.name,
        description=option.description,
        required=option.required,
        default=None,
        choices=list(option.choices) or None,
        min_value=option.least,
        max_value=option.most,
        autocomplete_callback=_suggest(option.kind) if option.kind in suggesting.KINDS else None,
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=_ANNOTATIONS[option.kind],
        default=described,
    )


async def slash_options(call: SlashCall, command: Command, given: dict[str, Any]) -> dict[str, Any]:
    """The options as commands take them: a member is a Person, a file an Attachment, a place its id. Raises Usage."""
    found: dict[str, Any] = {}
    for option in command.options:
        if option.name in given:
            found[option.name] = await _value(option, given[option.name])
    return found


async def _value(option: Option, value: Any) -> Any:
    if option.kind == "member":
        return await _person(value)
    if option.kind == "file":
        return attachment_of(value)
    if option.kind in ("channel", "role"):
        return str(value.id)
    return value


async def _person(chosen: Any) -> Person:
    if isinstance(chosen, nextcord.Member | nextcord.User):
        return person_of(chosen)
    found = await transact(people.find, str(chosen.id))
    if found is None:
        raise Usage("I do not know that person yet. They will be known as soon as they write something here.")
    return found


async def roll_out(client: nextcord.Client, commands: list[nextcord.SlashApplicationCommand], guild_id: int) -> None:
    """Register exactly these commands in a server, in one request: they appear there at once."""
    assert client.application_id is not None
    for command in commands:
        command.add_guild_rollout(guild_id)
    payloads = [command.get_payload(guild_id) for command in commands]
    registered = await client.http.bulk_upsert_guild_commands(client.application_id, guild_id, payloads)
    by_name = {command.name: command for command in commands}
    for raw in registered:
        if registered_command := by_name.get(raw["name"]):
            registered_command.parse_discord_response(client._connection, raw)
            # What was there under the same name may be an older form of it.
            client.add_application_command(registered_command, overwrite=True, use_rollout=True)
