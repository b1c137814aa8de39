"""What points knows of members: users' events in any order, the newest wins."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from services.points import ledger, members
from services.points.models import Member


def known(member_id) -> Member:
    with transaction() as session:
        return session.get_one(Member, member_id)


def test_everything_that_is_told_is_kept(member):
    ada = member("Ada", 3, role="company", status="suspended", track="tech", university="ETH", graduation_year=2030)
    found = known(ada)
    assert (found.display_name, found.role, found.status, found.version) == ("Ada", "company", "suspended", 3)
    assert (found.track, found.university, found.graduation_year) == ("tech", "ETH", 2030)


def test_an_older_event_that_comes_late_changes_nothing(member):
    ada = member("New", 3, show_in_leaderboard=False, role="admin")
    member("Old", 2, member_id=ada)
    member("Twice", 3, member_id=ada)
    found = known(ada)
    assert (found.display_name, found.show_in_leaderboard, found.role, found.version) == ("New", False, "admin", 3)


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_any_order_ends_in_the_newest(order, member):
    ada = new_id()
    for version in order:
        member(f"Version {version}", version, member_id=ada, track=f"track {version}")
    assert (known(ada).display_name, known(ada).track) == ("Version 3", "track 3")


def test_twenty_at_once_end_in_the_newest(member):
    ada = new_id()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda version: member(f"Version {version}", version, member_id=ada), range(1, 21)))
    assert (known(ada).display_name, known(ada).version) == ("Version 20", 20)


def test_a_field_may_become_empty_again(member):
    ada = member("Ada", track="tech", university="ETH")
    member("Ada", 2, member_id=ada)
    assert (known(ada).track, known(ada).university) == (None, None)


def test_whoever_registers_has_one_ledger_however_often_it_is_told(row_count):
    ada = new_id()

    def hear(_: int) -> None:
        with transaction() as session:
            members.register(session, ada)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(hear, range(10)))
    assert row_count("ledgers") == row_count("balances") == row_count("members") == 1
    assert (known(ada).display_name, known(ada).version) == (None, 0)


def test_an_old_id_makes_no_second_member(member, row_count):
    ada, old = member("Ada"), new_id()
    with transaction() as session:
        session.execute(text("INSERT INTO aliases (old_id, member_id) VALUES (:old, :new)"), {"old": old, "new": ada})
    with transaction() as session:
        members.register(session, old)
        assert ledger.resolve(session, old) == ada
    assert row_count("members") == 1
