"""Prepared statements: what a hot path executes thousands of times a second, parsed and planned once for each connection.

    TAKE = Statement("inbox_take", "INSERT INTO inbox ... SELECT :consumer, unnest(:ids) ...", consumer="text", ids="uuid[]")
    rows = run(session, TAKE(consumer="points.commands", ids=ids))

`run` takes several and sends them in one round trip; each sees what committed before it began, and the rows are those of
the last. Lists become arrays: one statement for many rows. Plans are generic (see `fleet/database.py`): made for arrays
of unknown length, so for lookups along an index, whatever the number of rows. Name the columns, never `SELECT *`: a plan
that is kept must not change its columns when a migration adds one.
"""

import re
from collections import namedtuple
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import orjson
import psycopg2
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fleet.database import is_lost

_NAMES: set[str] = set()
_NEEDS_QUOTES = re.compile(r'[\\"]')
_BYTES, _QUOTE = '"\\\\x', '"'
Call = tuple["Statement", tuple[Any, ...]]


class Statement:
    """A statement with named parameters; `kinds` are their PostgreSQL types. Calling it fills them in."""

    def __init__(self, name: str, sql: str, **kinds: str) -> None:
        if name in _NAMES:
            raise ValueError(f"two statements are named {name}")
        _NAMES.add(name)
        self.name, self._kinds = name, kinds
        numbers = {parameter: f"${number}" for number, parameter in enumerate(kinds, 1)}
        numbered = re.sub(r"(?<!:):([a-z_]+)", lambda found: numbers[found[1]], sql)
        types, places = (f"({', '.join(each)})" if kinds else "" for each in (kinds.values(), ["%s"] * len(kinds)))
        self.prepare, self.execute = f"PREPARE {name} {types} AS {numbered}", f"EXECUTE {name} {places}"
        self._writers = {parameter: _writer(kind) for parameter, kind in kinds.items()}
        self._row: Any = None

    def __call__(self, **values: Any) -> Call:
        if values.keys() != self._kinds.keys():
            raise TypeError(f"{self.name} takes {', '.join(self._kinds)}")
        return self, tuple(write(values[parameter]) for parameter, write in self._writers.items())

    def rows(self, cursor: Any) -> list[Any]:
        """What the statement returned; its columns are the same each time."""
        if cursor.description is None:
            return []
        self._row = self._row or namedtuple(self.name, [column.name for column in cursor.description])
        return [self._row._make(values) for values in cursor]


def run(session: Session, *calls: Call) -> list[Any]:
    """Execute prepared statements in one round trip, in this order; the rows of the last, as named tuples."""
    # What the session still has to write comes before, as with every other statement of it.
    session.flush()
    connection = session.connection()
    prepared: set[str] = connection.info.setdefault("prepared", set())
    text = "; ".join(statement.execute for statement, _ in calls)
    values = [value for _, given in calls for value in given]
    with closing(connection.connection.cursor()) as cursor:
        try:
            for statement, _ in calls:
                if statement.name not in prepared:
                    cursor.execute(statement.prepare)
                    prepared.add(statement.name)
            cursor.execute(text, values)
            return calls[-1][0].rows(cursor)
        except psycopg2.Error as error:
            raise _as_everywhere(connection, error, text) from error


def _as_everywhere(connection: Connection, error: psycopg2.Error, text: str) -> DBAPIError:
    """The error as SQLAlchemy raises it. We go past it to the driver, because its results cost as much as our statement."""
    if is_lost(connection.connection.dbapi_connection, error):
        # It notices by itself on the next statement, and with that drops all connections that were lost.
        connection.exec_driver_sql("SELECT 1")
    wrapped = DBAPIError.instance(text, None, error, psycopg2.Error, dialect=connection.dialect)
    assert isinstance(wrapped, DBAPIError)
    return wrapped


def _writer(kind: str) -> Callable[[Any], Any]:
    """How a value of the type is handed to the driver: arrays as their text, which is many times faster than a list."""
    if kind == "bytea[]":
        return lambda values: f"{{{','.join([f'{_BYTES}{value.hex()}{_QUOTE}' for value in values])}}}"
    if kind.endswith("[]"):
        return _array
    return str if kind == "uuid" else lambda value: value


def _array(values: Sequence[Any]) -> str:
    """PostgreSQL's arrays and JSON's lists look the same between their brackets, but for what JSON escapes."""
    text = orjson.dumps(values).decode()
    if "\\" in text:
        text = f" {','.join(map(_quoted, values))} "
    return f"{{{text[1:-1]}}}"


def _quoted(value: Any) -> str:
    return "NULL" if value is None else '"' + _NEEDS_QUOTES.sub(r"\\\g<0>", value) + '"'
