"""The database of this service and its one unit of work, `transaction()`.

READ COMMITTED everywhere: correctness rests on row locks, guarded updates, unique keys and checks, never on the
isolation level. Application code never commits; leaving `transaction()` does.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from fleet.settings import DatabaseSettings, database_url, given, read

NAMING = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}

# Tables every service has beside its own (outbox, inbox, answers ...), each declared in the module that uses it.
fleet_metadata = MetaData(naming_convention=NAMING)


def metadata() -> MetaData:
    """An empty catalogue for a service's own tables, with the naming convention of constraints."""
    return MetaData(naming_convention=NAMING)


# A connection that rested longer is asked whether it is alive before it is used again.
RESTED_S = 1.0
# See fleet/prepared.py: the only prepared statements are ours, and their plans hold for any number of rows.
_OPTIONS = "-c timezone=UTC -c plan_cache_mode=force_generic_plan"


def present_url() -> URL:
    """The address of the database, with the password that is in its file now: one that was changed there is used from the
    next connection on, and no process has to start anew for it. While the file cannot be read (it is being replaced, or half
    written), the address is the one the process started with."""
    started_with = make_url(read(DatabaseSettings).url)
    try:
        found = make_url(database_url(given("DATABASE_URL") or ""))
    except (OSError, ValueError, ArgumentError):
        return started_with
    return found if found.password else started_with


def _with_present_password(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
    parameters["password"] = present_url().password


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The engine of this process."""
    settings = read(DatabaseSettings)
    made = create_engine(
        settings.url,
        pool_size=settings.pool_size,
        max_overflow=4,
        pool_recycle=1800,
        # What a statement was given stands in the text of its error otherwise, and so in the log: names, addresses, tokens.
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "options": _OPTIONS},
    )
    event.listen(made, "do_connect", _with_present_password)
    event.listen(made, "checkin", _returned)
    event.listen(made, "checkout", _check_rested)
    return made


def _returned(_connection: Any, record: Any) -> None:
    record.info["returned"] = time.monotonic()


def _check_rested(connection: Any, record: Any, _proxy: Any) -> None:
    """A restarted PostgreSQL costs one question instead of an error; under load nobody asks before every transaction.

    Within the second in which it goes away, one transaction hears of it, and with it all connections are made anew.
    """
    if time.monotonic() - record.info.get("returned", float("inf")) > RESTED_S and not _alive(connection):
        raise DisconnectionError


def _alive(connection: Any) -> bool:
    try:
        return bool(engine().dialect.do_ping(connection))
    except Exception as error:
        if is_lost(connection, error):
            return False
        raise


def is_lost(connection: Any, error: Any) -> bool:
    """True when the driver's `error` says that this connection of the driver is gone."""
    return engine().dialect.is_disconnect(error, connection, None)


@lru_cache(maxsize=1)
def _sessions() -> sessionmaker[Session]:
    return sessionmaker(engine(), expire_on_commit=False)


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: commits when the block ends, rolls back when it raises.

    The session is marked as ours, so that `outbox.record` can refuse a message outside of a transaction.
    """
    with _sessions().begin() as session:
        session.info["transaction"] = True
        yield session
    for call in session.info.get("after_commit", ()):
        call()


def after_commit(session: Session, call: Callable[[], None]) -> None:
    """Call this once the transaction is committed, and never when it is not: for counting, which must not fail."""
    session.info.setdefault("after_commit", []).append(call)


def is_outage(error: BaseException) -> bool:
    """True when `error` says that the database is away (restart, failover, network), not that the work was wrong."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "pgcode", None)
    # No code: the connection itself failed. 57P0x: shutdown and start-up. 53xxx: out of connections or space. 08xxx: connection.
    return code is None or code[:3] == "57P" or code[:2] in ("08", "53")


def dispose() -> None:
    """Forget all connections (after a fork, and between tests)."""
    if engine.cache_info().currsize:
        engine().dispose(close=False)
    engine.cache_clear()
    _sessions.cache_clear()
