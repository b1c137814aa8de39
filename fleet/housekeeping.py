"""Retention of the fleet's own tables, in small batches, beside the relay."""

import threading

from sqlalchemy import text

from fleet import logs
from fleet.database import is_outage, transaction

log = logs.get(__name__)

EVERY_S = 600
BATCH = 5_000

# The inbox outlives any replay of a dead letter (14 days); keys outlive any sensible retry of a request.
RETENTION = {
    "inbox": ("received_at", "30 days"),
    # As long as the bot keeps who waits for one.
    "answers": ("arrived_at", "30 days"),
    "idempotency_keys": ("created_at", "7 days"),
}


def sweep(table: str) -> int:
    """Delete up to BATCH rows of `table` that are past their retention; returns how many went."""
    column, age = RETENTION[table]
    statement = text(
        f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} "  # noqa: S608 names from RETENTION
        f"WHERE {column} < now() - interval '{age}' LIMIT {BATCH}))"
    )
    with transaction() as session:
        return session.execute(statement).rowcount  # type: ignore[attr-defined]


class Housekeeping:
    """Sweeps every ten minutes until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Sweep each table until nothing is left to delete, then rest."""
        while not self.stop.is_set():
            for table in RETENTION:
                self._sweep_all(table)
            self.stop.wait(EVERY_S)

    def _sweep_all(self, table: str) -> None:
        try:
            while sweep(table) == BATCH and not self.stop.is_set():
                pass
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("sweep_postponed", table=table)
