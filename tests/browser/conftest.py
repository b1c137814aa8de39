"""Local Discord with a bot that shows everything, and windows on its chat page."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.browsing import Windows, browser, playwright  # noqa: F401  fixtures
from tests.local_discord.conftest import TOKEN, Server, until

COMMANDS = 11


class ShowBot:
    """The nextcord client of ``bot.py`` as a program."""

    def __init__(self, server: Server) -> None:
        program = [sys.executable, str(Path(__file__).with_name("bot.py")), server.url + "/api/v10", TOKEN]
        self.process = subprocess.Popen(program)
        try:
            until(lambda: server.state()["bot_ready"] and self._commands(server) == COMMANDS)
        except BaseException:
            self.stop()
            raise

    def _commands(self, server: Server) -> int:
        return len(server.call("GET", "/local/commands").body["items"])

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def discord(browser) -> Iterator[Server]:  # noqa: F811
    """A local Discord with the bot connected; not started when there is no browser to look at it."""
    server = Server()
    try:
        bot = ShowBot(server)
        yield server
        bot.stop()
    finally:
        server.stop()


@pytest.fixture
def windows(browser, discord) -> Iterator[Windows]:  # noqa: F811
    """Windows on the page, closed at the end."""
    opened = Windows(browser, discord.url)
    yield opened
    opened.close()
