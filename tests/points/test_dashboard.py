"""The dashboard: every figure against a recomputation row by row, fresh, and each member's own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from fleet.contracts.rewards import IncentiveChanged
from fleet.database import transaction
from fleet.messages import envelope_for, new_id
from services.points import admin_awards, analytics_schemas, dashboard, figures, holds, leaderboard
from services.points.figures import PERIODS, Trend
from services.points.models import ShopPrice
from services.points.subscriptions import subscriptions
from tests.answers import pointers, refused
from tests.points.books import earn
from tests.points.histories import ZONES, Row, alias, at_time, histories, row, times_of, write

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CATEGORY = {
    "peer_mentor": "engagement",
    "linkedin_post": "social",
    "resume_upload": "professional",
    "discord_activity": "engagement",
    None: None,
}


def read(member_id, period="30days", at: datetime = NOON) -> dashboard.Dashboard:
    with at_time(at), transaction() as session:
        return dashboard.read(session, member_id, period)


# --- The recomputation: plain Python over the rows, with nothing of the service's ---


def available(rows: list[Row]) -> int:
    return sum(r.points if r.credit == "available" else -r.points for r in rows if "available" in (r.credit, r.debit))


def earned(rows: list[Row]) -> int:
    up = [r.points for r in rows if r.kind == "award" or (r.kind == "adjustment" and r.credit == "available")]
    down = [r.points for r in rows if r.kind == "reversal" or (r.kind == "adjustment" and r.debit == "available")]
    return sum(up) - sum(down)


def redeemed(rows: list[Row]) -> int:
    worth = {"hold": 1, "release": -1, "refund": -1}
    return sum(r.points * worth.get(r.kind, 0) for r in rows)


def window(rows: list[Row], start: datetime, end: datetime | None) -> dict[str, int]:
    inside = [r for r in rows if r.at >= start and (end is None or r.at < end)]
    return {
        "total_points": available([r for r in rows if end is None or r.at < end]),
        "points_earned": earned(inside),
        "points_redeemed": redeemed(inside),
        "activities_completed": len([r for r in inside if r.kind == "award"]),
    }


def expected_trend(now: int, before: int) -> Trend:
    if now == before:
        return Trend(0, None if before == 0 else 0.0, "neutral")
    share = None
    if before:
        share = float((Decimal(100 * (now - before)) / abs(before)).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return Trend(now - before, share, "up" if now > before else "down")


def shares(rows: list[Row], name: Callable[[str | None], str | None]) -> list[tuple[str | None, int, int]]:
    """(code, points, awards), largest first, of what came from or went to `issued`."""
    issues = [r for r in rows if "issued" in (r.debit, r.credit)]
    found = []
    for code in {name(r.activity) for r in issues}:
        mine = [r for r in issues if name(r.activity) == code]
        found.append((code, earned(mine), sum(r.kind == "award" for r in mine)))
    return sorted(found, key=lambda share: (-share[1], share[0] or ""))


@pytest.mark.parametrize("name", ZONES)
@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_every_figure_is_what_the_rows_say(name, data):
    present = data.draw(times_of(ZoneInfo(name)))
    period = data.draw(st.sampled_from(list(PERIODS)))
    length = timedelta(days=int(period.removesuffix("days")))
    rows = data.draw(histories(present, ZoneInfo(name), near=(length, 2 * length)))
    found = read(write(rows), period, present)

    current, previous = window(rows, present - length, None), window(rows, present - 2 * length, present - length)
    assert vars(found.current_period) == current | {"start_date": present - length, "end_date": present}
    assert vars(found.previous_period) == previous | {
        "start_date": present - 2 * length,
        "end_date": present - length,
    }
    assert found.trends == {name: expected_trend(current[name], previous[name]) for name in current}
    inside = [r for r in rows if r.at >= present - length]
    by_type = [(s.code, s.points_earned, s.activities_completed) for s in found.breakdown.by_type]
    by_category = [(s.code, s.points_earned, s.activities_completed) for s in found.breakdown.by_category]
    assert by_type == shares(inside, lambda code: code)
    assert by_category == shares(inside, CATEGORY.__getitem__)
    assert sum(points for _, points, _ in by_type) == current["points_earned"]


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
@example(-400, -500)
@example(100, -500)
@example(1, 8)
@example(2001, 2000)
@example(1999, 2000)
@example(200_001, 200_000 * 2)
def test_trends_are_as_defined(now, before):
    assert figures.trend(now, before) == expected_trend(now, before)


def test_a_negative_previous_is_a_rise_when_it_ends():
    # The older products answered +500, -100 %, "up".
    assert figures.trend(0, -500) == Trend(500, 100.0, "up")


class TestExamples:
    def test_who_never_earned(self):
        found = read(new_id())
        assert found.current_period.total_points == found.previous_period.points_earned == 0
        assert set(found.trends.values()) == {Trend(0, None, "neutral")}
        assert found.breakdown.by_type == found.breakdown.by_category == []
        assert (found.streak.current, found.rank, found.next_unlock) == (0, None, None)

    def test_the_instant_a_window_begins_with_is_in_it(self):
        tick = timedelta(microseconds=1)
        start = NOON - timedelta(days=7)
        rows = [row("award", 1, start), row("award", 10, start - tick), row("award", 100, NOON - timedelta(days=14))]
        found = read(write(rows), "7days")
        assert (found.current_period.points_earned, found.previous_period.points_earned) == (1, 110)

    def test_a_redemption_that_was_declined_leaves_no_trace_in_the_end(self):
        rows = [row("award", 500, NOON - timedelta(days=8))]
        rows += [row("hold", 300, NOON - timedelta(days=2)), row("release", 300, NOON - timedelta(days=1))]
        found = read(write(rows), "7days")
        assert (found.current_period.points_redeemed, found.current_period.total_points) == (0, 500)
        assert found.trends["total_points"] == Trend(0, 0.0, "neutral")

    def test_a_reversed_award_is_an_activity_without_points(self):
        rows = [row("award", 20, NOON, "resume_upload"), row("reversal", 20, NOON, "resume_upload")]
        found = read(write(rows))
        assert (found.current_period.points_earned, found.current_period.activities_completed) == (0, 1)
        assert vars(found.breakdown.by_type[0]) == {
            "code": "resume_upload",
            "name": "Resume upload",
            "points_earned": 0,
            "activities_completed": 1,
        }

    def test_corrections_have_a_name_of_their_own(self):
        found = read(write([row("adjustment", 20, NOON, down=True)]))
        assert [(s.code, s.name, s.points_earned) for s in found.breakdown.by_type] == [(None, "Corrections", -20)]
        assert found.breakdown.by_category == found.breakdown.by_type

    def test_all_ledgers_of_a_merged_member_count_by_any_id(self):
        member = write([row("award", 5, NOON, ledger=0), row("award", 7, NOON, ledger=2)])
        assert read(alias(new_id(), member)).current_period.points_earned == 12

    def test_what_a_fast_clock_dated_ahead_counts_as_now(self):
        found = read(write([row("award", 5, NOON + timedelta(minutes=4))]))
        assert (found.current_period.points_earned, found.current_period.total_points) == (5, 5)


class TestRankAndStreak:
    def test_they_are_those_of_the_leaderboard_and_of_the_days(self, member):
        ada, bob, eve = member("Ada"), member("Bob"), member("Eve", show_in_leaderboard=False)
        boss, new = member("Boss", role="admin"), member("New")
        with transaction() as session:
            for who, points in ((ada, 5), (bob, 50), (eve, 20), (boss, 99)):
                admin_awards.award_by_admin(session, who, "peer_mentor", actor=new_id(), points=points, details=None)
        with transaction() as session:
            for who, rank in ((ada, 2), (bob, 1), (eve, 2), (boss, None), (new, 3), (new_id(), None)):
                place = leaderboard.own_place(session, leaderboard.View(viewer=who))
                found = dashboard.read(session, who, "30days")
                assert found.rank == (place.rank if place else None) == rank
            assert dashboard.read(session, ada, "30days").streak.current == 1


@pytest.fixture
def get(keys, client) -> Callable[..., Any]:
    def send(member_id=None, role="student", **query: Any) -> Any:
        headers = keys.bearer(member_id or new_id(), role)
        return client.get("/api/dashboard/stats/", headers=headers, query_string=query)

    return send


class TestOverHttp:
    @pytest.mark.parametrize("role", ["student", "company", "university", "admin"])
    def test_the_answer_is_as_described(self, get, role):
        member = write([row("award", 5, datetime.now(UTC), "peer_mentor")])
        answer = get(member, role)
        assert analytics_schemas.Dashboard().load(answer.json)["current_period"]["points_earned"] == 5
        assert answer.json["period"] == "30days"
        assert answer.json["current_period"]["end_date"].endswith("Z")
        assert answer.headers["Cache-Control"] == "no-store"

    def test_it_is_never_stale(self, get, member):
        ada = member("Ada")
        for count in range(1, 13):
            with transaction() as session:
                admin_awards.award_by_admin(session, ada, "peer_mentor", actor=new_id(), points=10, details=None)
            answer = get(ada, period="7days").json
            assert answer["current_period"]["points_earned"] == answer["current_period"]["total_points"] == 10 * count
            assert answer["streak"]["current"] == 1

    @pytest.mark.parametrize("period", ["7", "", "365days", "30DAYS", "7days ", "all_time"])
    def test_unknown_periods_are_refused(self, get, period):
        assert pointers(get(period=period)) == ["/period"]

    def test_there_is_nobody_elses(self, get):
        assert pointers(get(role="admin", user=str(new_id()))) == ["/user"]

    def test_a_role_that_is_none_sees_nothing(self, get):
        refused(get(role="ghost"), 403, "forbidden")


def told(price: int, version: int = 1, *, incentive_id: UUID | None = None, is_active: bool = True) -> UUID:
    """Rewards tells what a reward costs."""
    incentive_id = incentive_id or new_id()
    change = "created" if version == 1 else "changed"
    event = IncentiveChanged(incentive_id, change, price, "merchandise", is_active, NOON)  # type: ignore[arg-type]
    envelope = envelope_for(event, source="rewards", subject=str(incentive_id), sequence=version)
    with transaction() as session:
        subscriptions.handlers[envelope.type](session, envelope)
    return incentive_id


def next_of(member_id: UUID) -> tuple[UUID, int, int] | None:
    found = read(member_id).next_unlock
    return found and (found.incentive_id, found.points_required, found.points_missing)


class TestNextUnlock:
    def test_it_is_the_cheapest_reward_that_costs_more_than_is_available(self):
        member_id = new_id()
        near, far = told(40), told(100)
        assert next_of(member_id) == (near, 40, 40)
        earn(member_id, 25)
        assert next_of(member_id) == (near, 40, 15)
        earn(member_id, 15)
        assert next_of(member_id) == (far, 100, 60), "what can be afforded is not missing"
        with transaction() as session:
            holds.place(session, new_id(), member_id, 1, None)
        assert next_of(member_id) == (near, 40, 1), "what is reserved is not available"
        earn(member_id, 100)
        assert next_of(member_id) is None

    def test_a_retired_reward_is_no_aim_and_one_that_comes_back_is(self):
        member_id, reward = new_id(), told(40)
        told(40, 2, incentive_id=reward, is_active=False)
        assert next_of(member_id) is None
        told(30, 3, incentive_id=reward)
        assert next_of(member_id) == (reward, 30, 30)

    def test_an_older_word_that_comes_late_changes_nothing(self):
        member_id, reward = new_id(), told(50, 3)
        told(20, 2, incentive_id=reward)
        told(50, 3, incentive_id=reward)
        assert next_of(member_id) == (reward, 50, 50)

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(prices=st.lists(st.integers(1, 60), max_size=8), worth=st.integers(1, 60))
    def test_it_is_what_a_look_through_the_whole_shop_finds(self, prices, worth):
        with transaction() as session:
            session.execute(delete(ShopPrice))
        shop = [(price, told(price)) for price in prices]
        member_id = new_id()
        earn(member_id, worth)
        aims = sorted((price, str(incentive_id)) for price, incentive_id in shop if price > worth)
        found = next_of(member_id)
        assert (found and (found[1], str(found[0]), found[2])) == ((*aims[0], aims[0][0] - worth) if aims else None)

    def test_it_is_shown_over_http(self, call, member):
        ada = member()
        reward = told(40)
        shown = call("GET", "/api/dashboard/stats/", ada).json["next_unlock"]
        assert shown == {"incentive_id": str(reward), "points_required": 40, "points_missing": 40}
