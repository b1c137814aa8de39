"""The commands, declared once for both doors: `/name` and `!name` run the same function.

    @command("rank", "Your place on the leaderboard", Option("member", "member", "whose; yours when left out"))
    async def rank(call: Call, member: Person | None = None) -> None: ...

Slash commands and the parser of `!` lines are both made from this table, and so is the help.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from services.bot.refusals import Usage

# `link` and `file` are what a person hands in: an address, an attachment. Of `reward`, `any_reward` (retired ones too),
# `activity` and `time_zone` Discord offers what there is while somebody types: see suggesting.py.
Kind = Literal[
    "text",
    "number",
    "member",
    "choice",
    "link",
    "file",
    "channel",
    "role",
    "reward",
    "any_reward",
    "activity",
    "time_zone",
]
Run = Callable[..., Awaitable[None]]

# The subjects of the help, in its order.
STAFF = "For staff"
GROUPS = (
    *("Your points", "Leaderboard", "Hand something in", "Rewards", "Resume review"),
    *("Your account", "Finding your way", STAFF),
)


@dataclass(frozen=True)
class Option:
    """One thing a command may be told. `named`: in a `!` line it is given as `name: value`, anywhere in the line. `least`
    and `most` are of numbers."""

    name: str
    kind: Kind
    description: str
    required: bool = False
    choices: tuple[str, ...] = ()
    named: bool = False
    least: int | None = None
    most: int | None = None

    @property
    def usage(self) -> str:
        """`member`, `[member]` when it may be left out, `[note: ...]` when it is given by its name."""
        words = f"{self.name}: ..." if self.named else self.name
        return words if self.required else f"[{words}]"


@dataclass(frozen=True)
class Command:
    """A command: its name, what it is for, what it takes, and what it does."""

    name: str
    description: str
    options: tuple[Option, ...]
    run: Run
    group: str

    @property
    def usage(self) -> str:
        """`rank [member]`, as it stands in the help."""
        return " ".join([self.name, *(option.usage for option in self.options)])


LONGEST_NUMBER = 12
registry: dict[str, Command] = {}


def command(name: str, description: str, *options: Option, group: str) -> Callable[[Run], Run]:
    """Declare the function as the command `name`."""

    def declare(run: Run) -> Run:
        if name in registry:
            raise ValueError(f"the command {name} is declared twice")
        if group not in GROUPS:
            raise ValueError(f"the group of {name} is not in GROUPS, so the help would not show it")
        registry[name] = Command(name, description, options, run, group)
        return run

    return declare


def called(line: str) -> tuple[Command, str] | None:
    """The command that a message beginning with `!` calls, and the words after it; None when it calls none."""
    if not line.startswith("!") or line[1:2].isspace():
        return None
    words = line[1:].split(maxsplit=1)
    found = registry.get(words[0].lower()) if words else None
    return (found, words[1] if len(words) > 1 else "") if found else None


_MENTION = re.compile(r"<@!?(\d{1,20})>")


def typed_options(found: Command, rest: str) -> dict[str, str | int]:
    """The words after a `!name` by option; the last option takes what is left, files come with the message. Several words
    for one of the others stand in quotation marks. Raises Usage."""
    given, rest = _named(found, rest)
    options = [option for option in found.options if option.kind != "file" and not option.named]
    for option in [option for option in options if option.kind == "link"]:
        options.remove(option)
        address, rest = _link(option, rest)
        if address:
            given[option.name] = address
        elif option.required:
            raise _missing(found, option)
    for index, option in enumerate(options):
        last = index == len(options) - 1
        word, remaining = (rest.strip(), "") if last else _first(rest.strip())
        if not word:
            if option.required:
                raise _missing(found, option)
            continue
        if option.kind == "number" and not (option.required or last or word.lstrip("+-")[:1].isdigit()):
            # Left out: the word is meant for what comes next.
            continue
        given[option.name] = _understood(found, option, word)
        rest = remaining
    return given


_QUOTED = re.compile(r'["“”]([^"“”]+)["“”](.*)', re.DOTALL)


def _first(words: str) -> tuple[str, str]:
    """The first word, or all that stands in quotation marks, and the rest."""
    if quoted := _QUOTED.fullmatch(words):
        return quoted.group(1).strip(), quoted.group(2)
    word, _, rest = words.partition(" ")
    return word, rest


def _named(found: Command, rest: str) -> tuple[dict[str, str | int], str]:
    """The options that are given as `name: value`, each value as far as the next name; and the words before the first."""
    known = {option.name: option for option in found.options if option.named}
    if not known:
        return {}, rest
    parts = re.split(rf"(?i)(?:^|(?<=\s))({'|'.join(known)})\s*[:=]", rest)
    given: dict[str, str | int] = {}
    for name, value in zip(parts[1::2], parts[2::2], strict=True):
        option = known[name.lower()]
        if not value.strip():
            raise Usage(f"Say what {option.name} is to be: `{option.name}: ...`. {option.description.capitalize()}.")
        given[option.name] = _understood(found, option, value.strip())
    missing = [option for option in known.values() if option.required and option.name not in given]
    if missing:
        raise _missing(found, missing[0])
    return given, parts[0]


def _understood(found: Command, option: Option, word: str) -> str | int:
    if option.kind == "choice":
        return _chosen(found, option, word)
    return whole_number(option, word) if option.kind == "number" else word


def whole_number(option: Option, word: str) -> int:
    """The number somebody typed. Raises Usage."""
    cleaned = word.strip().removeprefix("+").replace(",", "")
    digits = cleaned.removeprefix("-")
    number = int(cleaned) if digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_NUMBER else None
    low, high = option.least, option.most
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        between = f" from {low:,} to {high:,}" if low is not None and high is not None else ""
        raise Usage(f"For {option.name} I need a whole number{between}. {option.description.capitalize()}.")
    return number


def _missing(found: Command, option: Option) -> Usage:
    return Usage(f"Tell me the {option.name} too: `!{found.usage}`. {option.description.capitalize()}.")


def _link(option: Option, rest: str) -> tuple[str | None, str]:
    """The address among the words, and the words without it. One that need not be given must stand first: further on it
    is part of a sentence."""
    words = rest.split()
    for index, word in enumerate(words if option.required else words[:1]):
        if word.lower().startswith(("https://", "http://")):
            return word, " ".join(words[:index] + words[index + 1 :])
    return None, rest


def _chosen(found: Command, option: Option, word: str) -> str:
    asked = word.lower().replace(" ", "_").replace("-", "_")
    fitting = [choice for choice in option.choices if choice.startswith(asked)]
    if len(fitting) != 1:
        choices = ", ".join(f"`!{found.name} {choice}`" for choice in option.choices)
        raise Usage(f"I do not know that {option.name}. You can say {choices}.")
    return fitting[0]


_PLACE = re.compile(r"<(?:#|@&)(\d{1,20})>")


def place_id(word: str) -> str:
    """The id in a mention of a channel or role, or a bare id. Raises Usage."""
    found = _PLACE.fullmatch(word.strip()) or re.fullmatch(r"(\d{1,20})", word.strip())
    if found is None:
        raise Usage("Mention channels with # and roles with @, so that I know which you mean.")
    return found.group(1)


def mentioned_id(word: str) -> str | None:
    """The Discord id in a mention such as `<@123>`, else None."""
    found = _MENTION.fullmatch(word.strip())
    return found.group(1) if found else None


def help_groups(*, staff: bool = False) -> dict[str, list[Command]]:
    """The commands of members, or of staff, by group."""
    groups = [group for group in GROUPS if (group == STAFF) == staff]
    found = {group: [one for one in registry.values() if one.group == group] for group in groups}
    # Members find their way by subject; staff have one long subject, and look for a name.
    found[STAFF] = sorted(found.get(STAFF, []), key=lambda one: one.name)
    return {group: members for group, members in found.items() if members}
