"""The chat page as a test uses it: what a person would see and do, in one place."""

import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect


class ChatPage:
    """A window on the chat page."""

    def __init__(self, page: Page, shots: Path) -> None:
        self.page, self.shots = page, shots
        self.composer = page.locator("#composer-input")
        self.suggestions = page.locator(".suggestions")
        self.active_suggestion = page.locator(".suggestions [role=option][aria-selected=true]")
        self.entry = page.locator(".command-entry")
        self.dialog = page.locator("dialog[open]")
        self.members = page.locator("#members")
        self.channels = page.locator("#channels")
        self.connection = page.locator("#connection")

    # Who and where

    def wait_until_connected(self) -> None:
        """Returns when the page hears of everything."""
        # Somebody who left the server has no composer, and the page says so in its place.
        expect(self.composer.or_(self.page.locator(".away")).first).to_be_visible()
        expect(self.connection).to_be_empty()

    def join(self, name: str) -> None:
        """Join as a new person, in the window that asks who one is."""
        self.dialog.get_by_placeholder("For example").fill(name)
        self.dialog.get_by_role("button", name="Join", exact=True).click()
        expect(self.dialog).to_have_count(0)
        self.wait_until_connected()

    def act_as(self, name: str) -> None:
        """Become somebody who is there."""
        self.page.locator("#self .self-name").click()
        self.dialog.get_by_role("button", name=re.compile(re.escape(name))).click()
        expect(self.dialog).to_have_count(0)
        expect(self.page.locator("#self .name")).to_have_text(name)

    def go(self, channel: str) -> None:
        """Go to a channel of the server."""
        if "direct" in (self.page.locator("#app").get_attribute("class") or ""):
            self.page.locator("#guild").click()
        self.channels.get_by_role("button", name=re.compile(channel)).click()
        expect(self.page.locator("#title")).to_have_text(channel)

    def go_direct(self) -> None:
        """Go to the direct messages."""
        self.page.locator("#home").click()
        expect(self.page.locator("#title")).not_to_have_text("general")

    def profile(self, name: str) -> Locator:
        """The window about a member."""
        self.members.get_by_role("button", name=re.compile(re.escape(name))).first.click()
        return self.dialog

    def close_dialog(self) -> None:
        """Close the window that is open."""
        self.page.keyboard.press("Escape")
        expect(self.dialog).to_have_count(0)

    # Messages

    def say(self, text: str) -> None:
        """Write a message and send it."""
        self.composer.fill(text)
        self.page.keyboard.press("Enter")
        expect(self.composer).to_have_value("")

    def message(self, text: str) -> Locator:
        """The newest message that holds a text anywhere."""
        return self.page.locator("#messages > .message").filter(has_text=text).last

    def expect_message(self, text: str) -> Locator:
        """The same, once it is there."""
        found = self.message(text)
        expect(found).to_be_visible()
        return found

    def press(self, text: str, label: str) -> None:
        """Press the button `label` below the message with `text`."""
        self.message(text).locator(".row").get_by_role("button", name=label).click()

    def react(self, text: str, emoji: str) -> None:
        """React to a message through the window of emoji."""
        self.message(text).hover()
        self.message(text).locator(".tools").get_by_label("Add reaction").click()
        self.dialog.get_by_role("button", name=re.compile(emoji)).click()

    # Commands

    def begin(self, name: str) -> None:
        """Type a command's name and take it from the list."""
        self.composer.press_sequentially(f"/{name}")
        expect(self.active_suggestion).to_contain_text(f"/{name}")
        self.page.keyboard.press("Enter")
        expect(self.entry).to_be_visible()

    def option(self, name: str) -> Locator:
        """The field of an option of the command being filled in, added when it is optional and not there yet."""
        field = self.entry.locator(f'[data-option="{name}"]')
        if field.count() == 0:
            self.entry.get_by_role("button", name=re.compile(f"Add option {name}:")).click()
        return field.locator("input.option-input, button.option-file")

    def command(self, name: str, **options: str) -> None:
        """Use a slash command; options are given as one would type them."""
        self.begin(name)
        for option, value in options.items():
            field = self.option(option)
            field.fill(value)
            if field.get_attribute("aria-expanded") == "true":
                self.suggestions.get_by_role("option").filter(has_text=value).first.click()
        self.entry.get_by_label("Send the command").click()
        expect(self.entry).to_have_count(0)

    def fill_form(self, **fields: str) -> None:
        """Fill in the form the bot opened, by the labels of its fields, and submit it."""
        expect(self.dialog).to_be_visible()
        for label, value in fields.items():
            self.dialog.get_by_label(label).fill(value)
        self.dialog.get_by_role("button", name="Submit").click()
        expect(self.dialog).to_have_count(0)

    # Looking

    def shot(self, name: str, **options: Any) -> None:
        """Keep a picture of the window among the test's results."""
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(self.shots / f"{name}.png"), **options)
