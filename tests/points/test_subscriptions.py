"""What points hears: every message has its handler, and each handler does what its contract says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet import topology
from fleet.contracts import by_type, contract_of, points
from fleet.contracts.users import AuthStateChanged, UserRegistered, UserUpdated
from fleet.database import transaction
from fleet.messages import Reply, envelope_for, new_id, now, read_answer, to_json
from services.points import ledger
from services.points.subscriptions import subscriptions

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def hear() -> Callable[..., Any]:
    """`hear(message)` gives what the handler answers, as the asker will read it."""

    def apply(message: Any, sequence: int | None = None) -> Any:
        contract = contract_of(message)
        envelope = envelope_for(message, source="bot", sequence=sequence)
        with transaction() as session:
            answer = subscriptions.handlers[contract.type](session, envelope)
        if contract.answer is None:
            assert answer is None
            return None
        read = read_answer(contract.type, Reply(str(envelope.id), to_json(answer)))
        assert read == answer
        return answer

    return apply


def log(member_id, at=NOON, reference=None, activity="discord_activity") -> points.LogActivity:
    return points.LogActivity(member_id, activity, at, reference or str(uuid4()))


def test_everything_that_comes_here_has_a_handler():
    requests = {type_ for type_, contract in by_type.items() if contract.owner == "points" and contract.kind != "event"}
    assert set(subscriptions.handlers) == requests | set(topology.HEARS["points"])


def test_a_deed_is_answered_with_what_it_earned(hear):
    ada = new_id()
    made = hear(log(ada, reference="message 1"))
    assert made == points.ActivityOutcome(True, 5, 5, 5, transfer_id=made.transfer_id)
    again = hear(log(ada, reference="message 1"))
    assert again == points.ActivityOutcome(False, 5, 5, 5, "This was counted before.")


def test_a_deed_beyond_the_cap_is_refused(hear):
    ada = new_id()
    hear(log(ada))
    with pytest.raises(ledger.LimitReached):
        hear(log(ada))


def test_the_standing_of_a_member(hear, member):
    ada, bob = member("Ada"), member("Bob")
    for who, day in ((ada, 0), (bob, 0), (bob, 1)):
        hear(log(who, NOON + timedelta(days=day)))
    assert hear(points.GetStanding(ada)) == points.Standing(5, 0, 0, 5, rank=2)
    assert hear(points.GetStanding(new_id())) == points.Standing(0, 0, 0, 0, rank=None)


def test_a_suspension_shows_in_the_standing_until_it_ends(hear, member):
    ada, until = member("Ada"), now() + timedelta(hours=1)
    hear(AuthStateChanged(ada, 2, "student", "suspended", until))
    assert hear(points.GetStanding(ada)) == points.Standing(0, 0, 0, 0, 1, until, suspended=True)
    hear(AuthStateChanged(ada, 3, "student", "suspended", None))
    assert hear(points.GetStanding(ada)) == points.Standing(0, 0, 0, 0, 1, None, suspended=True)
    hear(AuthStateChanged(ada, 4, "student", "active", None))
    hear(AuthStateChanged(ada, 3, "student", "suspended", None))
    assert hear(points.GetStanding(ada)).suspended is False
    hear(AuthStateChanged(ada, 5, "student", "suspended", now() - timedelta(seconds=1)))
    assert hear(points.GetStanding(ada)).suspended is False


@pytest.mark.parametrize(("limit", "shown"), [(-5, 1), (0, 1), (3, 3), (25, 25), (1000, 25)])
def test_the_history_comes_newest_first_and_in_measure(limit, shown, hear, member):
    ada = member("Ada")
    for day in range(26):
        hear(log(ada, NOON + timedelta(days=day)))
    page = hear(points.GetHistory(ada, limit))
    assert len(page.items) == shown
    newest = points.HistoryEntry("discord_activity", "Daily message", 5, NOON + timedelta(days=25), 130)
    assert page.items[0] == newest
    rest = hear(points.GetHistory(ada, 25, page.next_cursor))
    assert rest.items[0].balance_after == page.items[-1].balance_after - 5


def test_the_values_are_those_of_the_active_types(hear, client):
    listed = client.get("/api/activities/").json["items"]
    names = ("code", "name", "category", "category_name", "points", "rule", "requires_approval", "evidence")
    names += ("min_description",)
    assert hear(points.GetActivityValues()).items == [
        points.ActivityValue(**{name: item[name] for name in names}) for item in listed
    ]


def test_the_leaderboard_and_the_streak(hear, member):
    ada = member("Ada")
    hear(log(ada, now() - timedelta(days=1)))
    hear(log(ada, now()))
    board = hear(points.GetLeaderboard(ada, "all_time", limit=1000))
    assert [(place.display_name, place.points, place.is_me) for place in board.items] == [("Ada", 10, True)]
    assert hear(points.GetLeaderboard(None, limit=-1)).me is None
    assert hear(points.GetStreak(ada)).current == 2


def test_registration_and_update_arrive_in_any_order(hear, row_count):
    ada = new_id()
    updated = UserUpdated(ada, "Ada", True, "student", "active")
    hear(updated, sequence=2)
    hear(UserRegistered(ada, "student", "web", now()), sequence=1)
    hear(UserUpdated(ada, "Old", True, "student", "active"), sequence=1)
    assert row_count("members", "display_name = 'Ada' AND version = 2") == 1
    assert row_count("ledgers") == 1
