"""The HTTP door of redemptions: waiting for points, the answers, keys, staff's lists and bulk decisions."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet import settings
from fleet.contracts.points import BalanceJoined
from fleet.database import transaction
from fleet.messages import new_id
from services.rewards import decisions, waiting
from tests.rewards.conftest import BOSS, SECOND, state, stock, told, where

REDEEM = "/api/rewards/redeem/"


@pytest.fixture
def patient(monkeypatch):
    """Requests wait for points as long as in production."""
    monkeypatch.setenv("REWARDS_WAIT_S", "3")
    settings.read.cache_clear()


@pytest.fixture
def answering(points_says):
    """`answering("held")`: something that says this of the next redemption as soon as it is asked for."""
    threads = []

    def begin(word, **words):
        seen = {message.data.redemption_id for message in told("place_hold")}

        def work():
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                for message in told("place_hold"):
                    if message.data.redemption_id not in seen:
                        points_says(message.data.redemption_id, word, **words)
                        return
                time.sleep(0.01)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join(10)


def test_redeeming_answers_201_with_what_is_left(call, patient, answering, incentive, member):
    reward, ada = incentive(points=60), member(available=100)
    answering("held", available=40)
    made = call("POST", REDEEM, ada, json={"reward_id": str(reward), "delivery_details": {"city": "Graz"}})
    assert made.status_code == 201, made.json
    assert made.headers["Location"] == f"/api/redemptions/{made.json['id']}/"
    found = made.json
    assert (found["status"], found["points_spent"], found["remaining_points"]) == ("pending", 60, 40)
    assert found["reward"]["id"] == found["reward_id"] == str(reward)
    assert set(found["reward"]) == {"id", "name", "image_url", "category"}
    assert found["delivery_details"] == {"city": "Graz"}
    assert found["expires_at"] is not None


@pytest.mark.parametrize("reason", ["insufficient-points", "locked", "suspended"])
def test_what_points_refuses_is_409_with_its_reason(reason, call, patient, answering, incentive, member):
    reward, ada = incentive(points=60), member()
    answering("refused", available=10, reason=reason)
    refused = call("POST", REDEEM, ada, json={"reward_id": str(reward)})
    assert (refused.status_code, refused.json["type"].rsplit("/", 1)[-1]) == (409, reason)
    assert where(refused.json["redemption_id"])[0] == "declined"
    assert stock(reward) == 3


def test_what_rewards_itself_refuses_is_409_at_once_and_leaves_nothing(call, incentive, request_, member, row_count):
    ada, empty, limited = member(), incentive(stock=0), incentive(per_member_limit=1)
    request_(limited, ada)
    before = row_count("redemptions")
    for reward, slug in ((empty, "out-of-stock"), (limited, "limit-reached")):
        refused = call("POST", REDEEM, ada, json={"reward_id": str(reward)})
        assert (refused.status_code, refused.json["type"].rsplit("/", 1)[-1]) == (409, slug)
    assert call("POST", REDEEM, ada, json={"reward_id": str(new_id())}).status_code == 404
    assert row_count("redemptions") == before


def test_without_an_answer_of_points_it_is_202_and_later_what_it_became(call, incentive, member, points_says):
    reward, ada = incentive(), member()
    accepted = call("POST", REDEEM, ada, json={"reward_id": str(reward)})
    assert (accepted.status_code, accepted.json["status"], accepted.json["remaining_points"]) == (
        202,
        "requested",
        None,
    )
    assert accepted.headers["Retry-After"] == "1"
    path = accepted.headers["Location"]
    assert call("GET", path, ada).json["status"] == "requested"
    points_says(accepted.json["id"], "held")
    assert call("GET", path, ada).json["status"] == "pending"


def test_waiting_takes_a_bounded_number_of_threads_and_no_connection(call, patient, incentive, member):
    """The ninth at once does not wait: it is answered with 202 while eight are still waiting."""
    reward = incentive(stock=None)
    people = [member() for _ in range(12)]
    started = time.monotonic()

    def ask(who):
        answer = call("POST", REDEEM, who, json={"reward_id": str(reward)})
        return answer.status_code, time.monotonic() - started

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, people))
    assert {status for status, _ in answers} == {202}
    assert sum(seconds > 2.5 for _status, seconds in answers) == 8
    assert (waiting.room._waiting, waiting.room._decided) == ({}, set())


class TestKeys:
    """The key commits with the row and names it: whatever the row has become is the answer."""

    def redeem(self, call, who, reward, key="one", **more):
        return call("POST", REDEEM, who, json={"reward_id": str(reward)} | more, headers={"Idempotency-Key": key})

    def test_a_repeated_call_answers_from_the_rows_present_state(self, call, incentive, member, points_says, row_count):
        reward, ada = incentive(), member()
        first = self.redeem(call, ada, reward)
        assert (first.status_code, "Idempotent-Replayed" in first.headers) == (202, False)
        again = self.redeem(call, ada, reward)
        assert (again.status_code, again.json["id"]) == (202, first.json["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        points_says(first.json["id"], "held")
        assert self.redeem(call, ada, reward).status_code == 201
        assert self.redeem(call, ada, reward).json["id"] == first.json["id"]
        assert (row_count("redemptions"), stock(reward)) == (1, 2)

    def test_one_that_was_declined_later_answers_409(self, call, incentive, member, points_says):
        reward, ada = incentive(), member()
        made = self.redeem(call, ada, reward).json["id"]
        points_says(made, "refused")
        for _ in range(2):
            refused = self.redeem(call, ada, reward)
            assert (refused.status_code, refused.json["redemption_id"]) == (409, made)

    def test_another_body_is_422_and_another_caller_is_independent(self, call, incentive, member):
        reward, ada = incentive(), member()
        made = self.redeem(call, ada, reward).json["id"]
        assert self.redeem(call, ada, incentive()).status_code == 422
        assert self.redeem(call, member(), reward).json["id"] != made

    def test_a_refusal_of_rewards_itself_may_be_tried_again(self, call, incentive, member):
        reward, ada = incentive(stock=0), member()
        assert self.redeem(call, ada, reward).status_code == 409
        call("POST", f"/api/incentives/{reward}/restock/", BOSS, role="admin", json={"quantity": 1})
        assert self.redeem(call, ada, reward).status_code == 202

    def test_twenty_at_once_with_one_key_make_one(self, call, incentive, member, row_count):
        reward, ada = incentive(stock=20), member()
        with ThreadPoolExecutor(10) as pool:
            ids = set(pool.map(lambda _: self.redeem(call, ada, reward).json["id"], range(20)))
        assert (len(ids), row_count("redemptions"), stock(reward)) == (1, 1, 19)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reward_id": "x"},
        {"reward_id": None},
        {"reward_id": 5},
        {"reward_id": str(new_id()), "member_id": str(new_id())},
        {"reward_id": str(new_id()), "delivery_details": "x"},
        {"reward_id": str(new_id()), "delivery_details": {"a": "x" * 5000}},
        {"reward_id": str(new_id()), "delivery_details": {"": "x"}},
    ],
)
def test_a_malformed_request_is_422(body, call):
    assert call("POST", REDEEM, json=body).status_code == 422


def test_history_is_ones_own_newest_first_page_by_page(call, incentive, request_, member):
    reward, ada = incentive(stock=None), member()
    made = [str(request_(reward, ada).id) for _ in range(5)]
    request_(reward)
    pages, cursor = [], ""
    while cursor is not None:
        page = call("GET", "/api/redemptions/history/?limit=2" + (f"&cursor={cursor}" if cursor else ""), ada).json
        pages, cursor = pages + [item["id"] for item in page["items"]], page["next_cursor"]
    assert pages == made[::-1]
    assert call("GET", "/api/redemptions/history/?status=pending", ada).json["items"] == []
    for wrong in ("limit=0", "status=lost", "cursor=x", f"member={ada}"):
        assert call("GET", f"/api/redemptions/history/?{wrong}", ada).status_code == 422


def test_a_redemption_tells_its_steps_and_only_staff_see_who_took_them(call, incentive, pending, member):
    ada = member()
    made = pending(incentive(), ada)
    call("POST", f"/api/redemptions/{made}/approve/", BOSS, role="admin", json={"note": "fine"})
    own = call("GET", f"/api/redemptions/{made}/", ada).json
    assert [(step["status"], step["by"], step["actor_id"], step["note"]) for step in own["steps"]] == [
        ("requested", "member", None, None),
        ("pending", "points", None, None),
        ("approved", "staff", None, "fine"),
    ]
    seen = call("GET", f"/api/redemptions/{made}/", BOSS, role="admin").json
    assert [step["actor_id"] for step in seen["steps"]] == [str(ada), None, str(BOSS)]
    assert (own["note"], own["settling"]) == ("fine", "capture")


def test_staff_decide_once_and_hear_what_it_is(call, incentive, pending):
    made = pending(incentive())
    path = f"/api/redemptions/{made}/"
    for _ in range(2):
        approved = call("POST", f"{path}approve/", BOSS, role="admin", json={})
        assert (approved.status_code, approved.json["status"]) == (200, "approved")
    refused = call("POST", f"{path}reject/", SECOND, role="admin", json={"note": "too late"})
    assert (refused.status_code, refused.json["present_status"]) == (409, "approved")
    shipped = call(
        "POST",
        f"{path}ship/",
        BOSS,
        role="admin",
        json={"tracking_info": "1Z", "estimated_delivery": "2026-12-24"},
    )
    assert (shipped.json["tracking_info"], shipped.json["estimated_delivery"]) == ("1Z", "2026-12-24")
    refunded = call("POST", f"{path}refund/", BOSS, role="admin", json={"reason": "lost", "restock": False})
    assert (refunded.status_code, refunded.json["status"], refunded.json["refund"]) == (200, "refunded", None)


def test_a_large_refund_is_202_and_waits_in_a_list(call, incentive, pending):
    made = pending(incentive(points=1500))
    path = f"/api/redemptions/{made}/"
    call("POST", f"{path}approve/", BOSS, role="admin", json={})
    waits = call("POST", f"{path}refund/", BOSS, role="admin", json={"reason": "lost", "restock": True})
    assert (waits.status_code, waits.json["status"], waits.json["refund"]["status"]) == (202, "approved", "pending")
    listed = call("GET", "/api/redemptions/refunds/?status=pending", SECOND, role="admin").json["items"]
    assert [item["redemption_id"] for item in listed] == [str(made)]
    assert call("POST", f"{path}refund/confirm/", BOSS, role="admin", json={}).status_code == 403
    done = call("POST", f"{path}refund/confirm/", SECOND, role="admin", json={})
    assert (done.status_code, done.json["status"], done.json["refund"]["status"]) == (200, "refunded", "confirmed")
    assert call("POST", f"{path}refund/refuse/", SECOND, role="admin", json={}).status_code == 409
    assert stock(state(made).incentive_id) == 3


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("approve", {"note": 5}),
        ("approve", {"points": 5}),
        ("reject", {"note": "x" * 1001}),
        ("ship", {"estimated_delivery": "soon"}),
        ("ship", {"tracking_info": ""}),
        ("refund", {}),
        ("refund", {"reason": "  "}),
        ("refund", {"reason": "lost", "restock": 1}),
        ("bulk", {"ids": [], "decision": "approve"}),
        ("bulk", {"ids": [str(BOSS)], "decision": "refund"}),
        ("bulk", {"ids": [str(BOSS), str(BOSS)], "decision": "approve"}),
    ],
)
def test_wrong_words_of_staff_are_422(step, body, call):
    path = f"/api/redemptions/{step}/" if step == "bulk" else f"/api/redemptions/{new_id()}/{step}/"
    assert call("POST", path, BOSS, role="admin", json=body).status_code == 422


def test_many_are_decided_at_once_and_one_refusal_stops_no_other(call, incentive, pending, member):
    reward = incentive(stock=None)
    first, second, third = pending(reward), pending(reward), pending(reward)
    with transaction() as session:
        decisions.decide(session, second, "reject", BOSS)
    unknown = new_id()
    body = {"ids": [str(each) for each in (first, second, third, unknown)], "decision": "approve", "note": "batch"}
    answer = call("POST", "/api/redemptions/bulk/", BOSS, role="admin", json=body)
    assert [(item["id"], item["status"]) for item in answer.json["items"]] == [
        (str(first), 200),
        (str(second), 409),
        (str(third), 200),
        (str(unknown), 404),
    ]
    assert answer.json["items"][1]["problem"]["present_status"] == "rejected"
    assert (where(first)[0], where(second)[0], where(third)[0]) == ("approved", "rejected", "approved")


def test_the_queue_is_filtered_and_ordered(call, incentive, pending, request_, member):
    reward, ada = incentive(stock=None), member("Ada Lovelace")
    first, second = pending(reward, ada), pending(reward)
    request_(reward)
    found = call("GET", "/api/redemptions/?status=pending&order=oldest", BOSS, role="admin").json["items"]
    assert [item["id"] for item in found] == [str(first), str(second)]
    assert found[0]["display_name"] == "Ada Lovelace"
    for query, ids in ((f"member={ada}", [first]), (f"reward={new_id()}", []), ("older_than=1", [])):
        found = call("GET", f"/api/redemptions/?{query}", BOSS, role="admin").json["items"]
        assert [item["id"] for item in found] == [str(each) for each in ids], query
    for role in ("student", "company", "university"):
        for path in ("", "statistics/", "refunds/"):
            assert call("GET", f"/api/redemptions/{path}", role=role).status_code == 403


def test_statistics_count_what_happened(call, incentive, pending, request_, points_says):
    reward = incentive(points=60, stock=None)
    approved, refunded, rejected = pending(reward), pending(reward), pending(reward)
    pending(reward)
    points_says(request_(reward).id, "refused")
    for each in (approved, refunded):
        call("POST", f"/api/redemptions/{each}/approve/", BOSS, role="admin", json={})
    call("POST", f"/api/redemptions/{refunded}/refund/", BOSS, role="admin", json={"reason": "lost"})
    call("POST", f"/api/redemptions/{rejected}/reject/", BOSS, role="admin", json={})
    found = call("GET", "/api/redemptions/statistics/", BOSS, role="admin").json
    counted = {status: count for status, count in found["by_status"].items() if count}
    assert counted == {"approved": 1, "refunded": 1, "rejected": 1, "pending": 1, "declined": 1}
    assert (found["points_reserved"], found["points_spent"], found["points_refunded"]) == (60, 60, 60)
    assert [(item["id"], item["redemptions"], item["points"]) for item in found["top_rewards"]] == [
        (str(reward), 1, 60)
    ]
    assert len(found["weekly"]) == 12
    assert (found["weekly"][-1]["redemptions"], found["weekly"][-1]["points"]) == (4, 240)
    assert found["oldest_pending_seconds"] >= 0
    assert found["median_decision_seconds"] >= 0


def test_statistics_of_an_empty_shop_are_zeros(call):
    found = call("GET", "/api/redemptions/statistics/", BOSS, role="admin").json
    assert set(found["by_status"].values()) == {0}
    assert (found["oldest_pending_seconds"], found["median_decision_seconds"], found["top_rewards"]) == (None, None, [])


def test_what_is_left_is_what_points_said_last(call, incentive, member, pending, hear):
    ada = member(available=100)
    made = pending(incentive(), ada)
    hear(BalanceJoined(ada, 7, 500), sequence=99)
    assert call("GET", "/api/rewards/available/", ada).json["available_points"] == 7
    assert call("GET", f"/api/redemptions/{made}/", ada).status_code == 200
