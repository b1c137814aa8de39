"""Two at once, without luck: wait until the second really waits for the first."""

import time
from concurrent.futures import Future
from typing import Any

from sqlalchemy import text

from fleet.database import transaction

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def until_it_waits(second: Future[Any] | None = None, many: int = 1, seconds: float = 30) -> None:
    """Return as soon as so many wait for a lock in this service's database.

    Fails when `second` is done before, or they do not wait after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # What a transaction once saw of others' activity it sees until its end: each look has its own.
        with transaction() as looking:
            if (looking.scalar(_WAITING) or 0) >= many:
                return
        if second is not None and second.done():
            raise AssertionError(f"it did not wait: {second.result()!r}")
        time.sleep(0.005)
    raise AssertionError(f"nobody waited for a lock within {seconds:.0f} s")
