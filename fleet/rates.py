"""Rates that belong to an account: counted in PostgreSQL, so that all processes and replicas share them.

A window begins with the first hit and lasts `seconds`. One guarded statement counts, so a thousand callers at once get
exactly `limit` hits. Keys are kept hashed: what people type into a name field is nobody's business. The hit must be
committed before the refusal is raised. A service that uses this declares the table
(`rate_windows.to_metadata(Base.metadata)`).
"""

import hashlib
import math
from dataclasses import dataclass

from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, delete, select, text, update
from sqlalchemy.orm import Session

from fleet.database import metadata
from fleet.problems import TooManyRequests

rate_windows = Table(
    "rate_windows",
    metadata(),
    Column("rate", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("used", Integer, nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
)

_TAKE = text(
    """
    INSERT INTO rate_windows AS w (rate, key, used, ends_at)
    VALUES (:rate, :key, 1, clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (rate, key) DO UPDATE SET
        used = CASE WHEN w.ends_at <= clock_timestamp() THEN 1 ELSE w.used + 1 END,
        ends_at = CASE WHEN w.ends_at <= clock_timestamp() THEN excluded.ends_at ELSE w.ends_at END
    WHERE w.used < :limit OR w.ends_at <= clock_timestamp()
    RETURNING w.used
    """
)


@dataclass(frozen=True)
class Rate:
    """At most `limit` hits of one key in `seconds`."""

    name: str
    limit: int
    seconds: int


def take(session: Session, rate: Rate, key: str) -> int:
    """Count a hit of `key`: 0 when it is within the rate, else the whole seconds to wait. Commit before refusing."""
    values = {"rate": rate.name, "key": _hash(key), "seconds": rate.seconds, "limit": rate.limit}
    if session.execute(_TAKE, values).first() is not None:
        return 0
    return wait(session, rate, key) or 1


def give_back(session: Session, rate: Rate, key: str) -> None:
    """Take back a hit that was counted in this transaction, because it turned out not to be one.

    Who counts first and gives back afterwards holds the key's row meanwhile, so that of many at once no more are looked
    at than the rate allows.
    """
    session.execute(
        update(rate_windows)
        .where(rate_windows.c.rate == rate.name, rate_windows.c.key == _hash(key), rate_windows.c.used > 0)
        .values(used=rate_windows.c.used - 1)
    )


def wait(session: Session, rate: Rate, key: str) -> int:
    """The whole seconds until `key` may hit again, 0 when it may now; counts nothing."""
    left = (
        select(text("used"), text("extract(epoch FROM ends_at - clock_timestamp())"))
        .select_from(rate_windows)
        .where(rate_windows.c.rate == rate.name, rate_windows.c.key == _hash(key))
    )
    row = session.execute(left).first()
    if row is None or row[0] < rate.limit or row[1] <= 0:
        return 0
    return max(1, math.ceil(row[1]))


def refuse(seconds: int, words: str) -> None:
    """Raise TooManyRequests when there are seconds to wait."""
    if seconds:
        raise TooManyRequests(words, seconds)


def forget(session: Session, keys: list[str]) -> None:
    """Forget what was counted for these keys, in every rate."""
    session.execute(delete(rate_windows).where(rate_windows.c.key.in_([_hash(key) for key in keys])))


def sweep(session: Session) -> int:
    """Delete windows that are over; returns how many."""
    over = text(
        "DELETE FROM rate_windows WHERE ctid = ANY(ARRAY("
        "SELECT ctid FROM rate_windows WHERE ends_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))"
    )
    return int(session.execute(over).rowcount)  # type: ignore[attr-defined]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
