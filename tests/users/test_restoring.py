"""Users after a restore of another service: it says who everybody is, whose ids lead to whom, and who is to be forgotten."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet.contracts.users import AccountsMerged, AuthStateChanged, ContactChanged, DiscordUnlinked, UserUpdated
from fleet.database import transaction
from fleet.messages import now
from fleet.restoring import STEP
from tests.told_anew import raise_all, told_anew
from tests.users.links import Browser, Person, link


@pytest.fixture
def ada(app) -> Browser:
    return Browser(app, "ada")


@pytest.fixture
def zoe() -> Person:
    person = Person("1043210000000000001", "zoe")
    person.seen()
    return person


def of(told, kind):
    return [event for event in told if isinstance(event.data, kind)]


def test_everybody_is_told_with_the_version_that_they_have(ada, zoe):
    told = told_anew("users")
    with transaction() as session:
        rows = session.execute(text("SELECT id, version, security_version FROM members")).all()
    versions = {row.id: row.version for row in rows}
    for kind in (UserUpdated, ContactChanged):
        assert {event.data.member_id: event.sequence for event in of(told, kind)} == versions
    states = {event.data.member_id: event.data.security_version for event in of(told, AuthStateChanged)}
    assert states == {row.id: row.security_version for row in rows}
    assert {ada.id, zoe.id} <= set(states)


def test_changes_of_a_link_are_told_in_order_with_their_numbers(ada, zoe, app):
    root = Browser(app, "root", role="admin")
    link(ada, zoe)
    begun = now()
    root.send("POST", f"/api/users/{ada.id}/unlink_discord/", json={"reason": "x"})
    link(ada, zoe)
    told = of(told_anew("users", begun), (AccountsMerged, DiscordUnlinked))
    assert [event.data for event in told] == [DiscordUnlinked(ada.id, zoe.id, 2), AccountsMerged(zoe.id, ada.id, 3)]
    all_of_them = of(told_anew("users"), (AccountsMerged, DiscordUnlinked))
    assert [event.data.link_version for event in all_of_them] == [1, 2, 3]
    assert of(told_anew("users", now() + timedelta(seconds=1)), (AccountsMerged, DiscordUnlinked)) == []


def test_when_users_itself_was_restored_no_token_of_before_is_good(ada, app):
    raise_all("users")
    [told] = [event for event in of(told_anew("users"), AuthStateChanged) if event.data.member_id == ada.id]
    assert told.sequence == told.data.security_version > STEP
    assert ada.send("GET", "/api/users/profile/").status_code == 401
    assert Browser(app, "bob").send("GET", "/api/users/profile/").status_code == 200
