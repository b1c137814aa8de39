"""Merges and unlinks: nothing lost, nothing counted twice, in any order with anything else that comes."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked, UserRegistered, UserUpdated
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from services.points import (
    activities,
    admin_awards,
    analytics,
    awards,
    corrections,
    deeds,
    holds,
    leaderboard,
    ledger,
    members,
    submissions,
)
from services.points.subscriptions import subscriptions
from tests.conftest import SEED
from tests.locks import until_it_waits
from tests.points.books import (
    BOSS,
    NOON,
    adjust,
    assert_books_balance,
    books,
    earn,
    link,
    place,
    release,
    told,
)


@pytest.fixture
def hear() -> Callable[..., None]:
    """`hear(message)` as a consumer does, each in a transaction of its own."""

    def apply(message: Any) -> None:
        envelope = envelope_for(message, source="users")
        with transaction() as session:
            subscriptions.handlers[envelope.type](session, envelope)

    return apply


# 1,000 and more for a thorough run.
ROUNDS = int(os.environ.get("ROUNDS") or 25)


def one(statement: str, **values: Any) -> Any:
    with transaction() as session:
        return session.execute(text(statement), values).scalar_one()


def test_everything_follows_and_no_transfer_is_written(member, row_count):
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 0, at=NOON)
    earn(discord_born, 0, at=NOON + timedelta(days=1))
    earn(discord_born, 90)
    earn(web, 0, at=NOON)
    held = place(discord_born, 30).redemption_id
    adjusted = adjust(discord_born, 2000).adjustment.id
    with transaction() as session:
        claim = submissions.Claim("thoughtful_reply", description="I answered at length and with care.")
        submitted = submissions.submit(session, discord_born, claim)
    before = row_count("transfers")
    link(discord_born, web)
    assert row_count("transfers") == before
    assert (books(web), books(discord_born)) == ((75, 30, 0, 105), (75, 30, 0, 105))
    assert one("SELECT lifetime FROM balances WHERE member_id = :id", id=discord_born) == 0
    for table, key, row in (
        ("holds", "redemption_id", held),
        ("adjustments", "id", adjusted),
        ("submissions", "id", submitted),
    ):
        assert one(f"SELECT member_id FROM {table} WHERE {key} = :row", row=row) == web
    assert one("SELECT points FROM scores WHERE board = 'all_time' AND member_id = :id", id=web) == 105
    assert one("SELECT points FROM scores WHERE board = 'week:2026-03-02' AND member_id = :id", id=web) == 15
    assert one("SELECT used FROM allowances WHERE member_id = :id AND period = 'day:2026-03-04'", id=web) == 2
    assert row_count("scores", "member_id = :id", id=discord_born) == 0
    with transaction() as session:
        streak = analytics.streak(session, discord_born)
        log, _ = analytics.points_log(session, discord_born, 50, None)
        place_ = leaderboard.own_place(session, leaderboard.View(viewer=discord_born))
    assert streak.longest == 2
    assert len(log) == before
    assert place_ is not None
    assert place_.points == 105
    assert_books_balance()


def test_the_board_keeps_the_later_time_and_shows_as_the_web_member_does(member):
    discord_born, web = member("Born"), member("Web", show_in_leaderboard=False)
    earn(discord_born, 0, at=NOON + timedelta(hours=2))
    earn(web, 0, at=NOON)
    link(discord_born, web)
    with transaction() as session:
        rows = session.execute(text("SELECT * FROM scores WHERE board = 'all_time'")).all()
    assert [(row.member_id, row.points, row.reached_at, row.shown) for row in rows] == [
        (web, 10, NOON + timedelta(hours=2), False)
    ]
    assert_books_balance()


def test_a_cooldown_and_a_cap_hold_for_both_together(member):
    discord_born, web = new_id(), member("Web")

    def like(member_id: UUID, minutes: int) -> None:
        with transaction() as session:
            at = NOON + timedelta(minutes=minutes)
            deeds.award_deed(session, member_id, "like_interaction", at, f"like {member_id} {minutes}")

    like(discord_born, 30)
    like(web, 0)
    earn(web, 0, at=NOON)
    link(discord_born, web)
    with pytest.raises(ledger.LimitReached):
        like(web, 75)
    like(discord_born, 90)
    with pytest.raises(ledger.LimitReached):
        earn(discord_born, 0, at=NOON)
    assert_books_balance()


def test_merging_again_changes_nothing(member, row_count):
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 10)
    for _ in range(3):
        link(discord_born, web)
    assert books(web) == (10, 0, 0, 10)
    assert row_count("links", "version = 1") == 1
    assert len(told("balance_joined")) == 1
    assert_books_balance()


def test_both_words_for_a_link_are_one_change(hear, member):
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 10)
    hear(DiscordLinked(web, discord_born, 1))
    hear(AccountsMerged(discord_born, web, 1))
    earn(discord_born, 5)
    assert books(web) == (15, 0, 0, 15)
    assert_books_balance()


def test_a_merge_of_two_of_whom_nothing_is_known():
    discord_born, web = new_id(), new_id()
    link(discord_born, web)
    earn(discord_born, 7)
    assert books(web) == (7, 0, 0, 7)
    assert_books_balance()


def test_the_version_goes_on_so_that_no_consumer_takes_a_new_event_for_an_old_one(member):
    discord_born, web = new_id(), member("Web")
    for _ in range(5):
        earn(discord_born, 1)
    earn(web, 1)
    link(discord_born, web)
    earn(web, 1)
    link(discord_born, None, 2)
    earn(discord_born, 1)
    earn(web, 1)
    versions: dict[str, list[int]] = {}
    for event in told("points."):
        versions.setdefault(str(event.subject), []).append(event.sequence or 0)
    assert versions == {str(discord_born): [1, 2, 3, 4, 5, 7, 8], str(web): [1, 6, 7, 8]}


def test_an_unlink_leaves_what_was_earned_and_begins_anew(member, row_count):
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 10)
    link(discord_born, web)
    earn(discord_born, 5)
    link(discord_born, None, 2)
    assert (books(web), books(discord_born)) == ((15, 0, 0, 15), (0, 0, 0, 0))
    earn(discord_born, 3)
    assert (books(web), books(discord_born)) == ((15, 0, 0, 15), (3, 0, 0, 3))
    assert row_count("ledgers", "member_id = :id AND is_current", id=discord_born) == 1
    assert row_count("aliases") == 0
    assert_books_balance()


def test_a_second_link_takes_only_what_was_earned_since(member):
    discord_born, first, second = new_id(), member("First"), member("Second")
    for version, (web, points) in enumerate([(first, 10), (None, 0), (second, 7)], start=1):
        if web:
            earn(discord_born, points)
        link(discord_born, web, version)
    assert (books(first), books(second)) == ((10, 0, 0, 10), (7, 0, 0, 7))
    assert_books_balance()


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_changes_of_a_link_are_applied_in_their_order_however_they_arrive(order, member, row_count):
    """Fails without the waiting changes: the second web member would get what the first one's person had earned."""
    discord_born, first, second = new_id(), member("First"), member("Second")
    earn(discord_born, 10)
    changes = {1: first, 2: None, 3: second}
    for version in order:
        link(discord_born, changes[version], version)
        link(discord_born, changes[version], version)
    earn(discord_born, 7)
    assert (books(first), books(second)) == ((10, 0, 0, 10), (7, 0, 0, 7))
    assert row_count("waiting_link_changes") == 0
    assert_books_balance()


def test_users_events_of_the_old_id_may_come_after_the_merge(hear, member, row_count):
    discord_born, web = new_id(), member("Web")
    link(discord_born, web)
    hear(UserRegistered(discord_born, "student", "discord", now()))
    with transaction() as session:
        members.apply_update(session, UserUpdated(discord_born, "Born", True, "student", "active"), 1)
    assert row_count("ledgers", "member_id = :id", id=discord_born) == 0
    earn(discord_born, 5)
    assert books(web) == (5, 0, 0, 5)
    assert_books_balance()


COMMANDS: dict[str, Callable[[Any, UUID], Any]] = {
    "deed": lambda session, who: deeds.award_deed(session, who, "discord_activity", NOON, "one message"),
    "award": lambda session, who: admin_awards.award_by_admin(
        session, who, "peer_mentor", actor=BOSS, points=5, details=None
    ),
    "adjustment": lambda session, who: corrections.adjust(session, who, 5, "so", actor=BOSS),
    "hold": lambda session, who: holds.place(session, new_id(), who, 5, None),
    "submission": lambda session, who: submissions.submit(
        session, who, submissions.Claim("thoughtful_reply", description="I answered at length and with care.")
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_waited_for_a_merge_lands_on_the_new_member(command, member):
    """Fails without the second look under the lock: it would write to the balance that the merge has emptied."""
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 50)

    def late() -> None:
        with transaction() as session:
            COMMANDS[command](session, discord_born)

    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            # The merge has the locks, and commits when the command already waits for them with the old id in hand.
            from services.points import merging

            merging.change_link(session, discord_born, 1, web)
            waiting = pool.submit(late)
            until_it_waits()
        waiting.result(10)
    assert one("SELECT lifetime FROM balances WHERE member_id = :id", id=discord_born) == 0
    expected = {"hold": (45, 5, 0, 50), "submission": (50, 0, 0, 50)}
    assert books(web) == expected.get(command, (55, 0, 0, 55))
    assert one("SELECT count(*) FROM submissions WHERE member_id = :id", id=discord_born) == 0
    assert_books_balance()


def test_deeds_that_waited_for_a_merge_land_on_the_new_member(member):
    """Some of the same batch are the new member's own."""
    from fleet.contracts.points import LogActivity
    from services.points import merging

    discord_born, web = new_id(), member("Web")
    earn(discord_born, 50)

    def late() -> list[Any]:
        with transaction() as session:
            told = [LogActivity(who, "discord_activity", NOON, f"message of {who}") for who in (discord_born, web)]
            return deeds.award_deeds(session, [envelope_for(each, source="bot") for each in told])

    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            merging.change_link(session, discord_born, 1, web)
            waiting = pool.submit(late)
            until_it_waits()
        first, second = waiting.result(10)
    assert (first.awarded, first.available) == (True, 55)
    assert isinstance(second, ledger.LimitReached), "both are the day's message of one member now"
    assert books(web) == (55, 0, 0, 55)
    assert_books_balance()


def test_no_award_is_written_for_who_was_merged_away(member):
    """The last guard, should somebody award without the lock: nothing is written, and the transaction may not commit."""
    discord_born, web = new_id(), member("Web")
    earn(discord_born, 50)
    link(discord_born, web)
    with pytest.raises(awards.MergedMeanwhile), transaction() as session:
        rule = activities.rules(session)["discord_activity"]
        awards.write(session, [awards.Award(discord_born, rule, 5, "late", NOON, 0, 0, 1)])
    assert books(web) == (50, 0, 0, 50)
    assert_books_balance()


def test_while_commands_with_the_old_id_keep_coming_nothing_is_lost(member):
    """Merge under load: the sum of points is the sum of awards, all with the one it belongs to, nothing on the old id."""
    discord_born, web = new_id(), member("Web")
    stop, made = threading.Event(), []

    def work(number: int) -> None:
        while not stop.is_set():
            earn(discord_born if number % 4 else web, 3)
            made.append(3)
            if number == 1:
                release(place(discord_born, 2).redemption_id, discord_born)

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work, number) for number in range(8)]
        time.sleep(0.3)
        link(discord_born, web)
        time.sleep(0.3)
        stop.set()
        for future in futures:
            future.result()
    assert books(web) == (sum(made), 0, 0, sum(made))
    assert one("SELECT count(*) FROM ledgers WHERE member_id = :id", id=discord_born) == 0
    assert_books_balance()


def test_many_rounds_of_linking_and_unlinking_in_shuffled_and_doubled_delivery(hear, member):
    """Each round: earn, link, earn, unlink, and now and then to another account; users' events come shuffled, doubled,
    and three at once. In the end everything is with the one whose it was when it was earned, or with the Discord person."""
    random = Random(SEED)
    for _ in range(ROUNDS):
        discord_born, webs = new_id(), [member("One"), member("Two")]
        changes: list[Any] = []
        earn(discord_born, 11)
        last: UUID | None = None
        first: UUID | None = None
        for round_ in range(random.randint(1, 4)):
            last = random.choice(webs)
            first = first or last
            changes += [
                AccountsMerged(discord_born, last, 2 * round_ + 1),
                DiscordLinked(last, discord_born, 2 * round_ + 1),
            ]
            if random.random() < 0.8:
                changes.append(DiscordUnlinked(last, discord_born, 2 * round_ + 2))
                last = None
            else:
                break
        changes += random.choices(changes, k=len(changes) // 2)
        random.shuffle(changes)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(hear, changes))
        earn(discord_born, 5)
        expected = dict.fromkeys([*webs, discord_born], 0)
        assert first is not None
        expected[first] += 11
        expected[last or discord_born] += 5
        kept = {who: one("SELECT lifetime FROM balances WHERE member_id = :id", id=who) for who in expected}
        assert kept == expected
    assert_books_balance()


def test_a_lost_predecessor_is_noticed(member):
    from services.points import verify

    link(new_id(), member("Web"), 2)
    assert_books_balance()
    with transaction() as session:
        session.execute(text("UPDATE waiting_link_changes SET arrived_at = now() - interval '1 hour'"))
    with transaction() as session:
        differing = [each.check for each in verify.findings(session) if each.differing]
    assert differing == ["no change of a link waits for a lost predecessor"]
