"""Waiting in a request for what points will say, without holding anything: no transaction, no lock, few threads."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from fleet.database import transaction
from services.rewards.models import Redemption

T = TypeVar("T")

# Half of the threads of a web process: the others go on answering while points is slow.
_waiters = threading.BoundedSemaphore(8)
_DEADLOCK = "40P01"


def until_decided(redemption_id: UUID, seconds: float) -> None:
    """Return when the redemption is no longer `requested`, when `seconds` are over, or at once when too many wait already."""
    if not _waiters.acquire(blocking=False):
        return
    try:
        deadline, pause = time.monotonic() + seconds, 0.01
        while _is_requested(redemption_id) and time.monotonic() + pause < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, 0.1)
    finally:
        _waiters.release()


def _is_requested(redemption_id: UUID) -> bool:
    with transaction() as session:
        return session.scalar(select(Redemption.status).where(Redemption.id == redemption_id)) == "requested"


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
