"""The page of the API in a real browser: sign in there, and make one call, without a request to any other host."""

import json
import re

from playwright.sync_api import Page, expect

from tests.browser.browsing import DESK, WAIT_MS, Windows, browser, playwright, shots  # noqa: F401  fixtures
from tests.e2e.conftest import Fleet


def operation(page: Page, method: str, path: str):
    """Open an operation that was found by its path; it can be tried at once."""
    page.get_by_placeholder("Filter by tag").fill("")
    block = page.locator(f".opblock-{method}").filter(has=page.locator(f'[data-path="{path}"]'))
    block.locator(".opblock-summary").click()
    return block


def run(block) -> tuple[int, str]:
    """Execute it; the status and the text of the answer that the page shows."""
    live = block.locator(".live-responses-table .response").first
    if live.count():
        # The answer before this one is not this one's.
        block.get_by_role("button", name="Clear").click()
        expect(live).to_have_count(0)
    block.get_by_role("button", name="Execute").click()
    expect(live).to_be_visible(timeout=WAIT_MS)
    body = live.locator("pre").first.inner_text()
    return int(live.locator(".response-col_status").inner_text().split()[0]), body


def test_a_login_and_a_call_from_the_page(browser, fleet: Fleet):  # noqa: F811
    windows = Windows(browser, fleet.url)
    context = browser.new_context(viewport=DESK, locale="en-GB")
    context.set_default_timeout(WAIT_MS)
    windows.contexts.append(context)
    page = context.new_page()
    windows._listen(page)
    page.goto(f"{fleet.url}/api/docs/")
    for tag in ("users", "points", "rewards", "reviews", "integrations"):
        expect(page.locator(f"#operations-tag-{tag}")).to_be_visible(timeout=WAIT_MS)
    # What is not looked at stays closed: to draw three hundred operations takes the page seconds.
    page.locator("#operations-tag-users").click()
    member = json.loads((fleet.run / "accounts.json").read_text())["student"]
    login = operation(page, "post", "/api/users/login/")
    login.locator("textarea").fill(json.dumps({name: member[name] for name in ("username", "password")}))
    status, answer = run(login)
    assert status == 200, answer
    token = json.loads(answer)["tokens"]["access"]

    page.locator("#operations-tag-users").click()
    page.locator("#operations-tag-points").click()
    balance = operation(page, "get", "/api/points/balance/")
    status, answer = run(balance)
    assert (status, json.loads(answer)["status"]) == (401, 401), "without a token"
    page.get_by_role("button", name=re.compile("^Authorize$")).first.click()
    form = page.locator(".auth-container").filter(has_text="bearer (http, Bearer)")
    form.locator("input").first.fill(token)
    form.locator(".auth-btn-wrapper button.authorize").click()
    page.get_by_role("button", name="Close", exact=True).first.click()
    status, answer = run(balance)
    assert status == 200, answer
    assert set(json.loads(answer)) == {"available", "reserved", "redeemed", "lifetime"}
    page.screenshot(path=str(shots() / "api.png"))
    windows.problems = [said for said in windows.problems if "401" not in said]
    windows.close()
