"""The HTTP door of dead letters, which is the same in every service: seen here as points."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select

from fleet.database import transaction
from fleet.dead_letters import Dead, dead_letters, forget, keep
from fleet.messages import new_id
from services.points.app import create_app
from tests.locks import until_it_waits
from tests.signing import TestKey

ROOT = "/api/dead-letters/points/"


@pytest.fixture
def call(on, keys: TestKey):
    on("points")
    client = create_app(keys=keys).test_client()

    def send(method, path="", role="admin", **words):
        return client.open(ROOT + path, method=method, headers=keys.bearer(new_id(), role), **words)

    return send


def dead(queue="points.commands", cause="failed 6 times", type_="points.log_activity.v1", body=b'{"a": 1}', **words):
    with transaction() as session:
        keep(session, Dead(queue, words.get("message_id", str(new_id())), type_, "bot", cause, body))


def test_they_are_listed_with_their_cause_and_read_one_by_one(call):
    for number in range(3):
        dead(cause=f"cause {number}")
    page = call("GET", "?limit=2").get_json()
    assert [item["cause"] for item in page["items"]] == ["cause 2", "cause 1"]
    assert "body" not in page["items"][0]
    rest = call("GET", f"?limit=2&cursor={page['next_cursor']}").get_json()
    assert ([item["cause"] for item in rest["items"]], rest["next_cursor"]) == (["cause 0"], None)
    one = call("GET", f"{page['items'][0]['id']}/").get_json()
    assert (one["body"], one["queue"], one["sender"], one["replaying"]) == ('{"a": 1}', "points.commands", "bot", False)


def test_the_list_is_narrowed_by_cause_and_type(call):
    dead(cause="x")
    dead(cause="y", type_="points.adjust_points.v1")
    assert [item["cause"] for item in call("GET", "?cause=x").get_json()["items"]] == ["x"]
    assert [item["cause"] for item in call("GET", "?type=points.adjust_points.v1").get_json()["items"]] == ["y"]


@pytest.mark.parametrize("action", ["replay", "purge"])
def test_only_counting_is_what_happens_unless_it_is_said_otherwise(call, row_count, action):
    dead(cause="x")
    dead(cause="y")
    assert call("POST", f"{action}/", json={"cause": "x"}).get_json() == {"count": 1, "dry_run": True}
    assert row_count("dead_letters", "replay_at IS NULL") == 2
    done = call("POST", f"{action}/", json={"cause": "x", "dry_run": False}).get_json()
    assert done == {"count": 1, "dry_run": False}
    assert row_count("dead_letters", "cause = 'y' AND replay_at IS NULL") == 1
    assert row_count("dead_letters", "replay_at IS NOT NULL") == (1 if action == "replay" else 0)


@pytest.mark.parametrize("action", ["replay", "purge"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/ids"),
        ({"dry_run": False}, "/ids"),
        ({"ids": []}, "/ids"),
        ({"ids": ["1"]}, "/ids/0"),
        ({"ids": [7]}, "/ids/0"),
        ({"cause": ""}, "/cause"),
        ({"cause": "x", "dry_run": "no"}, "/dry_run"),
        ({"everything": True}, "/everything"),
    ],
)
def test_nothing_is_done_for_a_choice_that_is_none(call, row_count, action, body, pointer):
    dead()
    answer = call("POST", f"{action}/", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert row_count("dead_letters", "replay_at IS NULL") == 1


def test_one_that_died_nobody_knows_where_is_not_sent_round(call, row_count):
    dead(queue="")
    dead()
    [lost] = [item for item in call("GET").get_json()["items"] if not item["queue"]]
    answer = call("POST", "replay/", json={"ids": [lost["id"]], "dry_run": False})
    assert answer.status_code == 409
    assert call("POST", "replay/", json={"cause": "failed 6 times", "dry_run": False}).get_json()["count"] == 1
    assert row_count("dead_letters", "replay_at IS NULL AND queue = ''") == 1


@pytest.mark.parametrize("letter_id", ["0", "me", "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f"])
def test_one_that_is_not_there_is_not_found(call, letter_id):
    assert call("GET", f"{letter_id}/").status_code == 404


def test_the_same_message_is_kept_once_in_each_queue_it_dies_in(row_count, call):
    dead(message_id="m1")
    dead(message_id="m1", cause="another")
    dead(message_id="m1", queue="points.events")
    assert row_count("dead_letters") == 2


def test_a_cause_that_cannot_be_kept_as_it_is_is_kept_as_it_can(call):
    dead(cause="a\x00b\ud800" + "x" * 5000)
    [item] = call("GET").get_json()["items"]
    assert item["cause"].startswith("a?b?xxx")
    assert len(item["cause"]) == 1000


def test_what_names_somebody_who_is_forgotten_goes(call, row_count):
    somebody = new_id()
    dead(body=f'{{"member_id": "{somebody}"}}'.encode())
    dead()
    with transaction() as session:
        assert forget(session, [somebody]) == 1
    assert row_count("dead_letters") == 1


def test_one_that_dies_again_before_the_desk_has_forgotten_it_is_not_lost(call, row_count):
    """The desk has sent it and is about to delete it; its consumer is quicker."""
    dead(message_id="m1", cause="first")
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            session.execute(select(dead_letters).with_for_update())
            again = pool.submit(dead, message_id="m1", cause="second")
            until_it_waits(again)
            session.execute(delete(dead_letters))
        again.result(30)
    [item] = call("GET").get_json()["items"]
    assert (item["cause"], item["replaying"]) == ("second", False)


@pytest.mark.parametrize("words", ["a\x00b", b"a\xffb", b"a\x00b", "a\ud800b"])
def test_words_that_are_no_text_are_kept_as_they_can_be(call, words):
    with transaction() as session:
        keep(session, Dead("points.commands", words, words, words, words, b"x"))
    [item] = call("GET").get_json()["items"]
    assert {item[name] for name in ("message_id", "type", "sender", "cause")} == {"a?b"}
