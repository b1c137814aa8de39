"""The burst, and what happens when the database is away just then."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from services.bot import gathering as module
from services.bot.gathering import Gathering
from services.bot.people import Person

NOON = datetime(2025, 12, 3, 12, tzinfo=UTC)


def person(number):
    return Person(str(1000 + number), f"user{number}", f"User {number}")


def logged(outbox):
    return [found.data.reference for found in outbox() if found.type == "points.log_activity.v1"]


@pytest.fixture
def transactions(monkeypatch):
    """How many transactions were made, and a switch that makes the next ones fail."""
    real = module.transact

    class Counter:
        made = 0
        failures: list = []

        async def __call__(self, work, *arguments):
            self.made += 1
            if self.failures:
                raise self.failures.pop(0)
            return await real(work, *arguments)

    counter = Counter()
    counter.failures = []
    monkeypatch.setattr(module, "transact", counter)
    monkeypatch.setattr(module, "PAUSE_S", (0.01, 0.02))
    return counter


def away():
    return OperationalError("", {}, Exception("server closed the connection"))


async def running(gathering, play):
    task = asyncio.create_task(gathering.run())
    await play()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return await gathering.close(5)


def test_a_burst_costs_few_transactions_and_loses_nothing(bot_database, transactions, outbox):
    gathering = Gathering(UTC)

    async def play():
        for number in range(2000):
            gathering.wrote(person(number % 500), NOON + timedelta(seconds=number))
            if number % 100 == 0:
                await asyncio.sleep(0.005)

    assert asyncio.run(running(gathering, play))
    assert len(logged(outbox)) == 500
    assert transactions.made < 50
    made = transactions.made
    gathering.wrote(person(3), NOON + timedelta(hours=2))
    asyncio.run(gathering.write())
    assert transactions.made == made


def test_what_is_seen_while_the_database_is_away_is_kept(bot_database, transactions, outbox):
    gathering = Gathering(UTC)
    transactions.failures = [away() for _ in range(5)]

    async def play():
        for number in range(30):
            gathering.wrote(person(number), NOON)
            await asyncio.sleep(0.003)

    assert asyncio.run(running(gathering, play))
    assert len(logged(outbox)) == 30


def test_the_end_of_the_process_writes_down_what_was_gathered(bot_database, outbox):
    gathering = Gathering(UTC)

    async def end():
        gathering.wrote(person(1), NOON)
        gathering.liked(person(2), "9", NOON)
        return await gathering.close(5)

    assert asyncio.run(end())
    assert len(logged(outbox)) == 2


def test_an_end_during_an_outage_is_admitted(bot_database, transactions):
    gathering = Gathering(UTC)
    transactions.failures = [away() for _ in range(500)]

    async def end():
        gathering.wrote(person(1), NOON)
        return await gathering.close(0.2)

    assert asyncio.run(end()) is False


def test_one_sighting_that_cannot_be_written_does_not_hold_the_others(bot_database, outbox):
    gathering = Gathering(UTC)

    async def play():
        for number in range(5):
            gathering.wrote(person(number), NOON)
        gathering.wrote(Person("666", "bad\x00name", "no database takes this"), NOON)
        await gathering.write()

    asyncio.run(play())
    assert len(logged(outbox)) == 5


def test_a_restart_does_not_tell_a_day_again(bot_database, outbox):
    for _ in range(2):
        gathering = Gathering(UTC)
        gathering.wrote(person(1), NOON)
        asyncio.run(gathering.write())
    assert len(logged(outbox)) == 1


def test_d40_a_restart_does_not_lengthen_the_pause_between_reactions(bot_database, outbox):
    first = Gathering(UTC)
    first.liked(person(1), "1", NOON)
    asyncio.run(first.write())
    second = Gathering(UTC)
    second.liked(person(1), "2", NOON + timedelta(minutes=50))
    asyncio.run(second.write())
    assert not second.may_like(person(1).discord_id, NOON + timedelta(minutes=59))
    assert second.may_like(person(1).discord_id, NOON + timedelta(minutes=60))
    assert len(logged(outbox)) == 1


def test_a_person_known_already_is_written_down_again_only_when_renamed(bot_database, transactions):
    gathering = Gathering(UTC)
    for name, made in (("Asha", 1), ("Asha", 1), ("Renamed", 2), ("Renamed", 2)):
        gathering.saw(Person("1", "asha", name))
        asyncio.run(gathering.write())
        assert transactions.made == made
