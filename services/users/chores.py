"""What users does by itself every second: codes to reset passwords, suspensions that end, exports and erasures
that go on, sweeping what expired."""

import threading
from collections.abc import Callable

from sqlalchemy.orm import Session

from fleet import logs, rates
from fleet.database import is_outage, transaction
from services.users import erasures, exports, link_codes, moderation, oauth_states, one_time, recovery

log = logs.get(__name__)

EVERY_S = 1.0
CHORES: tuple[Callable[[Session], int], ...] = (
    recovery.answer_requests,
    moderation.reinstate_ended,
    one_time.sweep,
    link_codes.sweep,
    oauth_states.sweep,
    exports.go_on,
    exports.put_together,
    exports.sweep,
    erasures.ask_again,
    erasures.finish,
    rates.sweep,
)


class Chores:
    """Does every chore until nothing is left of it, then rests a second, until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                for chore in CHORES:
                    while not self.stop.is_set() and _do(chore):
                        pass
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("chores_postponed")
            self.stop.wait(EVERY_S)


def _do(chore: Callable[[Session], int]) -> int:
    with transaction() as session:
        return chore(session)
