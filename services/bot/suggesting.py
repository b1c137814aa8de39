"""What Discord suggests while somebody types an option: at most 25 pairs of what is shown and what is meant.

A suggestion is a help and no check: whatever is sent in the end is looked at by the command. Without an answer in time
there is none, and the person types on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import nextcord

from fleet import asking, logs
from fleet.contracts.rewards import Catalogue, GetCatalogue
from fleet.database import is_outage
from fleet.problems import Problem
from services.bot import people
from services.bot.off_loop import transact
from services.bot.shop_presenters import lacking

log = logs.get(__name__)

MOST = 25
LONGEST_LABEL = 100
# Discord waits for three seconds, and who types for less.
ANSWERED_WITHIN_S = 2.0
# What is shown, and what is sent for it.
Suggestions = dict[str, str]
Suggest = Callable[[UUID, str], Awaitable[Suggestions]]


async def rewards(member_id: UUID, typed: str) -> Suggestions:
    """Rewards whose names hold what was typed, cheapest first, with what is missing for each."""
    asked = GetCatalogue(member_id=member_id, words=typed.strip()[:100] or None, limit=MOST)
    found: Catalogue = await asyncio.to_thread(asking.ask, asked, source="bot", wait_s=ANSWERED_WITHIN_S)
    return {_label(entry): str(entry.incentive_id) for entry in found.items}


def _label(entry: Any) -> str:
    missing = lacking(entry)
    about = f" · {entry.points_required:,} points" + (f" · {missing}" if missing else "")
    name = " ".join(entry.name.split())
    return f"{name[: LONGEST_LABEL - len(about)]}{about}"[:LONGEST_LABEL]


async def time_zones(_member_id: UUID, typed: str) -> Suggestions:
    """Time zones in whose names the typed words stand, those whose city begins so first."""
    wanted = typed.strip().replace(" ", "_").casefold()
    fitting = [name for name in available_timezones() if "/" in name and wanted in name.casefold()]
    fitting.sort(key=lambda name: (not name.rpartition("/")[2].casefold().startswith(wanted), name))
    return {name: name for name in fitting[:MOST]}


# By the kind of an option.
SUGGESTED: dict[str, Suggest] = {"reward": rewards, "timezone": time_zones}


def suggests(kind: str) -> Callable[[nextcord.Interaction[Any], str], Awaitable[None]]:
    """What nextcord calls while an option of this kind is being typed."""
    suggest = SUGGESTED[kind]

    async def answer(interaction: nextcord.Interaction[Any], typed: str) -> None:
        found: Suggestions = {}
        try:
            assert interaction.user is not None
            member_id = await transact(people.member_id, str(interaction.user.id))
            found = await suggest(member_id, str(typed or ""))
        except Problem as problem:
            log.info("nothing_suggested", kind=kind, reason=problem.slug)
        except Exception as error:
            if not is_outage(error):
                log.exception("suggestions_failed", kind=kind)
        try:
            await interaction.response.send_autocomplete(dict(list(found.items())[:MOST]))
        except nextcord.NotFound:
            # Who types has typed on, or closed the line.
            log.info("suggestions_late", kind=kind)

    return answer
