"""Rates of accounts: exact among many at once, and over when their time is over."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from fleet import rates
from fleet.database import transaction
from fleet.problems import TooManyRequests
from fleet.rates import Rate
from tests.conftest import ROOT

RATE = Rate("tries", 10, 60)


@pytest.fixture(autouse=True)
def users(on: Callable[[str], Any]) -> None:
    on("users")


def take(key: str = "ada", rate: Rate = RATE) -> int:
    with transaction() as session:
        return rates.take(session, rate, key)


def left(key: str = "ada", rate: Rate = RATE) -> int:
    with transaction() as session:
        return rates.wait(session, rate, key)


def test_as_many_as_the_rate_allows_and_then_the_seconds_to_wait():
    assert [take() for _ in range(10)] == [0] * 10
    assert 58 <= take() <= 60
    assert 58 <= left() <= 60


def test_looking_counts_nothing():
    assert [left() for _ in range(50)] == [0] * 50
    assert take() == 0


def test_keys_and_rates_are_apart():
    for _ in range(11):
        take()
    assert take("bob") == 0
    assert take(rate=Rate("others", 10, 60)) == 0


def test_fifty_at_once_get_exactly_the_rate():
    for attempt in range(4):
        with ThreadPoolExecutor(50) as pool:
            waits = list(pool.map(lambda _, key=f"ada{attempt}": take(key), range(50)))
        assert waits.count(0) == 10


def test_a_hit_that_is_given_back_was_none():
    for _ in range(20):
        with transaction() as session:
            assert rates.take(session, RATE, "ada") == 0
            rates.give_back(session, RATE, "ada")
    with transaction() as session:
        rates.give_back(session, RATE, "ada")
        rates.give_back(session, RATE, "nobody")
    assert [take() for _ in range(10)] == [0] * 10
    assert take() > 0


def test_of_fifty_who_give_back_only_when_right_no_more_are_looked_at_than_the_rate_allows():
    looked_at = []

    def wrong(_number: int) -> None:
        with transaction() as session:
            if rates.take(session, RATE, "eve") == 0:
                looked_at.append(1)

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(wrong, range(50)))
    assert len(looked_at) == 10


def test_a_window_that_is_over_begins_anew_and_is_swept():
    for _ in range(11):
        take()
    with transaction() as session:
        session.execute(text("UPDATE rate_windows SET ends_at = now() - interval '1 second'"))
    assert left() == 0
    with ThreadPoolExecutor(30) as pool:
        assert list(pool.map(lambda _: take(), range(30))).count(0) == 10
    with transaction() as session:
        session.execute(text("UPDATE rate_windows SET ends_at = now() - interval '1 second'"))
        assert rates.sweep(session) == 1
        assert rates.sweep(session) == 0


def test_what_is_typed_is_not_kept(row_count):
    take("my secret password")
    assert row_count("rate_windows", "encode(key, 'escape') LIKE '%secret%'") == 0
    assert row_count("rate_windows") == 1


def test_a_refusal_says_when_to_come_back():
    rates.refuse(0, "later")
    with pytest.raises(TooManyRequests) as caught:
        rates.refuse(7, "later")
    assert caught.value.headers == {"Retry-After": "7"}


# Its own process with its own connections: what another replica is.
REPLICA = """
import sys
from concurrent.futures import ThreadPoolExecutor
from fleet import rates
from fleet.database import transaction
from fleet.rates import Rate

def take(_):
    with transaction() as session:
        return rates.take(session, Rate("tries", 10, 60), "everybody")

sys.stdout.write("ready\\n"); sys.stdout.flush(); sys.stdin.readline()
with ThreadPoolExecutor(13) as pool:
    print(list(pool.map(take, range(13))).count(0))
"""


def test_fifty_at_once_in_four_processes_get_exactly_the_rate():
    command = [sys.executable, "-c", REPLICA]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    replicas = [subprocess.Popen(command, **pipes) for _ in range(4)]
    assert [replica.stdout.readline() for replica in replicas] == ["ready\n"] * 4
    for replica in replicas:
        replica.stdin.write("go\n")
        replica.stdin.flush()
    assert sum(int(replica.communicate(timeout=30)[0]) for replica in replicas) == 10
