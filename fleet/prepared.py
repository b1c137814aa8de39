"""Prepared statements: what a hot path executes thousands of times a second, parsed and planned once for each connection.

    TAKE = Statement("inbox_take", "INSERT INTO inbox ... SELECT :consumer, unnest(:ids) ...", consumer="text", ids="uuid[]")
    rows = run(session, TAKE(consumer="points.commands", ids=ids))

`run` takes several and sends them in one round trip; each sees what committed before it began, and the rows are those of
the last. Lists become arrays: one statement for many rows. Plans are generic (see `fleet/database.py`): made for arrays
of unknown length, so for lookups along an index, whatever the number of rows. Name the columns, never `SELECT *`: a plan
that is kept must not change its columns when a migration adds one.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.orm import Session

_NAMES: set[str] = set()
_NEEDS_QUOTES = re.compile(r'[\\"]')
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

    def __call__(self, **values: Any) -> Call:
        if values.keys() != self._kinds.keys():
            raise TypeError(f"{self.name} takes {', '.join(self._kinds)}")
        return self, tuple(write(values[parameter]) for parameter, write in self._writers.items())


def run(session: Session, *calls: Call) -> list[Any]:
    """Execute prepared statements in one round trip, in this order; the rows of the last."""
    # What the session still has to write comes before, as with every other statement of it.
    session.flush()
    connection = session.connection()
    prepared: set[str] = connection.info.setdefault("prepared", set())
    for statement, _ in calls:
        if statement.name not in prepared:
            connection.exec_driver_sql(statement.prepare)
            prepared.add(statement.name)
    text = "; ".join(statement.execute for statement, _ in calls)
    found = connection.exec_driver_sql(text, tuple(value for _, values in calls for value in values))
    return list(found) if found.returns_rows else []


def _writer(kind: str) -> Callable[[Any], Any]:
    """How a value of the type is handed to the driver: arrays as their text, which is many times faster than a list."""
    if kind == "text[]":
        return lambda values: _array(map(_quoted, values))
    if kind == "bytea[]":
        return lambda values: _array(f'"\\\\x{value.hex()}"' for value in values)
    if kind.endswith("[]"):
        return lambda values: _array("NULL" if value is None else str(value) for value in values)
    return str if kind == "uuid" else lambda value: value


def _array(elements: Iterable[str]) -> str:
    return f"{{{','.join(elements)}}}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + _NEEDS_QUOTES.sub(r"\\\g<0>", value) + '"'
