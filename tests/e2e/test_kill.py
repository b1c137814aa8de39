"""Any process may be killed at any time: the fleet heals by itself and the books still balance."""

import os
import signal

import psycopg2
import pytest

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_main_job import available

KILLED = ["points-consumer", "points-relay", "bot-worker", "bot-client", "users-worker", "postgres", "rabbitmq"]


@pytest.mark.parametrize("part", KILLED)
def test_messages_around_a_kill_are_counted_once(fleet: Fleet, part: str):
    before = fleet.discord.join()
    during = fleet.discord.join()
    fleet.discord.say(before, "before")
    pid = int(fleet.status()[part]["pid"])
    os.kill(pid, signal.SIGKILL)
    if part != "bot-client":
        # What is said while the bot itself is away, Discord does not tell it afterwards.
        fleet.discord.say(during, "while it is down")
    eventually(lambda: is_back(fleet, part, pid), f"{part} is back", 60)
    fleet.discord.say(during, "when it is back")
    for user in (before, during):
        eventually(lambda: points(fleet, user) == 5, f"5 points after {part} was killed", 60)  # noqa: B023
    assert wrong_balances(fleet) == []


def is_back(fleet: Fleet, part: str, old_pid: int) -> bool:
    row = fleet.status().get(part, {})
    return row.get("state") == "healthy" and row.get("pid") not in (None, str(old_pid))


def points(fleet: Fleet, user: str) -> int | None:
    """What /points says; None while something does not answer yet."""
    try:
        return available(fleet.discord.ask(user, "points"))
    except (AssertionError, IndexError, ValueError, KeyError):
        return None


def wrong_balances(fleet: Fleet) -> list[tuple]:
    """Balances that are not the sum of their transfers."""
    password = (fleet.run / "secrets" / "postgres").read_text().strip()
    connection = psycopg2.connect(
        host="127.0.0.1", port=fleet.base, user="postgres", password=password, dbname="points"
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.member_id FROM balances b LEFT JOIN (SELECT l.member_id,"
            " sum(t.points * ((t.credit = 'available')::int - (t.debit = 'available')::int)) AS available,"
            " sum(t.points * ((t.debit = 'issued')::int - (t.credit = 'issued')::int)) AS lifetime"
            " FROM transfers t JOIN ledgers l ON l.id = t.ledger_id GROUP BY 1) s USING (member_id)"
            " WHERE b.available <> coalesce(s.available, 0) OR b.lifetime <> coalesce(s.lifetime, 0)"
        )
        found = cursor.fetchall()
    connection.close()
    return found
