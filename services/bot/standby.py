"""One gateway connection at a time: a session lock in the bot's database. Who does not get it stands by.

The lock lives as long as its connection. When PostgreSQL goes away nobody can take the lock either, so the client goes
on, and takes it again when PostgreSQL is back; only when somebody else was faster must it go.
"""

import asyncio
from typing import Any

import psycopg2

from fleet import logs
from fleet.database import present_url

log = logs.get(__name__)

# Any number but the relay's, which locks the same database.
ADVISORY_LOCK = 5_271_011
EVERY_S = 1.0


class Turn:
    """This process's turn at the gateway."""

    def __init__(self) -> None:
        self._connection: Any = None

    async def come(self) -> None:
        """Wait until it is this process's turn."""
        said = False
        while not await asyncio.to_thread(self._take):
            if not said:
                log.info("standing_by")
                said = True
            await asyncio.sleep(EVERY_S)
        log.info("turn_taken")

    async def lost(self) -> None:
        """Return when another process has the turn; until then hold it, over outages of the database."""
        while True:
            await asyncio.sleep(EVERY_S)
            if await asyncio.to_thread(self._hold) is False:
                log.error("turn_lost")
                return

    def give_back(self) -> None:
        """Let a process that stands by go on at once."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take(self) -> bool:
        try:
            return self._lock()
        except psycopg2.Error as error:
            log.warning("database_away", error=type(error).__name__)
            return False

    def _hold(self) -> bool | None:
        """True: held. False: somebody else has it. None: the database is away."""
        try:
            if self._connection is not None and self._connection.closed == 0:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
                return True
        except psycopg2.Error:
            pass
        try:
            return self._lock()
        except psycopg2.Error:
            return None

    def _lock(self) -> bool:
        if self._connection is None or self._connection.closed:
            self._connection = None
            # Straight to PostgreSQL: behind a transaction pooler a session lock means nothing.
            url = present_url().set(drivername="postgresql").render_as_string(hide_password=False)
            self._connection = psycopg2.connect(url, connect_timeout=5, keepalives_idle=10)
            self._connection.autocommit = True
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,))
            return bool(cursor.fetchone()[0])
