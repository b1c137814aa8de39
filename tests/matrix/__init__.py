"""Who may call what: `routes.txt`, a row for each route of each service, read here and executed by the tests beside."""

import itertools
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fleet.messages import now
from tests.apps import Route

PATH = Path(__file__).with_name("routes.txt")
IDENTITIES = ("anonymous", "student", "company", "university", "admin", "applicant", "suspended")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Row:
    """A route, the status each identity gets, and a body that is right (None: the route takes none)."""

    service: str
    method: str
    rule: str
    expected: tuple[int, ...]
    template: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.service, self.method, self.rule

    def body(self) -> Any:
        """A fresh body that is right, its words of `routes.txt` ($n, $tomorrow, $next_week) filled in."""
        if self.template is None:
            return None
        found = self.template
        for word, days in (("$tomorrow", 1), ("$next_week", 7)):
            found = found.replace(word, (now() + timedelta(days=days)).isoformat())
        return json.loads(found.replace("$n", str(next(_numbers))))

    def __str__(self) -> str:
        cells = " ".join(str(status) for status in self.expected)
        return f"{self.service:<8} {self.method:<6} {self.rule:<50} {cells}  {self.template or ''}".rstrip()


def read() -> dict[tuple[str, str, str], Row]:
    """The rows by service, method and rule; ValueError for a line that is none, and for a route that has two."""
    found: dict[tuple[str, str, str], Row] = {}
    for number, line in enumerate(PATH.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(\w+)\s+([A-Z]+)\s+(/\S*)((?:\s+\d{3}){7})(?:\s+([{\[].*))?", line)
        if match is None:
            raise ValueError(f"{PATH.name}:{number} is no row: service method rule, {len(IDENTITIES)} statuses, a body")
        row = Row(*match.group(1, 2, 3), tuple(map(int, match.group(4).split())), match.group(5))
        row.body()
        if row.key in found:
            raise ValueError(f"{PATH.name}:{number}: {row.method} {row.rule} has a row already")
        found[row.key] = row
    return found


def row_of(route: Route) -> Row:
    """The row of a route; AssertionError that says what to do when there is none."""
    row = read().get((route.service, route.method, route.rule))
    assert row, f"{route.service} {route.method} {route.rule} has no row: add one to tests/matrix/{PATH.name}"
    return row
