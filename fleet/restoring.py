"""After a restore from a backup: the restored service counts on where nobody has been yet, and all say once more what is.

    python -m fleet.restoring raise points                              before its relay starts
    python -m fleet.restoring retell users --since 2026-11-27T05:40Z    in every other service, once it runs

A service that was put back to an earlier instant would give numbers out a second time, and whoever has seen them would take
new events for stale ones. So its versions are raised by a million (`RAISED` of its module `restoring`; what it only heard of
others is `KEPT`). What the service missed, and what others know better than it now, is told anew from the present state, with
the present versions: who knows it already drops it. What was done to the service meanwhile and stands nowhere else is gone.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import topology
from fleet.database import transaction
from fleet.settings import DatabaseSettings, require

STEP = 1_000_000
AT_ONCE = 500
# Tells what is after an id, of what can be limited only what changed since the instant; returns how much it told and the
# id it came to, None when there is no more.
Retell = Callable[[Session, datetime, UUID | None], tuple[int, UUID | None]]


def of(service: str) -> Any:
    """The module `restoring` of a service."""
    return importlib.import_module(f"services.{service}.restoring")


def raise_versions(session: Session, columns: Sequence[str]) -> int:
    """Add a million to these columns (`balances.version`) in every row; returns how many rows."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    tables: dict[str, list[str]] = {}
    for name in columns:
        table, _, column = name.partition(".")
        tables.setdefault(table, []).append(column)
    rows = 0
    for table, names in tables.items():
        raised = ", ".join(f"{name} = {name} + {STEP}" for name in names)
        rows += session.execute(text(f"UPDATE {table} SET {raised}")).rowcount  # type: ignore[attr-defined]  # noqa: S608 constants of our modules
    return rows


def at_once() -> int:
    """How many rows a step of retelling reads in one transaction."""
    return AT_ONCE


def pages(ids: Sequence[UUID]) -> tuple[int, UUID | None]:
    """What a step of retelling returns that told of these, the rows it read: the last one, when there may be more."""
    return len(ids), ids[-1] if len(ids) == at_once() else None


def retell(service: str, since: datetime) -> int:
    """Have a service say once more what it is the owner of; returns how many things were told."""
    total = 0
    for step in of(service).RETOLD:
        after: UUID | None = None
        while True:
            with transaction() as session:
                told, after = step(session, since, after)
            total += told
            if after is None:
                break
    return total


def _instant(words: str) -> datetime:
    found = datetime.fromisoformat(words)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("raise", "retell"))
    parser.add_argument("service", choices=topology.SERVICES)
    parser.add_argument("--since", type=_instant, help="ISO 8601, UTC when nothing else is said")
    given = parser.parse_args()
    require(DatabaseSettings)
    if given.action == "raise":
        with transaction() as session:
            rows = raise_versions(session, of(given.service).RAISED)
        sys.stdout.write(f"{given.service}: {rows:,} rows count on a million later\n")
        return 0
    if given.since is None:
        sys.stderr.write("say since when: --since, a quarter of an hour before the instant that was restored\n")
        return 1
    sys.stdout.write(f"{given.service}: told {retell(given.service, given.since):,} things anew\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
