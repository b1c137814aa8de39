"""All that integrations holds on a member, shown to them; and a person forgotten while the feed stays in order."""

import json

from fleet import exporting
from fleet.contracts import integrations as messages
from fleet.contracts.users import UserErased
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.integrations import privacy
from services.integrations.subscriptions import subscriptions
from tests.integrations.conftest import BOSS, everything, hear, logged


def erase(*member_ids, pseudonym):
    command = envelope_for(messages.EraseMember(new_id(), list(member_ids), pseudonym), source="users")
    with transaction() as session:
        return subscriptions.handlers[command.type](session, command).rows


def test_a_member_is_shown_their_events_and_nobody_elses():
    me, born = new_id(), new_id()
    mine = [logged(me), logged(born), logged(me, 2)]
    hear(*mine, logged())
    with transaction() as session:
        part = exporting.part(session, privacy.SECTIONS, [me, born], None)
    shown = json.loads(part.rows)
    assert [json.loads(row["body"])["id"] for row in shown["public_events"]] == [str(event.id) for event in mine]
    assert (shown["api_keys_made"], shown["webhooks_made"], part.next_cursor) == ([], [], None)


def test_an_admin_is_shown_what_they_made(boss, webhook):
    made = webhook()
    boss("POST", "/api/keys/", json={"name": "acme", "scopes": ["events:read"]})
    with transaction() as session:
        shown = json.loads(exporting.part(session, privacy.SECTIONS, [BOSS], None).rows)
    assert [row["id"] for row in shown["webhooks_made"]] == [made["id"]]
    assert len(shown["api_keys_made"]) == 1
    assert made["secret"] not in json.dumps(shown)


def test_who_is_forgotten_is_nobody_in_the_feed_and_its_order_stays():
    me, other, nobody = new_id(), new_id(), new_id()
    events = [logged(me), logged(other), logged(me, 2)]
    hear(*events)
    assert erase(me, pseudonym=nobody) == 2
    found = everything()
    assert [event["id"] for event in found] == [str(event.id) for event in events]
    assert [event["data"]["member_id"] for event in found] == [str(nobody), str(other), str(nobody)]
    assert str(me) not in json.dumps(found)
    assert erase(me, pseudonym=nobody) == 0


def test_what_comes_late_brings_nobody_back():
    me, nobody = new_id(), new_id()
    erase(me, pseudonym=nobody)
    hear(logged(me))
    assert [event["subject"] for event in everything()] == [str(nobody)]


def test_only_the_event_that_says_so_keeps_the_id():
    me, nobody = new_id(), new_id()
    gone = envelope_for(UserErased(me, now()), source="users", subject=str(me), sequence=9)
    hear(gone)
    erase(me, pseudonym=nobody)
    hear(envelope_for(UserErased(me, now()), source="users", subject=str(me), sequence=10))
    assert [event["data"]["member_id"] for event in everything()] == [str(me)] * 2


def test_what_an_admin_made_stays_in_use_when_they_are_forgotten(boss, webhook, row_count):
    webhook()
    boss("POST", "/api/keys/", json={"name": "acme", "scopes": ["events:read"]})
    nobody = new_id()
    erase(BOSS, pseudonym=nobody)
    assert row_count("webhooks", "created_by = :id", id=nobody) == 1
    assert row_count("api_keys", "created_by = :id", id=nobody) == 1
    assert row_count("webhooks", "created_by = :id", id=BOSS) == 0
