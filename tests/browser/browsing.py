"""The browser of these tests, and a window in it for each test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from deploy.local import browser as program
from tests.browser.chat_page import ChatPage
from tests.conftest import ROOT

SHOTS = ROOT / "test-results" / "chat"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
WAIT_MS = 10_000


# Of a module and not of the session: while Playwright runs, nothing else in this process can have an event loop.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, and a browser found on this machine; skips the tests when there is none."""
    if program.found() is None:
        pytest.skip("the chat page was not tested: no Chromium or Chrome was found (`make test-browser` fetches one)")
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The browser, with a profile of its own that is thrown away."""
    found = program.found()
    assert found is not None
    environment = {**os.environ, **found.environment}
    launched = playwright.chromium.launch(executable_path=str(found.path), args=list(program.FLAGS), env=environment)
    yield launched
    launched.close()


class Windows:
    """Opens windows on the chat page; whatever goes wrong in one fails the test."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser, self.url = browser, url
        self.contexts: list[BrowserContext] = []
        self.problems: list[str] = []
        self.elsewhere: list[str] = []

    def open(self, user: str | None = None, room: str = "general", *, phone: bool = False, url: str = "") -> ChatPage:
        """A window as `user`, or at the question who one is."""
        context = self.browser.new_context(
            viewport=PHONE if phone else DESK, has_touch=phone, locale="en-GB", timezone_id="Europe/Berlin"
        )
        context.set_default_timeout(WAIT_MS)
        self.contexts.append(context)
        page = context.new_page()
        self._listen(page)
        page.goto(f"{url or self.url}/" + (f"#{user}/{room}" if user else ""))
        chat = ChatPage(page, SHOTS)
        if user:
            chat.wait_until_connected()
        return chat

    def _listen(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        page.on("console", lambda said: said.type == "error" and self.problems.append(said.text))
        page.on("dialog", lambda asked: (self.problems.append(f"a dialog: {asked.message}"), asked.dismiss()))
        page.on("request", self._note)

    def _note(self, request: object) -> None:
        address = str(getattr(request, "url", ""))
        if not address.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:")):
            self.elsewhere.append(address)

    def close(self) -> None:
        """Close all windows; raises what went wrong in them."""
        for context in self.contexts:
            context.close()
        assert self.problems == []
        assert self.elsewhere == [], "the page asked another host for something"


def shots() -> Path:
    """Where the pictures go."""
    return SHOTS


Opener = Callable[..., ChatPage]
