"""Members born by being seen in Discord."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.contracts.users import RegisterMember
from fleet.database import transaction
from fleet.messages import envelope_for, new_id
from fleet.problems import NotFound
from services.users import accounts
from services.users.subscriptions import subscriptions

DERIVED = UUID("6f1c2f3e-1111-5222-8333-444455556666")
SEEN_AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


def see(name: str = "Ada", discord_id: str = "77", member_id: UUID = DERIVED, at: datetime = SEEN_AT) -> UUID:
    """The bot's command arrives."""
    command = RegisterMember(member_id, discord_id, name.lower(), name, at)
    with transaction() as session:
        subscriptions.handlers["users.register_member.v1"](session, envelope_for(command, source="bot"))
        return accounts.register_from_discord(session, command).id


def test_the_first_sight_makes_a_member_and_tells_it(told):
    assert see() == DERIVED
    registered, updated, contact = told()
    assert (registered.type, registered.sequence) == ("users.user_registered.v1", 1)
    assert (registered.data.origin, registered.data.role) == ("discord", "student")
    assert registered.data.registered_at == SEEN_AT
    assert (updated.type, updated.sequence) == ("users.user_updated.v1", 1)
    assert (updated.data.display_name, updated.data.show_in_leaderboard) == ("Ada", True)
    assert (contact.type, contact.data.discord_id, contact.data.email) == ("users.contact_changed.v1", "77", None)
    assert {event.subject for event in (registered, updated, contact)} == {str(DERIVED)}


def test_the_same_names_again_are_no_news(told):
    for _ in range(3):
        see()
    assert len(told()) == 3


def test_a_new_name_is_told_with_a_higher_version(told, row_count):
    see()
    see("Ada Lovelace 🌱", at=SEEN_AT + timedelta(seconds=1))
    see("Ada", at=SEEN_AT + timedelta(seconds=2))
    updates = told("users.user_updated.v1")
    assert [(event.sequence, event.data.display_name) for event in updates] == [
        (1, "Ada"),
        (2, "Ada Lovelace 🌱"),
        (3, "Ada"),
    ]
    assert len(told("users.user_registered.v1")) == 1
    assert row_count("members", "discord_username = 'ada' AND version = 3") == 1


def test_a_sighting_that_was_held_up_brings_no_old_name_back(told, row_count):
    late = SEEN_AT + timedelta(seconds=1)
    see("Ada")
    see("Grace", at=SEEN_AT + timedelta(seconds=3))
    see("Ada", at=late)
    # Seen once more with the same names, no news, is a newer sighting all the same.
    see("Grace", at=SEEN_AT + timedelta(seconds=9))
    see("Ada", at=SEEN_AT + timedelta(seconds=6))
    assert [event.data.display_name for event in told("users.user_updated.v1")] == ["Ada", "Grace"]
    assert row_count("members", "discord_display_name = 'Grace' AND version = 2") == 1


def test_in_any_order_the_newest_name_stays(told):
    see("Name 0")
    order = list(range(1, 13))
    random.shuffle(order)
    for number in order:
        see(f"Name {number}", at=SEEN_AT + timedelta(seconds=number))
    assert told("users.user_updated.v1")[-1].data.display_name == "Name 12"


def test_twenty_commands_at_once_make_one_member(told, row_count):
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: see(), range(20))) == {DERIVED}
    assert row_count("members") == 1
    assert [event.type for event in told()] == [
        "users.user_registered.v1",
        "users.user_updated.v1",
        "users.contact_changed.v1",
    ]


def test_twenty_names_at_once_are_told_in_the_order_of_their_versions(told, row_count):
    see()
    moments = [SEEN_AT + timedelta(seconds=number + 1) for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: see(f"Ada {number}", at=moments[number]), range(20)))
    updates = told("users.user_updated.v1")
    assert [event.sequence for event in updates] == list(range(1, len(updates) + 1))
    with transaction() as session:
        row = session.execute(text("SELECT discord_display_name, version FROM members")).one()
    assert (row.discord_display_name, row.version) == ("Ada 19", len(updates))
    assert updates[-1].data.display_name == "Ada 19"


def test_two_people_with_one_name_are_two_members(row_count):
    assert see(discord_id="1", member_id=new_id()) != see(discord_id="2", member_id=new_id())
    assert row_count("members", "discord_username = 'ada'") == 2


def test_a_linked_account_leads_to_its_web_member(register, told):
    web = register("ada")["user"]["id"]
    with transaction() as session:
        session.execute(text("UPDATE members SET discord_id = '77'"))
    assert see("Ada 🌱") == UUID(web)
    # On the web they have a name of their own.
    assert told("users.user_updated.v1")[-1].data.display_name == "ada"


def test_an_id_that_belongs_to_somebody_else_now_is_refused(row_count):
    see(discord_id="77")
    with pytest.raises(NotFound):
        see("Eve", discord_id="88")
    assert row_count("members", "discord_display_name = 'Eve'") == 0
