"""Points after a restore: nobody takes its new events for stale ones, and everybody learns what members have."""

from sqlalchemy import text

from fleet import restoring
from fleet.contracts.points import ActivityLogged, BalanceJoined
from fleet.database import transaction
from fleet.messages import decode
from fleet.restoring import STEP
from tests.points.books import assert_books_balance, books, earn
from tests.told_anew import raise_all, told_anew


def test_the_next_award_has_a_version_that_nobody_has_seen(member):
    ada = member()
    earn(ada, 5)
    with transaction() as session:
        before = session.scalar(text("SELECT version FROM balances"))
        session.execute(text("DELETE FROM outbox"))
    assert raise_all("points") == 1
    earn(ada, 7)
    with transaction() as session:
        told = [decode(bytes(body)) for body in session.scalars(text("SELECT body FROM outbox"))]
    assert [event.sequence for event in told if isinstance(event.data, ActivityLogged)] == [before + STEP + 1]
    assert books(ada)[0] == 12
    assert_books_balance()


def test_what_each_member_has_is_told_page_by_page(member, monkeypatch):
    who = sorted(member(f"Member {number}") for number in range(5))
    for points, member_id in enumerate(who, 1):
        earn(member_id, points)
    monkeypatch.setattr(restoring, "AT_ONCE", 2)
    told = told_anew("points")
    assert [event.data for event in told] == [BalanceJoined(each, n, n) for n, each in enumerate(who, 1)]
    with transaction() as session:
        versions = dict(session.execute(text("SELECT member_id, version FROM balances")).all())
    assert {event.data.member_id: event.sequence for event in told} == versions
