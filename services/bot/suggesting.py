"""What Discord offers while somebody types an option, and what is meant by words that were typed without choosing.

Rewards are asked of their owner, so what is offered is what there is; what was offered a moment ago is offered again
without asking, because people type a letter at a time.
"""

import time
import zoneinfo
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts.rewards import GetCatalogue
from fleet.database import is_outage
from services.bot import activity_values, people
from services.bot.cards import cut, plain
from services.bot.inquiring import Refused, inquire
from services.bot.off_loop import transact
from services.bot.people import Person
from services.bot.refusals import Usage

KINDS = ("reward", "any_reward", "activity", "time_zone")
MOST, LONGEST = 25, 100
REMEMBERED_S, REMEMBERED = 10.0, 500
_remembered: dict[str, tuple[float, dict[str, str]]] = {}


async def offered(kind: str, person: Person, typed: str) -> dict[str, str]:
    """Up to 25 choices for what was typed so far, what is shown by what it stands for; none rather than an error."""
    try:
        if kind == "time_zone":
            return {name: name for name in _zones(typed)}
        if kind == "activity":
            return await transact(_activities, typed)
        return await _rewards(person, typed.strip(), retired=kind == "any_reward")
    except Refused:
        return {}
    except Exception as error:
        if is_outage(error):
            return {}
        raise


async def _rewards(person: Person, words: str, *, retired: bool) -> dict[str, str]:
    key = words.casefold()
    known = None if retired else _remembered.get(key)
    if known is not None and known[0] > time.monotonic():
        return known[1]
    found = await _look(person, words, retired=retired)
    if found is None:
        return {}
    choices = {}
    for entry in found.items:
        state = "" if entry.is_active else ", retired"
        tail = f" ({entry.points_required:,} points{state})"
        choices[cut(entry.name, LONGEST - len(tail)) + tail] = str(entry.incentive_id)
    if not retired:
        if len(_remembered) >= REMEMBERED:
            _remembered.clear()
        _remembered[key] = (time.monotonic() + REMEMBERED_S, choices)
    return choices


async def _look(person: Person, words: str, *, retired: bool) -> Any:
    member_id = await transact(people.member_id, person.discord_id)
    return await inquire(GetCatalogue(member_id, words=words[:LONGEST] or None, retired=retired, limit=MOST))


async def reward_meant(person: Person, words: str) -> UUID:
    """The reward, retired ones among them, that an admin means by an id or (a part of) a name. Raises Usage."""
    if (known := as_id(words)) is not None:
        return known
    try:
        found = await _look(person, words.strip(), retired=True)
    except Refused as refusal:
        raise Usage(str(refusal)) from refusal
    if found is None:
        raise Usage("The shop is not answering at the moment. Nothing was changed. Please try again in a minute.")
    return the_one(found.items, words).incentive_id


def the_one(entries: list[Any], words: str) -> Any:
    """The entry of the catalogue that is called so, or the only one that is left. Raises Usage."""
    exact = [entry for entry in entries if entry.name.casefold() == words.strip().casefold()]
    # A name is taken by one reward at a time; of those that had it before, the one in the shop is meant.
    meant = [entry for entry in exact if entry.is_active] or exact or entries
    if not meant:
        raise Usage(f"There is no reward called {plain(words, 80)}. All of them: `/shop`.")
    if len(meant) > 1:
        names = ", ".join(plain(entry.name, 60) for entry in meant[:8])
        raise Usage(f"Which one do you mean: {names}? Write its whole name, or choose it from the list of `/`.")
    return meant[0]


def as_id(words: str) -> UUID | None:
    """The id somebody chose or pasted."""
    try:
        return UUID(words.strip().strip("`"))
    except ValueError:
        return None


def _activities(session: Session, typed: str) -> dict[str, str]:
    wanted = typed.strip().casefold()
    rows = [row for row in activity_values.known(session) if wanted in f"{row.name} {row.code}".casefold()]
    return {cut(row.name, LONGEST): row.code for row in rows[:MOST]}


def activity_meant(session: Session, words: str) -> str:
    """The code of the way to earn that is meant by its code, its name, or a part of them that only one has. Raises Usage."""
    wanted, rows = words.strip().casefold(), activity_values.known(session)
    if not rows or not wanted:
        return wanted
    meant = [row for row in rows if wanted in (row.code, row.name.casefold())]
    meant = meant or [row for row in rows if wanted in f"{row.name} {row.code}".casefold()]
    if len(meant) != 1:
        names = ", ".join(plain(row.name, 60) for row in (meant or rows)[:12])
        raise Usage(f"Which kind do you mean: {names}? Write its whole name, or choose it from the list of `/`.")
    return meant[0].code


@cache
def _all_zones() -> tuple[str, ...]:
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"))


def _zones(typed: str) -> list[str]:
    wanted = typed.strip().casefold().replace(" ", "_")
    found = [name for name in _all_zones() if wanted in name.casefold()]
    # Who types "berl" means the city that begins so.
    found.sort(key=lambda name: (not name.rpartition("/")[2].casefold().startswith(wanted), name))
    return found[:MOST]
