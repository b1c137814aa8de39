"""Links as users really makes them, heard by points: in any order, while commands with the old id keep coming."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.contracts.points import LogActivity
from fleet.contracts.users import RegisterMember
from fleet.database import transaction
from fleet.messages import Envelope, decode, envelope_for, new_id, now
from services.points import analytics, checkins, decisions, deeds, feed, submissions, timeline
from services.points.subscriptions import subscriptions
from tests.conftest import SEED
from tests.points.books import BOSS, assert_books_balance, books, earn, link

# 1,000 for a thorough run.
ROUNDS = int(os.environ.get("ROUNDS") or 25)
STAFF = decisions.Actor(BOSS, "admin")


def one(statement: str, **values: Any) -> Any:
    with transaction() as session:
        return session.execute(text(statement), values).scalar_one()


def hear(envelope: Envelope[Any]) -> None:
    with transaction() as session:
        subscriptions.handlers[envelope.type](session, envelope)


class Load:
    """Everything that comes in from Discord and the web while a link is made, and what must have come of it."""

    def __init__(self, discord_born: UUID, web: UUID) -> None:
        self.discord_born, self.web = discord_born, web
        self.stop = threading.Event()
        self.points: list[int] = []
        self.submitted: list[UUID] = []
        self.days: set[int] = set()
        self.lock = threading.Lock()
        self.count = 0

    def day(self) -> int:
        with self.lock:
            self.count += 1
            return self.count

    def at(self, day: int) -> datetime:
        return datetime.combine(now().date() - timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=12)

    def deed(self, day: int) -> Envelope[LogActivity]:
        message = LogActivity(self.discord_born, "discord_activity", self.at(day), f"{self.discord_born}:{day}")
        return envelope_for(message, source="bot")

    def deeds(self) -> None:
        while not self.stop.is_set():
            day = self.day()
            command = self.deed(day)
            hear(command)
            hear(command)
            self.points.append(5)
            self.days.add(day)

    def batches(self) -> None:
        """As the consumer does with those that wait."""
        while not self.stop.is_set():
            days = [self.day() for _ in range(5)]
            commands = [self.deed(day) for day in days]
            with transaction() as session:
                deeds.award_deeds(session, commands)
            self.points += [5] * 5
            self.days |= set(days)

    def claims(self) -> None:
        while not self.stop.is_set():
            with transaction() as session:
                claim = submissions.Claim("thoughtful_reply", description="I answered at length and with care.")
                submitted = submissions.submit(session, self.discord_born, claim)
            self.submitted.append(submitted)
            if len(self.submitted) % 2:
                with transaction() as session:
                    decisions.approve(session, submitted, STAFF)
                self.points.append(25)

    def awards(self) -> None:
        while not self.stop.is_set():
            earn(self.web, 3)
            self.points.append(3)


def test_a_link_under_load_loses_doubles_and_strands_nothing(member):
    """The sum of points is the sum of awards; log, timeline, streak, receipts and feed are whole; the old id has nothing."""
    discord_born, web = new_id(), member("Web")
    load = Load(discord_born, web)
    with ThreadPoolExecutor(6) as pool:
        work = [load.deeds, load.deeds, load.batches, load.claims, load.claims, load.awards]
        running = [pool.submit(each) for each in work]
        for version, owner in enumerate([web, None, web, None, web], start=1):
            time.sleep(0.12)
            if owner is None:
                # Nothing else can tell what is whose between an unlink and the next link, so both ends are one change.
                link(discord_born, web, version + 1)
            link(discord_born, owner, version)
        time.sleep(0.12)
        load.stop.set()
        for each in running:
            each.result(30)
    total = sum(load.points)
    assert books(web) == (total, 0, 0, total)
    for table, column in (("ledgers", "member_id"), ("submissions", "member_id"), ("active_days", "member_id")):
        assert one(f"SELECT count(*) FROM {table} WHERE {column} = :id", id=discord_born) == 0
    log = pages(lambda session, cursor: analytics.points_log(session, web, 100, cursor))
    assert sorted(row.points for row in log) == sorted(load.points)
    stream = pages(lambda session, cursor: feed.page(session, discord_born, 100, cursor))
    assert {row.id for row in stream if row.type == "submission"} == set(load.submitted)
    assert {row.id for row in stream if row.type == "transfer"} == {row.id for row in log}
    assert len(stream) == len(log) + len(load.submitted)
    with transaction() as session:
        for row in log:
            assert analytics.points_log_entry(session, web, row.id) is not None
        shown = timeline.read(session, web, "monthly", 365).summary
        assert shown.opening_points + shown.total_points_earned == total
        today = now().date()
        active = sorted({today - timedelta(days=day) for day in load.days} | {today})
        assert analytics.streak(session, discord_born) == analytics.measure_streak(active, today)
    assert_books_balance()
    print(f"\nFIGURES link_under_load awards={len(load.points)} submissions={len(load.submitted)}")


def pages(read: Callable[[Any, str | None], tuple[list[Any], str | None]]) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = None
    while True:
        with transaction() as session:
            rows, cursor = read(session, cursor)
        found += rows
        if cursor is None:
            return found


@pytest.fixture
def linked_by_users(on, monkeypatch) -> Callable[[int], list["Person"]]:
    """What users records while so many people link and unlink as they like; afterwards this process is points again."""

    def make(rounds: int) -> list[Person]:
        on("users")
        random = Random(SEED)
        people = [Person(number, random) for number in range(rounds)]
        on("points")
        return people

    return make


class Person:
    """Somebody in Discord with two web accounts, and what users told of them in order."""

    def __init__(self, number: int, random: Random) -> None:
        from services.users import accounts, linking
        from services.users.models import Member

        self.born, self.webs = new_id(), [new_id(), new_id()]
        discord_id = str(10**17 + number)
        names = dict(zip(linking.SHOWN, (discord_id, f"p{number}", f"P{number}"), strict=True))
        with transaction() as session:
            session.execute(text("DELETE FROM outbox"))
            accounts.register_from_discord(
                session, RegisterMember(self.born, discord_id, f"p{number}", f"P{number}", now())
            )
            for each in self.webs:
                name = str(each)
                member = Member(id=each, username=name, username_key=name, role="student", status="active")
                session.add(member)
                session.flush()
                accounts.tell_updated(session, member)
        self.first: UUID | None = None
        self.last: UUID | None = None
        for _ in range(random.randint(1, 4)):
            self.last = random.choice(self.webs)
            self.first = self.first or self.last
            with transaction() as session:
                found = linking.lock_link(session, self.born)
                members = linking.lock_members(session, self.born, self.last)
                linking.link(session, found, members[self.last], members[self.born], names)
            if random.random() < 0.2:
                break
            with transaction() as session:
                linking.unlink_own(session, self.last, None)
            self.last = None
        with transaction() as session:
            bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
        told = [decode(bytes(body)) for body in bodies]
        self.told = [event for event in told if event.type in subscriptions.handlers]


def test_what_users_tells_leads_every_point_where_it_belongs_in_any_order(linked_by_users, row_count):
    """Before anything is heard the points go to whom the person linked first; while it is heard, to one of them; after it,
    to the account that is linked, or to the Discord person who began anew. Shuffled, doubled, and three at once."""
    random = Random(SEED)
    started = time.monotonic()
    for person in linked_by_users(ROUNDS):
        earn(person.born, 11)
        deliveries = person.told + random.choices(person.told, k=len(person.told) // 2)
        random.shuffle(deliveries)
        commands: list[Any] = [*deliveries, *[None] * 6]
        random.shuffle(commands)

        def do(event: Envelope[Any] | None, born: UUID = person.born) -> None:
            earn(born, 1) if event is None else hear(event)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(do, commands))
        earn(person.born, 5)
        found = {who: one("SELECT lifetime FROM balances WHERE member_id = :id", id=who) for who in person.webs}
        left = one("SELECT lifetime FROM balances WHERE member_id = :id", id=person.born)
        assert left + sum(found.values()) == 11 + 6 + 5
        if person.last is None:
            assert left >= 5
            assert found[person.first] >= 11
        else:
            assert left == 0, "nothing is stranded on the old id"
            assert found[person.last] >= 5
            assert found[person.first] >= 11
    assert row_count("waiting_link_changes") == 0
    assert row_count("members", "version = 0") == 0
    assert_books_balance()
    print(f"\nFIGURES links_shuffled rounds={ROUNDS} SEED={SEED} seconds={time.monotonic() - started:.1f}")


def test_who_unlinks_does_not_check_in_a_second_time(member):
    web, discord_born = member("Web"), new_id()
    with transaction() as session:
        opening = checkins.Opening(
            "event_attendance", "Careers fair", now() - timedelta(hours=1), now() + timedelta(hours=1), 100
        )
        _, code = checkins.open_one(session, opening, BOSS)
    with transaction() as session:
        checkins.redeem(session, discord_born, code)
    link(discord_born, web)
    link(discord_born, None, 2)
    with pytest.raises(checkins.AlreadyRedeemed), transaction() as session:
        checkins.redeem(session, discord_born, code)
    assert books(discord_born) == (0, 0, 0, 0)
    assert_books_balance()
