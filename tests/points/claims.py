"""What tests of submissions share: two claims that are well made, and a look behind the doors."""

from sqlalchemy import text

from fleet import auth_state
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import decode
from services.points import ledger

POST = "https://www.linkedin.com/posts/ada_first-day-activity-7123456789012345678-AbCd?utm_source=share"
MENTORED = "Met every Friday for a month to go through interviews together."


def events(prefix="points.submission_") -> list:
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    return [event for event in (decode(bytes(body)) for body in bodies) if event.type.startswith(prefix)]


def suspend(member_id, until=None):
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(member_id, 1, "student", "suspended", until))


def alias(old, member_id):
    with transaction() as session:
        session.execute(text("INSERT INTO aliases VALUES (:old, :new)"), {"old": old, "new": member_id})


def available(member_id) -> int:
    with transaction() as session:
        return ledger.balance_of(session, member_id).available
