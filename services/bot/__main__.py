"""The Discord client's process: `python -m services.bot`.

Ends with 0 after SIGTERM or SIGINT, within five seconds and with everything it saw written down.
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import aiohttp
import nextcord
from prometheus_client import Gauge

from fleet import logs, metrics, tracing
from fleet.database import engine, is_outage
from fleet.settings import DatabaseSettings, LogSettings, MetricsSettings, ProgramSettings, read, require
from fleet.tracing import TracingSettings
from services.bot import activity_values, answers, cogs, earning, notices, review_drafts, submitting, tools, traffic
from services.bot.client import PropelClient
from services.bot.gathering import Gathering
from services.bot.off_loop import transact
from services.bot.settings import BotSettings
from services.bot.standby import Turn

log = logs.get(__name__)

connected = Gauge("discord_connected", "1 while the gateway session stands and every server has its commands")

EXIT_WITHIN_S = 4.5
SWEEP_EVERY_S = 3600.0
LOGIN_PAUSE_S = (1.0, 30.0)


async def _log_in(client: PropelClient, token: str) -> None:
    """Log in, however long Discord is away."""
    pause = LOGIN_PAUSE_S[0]
    while True:
        try:
            await client.login(token)
            traffic.count(client)
            return
        except nextcord.LoginFailure:
            raise
        except (nextcord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("discord_away", error=type(error).__name__, pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LOGIN_PAUSE_S[1])


async def _speak(client: PropelClient, token: str) -> None:
    """Log in and stay connected; returns only when Discord wants no more of us."""
    try:
        await _log_in(client, token)
        await client.connect()
    except nextcord.LoginFailure:
        log.error("token_refused", hint="DISCORD_TOKEN is not a bot's token, or was reset")
    except nextcord.PrivilegedIntentsRequired:
        log.error("intents_refused", hint="turn on Server Members and Message Content in the developer portal")


async def _sweep(gathering: Gathering) -> None:
    while True:
        try:
            await transact(earning.forget_old)
            await transact(answers.forget_old)
            await transact(notices.forget_old)
            await transact(review_drafts.forget_old)
            await transact(tools.forget_old)
            gathering.forget_old()
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("sweep_postponed")
        await asyncio.sleep(SWEEP_EVERY_S)


async def _know_commands() -> None:
    """Begin with the ways to earn that points told of the last time; what is new comes a moment later."""
    try:
        submitting.declare(await transact(activity_values.known))
    except Exception as error:
        if not is_outage(error):
            raise
        submitting.declare([])


class Process:
    """What the probe asks about: the client, once it is there."""

    client: PropelClient | None = None

    def ready(self) -> bool:
        """Connected to Discord, with the commands in place."""
        return self.client is not None and self.client.serving


async def _until(stop: asyncio.Event, work: Awaitable[Any]) -> bool:
    """Wait for `work` or for the signal to stop; True when the work was done first."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        await working
        return True
    working.cancel()
    return False


async def run(process: Process) -> int:
    """Stand by, then speak to Discord until told to stop; the exit status."""
    settings, stop = read(BotSettings), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Never more threads than connections: who waits for one would look like an outage.
    threads = ThreadPoolExecutor(read(DatabaseSettings).pool_size, "database")
    asyncio.get_running_loop().set_default_executor(threads)
    turn = Turn()
    if not await _until(stop, turn.come()):
        turn.give_back()
        return 0
    await _know_commands()
    gathering = Gathering(read(ProgramSettings).zone)
    client = process.client = PropelClient(settings, gathering)
    cogs.add_all(client)
    work: list[Coroutine[Any, Any, Any]] = [
        gathering.run(),
        client.answering.run(),
        client.notifying.run(),
        _sweep(gathering),
    ]
    behind = [asyncio.create_task(one) for one in [*work, *cogs.tasks(client)]]
    speaking, losing = asyncio.create_task(_speak(client, settings.token)), asyncio.create_task(turn.lost())
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({*behind, speaking, losing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    in_order = done == {stopping}
    # A thread that waits for an absent database must not hold the process back.
    last_call = threading.Timer(EXIT_WITHIN_S, os._exit, [0 if in_order else 1])
    last_call.daemon = True
    last_call.start()
    for task in done - {stopping}:
        if error := task.exception():
            log.error("client_failed", exc_info=error)
    in_order = await _finish(client, gathering, behind) and in_order
    for task in (speaking, losing, stopping):
        task.cancel()
    turn.give_back()
    log.info("client_stopped", in_order=in_order)
    return 0 if in_order else 1


async def _finish(client: PropelClient, gathering: Gathering, behind: list[asyncio.Task[Any]]) -> bool:
    """Leave Discord, write down what it told us, let answers that are on their way arrive."""
    await client.notifying.finish(0.3)
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        await asyncio.wait_for(client.close(), 1.5)
    # Events that had arrived before are tasks of their own: each gathers before it first waits.
    await asyncio.sleep(0)
    for task in behind:
        task.cancel()
    await asyncio.gather(*behind, return_exceptions=True)
    written = await gathering.close(1.5)
    await client.answering.finish(0.5)
    await client.delivery.close()
    return written


def main() -> int:
    """Read the settings, which may end the process with status 2, and run."""
    require(LogSettings, DatabaseSettings, MetricsSettings, ProgramSettings, BotSettings, TracingSettings)
    logs.configure("bot", "client")
    tracing.start("bot", "client")
    # At DEBUG and INFO nextcord and aiohttp write addresses, and those of interactions hold their tokens.
    for name in ("nextcord", "aiohttp"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Closed direct messages are nothing to warn of; what matters is logged where it is known what it means.
    logging.getLogger("nextcord.http").setLevel(logging.ERROR)
    settings = read(BotSettings)
    engine()
    if settings.api:
        nextcord.http.Route.BASE = settings.api.rstrip("/")
    process = Process()
    connected.set_function(lambda: float(process.ready()))
    metrics.serve(process.ready)
    ended = asyncio.run(run(process))
    tracing.stop()
    return ended


if __name__ == "__main__":
    sys.exit(main())
