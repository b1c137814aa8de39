"""The story that `make demo` tells: play the week, wait until it counts, compare, and say how it went."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import aiohttp

from deploy.local.console import line, paint
from deploy.local.demo import script
from deploy.local.demo.comparing import Row, chosen, equal, expected, left_out, side_by_side, table
from deploy.local.demo.doors import Rest, board_in_discord
from deploy.local.demo.playing import LANES, LocalDiscord, Play, Refused
from deploy.local.demo.progress import Progress
from deploy.local.demo.recount import PERIODS, recount
from deploy.local.fleet import ACCOUNTS, Fleet
from deploy.local.layout import recorded_ports, settings
from deploy.local.running import is_supervised

WORDS = {"all_time": "all time", "weekly": "this week", "monthly": "this month"}
ROWS_SHOWN = 20
POLL_S = 0.3
# Nothing more is expected when the board has stood still for so long.
GIVE_UP_S = 30.0
CALM_S = 60.0

Boards = dict[str, list[Row]]


@dataclass
class Demo:
    """One play, with everything it talks to."""

    script: script.Script
    text: str
    zone: ZoneInfo
    discord: LocalDiscord
    rest: Rest
    gateway_url: str

    async def run(self) -> int:
        """Play, wait, compare; 0 when both doors show what was counted."""
        state = await self.discord.get("state")
        if not state["bot_ready"]:
            raise Refused("the bot is not connected to local Discord; see `make status` and `make logs SERVICE=bot`")
        before = await self._calm()
        taken = {user["name"] for user in state["users"]} | {row.name for row in before["all_time"]}
        number = play_number(self.script, taken)
        if number > 1:
            line(
                f"This fleet has seen the demo before, so these are new people, class {number}; `make reset` forgets all."
            )
        named = naming(number)
        now = datetime.now(UTC)
        today = now.astimezone(self.zone).date()
        play = Play(self.discord, self.script, now, self.zone)

        joining = Progress("members join", len(self.script.members))
        await play.join(lambda member: named(member.name), joining.step)
        joining.end()
        playing = Progress("messages and reactions", len(self.script.events))
        await play.play(playing.step)
        took = playing.end(f", {len(self.script.events) / playing.seconds:,.0f} a second, {LANES} at a time")

        counted = {
            period: expected(before[period], {named(name): points for name, points in board.items()})
            for period, board in recount(self.text, today).items()
        }
        waited = await self._applied(before["all_time"], counted["all_time"])
        self._tell_times(took, waited)
        certain = [period for period in PERIODS if same_board(period, today, datetime.now(self.zone).date())]
        if certain != list(PERIODS):
            line("The programme's week or month ended during the play: those boards are not compared.")
        leaver = next(event.who for event in self.script.events if isinstance(event, script.Leaving))
        viewer = next(one.number for one in self.script.members if not one.bot and one.number != leaver)
        line("\nLeafing through /leaderboard to its end...")
        in_discord, by_rest = await self._both_doors(play.people[viewer], certain)
        names = [named(self.script.members[each].name) for each in (0, 1, leaver)]
        return self._verdict(counted, in_discord, by_rest, names)

    async def _boards(self) -> Boards:
        return {period: await self.rest.board(period) for period in PERIODS}

    async def _calm(self) -> Boards:
        """The boards before the play, once nothing moves on them any more."""
        boards, began = await self._boards(), time.monotonic()
        while time.monotonic() - began < CALM_S:
            await asyncio.sleep(1.5)
            boards, earlier = await self._boards(), boards
            if boards == earlier:
                return boards
        raise Refused("somebody else is earning points on this fleet right now; try again when it is quiet")

    async def _applied(self, before: Sequence[Row], counted: Sequence[Row]) -> float:
        """Wait until the board is as counted, or has stood still for too long; returns how long it took."""
        base = total(before)
        progress = Progress("points on the board", total(counted) - base)
        changed, board = time.monotonic(), list(before)
        while True:
            latest = await self.rest.board("all_time")
            if latest != board:
                changed, board = time.monotonic(), latest
            progress.reach(total(board) - base)
            if equal(counted, board):
                return progress.end(" after the last event")
            if time.monotonic() - changed > GIVE_UP_S:
                return progress.end(f"; nothing has changed for {GIVE_UP_S:.0f} s, so no more is expected")
            await asyncio.sleep(POLL_S)

    def _tell_times(self, took: float, waited: float) -> None:
        events = len(self.script.events)
        line(
            f"  {'from first to on the board':<28} {events:>6,} events in {took + waited:.1f} s,"
            f" {events / (took + waited):,.0f} a second"
        )

    async def _both_doors(self, viewer: str, periods: Sequence[str]) -> tuple[Boards, Boards]:
        began = time.monotonic()
        read = [await board_in_discord(self.discord, viewer, period) for period in periods]
        pages, seconds = sum(count for _, count in read), time.monotonic() - began
        line(f"  {pages} pages in {seconds:.1f} s, {seconds / pages * 1000:.0f} ms each from click to page")
        in_discord = {period: rows for period, (rows, _) in zip(periods, read, strict=True)}
        return in_discord, {period: await self.rest.board(period) for period in periods}

    def _verdict(self, counted: Boards, in_discord: Boards, by_rest: Boards, names: Sequence[str]) -> int:
        good = True
        for period, shown in in_discord.items():
            agree = [equal(counted[period], board) for board in (shown, by_rest[period])]
            good = good and all(agree)
            lines = side_by_side([shown, by_rest[period], counted[period]])
            if period == "all_time" or not all(agree):
                few = chosen(lines, ROWS_SHOWN if period == "all_time" else 0, names if period == "all_time" else ())
                line(f"\nLeaderboard, {WORDS[period]}: rank and points as shown and as counted from the script")
                for text in table(few, ["/leaderboard", "REST", "recount"]):
                    line(f"  {paint(text, 'red') if text.endswith('differs') else text}")
                line(f"  {left_out(lines, few)}\n")
            for door, same in zip(("/leaderboard", "REST"), agree, strict=True):
                verdict = paint("equals the recount", "green") if same else paint("DIFFERS from the recount", "red")
                line(f"  {WORDS[period]:<10}  {door:<12}  {len(counted[period]):>4,} members  {verdict}")
        self._farewell(good)
        return 0 if good else 1

    def _farewell(self, good: bool) -> None:
        if not good:
            line(paint("\nThe boards are not what the script says: see the rows marked above.", "red"))
            if str(self.zone) == "UTC":
                line(
                    "(Days were counted in UTC. Another PROGRAM_TIMEZONE belongs into .env, where the demo sees it too.)"
                )
            return
        line("\nNext:")
        line(f"  chat  {self.discord.url}/  write a message, then /points, !rank or /leaderboard weekly")
        line(f"  REST  sign in as student (make up shows the password): POST {self.gateway_url}/api/users/login/")
        line(f"        then GET {self.gateway_url}/api/leaderboard/?period=weekly with the access token")


def total(rows: Sequence[Row]) -> int:
    """The points of a board together."""
    return sum(row.points for row in rows)


def play_number(played: script.Script, taken: set[str]) -> int:
    """1 for the first play; when people of the script are known already, the first number under which nobody is."""
    number = 1
    while taken & {naming(number)(member.name) for member in played.members}:
        number += 1
    return number


def naming(number: int) -> Callable[[str], str]:
    """How the members of that play are called."""
    return lambda name: name if number == 1 else f"{name} {number}"


def same_board(period: str, one: date, other: date) -> bool:
    """True when both days belong to the same board of the period."""
    if period == "weekly":
        return one.isocalendar()[:2] == other.isocalendar()[:2]
    return period == "all_time" or (one.year, one.month) == (other.year, other.month)


async def demo() -> int:
    """Find the running fleet and play the week on it."""
    ports = recorded_ports()
    if not ports or not is_supervised():
        raise Refused("the fleet is not running: start it with `make up` first")
    fleet = Fleet(ports)
    if not fleet.local_discord:
        raise Refused(
            "the demo plays through local Discord, and this fleet talks to the real one (DISCORD_TOKEN is set)"
        )
    text = script.WEEK.read_text(encoding="utf-8")
    week = script.read(text)
    zone = ZoneInfo(settings().get("PROGRAM_TIMEZONE") or "UTC")
    people = sum(not member.bot for member in week.members)
    line(
        f"A student server's week, played in seconds: {people} members and a bot, {len(week.messages):,} messages and"
        f" {len(week.reactions):,} reactions,\ndated over the seven days to now ({zone}), through local Discord and the"
        " real bot; then both leaderboards are compared with a recount."
    )
    account = json.loads(ACCOUNTS.read_text(encoding="utf-8"))["admin"]
    connector = aiohttp.TCPConnector(limit=LANES * 2)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=60)) as session:
        discord = LocalDiscord(session, f"http://127.0.0.1:{ports['discord']}")
        rest = Rest(session, fleet.gateway_url)
        await rest.sign_in(account["username"], account["password"])
        return await Demo(week, text, zone, discord, rest, fleet.gateway_url).run()


def main() -> int:
    """Run it; every expected failure is one sentence and status 1."""
    try:
        return asyncio.run(demo())
    except Refused as reason:
        line(paint(f"demo failed: {reason}", "red"))
    except KeyboardInterrupt:
        line("interrupted; what was played stays, and the next `make demo` plays with new people")
    return 1


if __name__ == "__main__":
    sys.exit(main())
