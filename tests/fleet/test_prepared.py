"""Prepared statements: what goes in comes back, and errors are those of every other statement."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from fleet.database import engine, is_outage, transaction
from fleet.prepared import Statement, run

AWKWARD = [
    "",
    "plain",
    'a "quoted" one',
    "back\\slash",
    "{braces, and commas}",
    "new\nline\ttab",
    "NULL",
    "null",
    "ü 🎉",
    "'",
    None,
]
ECHOES = {
    kind: Statement(f"test_echo_{number}", "SELECT u.* FROM unnest(:values) AS u (value)", values=kind)
    for number, kind in enumerate(("text[]", "uuid[]", "bytea[]", "integer[]", "boolean[]", "date[]", "timestamptz[]"))
}
ONE = Statement("test_one", "SELECT :number + 1 AS number, :word AS word", number="integer", word="text")
NONE = Statement("test_none", "SELECT 1 AS one")
ALIAS = Statement("test_alias", "INSERT INTO aliases (old_id, member_id) VALUES (:old, :new)", old="uuid", new="uuid")
COUNT = Statement("test_count", "SELECT count(*) AS aliases FROM aliases")


@pytest.fixture(autouse=True)
def points(on):
    return on("points")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text[]", AWKWARD),
        ("text[]", []),
        ("uuid[]", [uuid4(), None]),
        ("bytea[]", [b"", b"\x00\\\"'{},", b'{"a": "\xc3\xbc"}']),
        ("integer[]", [0, -5, None, 2**31 - 1]),
        ("boolean[]", [True, False, None]),
        ("date[]", [date(2026, 2, 28), None]),
        (
            "timestamptz[]",
            [datetime(2026, 3, 4, 5, 6, 7, 89, UTC), datetime(2026, 3, 4, tzinfo=timezone(timedelta(hours=-5)))],
        ),
    ],
)
def test_arrays_come_back_as_they_went(kind: str, values: list[Any]):
    with transaction() as session:
        found = [row.value for row in run(session, ECHOES[kind](values=values))]
    assert [bytes(value) if kind == "bytea[]" else value for value in found] == values


def test_rows_have_the_names_of_their_columns():
    with transaction() as session:
        [row] = run(session, ONE(number=41, word="so"))
    assert (row.number, row.word) == (42, "so")


def test_several_go_in_one_round_trip_each_sees_the_one_before_and_the_last_answers():
    with transaction() as session:
        [row] = run(session, ALIAS(old=uuid4(), new=uuid4()), NONE(), COUNT())
        assert row.aliases == 1
        assert run(session, ALIAS(old=uuid4(), new=uuid4())) == []


def test_what_the_session_has_to_write_comes_first():
    from services.points.models import Alias

    with transaction() as session:
        session.add(Alias(old_id=uuid4(), member_id=uuid4()))
        assert run(session, COUNT())[0].aliases == 1


def test_a_violated_constraint_is_the_error_it_always_is_and_undoes_everything():
    old = uuid4()
    with pytest.raises(IntegrityError) as caught, transaction() as session:
        run(session, ALIAS(old=old, new=uuid4()), ALIAS(old=old, new=uuid4()))
    assert caught.value.orig.diag.constraint_name == "pk_aliases"
    with transaction() as session:
        assert run(session, COUNT())[0].aliases == 0


def test_a_rolled_back_transaction_leaves_the_statement_prepared():
    with pytest.raises(ZeroDivisionError), transaction() as session:
        run(session, ONE(number=1, word=""))
        raise ZeroDivisionError
    with transaction() as session:
        assert run(session, ONE(number=1, word=""))[0].number == 2


def test_a_lost_connection_is_an_outage_and_the_next_one_prepares_anew(postgres):
    with pytest.raises(DBAPIError) as caught, transaction() as session:
        run(session, NONE())
        terminate(postgres, session.execute(text("SELECT pg_backend_pid()")).scalar_one())
        run(session, NONE())
    assert is_outage(caught.value)
    with transaction() as session:
        assert run(session, NONE())[0].one == 1


def test_a_connection_that_was_lost_while_it_rested_is_replaced_unnoticed(postgres, monkeypatch):
    from fleet import database

    monkeypatch.setattr(database, "RESTED_S", -1.0)
    with transaction() as session:
        before = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
    terminate(postgres, before)
    with transaction() as session:
        assert run(session, NONE())[0].one == 1
    assert engine().pool.checkedin() == 1


def terminate(postgres: Any, pid: int) -> None:
    import psycopg2

    connection = psycopg2.connect(postgres.server_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    connection.close()


def test_a_name_stands_for_one_statement():
    with pytest.raises(ValueError, match="test_one"):
        Statement("test_one", "SELECT 2")


def test_a_parameter_that_is_missing_or_unknown_is_named():
    for wrong in ({"number": 1}, {"number": 1, "word": "", "more": 2}):
        with pytest.raises(TypeError, match="takes number, word"):
            ONE(**wrong)


def test_plans_are_made_for_any_number_of_rows():
    with transaction() as session:
        assert session.execute(text("SHOW plan_cache_mode")).scalar_one() == "force_generic_plan"


def test_an_id_is_an_id():
    statement = Statement("test_id", "SELECT :id AS id", id="uuid")
    given = UUID(int=7)
    with transaction() as session:
        assert run(session, statement(id=given))[0].id == given
