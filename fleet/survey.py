"""Counts what waits in a service's database, every fifteen seconds beside its relay, into metrics.

The fleet's part is the outbox: counted here and not by the relay, which cannot say how late it is while the broker is
away. A service adds its own in `services/<service>/gauges.py`: `count(session)` sets what it declares there. What cannot
be counted keeps its last value, and `survey_last_success_timestamp_seconds` says how old that is.
"""

import importlib
import threading
from collections.abc import Callable
from importlib.util import find_spec

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fleet import dead_letters, logs, metrics
from fleet.database import is_outage, transaction
from fleet.outbox import outbox

log = logs.get(__name__)

EVERY_S = 15.0
Count = Callable[[Session], None]


def count_outbox(session: Session) -> None:
    """How much is owed to the broker, and for how long."""
    oldest = func.extract("epoch", func.now() - func.min(outbox.c.recorded_at))
    put_off = func.count().filter(outbox.c.retry_at.is_not(None))
    row = session.execute(select(func.count(), put_off, func.coalesce(oldest, 0)).select_from(outbox)).one()
    metrics.outbox_waiting.set(row[0])
    metrics.outbox_put_off.set(row[1])
    metrics.outbox_lag.set(row[2])


def counts_of(service: str) -> list[Count]:
    """What is counted for a service."""
    own = f"services.{service}.gauges"
    usual: list[Count] = [count_outbox, dead_letters.count]
    return [*usual, importlib.import_module(own).count] if find_spec(own) else usual


class Survey:
    """Counts until `stop` is set."""

    ready = True

    def __init__(self, service: str, stop: threading.Event) -> None:
        self.stop = stop
        self._counts = counts_of(service)

    def run(self) -> None:
        """Count, rest; a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                self.count()
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("survey_postponed")
            self.stop.wait(EVERY_S)

    def count(self) -> None:
        """Set every metric once."""
        with transaction() as session:
            for count in self._counts:
                count(session)
        metrics.surveyed.set_to_current_time()
