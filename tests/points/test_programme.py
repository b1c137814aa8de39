"""The programme's figures, against a count by hand."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from fleet import settings as fleet_settings
from fleet.database import transaction
from fleet.messages import new_id
from services.points import analytics_schemas, programme
from services.points.models import Balance
from tests.answers import refused
from tests.points.histories import alias, at_time, row, write
from tests.points.test_feed import submit

# A Monday.
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOON - timedelta(days=days)


def read(at: datetime = NOON) -> programme.Programme:
    with at_time(at), transaction() as session:
        return programme.read(session)


@pytest.fixture
def settled() -> Callable[..., None]:
    """Write a member's balance as it would be after what the test says."""

    def write_balance(member_id: UUID, **values: int) -> None:
        with transaction() as session:
            lifetime = sum(values.values())
            session.execute(update(Balance).where(Balance.member_id == member_id).values(lifetime=lifetime, **values))

    return write_balance


def test_an_empty_programme_has_all_figures():
    found = read()
    assert found.members == found.top_activities == []
    assert found.points == programme.Points(0, 0, 0, 0)
    assert found.queue == programme.Queue(0, None, None, None)
    assert [week.date for week in found.weeks] == [date(2026, 9, 7) + timedelta(weeks=n) for n in range(12)]


def test_members_by_role_and_activity(member):
    for name, days in (("Ada", 1), ("Bob", 7), ("Cyd", 8), ("Dan", 30), ("Eve", 31)):
        write([row("award", 5, ago(days))], member(name))
    member("Never")
    write([row("adjustment", 5, ago(1))], member("Corrected"))
    member("Gone", status="erased")
    member("Acme", role="company")
    new = member("New")
    alias(member("Merged"), new)
    assert read().members == [programme.RoleCount("company", 1, 0, 0), programme.RoleCount("student", 8, 2, 4)]


def test_what_is_owed(member, settled):
    settled(member("Ada"), available=100, reserved=30, redeemed=7)
    settled(member("Bob"), available=1)
    assert read().points == programme.Points(issued=138, reserved=30, redeemed=7, outstanding=131)


def test_the_queue_and_its_age():
    for hours in (1, 3, 30):
        submit(new_id(), NOON - timedelta(hours=hours))
    submit(new_id(), ago(9), "approved")
    submit(new_id(), ago(9), "rejected")
    assert read().queue == programme.Queue(3, NOON - timedelta(hours=30), 30 * 3600, 3 * 3600)


def test_top_activities_by_awards():
    ada = write([row("award", 20, ago(1), "resume_upload"), row("award", 5, ago(2), "discord_activity")])
    write([row("award", 5, ago(3), "discord_activity"), row("reversal", 5, ago(2), "discord_activity")])
    write([row("award", 5, ago(31), "like_interaction"), row("adjustment", 900, ago(1))])
    assert ada
    assert read().top_activities == [
        programme.TopActivity("discord_activity", "Daily message", 2, 10, 2),
        programme.TopActivity("resume_upload", "Resume upload", 1, 20, 1),
    ]


def test_weeks_are_iso_weeks_in_the_programmes_zone(monkeypatch):
    monkeypatch.setenv("PROGRAM_TIMEZONE", "America/New_York")
    fleet_settings.read.cache_clear()
    # Sunday 23:30 in New York, and Monday 00:30; between them in the year lies the end of summer time.
    sunday, monday = datetime(2026, 11, 23, 4, 30, tzinfo=UTC), datetime(2026, 11, 23, 5, 30, tzinfo=UTC)
    early = datetime(2026, 10, 26, 4, 0, tzinfo=UTC)
    write([row("award", 1, sunday), row("award", 10, monday), row("hold", 3, monday), row("award", 100, early)])
    write([row("award", 1000, early - timedelta(microseconds=1)), row("adjustment", 4, monday, down=True)])
    found = {week.date: (week.points_earned, week.points_redeemed, week.active_members) for week in read().weeks}
    assert found[date(2026, 11, 23)] == (6, 3, 1)
    assert found[date(2026, 11, 16)] == (1, 0, 1)
    assert found[date(2026, 10, 26)] == (100, 0, 1)
    assert found[date(2026, 10, 19)] == (1000, 0, 1)


class TestOverHttp:
    @pytest.fixture
    def get(self, keys, client) -> Callable[..., Any]:
        return lambda role, **query: client.get(
            "/api/analytics/programme/", headers=keys.bearer(new_id(), role), query_string=query
        )

    def test_admins_see_it_as_described(self, get, member):
        write([row("award", 5, datetime.now(UTC), "peer_mentor")], member("Ada"))
        submit(new_id(), datetime.now(UTC))
        answer = analytics_schemas.Programme().load(get("admin").json)
        assert len(answer["weeks"]) == 12
        assert answer["queue"]["pending"] == len(answer["members"]) == len(answer["top_activities"]) == 1

    @pytest.mark.parametrize("role", ["student", "company", "university", "ghost"])
    def test_nobody_else_does(self, get, role):
        refused(get(role), 403, "forbidden")

    def test_it_takes_no_parameters_in_vain(self, get):
        assert get("admin").status_code == 200
