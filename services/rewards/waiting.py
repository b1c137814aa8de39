"""Waiting in a request for what points will say, without holding anything: no transaction, no lock, few threads.

One look at the database serves all who wait in this process: whoever comes first looks for everybody, now and then, and
hands that on when their own answer is there.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Uuid, text
from sqlalchemy.exc import DBAPIError

from fleet.database import engine
from fleet.settings import read
from services.rewards.settings import RedemptionSettings

T = TypeVar("T")

EVERY_S = 0.015
_DEADLOCK = "40P01"
_DECIDED = text("SELECT id FROM redemptions WHERE id = ANY(CAST(:ids AS uuid[])) AND status <> 'requested'").columns(
    id=Uuid
)


class WaitingRoom:
    """Where requests wait for their redemptions to leave `requested`."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, int] = {}
        self._decided: set[UUID] = set()
        self._lock = threading.Lock()
        self._looking = threading.Lock()

    def until_decided(self, redemption_id: UUID, seconds: float) -> None:
        """Return when it is no longer `requested`, when `seconds` are over, or at once when too many wait already."""
        with self._lock:
            # Some of the process's threads must be left to answer others while points is slow.
            if sum(self._waiting.values()) >= read(RedemptionSettings).waiters:
                return
            self._waiting[redemption_id] = self._waiting.get(redemption_id, 0) + 1
        try:
            deadline = time.monotonic() + seconds
            while redemption_id not in self._decided and time.monotonic() + EVERY_S < deadline:
                time.sleep(EVERY_S)
                if self._looking.acquire(blocking=False):
                    try:
                        self._look()
                    finally:
                        self._looking.release()
        finally:
            self._leave(redemption_id)

    def _look(self) -> None:
        with self._lock:
            ids = [str(each) for each in self._waiting if each not in self._decided]
        if ids:
            with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                found = connection.scalars(_DECIDED, {"ids": ids}).all()
            with self._lock:
                self._decided.update(each for each in found if each in self._waiting)

    def _leave(self, redemption_id: UUID) -> None:
        with self._lock:
            self._waiting[redemption_id] -= 1
            if not self._waiting[redemption_id]:
                del self._waiting[redemption_id]
                self._decided.discard(redemption_id)


room = WaitingRoom()


def undisturbed(work: Callable[[], T], times: int = 3) -> T:
    """What `work`, a whole transaction, gives; begun anew when PostgreSQL ended it to untie a deadlock.

    The worker applies several messages in one transaction and may meet a request the other way round.
    """
    for left in reversed(range(times)):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) != _DEADLOCK or not left:
                raise
    raise AssertionError("unreachable")
