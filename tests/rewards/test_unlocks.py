"""Unlocks: once for each member and incentive, told once, whatever points says how often and in which order."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from fleet.contracts.points import ActivityLogged, BalanceJoined, PointsAdjusted
from fleet.contracts.users import ContactChanged, Notifications
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.rewards import catalog_admin, members, unlocks
from services.rewards.subscriptions import subscriptions
from services.rewards.unlocks import Heard
from tests.rewards.conftest import BOSS, mails, told


def keep(member_id, version, available, lifetime=None):
    with transaction() as session:
        unlocks.keep(session, [Heard(member_id, version, available, available if lifetime is None else lifetime)])


def unlocked(reward):
    return [event.data for event in told("incentive_unlocked") if event.data.incentive_id == reward]


def test_the_first_time_points_reach_it_is_told_and_never_again(incentive):
    reward, ada = incentive(points=901), new_id()
    keep(ada, 1, 900)
    assert unlocked(reward) == []
    keep(ada, 2, 901)
    for version, available in ((3, 1000), (4, 10), (5, 2000)):
        keep(ada, version, available)
    assert [(event.member_id, event.points_required) for event in unlocked(reward)] == [(ada, 901)]


def test_an_older_word_that_comes_late_changes_nothing(incentive):
    """Fails without the comparison of versions: a balance of the past would unlock what was never within reach."""
    reward, ada = incentive(points=901), new_id()
    keep(ada, 5, 100)
    keep(ada, 4, 5000)
    keep(ada, 5, 5000)
    assert unlocked(reward) == []
    with transaction() as session:
        assert members.find(session, ada).available == 100


def test_the_level_counts_too(incentive):
    reward, ada = incentive(points=901, min_lifetime_points=2000), new_id()
    keep(ada, 1, 1000, lifetime=1999)
    assert unlocked(reward) == []
    keep(ada, 2, 901, lifetime=2000)
    assert len(unlocked(reward)) == 1


def test_what_is_retired_is_not_unlocked_and_what_is_new_with_the_next_word_of_points(incentive):
    retired, ada = incentive(points=901, is_active=False), new_id()
    keep(ada, 1, 1000)
    fresh = incentive(points=902)
    assert unlocked(fresh) == []
    keep(ada, 2, 1001)
    assert (len(unlocked(fresh)), unlocked(retired)) == (1, [])
    with transaction() as session:
        catalog_admin.change(session, retired, {"is_active": True}, BOSS, None)
    keep(ada, 3, 1002)
    assert len(unlocked(retired)) == 1


def test_a_hundred_crossings_at_once_are_told_once_each(incentive, row_count):
    """I-07: four rewards, one member, a hundred events from eight threads."""
    rewards = [incentive(points=900 + number) for number in range(4)]
    ada = new_id()
    events = [(version, 880 + version) for version in range(1, 101)]
    random.shuffle(events)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: keep(ada, *each), events))
    keep(ada, 101, 2000)
    assert [len(unlocked(reward)) for reward in rewards] == [1, 1, 1, 1]
    assert row_count("unlocks", "incentive_id = ANY(:ids)", ids=rewards) == 4


def test_every_event_that_changes_a_balance_is_heard(hear):
    ada, moment = new_id(), now()
    about = {"occurred_at": moment, "transfer_id": new_id(), "member_id": ada}
    hear(
        ActivityLogged(activity="x", category="other", points=5, rule_version=1, available=5, lifetime=5, **about),
        sequence=1,
    )
    assert found(ada) == (5, 5)
    hear(PointsAdjusted(kind="adjustment", points=5, available=10, lifetime=10, **about), sequence=2)
    assert found(ada) == (10, 10)
    hear(BalanceJoined(ada, 20, 25), sequence=3)
    assert found(ada) == (20, 25)


def found(member_id):
    with transaction() as session:
        member = members.find(session, member_id)
        return member.available, member.lifetime


def test_many_awards_together_do_what_each_alone_would(incentive):
    reward, people = incentive(points=901), [new_id() for _ in range(5)]
    events = []
    for version in range(1, 21):
        who = people[version % 5]
        data = ActivityLogged(who, new_id(), "x", "other", 50, 1, now(), 800 + 10 * version, 5000 + version)
        events.append(envelope_for(data, source="points", sequence=version))
    random.shuffle(events)
    with transaction() as session:
        answers = subscriptions.together["points.activity_logged.v1"](session, events)
    assert answers == [None] * 20
    assert sorted(found(who)[0] for who in people) == [960, 970, 980, 990, 1000]
    assert len(unlocked(reward)) == 5


def test_who_wants_mail_gets_one_letter_for_all_that_one_event_unlocked(incentive, hear):
    first, second = incentive(points=9001, name="Sticker pack"), incentive(points=9002, name="Mug <b>")
    people = {}
    for wants, email in ((True, "ada@example.org"), (False, "bob@example.org"), (True, None)):
        who = people[email] = new_id()
        on, off = Notifications(False, wants, False), Notifications(True, True, True)
        hear(ContactChanged(who, "Europe/Vienna", "en", on, off, email), "users", sequence=1)
        keep(who, 1, 9000)
        with transaction() as session:
            session.execute(text("DELETE FROM mail_queue"))
        keep(who, 2, 9500)
        letters = mails()
        if wants and email:
            [(recipient, subject, body)] = letters
            assert (recipient, subject) == (email, "You can now afford Sticker pack and 1 more")
            assert "Sticker pack (9001 points), Mug <b> (9002 points)" in body
        else:
            assert letters == []
    assert (len(unlocked(first)), len(unlocked(second))) == (3, 3)


def test_the_shop_says_when_it_was_unlocked(incentive, call, member):
    reward, ada = incentive(points=30, name="Only one of this name"), member(available=30)
    items = call("GET", "/api/rewards/available/?q=only one of this", ada).json["items"]
    assert [(item["id"], item["unlocked_at"] is not None) for item in items] == [(str(reward), True)]


@pytest.mark.parametrize("table", ["unlocks"])
def test_the_database_knows_each_unlock_once(table, incentive, member):
    incentive(points=30)
    member(available=30)
    with pytest.raises(Exception, match="pk_unlocks"), transaction() as session:
        session.execute(text("INSERT INTO unlocks SELECT * FROM unlocks"))
