"""What integrations tidies up: events that were kept long enough, attempts that nobody sees."""

import threading
from collections.abc import Callable

from sqlalchemy.orm import Session

from fleet import logs
from fleet.database import is_outage, transaction
from services.integrations import deliveries, feed

log = logs.get(__name__)

EVERY_S = 600.0
CHORES: tuple[Callable[[Session], int], ...] = (feed.sweep, deliveries.trim)


class Chores:
    """Tidies every ten minutes until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Do each chore until it finds nothing more, then rest."""
        while not self.stop.is_set():
            for chore in CHORES:
                self._finish(chore)
            self.stop.wait(EVERY_S)

    def _finish(self, chore: Callable[[Session], int]) -> None:
        try:
            found = 1
            while found and not self.stop.is_set():
                with transaction() as session:
                    found = chore(session)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("chore_postponed", chore=chore.__name__)
