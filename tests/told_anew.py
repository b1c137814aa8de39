"""What a service says once more after a restore."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import Envelope, decode, now
from fleet.restoring import of, raise_versions, retell


def raise_all(service: str) -> int:
    """Raise what the service counts; how many rows."""
    with transaction() as session:
        return raise_versions(session, of(service).RAISED)


def told_anew(service: str, since: datetime | None = None) -> list[Envelope[Any]]:
    """What the service tells, and nothing that it had told before; since an hour ago when nothing is said."""
    with transaction() as session:
        session.execute(text("DELETE FROM outbox"))
    count = retell(service, since or now() - timedelta(hours=1))
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    assert bool(count) == bool(bodies)
    return [decode(bytes(body)) for body in bodies]
