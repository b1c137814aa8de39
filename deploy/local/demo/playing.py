"""Plays a script through local Discord's control interface, many members at a time, each of them in the script's order."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp

from deploy.local.demo.script import Event, Leaving, Member, Message, Script, moment

LANES = 16


class Refused(Exception):
    """Something the demo asked for was refused, or nobody answered; the message is one sentence."""


class LocalDiscord:
    """The control interface."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self.url = session, url

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """What is at `path`."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Do something."""
        return await self._ask("POST", path, json=body)

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(method, f"{self.url}/local/{path}", **options) as answer:
                found: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Refused(f"local Discord at {self.url} did not answer ({type(error).__name__})") from error
        if answer.status >= 400:
            raise Refused(f"local Discord refused {method} /local/{path}: {found.get('error', answer.status)}")
        return found


class Play:
    """One play of a script; `people` are the Discord ids that its members were given, by number."""

    def __init__(self, discord: LocalDiscord, script: Script, now: datetime, zone: ZoneInfo) -> None:
        self.discord, self.script, self.now, self.zone = discord, script, now, zone
        self.people: dict[int, str] = {}
        self._messages: dict[int, asyncio.Future[str]] = {}

    async def join(self, named: Callable[[Member], str], step: Callable[[], None]) -> None:
        """Everybody joins the server, under the name that `named` gives them."""

        async def arrive(members: Iterable[Member]) -> None:
            for member in members:
                made = await self.discord.post("users", name=named(member), bot=member.bot)
                self.people[member.number] = made["id"]
                step()

        await self._in_lanes(arrive, self.script.members, lambda member: member.number)

    async def play(self, step: Callable[[], None]) -> None:
        """All events, `step` after each. Members act side by side, but each in the order of the script.

        A reaction waits for its message to be there; that never hangs, because the script has it after the message.
        """
        loop = asyncio.get_running_loop()
        self._messages = {m.number: loop.create_future() for m in self.script.messages if m.number is not None}

        async def act(events: Iterable[Event]) -> None:
            for event in events:
                await self._do(event)
                step()

        await self._in_lanes(act, self.script.events, lambda event: event.who)

    async def _in_lanes(
        self, run: Callable[[list[Any]], Any], things: Iterable[Any], who: Callable[[Any], int]
    ) -> None:
        lanes: list[list[Any]] = [[] for _ in range(LANES)]
        for thing in things:
            lanes[who(thing) % LANES].append(thing)
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(run(lane))
        except* Refused as several:
            raise several.exceptions[0] from None

    async def _do(self, event: Event) -> None:
        user = self.people[event.who]
        if isinstance(event, Message):
            at = moment(event, self.now, self.zone).isoformat()
            channel = "dm" if event.direct else "general"
            made = await self.discord.post("messages", user=user, content=event.text, channel=channel, at=at)
            if event.number is not None:
                self._messages[event.number].set_result(made["id"])
        elif isinstance(event, Leaving):
            await self.discord.post(f"users/{user}", leaves=True)
        else:
            message = await self._messages[event.message]
            given = {"remove": True} if event.undo else {}
            await self.discord.post("reactions", user=user, message=message, emoji=event.emoji, **given)
