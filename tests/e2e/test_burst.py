"""Many messages at once: one award for each member and day, and whoever asks in between is answered.

BURST= for another number of messages (2,000 from 500 members is the whole proof; 200 from 50 by default).
"""

import os
import signal
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import psycopg2
import pytest

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_main_job import available

MESSAGES = int(os.environ.get("BURST") or 200)
MEMBERS = max(1, MESSAGES // 4)
AT_ONCE = 8


def ask(fleet: Fleet, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    password = (fleet.run / "secrets" / "postgres").read_text().strip()
    connection = psycopg2.connect(
        host="127.0.0.1", port=fleet.base, user="postgres", password=password, dbname=database
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()
    finally:
        connection.close()


def crowd(fleet: Fleet, count: int) -> list[str]:
    """People who have just joined."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda number: fleet.discord.join(f"Crowd {number}"), range(count)))


def awards(fleet: Fleet, users: list[str]) -> list[int]:
    """How many awards for messages each of these has."""
    namespace = UUID((fleet.run / "secrets" / "member_namespace").read_text().strip())
    ids = [str(uuid5(namespace, user)) for user in users]
    found = ask(
        fleet,
        "points",
        "SELECT l.member_id::text, count(*) FROM transfers t JOIN ledgers l ON l.id = t.ledger_id"
        " WHERE t.activity = 'discord_activity' AND l.member_id = ANY(%s::uuid[]) GROUP BY 1",
        ids,
    )
    counted = dict(found)
    return [counted.get(each, 0) for each in ids]


@pytest.mark.timeout(600)
def test_a_burst_awards_each_member_once_and_questions_in_between_are_answered(fleet: Fleet):
    users, asker = crowd(fleet, MEMBERS), fleet.discord.join("Somebody who asks")
    fleet.discord.say(asker, "hello")
    eventually(lambda: available(fleet.discord.ask(asker, "points")) == 5, "known")
    began, answered = time.monotonic(), []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(fleet.discord.say, users[number % MEMBERS], "news") for number in range(MESSAGES)]
        while not all(each.done() for each in sent):
            asked = time.monotonic()
            assert available(fleet.discord.ask(asker, "points")) == 5
            answered.append(time.monotonic() - asked)
        for each in sent:
            each.result()
    took = time.monotonic() - began
    eventually(lambda: awards(fleet, users) == [1] * MEMBERS, "everybody has one award", 60)
    days = ask(fleet, "bot", "SELECT count(*) FROM message_days WHERE discord_id = ANY(%s)", users)
    assert days == [(MEMBERS,)], "points was told once of each"
    print(
        f"\nFIGURES messages={MESSAGES} members={MEMBERS} sent_in_s={took:.1f} asked={len(answered)}"
        f" median_s={statistics.median(answered):.3f} max_s={max(answered):.3f}"
    )


def test_what_waits_over_midnight_counts_for_the_day_it_was_written_on(fleet: Fleet):
    """The bot's worker is away while people write before and after midnight, and is back much later."""
    users = crowd(fleet, 5)
    worker = int(fleet.status()["bot-worker"]["pid"])
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    os.kill(worker, signal.SIGSTOP)
    try:
        for user in users:
            for minutes in (-2, -1, 1, 2):
                fleet.discord.say(user, "late", at=(midnight + timedelta(minutes=minutes)).isoformat())
        eventually(
            lambda: ask(fleet, "bot", "SELECT count(*) FROM message_days WHERE discord_id = ANY(%s)", users) == [(10,)],
            "both days of everybody are written down",
        )
        assert awards(fleet, users) == [0] * 5
    finally:
        os.kill(worker, signal.SIGCONT)
    eventually(lambda: awards(fleet, users) == [2] * 5, "one award for each day", 60)
    namespace = UUID((fleet.run / "secrets" / "member_namespace").read_text().strip())
    ids = [str(uuid5(namespace, user)) for user in users]
    days = ask(
        fleet,
        "points",
        "SELECT DISTINCT (t.occurred_at AT TIME ZONE 'UTC')::date FROM transfers t JOIN ledgers l ON l.id = t.ledger_id"
        " WHERE l.member_id = ANY(%s::uuid[])",
        ids,
    )
    assert {day for (day,) in days} == {midnight.date() - timedelta(days=1), midnight.date()}
