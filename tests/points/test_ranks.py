"""Ranks by histogram are the ranks that counting gives, at every moment."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import new_id, now
from services.points import admin_awards, boards, ledger, members, ranks


def counted(board: str, points: int) -> tuple[int, int, int]:
    with transaction() as session:
        row = session.execute(
            text(
                "SELECT count(*) FILTER (WHERE points > :points), count(*) FILTER (WHERE points = :points), count(*)"
                " FROM scores WHERE board = :board AND shown"
            ),
            {"board": board, "points": points},
        ).one()
    return tuple(row)


def looked_up(board: str, points: int) -> tuple[int, int, int]:
    with transaction() as session:
        found, total = ranks.look_up(session, board, [points])
        return found[points].ahead, found[points].tied, total


def fold() -> int:
    with transaction() as session:
        return ranks.fold(session)


def assert_equal_everywhere() -> None:
    for board in ("all_time", boards.board_name("weekly", now()), "week:2001-01-01"):
        for points in (-3000, -1025, -1024, -1, 0, 1, 5, 1023, 1024, 1025, 2047, 2048, 5000, 10**9):
            assert looked_up(board, points) == counted(board, points), (board, points)


def test_looked_up_is_counted_after_any_changes_folded_or_not(member, seed):
    dice = random.Random(seed)
    people = [member(f"P{number}") for number in range(40)]
    versions = dict.fromkeys(people, 1)
    for step in range(300):
        person = dice.choice(people)
        what = dice.random()
        if what < 0.7:
            with transaction() as session:
                ledger.lock_balance(session, person)
                boards.add(
                    session, person, dice.choice((1, 5, 700, 1024, -1100)), now() - timedelta(days=dice.randrange(20))
                )
        elif what < 0.9:
            versions[person] += 1
            shown = dice.random() < 0.5
            with transaction() as session:
                updated = UserUpdated(person, "P", shown, dice.choice(("student", "admin")), "active")
                members.apply_update(session, updated, versions[person])
        elif what < 0.95:
            with transaction() as session:
                session.execute(text("DELETE FROM scores WHERE member_id = :id"), {"id": person})
        else:
            fold()
        if step % 30 == 0:
            assert_equal_everywhere()
    assert_equal_everywhere()
    while fold():
        pass
    assert_equal_everywhere()


def test_folding_moves_every_change_once_under_two_folders_and_writers(member, row_count):
    people = [member(f"W{number}") for number in range(8)]
    enough = threading.Event()

    def folding() -> None:
        while not enough.is_set():
            fold()

    def awarding(person) -> None:
        for _ in range(40):
            with transaction() as session:
                admin_awards.award_by_admin(session, person, "peer_mentor", actor=new_id(), points=7, details=None)

    with ThreadPoolExecutor(10) as pool:
        folders = [pool.submit(folding) for _ in range(2)]
        for future in [pool.submit(awarding, person) for person in people]:
            future.result()
        enough.set()
        for future in folders:
            future.result()
    assert looked_up("all_time", 279) == (8, 0, 8)
    while fold():
        pass
    assert row_count("rank_deltas") == 0
    assert looked_up("all_time", 280) == (0, 8, 8)


def test_a_rolled_back_award_leaves_no_trace_in_the_ranks(member):
    person = member()
    try:
        with transaction() as session:
            admin_awards.award_by_admin(session, person, "peer_mentor", actor=new_id(), points=7, details=None)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert looked_up("all_time", 0) == (0, 0, 0)
