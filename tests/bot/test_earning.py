"""What is told of messages and reactions, and what is not."""

import threading
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from fleet import database
from services.bot import earning
from services.bot.earning import Liked, Sightings, programme_day
from services.bot.people import Person, derived_id

NOON = datetime(2025, 12, 3, 12, tzinfo=UTC)
ASHA, BEN = Person("101", "asha", "Asha"), Person("102", "ben", "Ben")


def wrote(*messages, zone=UTC):
    """Sightings of (person, moment) pairs, the first of each day winning as in the gathering."""
    seen = Sightings()
    for person, at in messages:
        seen.people[person.discord_id] = person
        seen.messages.setdefault((person.discord_id, programme_day(at, zone)), at)
    return seen


def write_down(seen):
    with database.transaction() as session:
        return earning.write_down(session, seen)


def like(person, message_id, at):
    return write_down(Sightings(people={person.discord_id: person}, likes=[Liked(person.discord_id, message_id, at)]))


def logged(outbox, activity):
    return [
        found.data for found in outbox() if found.type == "points.log_activity.v1" and found.data.activity == activity
    ]


def test_d75_of_all_messages_of_a_day_the_first_is_told(bot_database, outbox):
    write_down(wrote((ASHA, NOON), (BEN, NOON)))
    write_down(wrote((ASHA, NOON + timedelta(hours=1))))
    deeds = logged(outbox, "discord_activity")
    assert [(deed.member_id, deed.occurred_at) for deed in deeds] == [
        (derived_id("101"), NOON),
        (derived_id("102"), NOON),
    ]
    assert deeds[0].reference == f"discord_activity:{derived_id('101')}:2025-12-03"


def test_the_same_day_seen_twice_at_once_is_told_once(bot_database, outbox):
    people = [Person(str(1000 + number), f"p{number}", f"P{number}") for number in range(40)]
    barrier = threading.Barrier(4)

    def run(order):
        barrier.wait()
        write_down(wrote(*((person, NOON) for person in order)))

    threads = [threading.Thread(target=run, args=(order,)) for order in (people, people[::-1], people, people[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logged(outbox, "discord_activity")) == 40
    assert len([found for found in outbox() if found.type == "users.register_member.v1"]) == 40


def test_a_backlog_over_midnight_counts_for_each_messages_own_day(bot_database, outbox):
    before, after = datetime(2025, 12, 3, 23, 59, 59, tzinfo=UTC), datetime(2025, 12, 4, 0, 0, 1, tzinfo=UTC)
    write_down(wrote((ASHA, after)))
    write_down(wrote((ASHA, before)))
    assert [deed.occurred_at for deed in logged(outbox, "discord_activity")] == [after, before]


@pytest.mark.parametrize(
    ("zone", "day"),
    [("UTC", date(2025, 12, 3)), ("Asia/Tokyo", date(2025, 12, 4)), ("America/New_York", date(2025, 12, 3))],
)
def test_the_day_is_that_of_the_programme(zone, day):
    assert programme_day(datetime(2025, 12, 3, 20, tzinfo=UTC), ZoneInfo(zone)) == day


def test_days_are_forgotten_a_month_behind_the_newest(bot_database, row_count):
    days = [NOON - timedelta(days=age) for age in (0, 1, 31, 32, 400)]
    write_down(wrote(*((ASHA, at) for at in days)))
    with database.transaction() as session:
        earning.forget_old(session)
    assert row_count("message_days") == 3


def test_d40_a_reaction_is_told_as_one_and_once_an_hour(bot_database, outbox):
    open_again = like(ASHA, "1", NOON)
    assert open_again == {"101": NOON + timedelta(hours=1)}
    assert like(ASHA, "2", NOON + timedelta(minutes=59)) == open_again
    like(BEN, "1", NOON + timedelta(minutes=1))
    like(ASHA, "3", NOON + timedelta(hours=1))
    assert [deed.reference for deed in logged(outbox, "like_interaction")] == [
        f"like_interaction:1:{derived_id('101')}",
        f"like_interaction:1:{derived_id('102')}",
        f"like_interaction:3:{derived_id('101')}",
    ]


def test_reactions_at_once_open_one_hour(bot_database, outbox):
    barrier = threading.Barrier(6)

    def run(number):
        barrier.wait()
        like(ASHA, str(number), NOON)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logged(outbox, "like_interaction")) == 1


def test_nothing_is_told_when_the_transaction_fails(bot_database, outbox, row_count):
    class Interrupted(Exception):
        pass

    with pytest.raises(Interrupted), database.transaction() as session:
        earning.write_down(session, wrote((ASHA, NOON)))
        raise Interrupted
    assert outbox() == []
    assert row_count("message_days") == 0
