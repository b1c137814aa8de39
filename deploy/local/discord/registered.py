"""The application commands a bot has registered: what Discord accepts, and how it keeps them."""

from __future__ import annotations

import re
from typing import Any

from .journal import COMMANDS
from .problems import JSON, FormErrors, unknown
from .world import World

SLASH = 1
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
_NAME = re.compile(r"[-_'\w]{1,32}")
_CHOOSABLE = (STRING, INTEGER, NUMBER)
_KEPT = (
    "name_localizations",
    "description_localizations",
    "options",
    "default_member_permissions",
    "dm_permission",
    "contexts",
)


def in_scope(world: World, guild: str | None) -> list[JSON]:
    """The commands of one guild, or the global ones."""
    return [command for command in world.commands.values() if command.get("guild_id") == guild]


def register(world: World, body: JSON, guild: str | None) -> tuple[JSON, bool]:
    """Registers a command, or replaces the one of the same name and type; says whether it is new."""
    check(body)
    kind = body.get("type") or SLASH
    same = [one for one in in_scope(world, guild) if one["name"] == body["name"] and one["type"] == kind]
    if not same and len(in_scope(world, guild)) >= 100:
        errors = FormErrors()
        errors.add((), "APPLICATION_COMMANDS_MAX", "Maximum number of application commands reached (100).")
        errors.settle()
    return _keep(world, int(same[0]["id"]) if same else world.ids.now(), body, guild), not same


def replace_all(world: World, bodies: list[JSON], guild: str | None) -> list[JSON]:
    """Registers exactly these commands: all are looked at before any is touched."""
    for body in bodies:
        check(body)
    wanted = {(body["name"], body.get("type") or SLASH) for body in bodies}
    for command in in_scope(world, guild):
        if (command["name"], command["type"]) not in wanted:
            del world.commands[int(command["id"])]
    world.changed(COMMANDS)
    return [register(world, body, guild)[0] for body in bodies]


def change(world: World, command_id: int, body: JSON, guild: str | None) -> JSON:
    """Changes what is given of a command."""
    whole = find(world, command_id, guild) | body
    check(whole)
    return _keep(world, command_id, whole, guild)


def find(world: World, command_id: int, guild: str | None) -> JSON:
    """A command by id."""
    command = world.commands.get(command_id)
    if command is None or command.get("guild_id") != guild:
        raise unknown("application command")
    return command


def _keep(world: World, command_id: int, body: JSON, guild: str | None) -> JSON:
    # Options go back exactly as they came, and what was not given is left out: nextcord compares both ways to see
    # whether it must register again, and one invented key would make it do so at every start.
    kept: JSON = {
        "id": str(command_id),
        "application_id": str(world.bot.id),
        "version": str(world.ids.now()),
        "type": body.get("type") or SLASH,
        "name": body["name"],
        "description": body.get("description") or "",
        "nsfw": bool(body.get("nsfw", False)),
        "integration_types": body.get("integration_types") or [0],
    }
    kept |= {key: body[key] for key in _KEPT if body.get(key) is not None}
    if guild is not None:
        kept["guild_id"] = guild
    world.commands[command_id] = kept
    world.changed(COMMANDS)
    return kept


def check(body: Any) -> None:
    """Refuses a command that Discord would refuse."""
    errors = FormErrors()
    if not isinstance(body, dict):
        errors.add((), "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        errors.settle()
    if (body.get("type") or SLASH) == SLASH:
        _texts(errors, (), body)
        _options(errors, ("options",), body.get("options"), depth=0)
    else:
        errors.length(("name",), body.get("name"), 1, 32, required=True)
        errors.length(("description",), body.get("description"), 0, 0)
    errors.settle()


def _texts(errors: FormErrors, path: tuple[str | int, ...], thing: JSON) -> None:
    name = thing.get("name")
    fits = errors.length((*path, "name"), name, 1, 32, required=True)
    if fits and (not _NAME.fullmatch(str(name)) or str(name) != str(name).lower()):
        errors.add((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    errors.length((*path, "description"), thing.get("description"), 1, 100, required=True)


def _options(errors: FormErrors, path: tuple[str | int, ...], value: Any, depth: int) -> None:
    names: set[Any] = set()
    optional_seen = False
    for index, option in enumerate(errors.objects(path, value, 25)):
        here = (*path, index)
        _texts(errors, here, option)
        kind = option.get("type")
        if type(kind) is not int or not SUBCOMMAND <= kind <= ATTACHMENT:
            errors.add((*here, "type"), "BASE_TYPE_CHOICES", "Value must be one of 1 to 11.")
            continue
        if kind in (SUBCOMMAND, GROUP):
            if depth > 1:
                errors.add((*here, "type"), "APPLICATION_COMMAND_TOO_DEEP", "Subcommands do not nest this deep.")
            else:
                _options(errors, (*here, "options"), option.get("options"), depth + 1)
        elif option.get("required"):
            if optional_seen:
                errors.add(
                    here,
                    "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                    "Required options must be placed before non-required options",
                )
        else:
            optional_seen = True
        if option.get("name") in names:
            errors.add(here, "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists")
        names.add(option.get("name"))
        _choices(errors, here, option, kind)


def _choices(errors: FormErrors, path: tuple[str | int, ...], option: JSON, kind: int) -> None:
    choices = errors.objects((*path, "choices"), option.get("choices"), 25)
    if (choices or option.get("autocomplete")) and kind not in _CHOOSABLE:
        errors.add(path, "APPLICATION_COMMAND_OPTION_CHOICES_INVALID", "Only texts and numbers have choices.")
    if choices and option.get("autocomplete"):
        errors.add(path, "APPLICATION_COMMAND_AUTOCOMPLETE_CHOICES", "Choices and autocomplete exclude each other.")
    check_choices(errors, (*path, "choices"), choices, kind)


def check_choices(errors: FormErrors, path: tuple[str | int, ...], choices: list[JSON], kind: int) -> None:
    """Checks choices, those of a registered option as well as those autocomplete offers."""
    for index, choice in enumerate(choices):
        errors.length((*path, index, "name"), choice.get("name"), 1, 100, required=True)
        value = choice.get("value")
        if kind == STRING:
            errors.length((*path, index, "value"), value, 1, 100, required=True)
        elif kind == INTEGER and type(value) is not int:
            errors.add((*path, index, "value"), "NUMBER_TYPE_COERCE", "Value is not an int.")
        elif kind == NUMBER and type(value) not in (int, float):
            errors.add((*path, index, "value"), "NUMBER_TYPE_COERCE", "Value is not a float.")
