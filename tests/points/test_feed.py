"""The activity feed: one stream of transfers, submissions, redemptions and sessions, whatever order events come in."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet import paging
from fleet.contracts import contract_of
from fleet.contracts.reviews import SessionCompleted
from fleet.contracts.rewards import RedemptionDecided, RedemptionFulfilled, RewardRedeemed
from fleet.database import transaction
from fleet.messages import envelope_for, new_id
from services.points import analytics_schemas, feed, merging
from services.points.submission_models import Submission
from services.points.subscriptions import subscriptions
from tests.answers import pointers
from tests.points.histories import row, write

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def hear(message: Any, sequence: int) -> None:
    envelope = envelope_for(message, source="rewards", sequence=sequence)
    with transaction() as session:
        subscriptions.handlers[contract_of(message).type](session, envelope)


def story(member_id: UUID, redemption_id: UUID, requested_at: datetime = NOON) -> list[tuple[Any, int]]:
    """A redemption from request to delivery."""
    what = {
        "redemption_id": redemption_id,
        "member_id": member_id,
        "reward_id": UUID(int=7),
        "points_spent": 500,
        "requested_at": requested_at,
    }
    later = requested_at + timedelta(days=1)
    return [
        (RewardRedeemed(**what), 2),
        (RedemptionDecided(**what, status="approved", decided_at=later), 3),
        (RedemptionFulfilled(**what, status="shipped", fulfilled_at=later), 4),
        (RedemptionFulfilled(**what, status="delivered", fulfilled_at=later), 5),
    ]


def completed(member_id: UUID, when: datetime) -> SessionCompleted:
    return SessionCompleted(new_id(), new_id(), member_id, UUID(int=9), when - timedelta(minutes=30), 30, when)


def submit(member_id: UUID, when: datetime, status: str = "pending") -> UUID:
    decided = {} if status == "pending" else {"decided_at": when + timedelta(hours=1), "decided_by": new_id()}
    submission = Submission(
        id=new_id(),
        member_id=member_id,
        activity="resource_share",
        rule_version=1,
        status=status,
        description="",
        claim_scope="none",
        submitted_at=when,
        points=10 if status == "approved" else None,
        **decided,
    )
    with transaction() as session:
        session.add(submission)
    return submission.id


def page(member_id: UUID, limit: int = 100, cursor: str | None = None) -> tuple[list[Any], str | None]:
    with transaction() as session:
        return feed.page(session, member_id, limit, cursor)


def states(member_id: UUID) -> list[tuple[str, str]]:
    return [(item.type, item.status) for item in page(member_id)[0]]


class TestEvents:
    def test_any_order_and_any_repetition_end_the_same(self):
        member = new_id()
        for order in itertools.permutations(range(4)):
            redemption = new_id()
            events = story(member, redemption)
            for index in (*order, order[0], order[-1]):
                hear(*events[index])
            (item,) = [item for item in page(member)[0] if item.id == redemption]
            assert (item.status, item.points, item.occurred_at) == ("delivered", 500, NOON)
            assert item.changed_at == NOON + timedelta(days=1)
            assert item.subject_id == UUID(int=7)

    @pytest.mark.parametrize("status", ["approved", "rejected", "cancelled", "expired", "refunded"])
    def test_every_decision_shows(self, status):
        member, redemption = new_id(), new_id()
        decided = RedemptionDecided(redemption, member, new_id(), 5, status, NOON, at(1))
        hear(decided, 3)
        hear(*story(member, redemption)[0])
        assert states(member) == [("redemption", status)]

    def test_a_completed_session_shows_once(self):
        member = new_id()
        session = completed(member, NOON)
        hear(session, 4)
        hear(session, 4)
        (item,) = page(member)[0]
        assert (item.type, item.status, item.occurred_at, item.subject_id) == (
            "session",
            "completed",
            NOON,
            UUID(int=9),
        )


class TestTheStream:
    def test_everything_is_there_newest_first(self):
        member = write([row("award", 20, at(1), "resume_upload"), row("hold", 5, at(5)), row("award", 9, at(9))])
        submit(member, at(4))
        submit(member, at(8), "approved")
        hear(*story(member, new_id(), at(6))[0])
        hear(completed(member, at(3)), 1)
        found = [(item.type, item.status or item.kind, item.points_change) for item in page(member)[0]]
        assert found == [
            ("transfer", "award", 9),
            ("submission", "approved", 0),
            ("redemption", "pending", 0),
            ("transfer", "hold", -5),
            ("submission", "pending", 0),
            ("session", "completed", 0),
            ("transfer", "award", 20),
        ]

    def test_points_change_adds_up_to_the_balance(self):
        rows = [row("award", 100, at(0)), row("adjustment", 30, at(1), down=True), row("hold", 50, at(2))]
        rows += [row("release", 50, at(3)), row("hold", 40, at(4)), row("capture", 40, at(5))]
        items = page(write(rows))[0]
        assert sum(item.points_change for item in items) == 30
        assert "capture" not in {item.kind for item in items}

    def test_it_follows_merges_and_stays_after_an_unlink(self):
        member, old = write([row("award", 7, at(3))]), write([row("award", 5, at(2))])
        before, after = new_id(), new_id()
        hear(*story(old, before)[0])
        submit(old, at(1))
        with transaction() as session:
            merging.change_link(session, old, 1, member)
        hear(*story(old, after, at(4))[0])
        kinds = ["redemption", "transfer", "transfer", "submission", "redemption"]
        assert [item.type for item in page(member)[0]] == [item.type for item in page(old)[0]] == kinds
        with transaction() as session:
            merging.change_link(session, old, 2, None)
        for redemption in (before, after):
            hear(*story(old, redemption)[3])
        assert [item.type for item in page(member)[0]] == kinds
        assert page(member)[0][0].status == "delivered"
        assert page(old) == ([], None)

    def test_others_stay_out(self):
        write([row("award", 5, NOON)])
        submit(new_id(), NOON)
        hear(*story(new_id(), new_id())[0])
        assert page(new_id()) == ([], None)

    @settings(
        max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        st.lists(st.tuples(st.sampled_from("tsrc"), st.integers(0, 4), st.integers(0, 2)), max_size=25),
        st.integers(1, 7),
    )
    def test_pages_are_the_whole_without_gap_or_repetition(self, things, limit):
        member = new_id()
        write([row("award", 1, at(when), ledger=n) for kind, when, n in things if kind == "t"], member)
        for kind, when, _ in things:
            if kind == "s":
                submit(member, at(when))
            elif kind == "r":
                hear(*story(member, new_id(), at(when))[0])
            elif kind == "c":
                hear(completed(member, at(when)), 1)
        collected, cursor = [], None
        while True:
            items, cursor = page(member, limit, cursor)
            collected += items
            if cursor is None:
                break
            assert len(items) == limit
        keys = [(item.occurred_at, item.id) for item in collected]
        assert keys == sorted(keys, reverse=True)
        assert len(set(keys)) == len(things)


@pytest.fixture
def get(keys, client) -> Callable[..., Any]:
    def send(member_id=None, role="student", **query: Any) -> Any:
        headers = keys.bearer(member_id or new_id(), role)
        return client.get("/api/activity/feed/", headers=headers, query_string=query)

    return send


class TestOverHttp:
    def test_the_answer_is_as_described(self, get):
        member = write([row("award", 20, at(1), "resume_upload")])
        submit(member, at(2))
        hear(*story(member, new_id(), at(3))[0])
        hear(completed(member, at(4)), 1)
        answer = get(member).json
        assert len(analytics_schemas.Feed().load(answer)["items"]) == 4
        session, redemption, submission, transfer = answer["items"]
        assert (session["professional_id"], session["reward_id"]) == (str(UUID(int=9)), None)
        assert (redemption["reward_id"], redemption["points"], redemption["status"]) == (
            str(UUID(int=7)),
            500,
            "pending",
        )
        assert (submission["name"], submission["status"]) == ("Resource share", "pending")
        assert (transfer["name"], transfer["points_change"], transfer["status"]) == ("Resume upload", 20, None)

    def test_pages_by_cursor(self, get):
        member = write([row("award", n, at(n)) for n in range(1, 6)])
        first = get(member, limit=3).json
        second = get(member, limit=3, cursor=first["next_cursor"]).json
        changes = [item["points_change"] for item in first["items"] + second["items"]]
        assert (changes, second["next_cursor"]) == ([5, 4, 3, 2, 1], None)

    @pytest.mark.parametrize("limit", ["0", "101", "x", "-1", ""])
    def test_wrong_limits_are_refused(self, get, limit):
        assert pointers(get(limit=limit)) == ["/limit"]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "AAAA", paging.encode_cursor(1, 2), paging.encode_cursor("infinity", str(UUID(int=0)))]
    )
    def test_foreign_cursors_are_refused(self, get, cursor):
        assert pointers(get(cursor=cursor)) == ["/cursor"]

    def test_there_is_nobody_elses(self, get):
        assert pointers(get(role="admin", user=str(new_id()))) == ["/user"]
