"""The main job in a real browser, with the whole fleet behind it: earn, be approved, spend, be told."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import Windows, browser, playwright  # noqa: F401  fixtures
from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_main_job import text_of
from tests.e2e.test_reviews import Person


@pytest.fixture
def boss(fleet: Fleet) -> Person:
    """An admin who is staff of a server that is set up."""
    person = Person(fleet, "Boss", "admin")
    world = fleet.discord.state()
    manager = fleet.discord.join("Manager", staff=True, manager=True)
    fleet.discord.ask(manager, "setup", staff_channel=world["channels"]["staff"], staff_role=world["roles"]["Staff"])
    eventually(lambda: "Resume reviews" in text_of(person.ask("review_stats")), "the role is known")
    return person


def test_somebody_new_earns_spends_and_is_told(browser, fleet: Fleet, boss: Person):  # noqa: F811
    name = f"Sticker {uuid4().hex[:6]}"
    body = {"name": name, "description": "A small one", "points_required": 12, "category": "merchandise", "stock": 3}
    made = fleet.request("POST", "/api/incentives/", boss.admin, json=body)
    assert made.status_code == 201, made.text
    windows = Windows(browser, fleet.discord.url)
    nadia, staff = windows.open(), windows.open(boss.user, "staff")

    nadia.join("Nadia of the Hill")
    nadia.say("good morning")
    nadia.command("resource", link="https://example.org/slides", description="Slides about interviews, with my notes")
    nadia.expect_message("Handed in: Resource share")
    staff.expect_message("Slides about interviews")
    staff.shot("submission-card")
    staff.press("Slides about interviews", "Approve (+10)")
    expect(staff.message("Slides about interviews")).to_contain_text("approved")

    nadia.command("points")
    nadia.expect_message("15 points available")
    nadia.go_direct()
    nadia.expect_message("Approved: +10 points")
    nadia.go("general")
    nadia.command("shop", category="merchandise")
    nadia.expect_message(name)
    nadia.shot("shop")
    nadia.press(name, f"Redeem {name}")
    nadia.expect_message(f"Spend 12 points on {name}?")
    nadia.shot("redeem-question")
    nadia.press(f"Spend 12 points on {name}?", "Yes, spend 12 points")
    nadia.expect_message("12 points are reserved")

    staff.expect_message(f"Redemption: {name}")
    staff.shot("redemption-card")
    staff.press(f"Redemption: {name}", "Approve")
    expect(staff.message(f"Redemption: {name}")).to_contain_text("approved")
    nadia.go_direct()
    nadia.expect_message("Your reward is approved")
    nadia.shot("told")
    nadia.go("general")
    nadia.command("redemptions")
    expect(nadia.expect_message(name)).to_contain_text("approved")
    windows.close()
