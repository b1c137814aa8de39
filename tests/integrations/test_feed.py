"""The feed: every public event once, in one order, readable from any position on."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from fleet import topology
from fleet.contracts import by_type
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.integrations import feed
from services.integrations.subscriptions import store_together, subscriptions
from tests.integrations.conftest import everything, hear, logged


def test_it_holds_every_event_that_may_be_told_outside_and_no_other():
    public = {type_ for type_, contract in by_type.items() if contract.public}
    assert set(feed.TYPES) == public == set(topology.public_keys())
    assert set(subscriptions.handlers) - public == {
        "users.auth_state_changed.v1",
        "integrations.export_member.v1",
        "integrations.erase_member.v1",
    }
    hear(envelope_for(AuthStateChanged(new_id(), 1, "student", "active"), source="users", sequence=1))
    assert everything() == []


def test_an_event_is_told_as_it_was_published_with_its_position():
    first, second = logged(), logged()
    hear(first, second)
    one, two = everything()
    assert (one["position"], two["position"]) == (1, 2)
    assert one["id"] == str(first.id)
    assert one["data"]["member_id"] == one["subject"] == str(first.data.member_id)
    assert (one["specversion"], one["source"], one["sequence"]) == ("1.0", "points", 1)


def test_what_comes_twice_is_stored_once():
    event = logged()
    hear(event, event)
    with transaction() as session:
        store_together(session, [event, logged(), event])
    assert [found["position"] for found in everything()] == [1, 2]


def test_a_batch_is_stored_by_subject_in_the_order_of_its_versions():
    member = new_id()
    events = [logged(member, n) for n in (3, 1, 4, 2)]
    with transaction() as session:
        store_together(session, events)
    assert [found["sequence"] for found in everything()] == [1, 2, 3, 4]


def test_positions_become_visible_in_their_order_whoever_commits_first():
    """A reader that goes on from the last position it saw, while eight write and take their time to commit."""
    ids, seen, done = set(), [], threading.Event()

    def write(_number: int) -> None:
        for _ in range(15):
            events = [logged() for _ in range(random.randrange(1, 4))]
            with transaction() as session:
                store_together(session, events)
                time.sleep(random.random() * 0.004)
            ids.update(str(event.id) for event in events)

    def read() -> None:
        after = 0
        while True:
            last = done.is_set()
            with transaction() as session:
                page = feed.page(session, after, None, 100)
            seen.extend(page.items)
            after = page.next_after
            if last and page.ended:
                return

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    done.set()
    reader.join(30)
    assert [event["position"] for event in seen] == list(range(1, len(ids) + 1))
    assert {event["id"] for event in seen} == ids


def test_pages_go_on_from_where_the_last_one_ended(integrator):
    hear(*(logged() for _ in range(7)))
    first = integrator("/api/events/?limit=4").get_json()
    second = integrator(f"/api/events/?limit=4&after={first['next_after']}").get_json()
    assert [e["position"] for e in first["items"] + second["items"]] == list(range(1, 8))
    nothing = integrator(f"/api/events/?after={second['next_after']}").get_json()
    assert nothing == {"items": [], "next_after": 7}


def test_other_types_are_passed_over(integrator):
    hear(logged(), logged())
    found = integrator("/api/events/?type=rewards.reward_redeemed.v1,users.user_registered.v1").get_json()
    assert found == {"items": [], "next_after": 2}
    assert len(integrator("/api/events/?type=points.activity_logged.v1").get_json()["items"]) == 2


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=-1", "/after"),
        ("after=99", "/after"),
        ("after=one", "/after"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("wait=26", "/wait"),
        ("type=points.points_held.v1", "/type"),
        ("type=,", "/type"),
        ("cursor=x", "/cursor"),
    ],
)
def test_a_wrong_parameter_is_named(integrator, query, pointer):
    hear(logged())
    answer = integrator(f"/api/events/?{query}")
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer


def test_waiting_ends_as_soon_as_there_is_something(integrator):
    hear(logged())
    late = logged()
    timer = threading.Timer(0.3, hear, [late])
    timer.start()
    began = time.monotonic()
    found = integrator("/api/events/?after=1&wait=20").get_json()
    timer.join()
    assert [event["id"] for event in found["items"]] == [str(late.id)]
    assert time.monotonic() - began < 15


def test_waiting_passes_over_what_was_not_asked_for(integrator):
    hear(logged())
    timer = threading.Timer(0.2, hear, [logged()])
    timer.start()
    found = integrator("/api/events/?after=1&wait=1&type=rewards.reward_redeemed.v1").get_json()
    timer.join()
    assert found == {"items": [], "next_after": 2}


def test_who_waits_is_bounded(integrator, monkeypatch):
    monkeypatch.setenv("INTEGRATIONS_LISTENERS", "0")
    answer = integrator("/api/events/?wait=5")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


class TestKept:
    def age(self, position: int, days: int) -> None:
        with transaction() as session:
            session.execute(
                text("UPDATE feed_events SET stored_at = :at WHERE position = :position"),
                {"at": now() - timedelta(days=days), "position": position},
            )

    def test_old_events_go_and_who_would_miss_them_is_told(self, integrator):
        hear(*(logged() for _ in range(5)))
        for position in (1, 2, 3):
            self.age(position, 31)
        with transaction() as session:
            assert feed.sweep(session) == 3
        assert [event["position"] for event in everything(after=3)] == [4, 5]
        refusal = integrator("/api/events/?after=1")
        assert refusal.status_code == 410
        assert refusal.get_json()["oldest"] == 4
        assert len(integrator("/api/events/?after=3").get_json()["items"]) == 2

    def test_none_is_taken_out_of_the_middle(self):
        hear(*(logged() for _ in range(5)))
        for position in (1, 3, 4):
            self.age(position, 31)
        with transaction() as session:
            assert feed.sweep(session) == 1
        assert [event["position"] for event in everything(after=1)] == [2, 3, 4, 5]

    def test_what_a_webhook_waits_for_stays(self, webhook):
        webhook()
        hear(logged(), logged())
        self.age(1, 31)
        with transaction() as session:
            assert feed.sweep(session) == 0

    def test_positions_go_on_after_everything_has_gone(self):
        hear(logged(), logged())
        for position in (1, 2):
            self.age(position, 31)
        with transaction() as session:
            assert feed.sweep(session) == 2
        hear(logged())
        assert [event["position"] for event in everything(after=2)] == [3]
