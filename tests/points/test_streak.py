"""Streaks: consecutive programme days with an award."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from fleet import settings as fleet_settings
from fleet.contracts.points import Streak
from fleet.database import transaction
from fleet.messages import new_id
from services.points import admin_awards, analytics, deeds

TODAY = date(2026, 3, 18)


def ago(*days: int) -> list[date]:
    return [TODAY - timedelta(days=day) for day in days]


@pytest.mark.parametrize(
    ("days", "current", "longest"),
    [
        ([], 0, 0),
        (ago(0), 1, 1),
        (ago(1), 1, 1),
        (ago(2), 0, 1),
        (ago(2, 1, 0), 3, 3),
        (ago(3, 2, 1), 3, 3),
        (ago(4, 3, 2), 0, 3),
        (ago(9, 8, 7, 6, 2, 1), 2, 4),
        (ago(30, 20, 10, 0), 1, 1),
    ],
)
def test_today_not_yet_counted_does_not_break_it(days, current, longest):
    assert analytics.measure_streak(days, TODAY) == Streak(current, longest, days[-1] if days else None)


def naive(days: set[date], today: date) -> tuple[int, int]:
    """Walk back from today (or yesterday); try every day as a beginning."""

    def run(day: date, step: int) -> int:
        length = 0
        while day in days:
            day, length = day + timedelta(days=step), length + 1
        return length

    current = run(today, -1) or run(today - timedelta(days=1), -1)
    return current, max((run(day, 1) for day in days), default=0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sets(st.integers(0, 40)), st.integers(-3, 3))
def test_it_is_what_walking_day_by_day_says(offsets, shift):
    days = {date(2028, 2, 1) + timedelta(days=offset) for offset in offsets}
    today = max(days, default=TODAY) + timedelta(days=abs(shift))
    found = analytics.measure_streak(sorted(days), today)
    assert (found.current, found.longest) == naive(days, today)
    assert found.last_active == max(days, default=None)


def streak_of(member_id) -> Streak:
    with transaction() as session:
        return analytics.streak(session, member_id)


def test_awards_make_the_days_in_the_programmes_zone(monkeypatch):
    monkeypatch.setenv("PROGRAM_TIMEZONE", "America/New_York")
    fleet_settings.read.cache_clear()
    monkeypatch.setattr(analytics, "now", lambda: datetime(2026, 3, 9, 15, tzinfo=UTC))
    ada = new_id()
    # 7 March 23:30, 8 March 00:30 (the clocks go forward that night) and 9 March 00:10 in New York.
    for day, hour, minute in ((8, 4, 30), (8, 5, 30), (9, 4, 10)):
        at = datetime(2026, 3, day, hour, minute, tzinfo=UTC)
        with transaction() as session:
            deeds.award_deed(session, ada, "discord_activity", at, str(uuid4()))
    assert streak_of(ada) == Streak(3, 3, date(2026, 3, 9))


def test_several_awards_of_a_day_are_one_day(monkeypatch):
    noon = datetime(2026, 3, 18, 12, tzinfo=UTC)
    monkeypatch.setattr(analytics, "now", lambda: noon)
    ada = new_id()
    for code in ("discord_activity", "like_interaction", "resume_upload"):
        with transaction() as session:
            deeds.award_deed(session, ada, code, noon, str(uuid4()))
    assert streak_of(ada) == Streak(1, 1, TODAY)


def test_an_old_id_has_the_streak_of_its_member(member):
    ada, old = member("Ada"), new_id()
    with transaction() as session:
        admin_awards.award_by_admin(session, ada, "peer_mentor", actor=new_id(), points=1, details=None)
        session.execute(text("INSERT INTO aliases (old_id, member_id) VALUES (:old, :new)"), {"old": old, "new": ada})
    assert streak_of(old) == streak_of(ada)
    assert streak_of(old).current == 1


def test_who_never_earned_has_none():
    assert streak_of(new_id()) == Streak(0, 0, None)
