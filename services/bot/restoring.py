"""What the bot counts, and what it says once more, after a restore; see fleet/restoring.py."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.restoring import Retell, at_once, pages
from services.bot import people
from services.bot.models import SeenPerson

RAISED: tuple[str, ...] = ()
KEPT = {
    "notices.version": "is told to nobody",
    "contacts.sequence": "users counts it",
}


def seen(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """Whom it saw for the first time, or under another name, since then: users makes them members."""
    rows = select(SeenPerson).where(SeenPerson.updated_at >= since).order_by(SeenPerson.member_id).limit(at_once())
    if after is not None:
        rows = rows.where(SeenPerson.member_id > after)
    found = session.scalars(rows).all()
    for person in found:
        people.register_again(session, person)
    return pages([person.member_id for person in found])


RETOLD: tuple[Retell, ...] = (seen,)
