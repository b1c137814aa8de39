"""A command as a member types it: the name found among the registered ones, every option judged by its type."""

from __future__ import annotations

from typing import Any

from . import registered, wire
from .files import make_up
from .people import Channel, User
from .problems import JSON, LocalError
from .world import World

LARGEST_INTEGER = 2**53
_KINDS = {
    registered.STRING: "a text",
    registered.INTEGER: "a whole number",
    registered.BOOLEAN: "true or false",
    registered.USER: "the id of a user",
    registered.CHANNEL: "the name or id of a channel",
    registered.ROLE: "the id of a role",
    registered.MENTIONABLE: "the id of a user or role",
    registered.NUMBER: "a number",
    registered.ATTACHMENT: "a file {filename, content_type, size or base64}",
}


class Typed:
    """One use of a command, ready to be sent to the bot as the data of an interaction."""

    def __init__(self, world: World, user: User, channel: Channel, name: str, given: JSON, focus: str | None = None):
        self.world, self.channel, self.focus = world, channel, focus
        self.resolved: JSON = {}
        words = name.removeprefix("/").split()
        self.command = self._command(words[0] if words else "", user)
        schema, wrap = self._descend(words[1:])
        options = self._options(schema, given)
        for option in reversed(wrap):
            options = [{"name": option["name"], "type": option["type"], "options": options}]
        self.data: JSON = {"id": self.command["id"], "name": self.command["name"], "type": 1, "options": options}
        if "guild_id" in self.command:
            self.data["guild_id"] = self.command["guild_id"]
        if self.resolved:
            self.data["resolved"] = self.resolved

    def _command(self, name: str, user: User) -> JSON:
        direct = self.channel.recipient is not None
        names = []
        for command in self.world.commands.values():
            if command["type"] != registered.SLASH or (direct and not _in_direct(command)):
                continue
            names.append(command["name"])
            if command["name"] == name:
                if not direct and not _permitted(self.world, user, command):
                    raise LocalError(
                        403,
                        f'/{name} is for staff and {user.name} is not: POST /local/users/{user.id} {{"staff": true}}.',
                    )
                return command
        where = " for direct messages" if direct else ""
        known = ", ".join(sorted(names)) or "none; wait until GET /local/state says bot_ready"
        raise LocalError(404, f"The bot has registered no command {name!r}{where}. Registered: {known}.")

    def _descend(self, words: list[str]) -> tuple[list[JSON], list[JSON]]:
        schema: list[JSON] = self.command.get("options", [])
        wrap: list[JSON] = []
        while schema and schema[0]["type"] in (registered.SUBCOMMAND, registered.GROUP):
            names = ", ".join(option["name"] for option in schema)
            chosen = [option for option in schema if words and option["name"] == words[0]]
            if not chosen:
                raise LocalError(422, f"/{self.command['name']} needs one of its subcommands: {names}.")
            wrap.append(chosen[0])
            schema, words = chosen[0].get("options", []), words[1:]
        if words:
            raise LocalError(404, f"/{self.command['name']} has no subcommand {' '.join(words)!r}.")
        return schema, wrap

    def _options(self, schema: list[JSON], given: JSON) -> list[JSON]:
        known = {option["name"]: option for option in schema}
        for name in given:
            if name not in known:
                has = f"has {', '.join(known)}" if known else "takes no options"
                raise LocalError(422, f"/{self.command['name']} has no option {name!r}; it {has}.")
        if self.focus is not None and not known.get(self.focus, {}).get("autocomplete"):
            raise LocalError(422, f"Option {self.focus!r} of /{self.command['name']} is not autocompleted.")
        options: list[JSON] = []
        for name, option in known.items():
            if name == self.focus:
                # What is being typed is not valid yet, and Discord sends it as it stands.
                options.append({"name": name, "type": option["type"], "value": given.get(name, ""), "focused": True})
            elif name in given:
                value = self._value(option, given[name])
                options.append({"name": name, "type": option["type"], "value": value})
            elif option.get("required") and self.focus is None:
                raise LocalError(422, f"/{self.command['name']} needs the option {name!r}: {_KINDS[option['type']]}.")
        return options

    def _value(self, option: JSON, value: Any) -> Any:
        kind, name = option["type"], option["name"]
        if kind == registered.STRING and isinstance(value, str):
            return self._in_bounds(option, value, len(value), "min_length", "max_length", 6000)
        if kind == registered.INTEGER and type(value) is int and abs(value) <= LARGEST_INTEGER:
            return self._in_bounds(option, value, value, "min_value", "max_value", LARGEST_INTEGER)
        if kind == registered.NUMBER and type(value) in (int, float) and abs(value) <= LARGEST_INTEGER:
            return self._in_bounds(option, float(value), value, "min_value", "max_value", LARGEST_INTEGER)
        if kind == registered.BOOLEAN and isinstance(value, bool):
            return value
        if kind == registered.ATTACHMENT and isinstance(value, dict):
            file = make_up(self.world, self.channel, value, f"option {name!r}")
            self.resolved.setdefault("attachments", {})[str(file.id)] = wire.attachment(self.world, file)
            return str(file.id)
        found = reference(self.world, self.channel, kind, value, self.resolved)
        if found is None:
            raise LocalError(
                422, f"Option {name!r} of /{self.command['name']} takes {_KINDS[kind]}, not {value!r:.80}."
            )
        return found

    def _in_bounds(self, option: JSON, value: Any, measure: float, low: str, high: str, most: float) -> Any:
        choices = option.get("choices")
        if choices and value not in [choice["value"] for choice in choices]:
            listed = ", ".join(repr(choice["value"]) for choice in choices)
            raise LocalError(422, f"Option {option['name']!r} must be one of {listed}.")
        # An empty text is what Discord's client never sends: a required text has at least one character.
        least = option.get(low, 1 if low == "min_length" else -most)
        if not least <= measure <= option.get(high, most):
            what = "length " if low == "min_length" else ""
            raise LocalError(
                422, f"Option {option['name']!r} must have a {what}value from {least} to {option.get(high, most)}."
            )
        return value

    def focused_kind(self) -> int:
        """The type of the option being autocompleted."""
        options = self.data["options"]
        while "options" in options[0]:
            options = options[0]["options"]
        return int(next(option["type"] for option in options if option.get("focused")))


def usable(world: World, user: User, *, direct: bool) -> list[JSON]:
    """The slash commands that a user may use in the guild, or in direct messages."""
    slash = [command for command in world.commands.values() if command["type"] == registered.SLASH]
    if direct:
        return [command for command in slash if _in_direct(command)]
    contexts = [command for command in slash if command.get("contexts") is None or 0 in command["contexts"]]
    return [command for command in contexts if _permitted(world, user, command)]


def _permitted(world: World, user: User, command: JSON) -> bool:
    given = command.get("default_member_permissions")
    # No permission at all as the default means, with Discord, that nobody has it but those who administrate.
    needed = wire.ADMINISTRATOR if str(given) == "0" else int(given or 0)
    return not needed & ~wire.permissions(world, user)


def _in_direct(command: JSON) -> bool:
    contexts = command.get("contexts")
    return "guild_id" not in command and command.get("dm_permission", True) and (contexts is None or 1 in contexts)


def reference(world: World, channel: Channel, kind: int, value: Any, resolved: JSON) -> str | None:
    """The id of the user, role or channel that is meant, described in ``resolved`` as the bot will want it."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    number = int(value) if str(value).isascii() and str(value).isdecimal() and len(str(value)) < 20 else 0

    def describe(family: str, record: JSON) -> str:
        resolved.setdefault(family, {})[record["id"]] = record
        return str(record["id"])

    if kind in (registered.USER, registered.MENTIONABLE) and number in world.users:
        person = world.users[number]
        if person.in_guild and channel.recipient is None:
            rights = {"permissions": str(wire.permissions(world, person))}
            resolved.setdefault("members", {})[str(number)] = wire.member(world, person, inner=False) | rights
        return describe("users", wire.user(person))
    if kind in (registered.ROLE, registered.MENTIONABLE):
        for role in wire.roles(world):
            if role["id"] == str(number):
                return describe("roles", role)
    if kind == registered.CHANNEL:
        for place in world.channels.values():
            if place.recipient is None and value in (place.name, place.id, str(place.id)):
                return describe("channels", wire.channel(world, place) | {"permissions": "0"})
    return None
