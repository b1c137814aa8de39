"""Database work beside the event loop: the client must answer Discord's heartbeats whatever PostgreSQL does."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fleet.database import transaction

T = TypeVar("T")


async def transact(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Run `work(session, ...)` as one transaction in a thread and give its result."""

    def run() -> T:
        with transaction() as session:
            return work(session, *arguments, **named)

    return await asyncio.to_thread(run)
