"""Starts local Discord: ``DISCORD_TOKEN=... python -m deploy.local.discord --port 17100 [--state FILE]``."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from . import snapshot
from .gateway import HUB
from .interactions import INTERACTIONS
from .server import build
from .world import World


def main() -> int:
    """Reads the arguments and serves until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=17100, help="0 takes a free one and prints it")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; in a container, its own")
    parser.add_argument("--origin", default="", help="how the bot reaches it when not by the address above")
    parser.add_argument("--state", type=Path, help="keep people and messages in this file between runs")
    arguments = parser.parse_args()
    token = os.environ.get("DISCORD_TOKEN", "")
    if not token:
        print("local Discord: set DISCORD_TOKEN; any text will do, the bot must use the same.", file=sys.stderr)
        return 2
    return asyncio.run(serve(token, arguments))


async def serve(token: str, arguments: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl-C, saving the state as it goes and once more at the end."""
    host, port, state = arguments.host, arguments.port, arguments.state
    world = World()
    app = build(world, token)
    interactions = app[INTERACTIONS]
    if state is not None and state.exists():
        try:
            snapshot.load(state.read_text(), world, interactions)
        except (ValueError, KeyError, TypeError, OSError) as problem:
            print(f"local Discord: {state} cannot be used ({problem!r}); move it away to begin anew.", file=sys.stderr)
            return 1
    else:
        world.found()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except OSError as problem:
        why = "is taken" if problem.errno == errno.EADDRINUSE else f"cannot be used ({problem.strerror})"
        print(f"local Discord: port {port} {why}; choose another with --port.", file=sys.stderr)
        await runner.cleanup()
        return 1
    port = runner.addresses[0][1]
    world.origin = arguments.origin or f"http://127.0.0.1:{port}"
    keeper = asyncio.create_task(snapshot.keep(state, world, interactions, stop)) if state is not None else None
    print(f"local Discord: http://127.0.0.1:{port}", flush=True)
    await stop.wait()
    await app[HUB].drop(resumable=True, politely=False)
    await runner.cleanup()
    if keeper is not None:
        await keeper
    return 0


if __name__ == "__main__":
    sys.exit(main())
