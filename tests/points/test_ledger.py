"""The ledger: what is awarded once, at most so often, and never lost under two at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from fleet import auth_state
from fleet.contracts.points import ActivityOutcome
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import decode, new_id, now
from fleet.problems import NotFound, Problem
from services.points import admin_awards, deeds, ledger
from services.points.awards import Award

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def deed(
    member_id: UUID, code: str = "discord_activity", at: datetime = NOON, reference: str | None = None
) -> ActivityOutcome:
    with transaction() as session:
        return deeds.award_deed(session, member_id, code, at, reference or str(uuid4()))


def by_admin(member_id: UUID, points: int | None = None, code: str = "peer_mentor") -> Award:
    with transaction() as session:
        return admin_awards.award_by_admin(session, member_id, code, actor=new_id(), points=points, details=None)


def balance(member_id: UUID) -> tuple[int, int]:
    with transaction() as session:
        found = ledger.balance_of(session, member_id)
        return found.available, found.lifetime


def assert_books_balance() -> None:
    """Every balance equals the sum of its transfers, and every board the sum of its awards."""
    with transaction() as session:
        wrong = session.execute(
            text(
                "SELECT b.member_id FROM balances b LEFT JOIN (SELECT l.member_id,"
                " sum(t.points) FILTER (WHERE t.credit = 'available') AS earned,"
                " coalesce(sum(t.points) FILTER (WHERE t.debit = 'available'), 0) AS spent"
                " FROM transfers t JOIN ledgers l ON l.id = t.ledger_id GROUP BY l.member_id) s USING (member_id)"
                " LEFT JOIN scores a ON a.member_id = b.member_id AND a.board = 'all_time'"
                " WHERE b.available <> coalesce(s.earned, 0) - coalesce(s.spent, 0) OR b.lifetime <> coalesce(a.points, 0)"
            )
        ).all()
    assert wrong == []


def test_a_deed_of_an_unknown_member_opens_their_ledger(member):
    stranger = new_id()
    made = deed(stranger)
    assert made == ActivityOutcome(awarded=True, points=5, available=5, lifetime=5, transfer_id=made.transfer_id)
    with transaction() as session:
        assert session.scalar(text("SELECT id FROM transfers")) == made.transfer_id
        assert session.execute(text("SELECT points, rule_version FROM transfers")).all() == [(5, 1)]
    assert_books_balance()


def test_the_first_message_of_a_day_counts_once_whatever_arrives(row_count):
    member_id = new_id()
    deed(member_id, at=NOON)
    for later in (NOON + timedelta(hours=3), NOON - timedelta(hours=3)):
        with pytest.raises(ledger.LimitReached):
            deed(member_id, at=later)
    deed(member_id, at=NOON + timedelta(days=1))
    deed(member_id, at=NOON - timedelta(days=1))
    assert balance(member_id) == (15, 15)
    assert row_count("transfers") == 3


def test_the_day_is_that_of_the_programme_zone(monkeypatch):
    from fleet import settings

    monkeypatch.setenv("PROGRAM_TIMEZONE", "America/New_York")
    settings.read.cache_clear()
    member_id = new_id()
    deed(member_id, at=datetime(2026, 3, 4, 4, 59, tzinfo=UTC))
    deed(member_id, at=datetime(2026, 3, 4, 5, 1, tzinfo=UTC))
    with pytest.raises(ledger.LimitReached):
        deed(member_id, at=datetime(2026, 3, 5, 4, 59, tzinfo=UTC))
    assert balance(member_id) == (10, 10)


def test_the_same_reference_is_awarded_once(row_count):
    member_id = new_id()
    deed(member_id, "like_interaction", reference="message 1")
    again = deed(member_id, "like_interaction", at=NOON + timedelta(hours=5), reference="message 1")
    assert not again.awarded
    assert (again.points, again.available) == (2, 2)
    assert row_count("transfers") == 1


def test_a_cooldown_holds_in_both_directions_of_time():
    member_id = new_id()
    deed(member_id, "like_interaction", at=NOON)
    for minutes in (-59, 1, 59):
        with pytest.raises(ledger.LimitReached):
            deed(member_id, "like_interaction", at=NOON + timedelta(minutes=minutes))
    deed(member_id, "like_interaction", at=NOON + timedelta(minutes=60))
    assert balance(member_id) == (4, 4)


def test_a_refused_deed_leaves_its_allowance_unused():
    """The cap is counted in the same transaction as the award: no award, no use."""
    member_id = new_id()
    with pytest.raises(ZeroDivisionError), transaction() as session:
        deeds.award_deed(session, member_id, "discord_activity", NOON, "x")
        raise ZeroDivisionError
    assert deed(member_id).available == 5


@pytest.mark.parametrize(
    ("code", "at", "problem"),
    [
        ("no_such_type", NOON, NotFound),
        ("peer_mentor", NOON, deeds.ApprovalRequired),
        ("discord_activity", now() + timedelta(hours=1), deeds.InTheFuture),
    ],
)
def test_a_deed_that_cannot_earn_is_refused_and_changes_nothing(code, at, problem, row_count):
    with pytest.raises(problem):
        deed(new_id(), code, at)
    assert row_count("transfers") == row_count("outbox") == row_count("balances") == 0


def suspend(member_id: UUID, until: datetime | None) -> None:
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 2, "student", "suspended", until))


def test_a_suspended_member_earns_nothing_by_any_door(member):
    member_id = member()
    suspend(member_id, None)
    with pytest.raises(ledger.Suspended):
        deed(member_id)
    with pytest.raises(ledger.Suspended):
        by_admin(member_id)
    assert balance(member_id) == (0, 0)


def test_a_suspension_with_an_end_ends_by_itself(member):
    member_id = member()
    suspend(member_id, now() - timedelta(seconds=1))
    assert deed(member_id).available == 5


@pytest.mark.parametrize("door", ["admin", "deed"])
def test_of_awards_at_once_each_tells_a_version_of_its_own(door, member):
    """Fails when the balance is read without its lock: two would tell the same version, and a sum that never was."""
    member_id, threads, rounds = member(), 8, 10
    together = threading.Barrier(threads)

    def work(number: int) -> None:
        together.wait(10)
        for round_ in range(rounds):
            if door == "admin":
                by_admin(member_id, points=5)
            else:
                deed(member_id, at=NOON - timedelta(days=number * rounds + round_))

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work, number) for number in range(threads)]:
            future.result()
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    told = sorted(
        (event.sequence, event.data.lifetime, event.data.available) for event in map(decode, map(bytes, bodies))
    )
    assert told == [(number, 5 * number, 5 * number) for number in range(1, threads * rounds + 1)]
    assert_books_balance()


def test_two_awards_at_once_both_count(member):
    member_id = member()
    threads, rounds = 8, 25
    together = threading.Barrier(threads)

    def work() -> None:
        together.wait(10)
        for _ in range(rounds):
            by_admin(member_id, points=3)

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(work) for _ in range(threads)]:
            future.result()
    assert balance(member_id) == (600, 600)
    assert_books_balance()


def test_a_hundred_messages_of_a_day_at_once_award_once(row_count):
    member_id = new_id()

    def attempt(number: int) -> bool:
        try:
            deed(member_id, at=NOON + timedelta(minutes=number))
        except ledger.LimitReached:
            return False
        return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(attempt, range(100))) == 1
    assert row_count("transfers") == 1
    assert_books_balance()


def test_the_service_itself_cannot_change_or_delete_a_transfer():
    deed(new_id())
    for statement in ("UPDATE transfers SET points = 1000", "DELETE FROM transfers", "TRUNCATE transfers CASCADE"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
            session.execute(text(statement))


@pytest.mark.parametrize("column", ["available", "reserved", "redeemed"])
def test_no_balance_can_be_negative(column):
    member_id = new_id()
    deed(member_id)
    with pytest.raises(IntegrityError), transaction() as session:
        session.execute(text(f"UPDATE balances SET {column} = -1"))


def test_an_award_is_told_with_the_version_of_the_balance(row_count):
    member_id = new_id()
    deed(member_id, at=NOON)
    deed(member_id, at=NOON + timedelta(days=1))
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    told = [decode(bytes(body)) for body in bodies]
    assert [(event.type, event.sequence, event.data.lifetime) for event in told] == [
        ("points.activity_logged.v1", 1, 5),
        ("points.activity_logged.v1", 2, 10),
    ]
    assert {event.subject for event in told} == {str(member_id)}


def test_an_admins_award_needs_a_member_that_exists():
    with pytest.raises(NotFound):
        by_admin(new_id())


def test_problems_of_the_ledger_say_what_to_do():
    for problem in (ledger.Suspended, ledger.LimitReached, deeds.ApprovalRequired):
        assert issubclass(problem, Problem)
        assert problem.status == 409
