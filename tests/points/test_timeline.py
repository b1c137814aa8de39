"""The timeline: every figure against a recomputation row by row, and the days on which the clocks change."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from fleet import settings as fleet_settings
from fleet.database import engine, transaction
from fleet.messages import new_id
from services.points import analytics_schemas, ledger, timeline
from tests.answers import pointers, refused
from tests.points.histories import ZONES, Row, alias, at_time, histories, row, times_of, write

SLOW = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def zoned(monkeypatch) -> Callable[[str], ZoneInfo]:
    """`zoned("Europe/Berlin")` is the programme's zone from now on."""

    def move(name: str) -> ZoneInfo:
        monkeypatch.setenv("PROGRAM_TIMEZONE", name)
        fleet_settings.read.cache_clear()
        return ZoneInfo(name)

    return move


def read(member_id, granularity="daily", days=30, at: datetime | None = None) -> timeline.Timeline:
    with at_time(at or datetime.now(UTC)), transaction() as session:
        return timeline.read(session, member_id, granularity, days)


# --- The recomputation: plain Python over the rows, with nothing of the service's ---

SIGNS = {
    ("issued", "available"): ("earned", 1),
    ("available", "issued"): ("earned", -1),
    ("available", "reserved"): ("redeemed", 1),
    ("reserved", "available"): ("redeemed", -1),
    ("redeemed", "available"): ("redeemed", -1),
    ("reserved", "redeemed"): ("nothing", 0),
}


def bucket_key(day: date, granularity: str) -> tuple[int, ...]:
    if granularity == "daily":
        return (day.toordinal(),)
    return tuple(day.isocalendar())[:2] if granularity == "weekly" else (day.year, day.month)


def first_day(key: tuple[int, ...], granularity: str) -> date:
    if granularity == "daily":
        return date.fromordinal(key[0])
    return date.fromisocalendar(*key, 1) if granularity == "weekly" else date(*key, 1)


def percentage(now: int, before: int) -> float | None:
    if before == 0:
        return None
    exact = Decimal(now - before) / Decimal(abs(before)) * 100
    return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


def recomputed(rows: list[Row], zone: ZoneInfo, present: datetime, granularity: str, days: int) -> list[dict[str, Any]]:
    today = present.astimezone(zone).date()
    every_day = [today - timedelta(days=back) for back in range(days + 70, -1, -1)]
    opening_key = bucket_key(today - timedelta(days=days - 1), granularity)
    keys = sorted({bucket_key(day, granularity) for day in every_day})
    own = {}
    for r in rows:
        # What a fast clock dated into tomorrow counts as now.
        key = min(bucket_key(r.at.astimezone(zone).date(), granularity), keys[-1])
        own.setdefault(key, []).append(r)

    def total(found: list[Row], what: str) -> int:
        return sum(r.points * SIGNS[r.debit, r.credit][1] for r in found if SIGNS[r.debit, r.credit][0] == what)

    answer = []
    for before, key in itertools.pairwise(keys):
        if key < opening_key:
            continue
        mine, until = own.get(key, []), [r for k, found in own.items() if k <= key for r in found]
        earned, earned_before = total(mine, "earned"), total(own.get(before, []), "earned")
        answer.append(
            {
                "date": first_day(key, granularity),
                "points_earned": earned,
                "points_redeemed": total(mine, "redeemed"),
                "net_points": earned - total(mine, "redeemed"),
                "cumulative_points": total(until, "earned") - total(until, "redeemed"),
                "activities_count": sum(r.kind == "award" for r in mine),
                "redemptions_count": sum(r.kind == "hold" for r in mine)
                - sum(r.kind in ("release", "refund") for r in mine),
                "change": earned - earned_before,
                "percentage": percentage(earned, earned_before),
            }
        )
    return answer


def flat(found: timeline.Timeline) -> list[dict[str, Any]]:
    answer = []
    for item in found.items:
        values = dict(vars(item))
        trend = values.pop("trend")
        assert trend.direction == ("up" if trend.change > 0 else "down" if trend.change < 0 else "neutral")
        answer.append(values | {"change": trend.change, "percentage": trend.percentage})
    return answer


@pytest.mark.parametrize("name", ZONES)
@SLOW
@given(data=st.data())
def test_every_figure_is_what_the_rows_say(zoned, name, data):
    zone = zoned(name)
    present = data.draw(times_of(zone))
    rows = data.draw(histories(present, zone))
    member = write(rows)
    granularity = data.draw(st.sampled_from(timeline.GRANULARITIES))
    days = data.draw(st.one_of(st.integers(1, 40), st.sampled_from([1, 7, 90, 365, 730])))
    found = read(member, granularity, days, present)
    expected = recomputed(rows, zone, present, granularity, days)
    assert flat(found) == expected
    summary = found.summary
    assert summary.total_points_earned == sum(item["points_earned"] for item in expected)
    assert summary.total_points_redeemed == sum(item["points_redeemed"] for item in expected)
    assert summary.net_points_change == expected[-1]["cumulative_points"] - summary.opening_points
    assert summary.opening_points == expected[0]["cumulative_points"] - expected[0]["net_points"]
    today = present.astimezone(zone).date()
    assert summary.total_days == (today - expected[0]["date"]).days + 1 >= days
    assert summary.average_daily_points == round(summary.total_points_earned / summary.total_days, 1)
    best = max(item["net_points"] for item in expected)
    dates = [item["date"] for item in expected if item["net_points"] == best]
    assert summary.most_active_date == (dates[0] if best > 0 else None)


@pytest.mark.parametrize("name", ZONES)
@settings(SLOW, max_examples=50)
@given(data=st.data())
def test_the_last_cumulative_is_all_that_ever_moved(zoned, name, data):
    zone = zoned(name)
    present = data.draw(times_of(zone))
    rows = data.draw(histories(present, zone))
    member = write(rows)
    balance = sum(r.points for r in rows if r.credit == "available") - sum(
        r.points for r in rows if r.debit == "available"
    )
    for granularity in timeline.GRANULARITIES:
        assert read(member, granularity, 5, present).items[-1].cumulative_points == balance


class TestDays:
    @pytest.mark.parametrize(
        ("name", "day", "hours"),
        [
            ("America/New_York", date(2026, 3, 8), 23),
            ("America/New_York", date(2026, 11, 1), 25),
            ("Europe/Berlin", date(2026, 3, 29), 23),
            ("Europe/Berlin", date(2026, 10, 25), 25),
            ("Asia/Kolkata", date(2026, 3, 29), 24),
            ("America/Havana", date(2026, 3, 8), 23),
            ("America/Santiago", date(2026, 9, 6), 23),
        ],
    )
    def test_a_day_is_as_long_as_the_clocks_make_it(self, zoned, name, day, hours):
        zone = zoned(name)
        start = datetime(2026, day.month, day.day, 12, tzinfo=zone).astimezone(UTC) - timedelta(hours=20)
        moments = [start + timedelta(minutes=30 * n) for n in range(100)]
        member = write([row("award", 1, moment) for moment in moments])
        present = datetime(2026, day.month, day.day, 23, 59, tzinfo=zone).astimezone(UTC) + timedelta(days=1)
        found = {item.date: item.points_earned for item in read(member, "daily", 3, present).items}
        assert found[day] == 2 * hours
        assert found[day] == sum(moment.astimezone(zone).date() == day for moment in moments)

    def test_iso_weeks_and_calendar_months_begin_where_they_begin(self, zoned):
        zoned("UTC")
        present = datetime(2027, 1, 2, 9, tzinfo=UTC)
        member = write([row("award", 7, datetime(2026, 12, 28, tzinfo=UTC)), row("award", 5, present)])
        weeks = read(member, "weekly", 14, present).items
        assert [item.date for item in weeks] == [date(2026, 12, 14), date(2026, 12, 21), date(2026, 12, 28)]
        assert [item.points_earned for item in weeks] == [0, 0, 12]
        months = read(member, "monthly", 33, present).items
        assert [item.date for item in months] == [date(2026, 12, 1), date(2027, 1, 1)]
        assert [item.cumulative_points for item in months] == [7, 12]

    def test_the_first_week_is_whole(self, zoned):
        zoned("UTC")
        friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
        member = write([row("award", 9, datetime(2026, 11, 16, tzinfo=UTC))])
        found = read(member, "weekly", 1, friday)
        assert [(item.date, item.points_earned) for item in found.items] == [(date(2026, 11, 16), 9)]
        assert found.summary.total_days == 5


class TestExamples:
    PRESENT = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def ago(self, days: int) -> datetime:
        return self.PRESENT - timedelta(days=days)

    def test_a_redemption_that_comes_back_is_taken_off_where_it_came_back(self):
        rows = [
            row("award", 100, self.ago(5)),
            row("hold", 60, self.ago(3)),
            row("capture", 60, self.ago(2)),
            row("refund", 60, self.ago(1)),
        ]
        items = read(write(rows), "daily", 6, self.PRESENT).items
        assert [item.points_redeemed for item in items] == [0, 0, 60, 0, -60, 0]
        assert [item.redemptions_count for item in items] == [0, 0, 1, 0, -1, 0]
        assert [item.cumulative_points for item in items] == [100, 100, 40, 40, 100, 100]

    def test_the_opening_is_right_after_a_refund(self):
        # The older products counted a rejected redemption and opened at 150.
        rows = [row("award", 150, self.ago(2)), row("hold", 150, self.ago(1)), row("release", 150, self.ago(1))]
        found = read(write(rows), "daily", 3, self.PRESENT)
        assert found.summary.opening_points == 0
        assert found.items[-1].cumulative_points == 150

    def test_the_trend_of_the_first_bucket_knows_the_one_before(self):
        rows = [row("award", 40, self.ago(2)), row("award", 50, self.ago(1)), row("award", 20, self.ago(0))]
        trends = [item.trend for item in read(write(rows), "daily", 2, self.PRESENT).items]
        assert [(trend.change, trend.percentage, trend.direction) for trend in trends] == [
            (10, 25.0, "up"),
            (-30, -60.0, "down"),
        ]

    def test_who_never_earned_has_all_buckets_all_empty(self):
        found = read(new_id(), "daily", 730, self.PRESENT)
        assert len(found.items) == 730
        assert {item.cumulative_points for item in found.items} == {0}
        assert {item.trend.percentage for item in found.items} == {None}

    def test_merged_members_have_all_their_ledgers_by_any_of_their_ids(self):
        rows = [row("award", 5, self.ago(40), ledger=0), row("award", 7, self.ago(1), ledger=1)]
        member = write(rows)
        old = alias(new_id(), member)
        for id_ in (member, old):
            assert [item.cumulative_points for item in read(id_, "daily", 3, self.PRESENT).items] == [5, 12, 12]

    def test_others_do_not_count(self):
        write([row("award", 99, self.PRESENT)])
        assert read(write([]), "daily", 1, self.PRESENT).items[0].points_earned == 0

    def test_it_is_one_statement(self):
        member = write([row("award", 5, self.PRESENT)])
        statements = []
        event.listen(engine(), "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
        read(member, "monthly", 730, self.PRESENT)
        assert len(statements) == 1


@pytest.fixture
def get(keys, client) -> Callable[..., Any]:
    def send(member_id=None, role="student", **query: Any) -> Any:
        headers = keys.bearer(member_id or new_id(), role)
        return client.get("/api/points/timeline/", headers=headers, query_string=query)

    return send


class TestOverHttp:
    def test_the_answer_is_as_described(self, get):
        answer = get(write([row("award", 5, datetime.now(UTC))]), granularity="weekly", days=20).json
        assert analytics_schemas.Timeline().load(answer)["items"][-1]["points_earned"] == 5
        assert answer["granularity"] == "weekly"
        assert answer["next_cursor"] is None

    def test_by_default_it_is_thirty_days(self, get):
        answer = get()
        assert len(answer.json["items"]) == 30
        assert answer.headers["Cache-Control"] == "no-store"

    def test_an_award_of_a_moment_ago_is_there(self, get, member):
        ada = member("Ada")
        get(ada)
        with transaction() as session:
            ledger.award_by_admin(session, ada, "peer_mentor", actor=new_id(), points=33, details=None)
        assert get(ada).json["items"][-1]["points_earned"] == 33

    @pytest.mark.parametrize("days", ["0", "731", "-1", "x", "", "1.5", "1e2", "100000000000", "٣", "9" * 40, " 7"])
    def test_days_beyond_measure_are_refused(self, get, days):
        assert pointers(get(days=days)) == ["/days"]

    @pytest.mark.parametrize("granularity", ["hourly", "", "DAILY", "daily "])
    def test_unknown_granularities_are_refused(self, get, granularity):
        assert pointers(get(granularity=granularity)) == ["/granularity"]

    def test_unknown_parameters_are_refused(self, get):
        assert pointers(get(period="7days")) == ["/period"]
        assert pointers(get(user="me")) == ["/user"]

    def test_only_admins_see_that_of_others(self, get):
        ada = write([row("award", 5, datetime.now(UTC))])
        for role in ("student", "company", "university"):
            refused(get(role=role, user=ada), 403, "forbidden")
        assert get(role="admin", user=ada).json["items"][-1]["points_earned"] == 5
        assert get(ada, user=ada).status_code == 200
