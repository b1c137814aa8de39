"""`points verify` finds every damage and nothing else, also under load; `points rebuild` mends all of it."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from uuid import UUID

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from fleet import settings
from fleet.database import transaction
from fleet.messages import new_id
from services.points import deeds, ledger, rebuild, verify
from tests.conftest import ROOT, SEED
from tests.points.books import (
    NOON,
    adjust,
    assert_books_balance,
    books,
    capture,
    earn,
    link,
    place,
    refund,
    release,
    reverse,
)


@pytest.fixture
def lively(member) -> list[UUID]:
    """Four members with something of everything."""
    ada, bob, web, born = member("Ada"), member("Bob"), member("Web"), new_id()
    for day in range(0, 60, 7):
        for who in (ada, bob, born):
            earn(who, 0, at=NOON + timedelta(days=day))
    with transaction() as session:
        deeds.award_deed(session, ada, "like_interaction", NOON, "like")
    undone = earn(ada, 100)
    earn(bob, 300)
    adjust(bob, -20)
    adjust(ada, 2000)
    kept, given_back = place(bob, 50).redemption_id, place(bob, 60).redemption_id
    place(bob, 9999)
    place(ada, 10)
    capture(kept)
    release(given_back, bob)
    release(new_id(), ada)
    paid_back = place(bob, 30).redemption_id
    capture(paid_back)
    refund(paid_back, 20)
    reverse(undone)
    link(born, web)
    earn(born, 5)
    return [ada, bob, web, born]


@pytest.fixture
def damage(on, postgres):
    """`damage(sql)` as an owner of the database would do it, past every constraint."""

    def apply(statement: str) -> None:
        connection = psycopg2.connect(postgres.server_url.rsplit("/", 1)[0] + "/points")
        with connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE balances DROP CONSTRAINT IF EXISTS ck_balances_sum")
            cursor.execute(statement)
            assert cursor.rowcount
        connection.close()

    yield apply
    connection = psycopg2.connect(postgres.server_url.rsplit("/", 1)[0] + "/points")
    with connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE balances CASCADE")
        cursor.execute("ALTER TABLE balances DROP CONSTRAINT IF EXISTS ck_balances_sum")
        cursor.execute(
            "ALTER TABLE balances ADD CONSTRAINT ck_balances_sum CHECK (available + reserved + redeemed = lifetime)"
        )
    connection.close()


def differing() -> set[str]:
    with transaction() as session:
        verify.snapshot(session)
        return {each.check.split(" ")[0] for each in verify.findings(session) if each.differing}


def test_a_lively_history_balances(lively):
    with transaction() as session:
        found = verify.findings(session)
    assert not any(each.differing for each in found), verify.table(found)
    unseen = {each.check for each in found if not each.rows}
    assert unseen == {
        "approved submissions = their awards",
        "no change of a link waits for a lost predecessor",
    }


DAMAGES = [
    ("UPDATE balances SET available = available + 1, lifetime = lifetime + 1 WHERE lifetime > 0", {"balances"}, True),
    ("UPDATE balances SET reserved = reserved + 1 WHERE lifetime > 0", {"balances", "holds"}, True),
    ("DELETE FROM balances WHERE lifetime > 0", {"balances", "holds"}, True),
    ("UPDATE scores SET points = points + 1 WHERE board = 'all_time'", {"all-time"}, True),
    ("UPDATE scores SET points = points + 1 WHERE board LIKE 'week%'", {"weekly"}, True),
    ("UPDATE scores SET reached_at = reached_at + interval '1 s' WHERE board LIKE 'month%'", {"monthly"}, True),
    ("UPDATE scores SET shown = NOT shown WHERE board = 'all_time'", {"all-time"}, True),
    ("DELETE FROM scores", {"all-time", "weekly", "monthly"}, True),
    ("INSERT INTO scores SELECT 'week:1999-01-04', id, 5, now(), false FROM members", {"weekly"}, True),
    ("UPDATE active_days SET day = day + 1", {"active"}, True),
    ("DELETE FROM active_days", {"active"}, True),
    ("UPDATE allowances SET used = used + 1", {"allowances"}, True),
    ("DELETE FROM allowances", {"allowances"}, True),
    ("UPDATE cooldowns SET last_at = last_at + interval '1 h'", {"cooldowns"}, True),
    ("DELETE FROM cooldowns", {"cooldowns"}, True),
    ("UPDATE rank_counts SET members = members + 1", {"rank"}, True),
    ("DELETE FROM rank_deltas", {"rank"}, True),
    ("UPDATE holds SET points = points + 1 WHERE state = 'held'", {"holds"}, False),
    ("DELETE FROM holds", {"holds"}, False),
    ("UPDATE transfers SET points = points + 1 WHERE kind = 'reversal'", {"reversals", "balances"}, False),
    ("UPDATE adjustments SET points = points + 1 WHERE status = 'applied'", {"applied"}, False),
    ("UPDATE ledgers SET is_current = false", {"ledgers:"}, False),
]


@pytest.mark.parametrize(("statement", "checks", "mendable"), DAMAGES)
def test_every_damage_is_found_and_mended(statement, checks, mendable, lively, damage):
    from services.points import ranks

    with transaction() as session:
        ranks.fold(session)
    earn(lively[0], 5)
    kept = [books(member_id) for member_id in lively]
    assert differing() == set()
    damage(statement)
    found = differing()
    assert checks <= found
    if not mendable:
        return
    assert found <= checks | {"balances", "rank"}
    with transaction() as session:
        rebuild.rebuild(session)
    assert differing() == set()
    assert [books(member_id) for member_id in lively] == kept


def test_everything_at_once_is_mended_and_goes_on(lively, damage):
    kept = [books(member_id) for member_id in lively]
    for table in ("balances", "scores", "active_days", "allowances", "cooldowns", "rank_counts", "rank_deltas"):
        damage(f"WITH gone AS (DELETE FROM {table}) SELECT 1")
    with transaction() as session:
        rebuild.rebuild(session)
    assert differing() == set()
    assert [books(member_id) for member_id in lively] == kept
    with pytest.raises(ledger.LimitReached):
        earn(lively[0], 0, at=NOON)
    for member_id in lively:
        earn(member_id, 1)
    assert_books_balance()


def test_a_restored_balance_has_a_version_beyond_all_it_had(lively, damage):
    with transaction() as session:
        before = session.execute(text("SELECT max(version) FROM balances")).scalar_one()
    damage("DELETE FROM balances WHERE lifetime > 0")
    with transaction() as session:
        rebuild.rebuild(session)
        least = session.execute(text("SELECT min(version) FROM balances WHERE lifetime > 0")).scalar_one()
    assert least > before


def test_a_reversal_counts_when_its_award_did_also_after_a_rebuild(member):
    ada = member()
    reverse(earn(ada, 0, at=NOON))
    with transaction() as session:
        rebuild.rebuild(session)
        rows = session.execute(text("SELECT board, points FROM scores ORDER BY board")).all()
    assert [tuple(row) for row in rows] == [("all_time", 0), ("month:2026-03-01", 0), ("week:2026-03-02", 0)]


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Auckland", "Europe/Berlin"])
def test_days_weeks_and_months_are_those_of_the_zone_also_on_the_days_the_clocks_change(zone, monkeypatch, member):
    monkeypatch.setenv("PROGRAM_TIMEZONE", zone)
    settings.read.cache_clear()
    random, who = Random(SEED), [member(), new_id()]
    for _ in range(120):
        hours = random.randint(0, 24 * 400)
        with transaction() as session:
            deed = (session, random.choice(who), "like_interaction", NOON + timedelta(hours=hours - 6000), str(hours))
            try:
                deeds.award_deed(*deed)
            except ledger.LimitReached:
                continue
    assert_books_balance()


def test_it_only_reads(lively):
    with pytest.raises(InternalError, match="read-only"), transaction() as session:
        verify.snapshot(session)
        verify.findings(session)
        session.execute(text("DELETE FROM allowances"))


def test_all_checks_see_one_instant(lively):
    """What commits while it runs is seen by none of them. Fails without the snapshot."""
    with transaction() as session:
        verify.snapshot(session)
        first = verify.findings(session)
        earn(lively[0], 5)
        earn(new_id(), 0, at=NOON)
        assert verify.findings(session) == first
    with transaction() as session:
        assert verify.findings(session) != first


def test_it_is_right_under_load(lively):
    stop = threading.Event()

    def work(number: int) -> None:
        random = Random(SEED + number)
        while not stop.is_set():
            who = random.choice(lively)
            earn(who, 3)
            release(place(who, 2).redemption_id, who)

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(work, number) for number in range(4)]
        found = [differing() for _ in range(25)]
        stop.set()
        for future in futures:
            future.result()
    assert found == [set()] * 25


def test_a_rebuild_keeps_writers_out_and_loses_nothing(lively):
    stop, made = threading.Event(), []
    ada = lively[0]
    before = books(ada)[3]

    def work() -> None:
        while not stop.is_set():
            earn(ada, 3)
            made.append(3)

    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(work) for _ in range(3)]
        for _ in range(5):
            with transaction() as session:
                rebuild.rebuild(session)
        stop.set()
        for future in futures:
            future.result()
    assert books(ada)[3] == before + sum(made)
    assert_books_balance()


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"services.points.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_the_command_prints_a_table_and_the_rows_that_differ(lively, damage):
    clean = run("verify")
    assert (clean.returncode, clean.stderr) == (0, "")
    lines = clean.stdout.splitlines()
    assert lines[0].split() == ["check", "rows", "differing"]
    assert len({len(line) for line in lines[: len(verify.CHECKS) + 1]}) == 1
    assert lines[-1] == "The books balance."
    damage("UPDATE scores SET points = points + 1 WHERE board = 'all_time'")
    broken = run("verify")
    assert broken.returncode == 1
    assert f"all_time {lively[0]}: is " in broken.stdout
    told = json.loads(run("verify", "--json").stdout)
    assert told["ok"] is False
    (bad,) = [check for check in told["checks"] if check["differing"]]
    assert (bad["check"], bad["differing"], len(bad["examples"])) == ("all-time board = transfers", 3, 3)
    mended = run("rebuild")
    assert mended.returncode == 0, mended.stderr
    assert "boards: 3 rows" in mended.stdout
    assert "The books balance." in mended.stdout
