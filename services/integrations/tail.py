"""Waiting for the feed to grow: one thread of a process looks, and only while somebody waits."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fleet import logs
from fleet.database import is_outage, transaction
from fleet.problems import Unavailable
from fleet.settings import read
from services.integrations import feed
from services.integrations.settings import FeedSettings

log = logs.get(__name__)

LOOK_EVERY_S = 0.1


class Tail:
    """The end of the feed as this process knows it."""

    def __init__(self) -> None:
        self._grown = threading.Condition()
        self._newest = -1
        self._listeners = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Be one of those who may wait; raises Unavailable when there are too many already."""
        most = read(FeedSettings).listeners
        with self._grown:
            if self._listeners >= most:
                raise Unavailable(f"{most} others are listening here already. Try again shortly.")
            self._listeners += 1
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="tail", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._grown:
                self._listeners -= 1

    def wait(self, after: int, seconds: float) -> bool:
        """Wait until there is an event after this position; False when there was none for so long. Holds no connection."""
        with self._grown:
            return self._grown.wait_for(lambda: self._newest > after, seconds)

    def _look(self) -> None:
        while True:
            try:
                with transaction() as session:
                    newest = feed.head(session)
            except Exception as error:
                if not is_outage(error):
                    log.exception("tail_failed")
                newest = self._newest
            with self._grown:
                if newest != self._newest:
                    self._newest = newest
                    self._grown.notify_all()
                if not self._listeners:
                    # What was known is old by the time somebody comes again.
                    self._newest, self._thread = -1, None
                    return
            time.sleep(LOOK_EVERY_S)


tail = Tail()
