"""Merges: redemptions, limits and unlocks follow the member, in any order with everything else."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fleet.contracts.points import BalanceJoined, PointsHeld
from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked
from fleet.database import transaction
from fleet.messages import new_id
from services.rewards import members, merging, redemptions
from tests.locks import until_it_waits
from tests.rewards.conftest import state, told, where


def link(old, new, version=1):
    with transaction() as session:
        merging.change_link(session, old, version, new)


def owners(*redemption_ids):
    return {state(each).member_id for each in redemption_ids}


def test_what_was_the_old_members_is_the_new_ones(incentive, pending, request_, member, call):
    reward, old, new = incentive(stock=None), member(available=100), member("Web", available=50)
    made, asked, own = pending(reward, old), request_(reward, old).id, pending(reward, new)
    link(old, new)
    assert owners(made, asked, own) == {new}
    history = call("GET", "/api/redemptions/history/", new).json["items"]
    assert {item["id"] for item in history} == {str(made), str(asked), str(own)}


def test_a_command_with_the_old_id_lands_on_the_new_member(incentive, request_, member):
    reward, old, new = incentive(), member(), member("Web")
    link(old, new)
    assert request_(reward, old).member_id == new
    assert told("place_hold")[-1].data.member_id == new


def test_the_limit_counts_what_both_have_had(incentive, request_, member):
    reward, old, new = incentive(per_member_limit=2), member(), member("Web")
    request_(reward, old)
    request_(reward, new)
    link(old, new)
    for who in (old, new):
        with pytest.raises(redemptions.LimitReached):
            request_(reward, who)


def test_points_words_with_either_id_move_the_redemption_on(incentive, request_, member, hear):
    reward, old, new = incentive(stock=None), member(), member("Web")
    first, second = request_(reward, old).id, request_(reward, old).id
    hear(PointsHeld(first, new, 60, 40, 100), sequence=8)
    link(old, new)
    hear(PointsHeld(second, old, 60, 40, 100), sequence=9)
    assert (where(first)[0], where(second)[0]) == ("pending", "pending")
    assert {event.data.member_id for event in told("reward_redeemed")} == {old, new}


def test_unlocks_are_joined_and_not_told_again(incentive, member, hear):
    reward, old, new = incentive(points=901), member(available=1000), member("Web", available=1000)
    assert len([e for e in told("incentive_unlocked") if e.data.incentive_id == reward]) == 2
    link(old, new)
    hear(BalanceJoined(new, 2000, 2000), sequence=7)
    hear(BalanceJoined(old, 1500, 1500), sequence=6)
    assert len([e for e in told("incentive_unlocked") if e.data.incentive_id == reward]) == 2
    with transaction() as session:
        assert members.find(session, old).id == new


def test_after_an_unlink_the_old_id_begins_with_nothing(incentive, request_, pending, member, hear):
    reward, old, new = incentive(points=901, stock=None), member(available=1000), member("Web")
    made = pending(reward, old)
    link(old, new)
    link(old, None, 2)
    assert owners(made) == {new}
    with transaction() as session:
        assert (members.resolve(session, old), members.find(session, old).available) == (old, 0)
    assert request_(reward, old).member_id == old
    hear(BalanceJoined(old, 0, 0), sequence=20)
    hear(BalanceJoined(old, 950, 950), sequence=21)
    assert (
        len([e for e in told("incentive_unlocked") if e.data.incentive_id == reward and e.data.member_id == old]) == 2
    )


def test_a_request_that_waited_for_the_merge_goes_where_the_id_leads_now(incentive, member):
    """Fails without the shared lock of the member: the redemption would stay with an id that is nobody's."""
    reward, old, new = incentive(), member(), member("Web")
    made = []

    def late():
        with transaction() as session:
            made.append(redemptions.request(session, old, reward).id)

    waiting = threading.Thread(target=late)
    with transaction() as session:
        merging.change_link(session, old, 1, new)
        waiting.start()
        until_it_waits()
    waiting.join(10)
    assert owners(*made) == {new}


def test_under_load_nothing_stays_behind(incentive, member, row_count):
    reward, old, new = incentive(stock=None), member(), member("Web")
    stop = threading.Event()

    def ask(number):
        count = 0
        while not stop.is_set():
            with transaction() as session:
                redemptions.request(session, old if number % 2 else new, reward)
            count += 1
        return count

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(ask, number) for number in range(6)]
        time.sleep(0.2)
        link(old, new)
        time.sleep(0.2)
        stop.set()
        made = sum(each.result() for each in asking)
    assert row_count("redemptions", "member_id = :id", id=old) == 0
    assert row_count("redemptions", "member_id = :id", id=new) == made


def test_changes_in_any_order_and_number_end_where_users_ended(hear, incentive, request_, member):
    """Linked, unlinked, linked elsewhere ...: shuffled and doubled, each is applied once, in users' order."""
    reward = incentive(stock=None)
    for _ in range(15):
        old, webs = new_id(), [member("One"), member("Two")]
        first = request_(reward, old).id
        changes, last, owner = [], None, None
        for round_ in range(random.randint(1, 3)):
            last = random.choice(webs)
            owner = owner or last
            changes += [AccountsMerged(old, last, 2 * round_ + 1), DiscordLinked(last, old, 2 * round_ + 1)]
            if random.random() < 0.7:
                changes.append(DiscordUnlinked(last, old, 2 * round_ + 2))
                last = None
            else:
                break
        changes += random.choices(changes, k=2)
        random.shuffle(changes)
        for change in changes:
            hear(change, "users")
        assert owners(first) == {owner}
        with transaction() as session:
            assert members.resolve(session, old) == (last or old)
        assert request_(reward, old).member_id == (last or old)
