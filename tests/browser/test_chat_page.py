"""The chat page in a real browser, with a bot on the real client library that shows what a bot can show."""

import pytest
from playwright.sync_api import expect

HOSTILE = "<img src=x onerror=alert(1)> **bold** <script>alert(2)</script> &lt;b&gt;"


@pytest.fixture
def asha(discord, windows):
    """A window of somebody new."""
    return windows.open(discord.call("POST", "/local/users", {"name": "Asha"}).body["id"])


def test_somebody_new_joins_and_talks_and_others_see_it_at_once(discord, windows):
    first = windows.open()
    first.join("Ada of the Hill")
    other = windows.open(discord.call("POST", "/local/users", {"name": "Ben"}).body["id"])
    first.say("hello **everybody**")
    expect(other.expect_message("hello everybody").locator("strong")).to_have_text("everybody")
    first.shot("talking")


def test_what_members_write_never_becomes_html(asha):
    """`Windows.close` fails on any dialog and on any error in the console."""
    asha.say(HOSTILE)
    message = asha.expect_message("<script>alert(2)</script>")
    assert message.locator("img[src=x], script").count() == 0
    expect(message.locator("strong")).to_have_text("bold")


def test_commands_buttons_and_forms_work_and_what_is_private_stays_so(asha, discord, windows):
    other = windows.open(discord.call("POST", "/local/users", {"name": "Ben"}).body["id"])
    asha.command("buttons")
    asha.expect_message("press one")
    asha.shot("buttons")
    asha.command("secret")
    asha.expect_message("just between us")
    expect(asha.message("just between us")).to_contain_text("Only you can see this")
    other.expect_message("press one")
    expect(other.page.get_by_text("between us")).to_have_count(0)
    asha.command("form")
    asha.fill_form(Points="42")
    asha.expect_message("42 points: no notes")
    asha.shot("form")


def test_on_a_phone_everything_is_within_reach(discord, windows):
    small = windows.open(discord.call("POST", "/local/users", {"name": "Asha"}).body["id"], phone=True)
    # Enter begins a new line there, as on any phone.
    small.composer.fill("from a small window")
    small.page.get_by_label("Send", exact=False).first.click()
    small.expect_message("from a small window")
    wide = small.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "the page scrolls sideways"
    small.shot("phone")
