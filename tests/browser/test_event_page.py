"""The page of the events in a real browser: everything that is told outside is on it, without a request to any other host."""

from playwright.sync_api import expect

from fleet.contracts import by_type
from tests.browser.browsing import DESK, PHONE, WAIT_MS, Windows, browser, playwright, shots  # noqa: F401  fixtures
from tests.e2e.conftest import Fleet

PUBLIC = sorted(type_ for type_, contract in by_type.items() if contract.public)


def test_every_event_is_found_and_read_on_the_page(browser, fleet: Fleet):  # noqa: F811
    windows = Windows(browser, fleet.url)
    for name, size in (("desk", DESK), ("phone", PHONE)):
        context = browser.new_context(viewport=size, locale="en-GB")
        context.set_default_timeout(WAIT_MS)
        windows.contexts.append(context)
        page = context.new_page()
        windows._listen(page)
        page.goto(f"{fleet.url}/api/events/docs/")
        for type_ in PUBLIC:
            link = page.get_by_role("link", name=type_, exact=True).first
            link.click()
            expect(page.locator(f'[id="{type_}"]')).to_be_in_viewport()
            page.go_back()
        page.locator(f'[id="{PUBLIC[0]}"]').scroll_into_view_if_needed()
        page.screenshot(path=str(shots() / f"events-{name}.png"))
        # What does not fit scrolls in its own box, never the page sideways.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    windows.close()
