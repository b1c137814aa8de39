"""The newest known security version, role and suspension of each member: every service keeps its own copy.

users tells it by event; tokens with a smaller version are refused, and a suspended member earns and spends nothing.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Select, Table, Text, Uuid, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.contracts.users import AuthStateChanged
from fleet.database import fleet_metadata
from fleet.messages import Envelope, now

auth_state = Table(
    "auth_state",
    fleet_metadata,
    Column("member_id", Uuid, primary_key=True),
    Column("security_version", BigInteger, nullable=False),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("suspended_until", DateTime(timezone=True)),
)


# The same as `is_suspended` for a statement that has the member's row as `s`, or NULL when there is none.
IS_SUSPENDED = "coalesce(s.status = 'suspended' AND (s.suspended_until IS NULL OR s.suspended_until > now()), false)"


def remember(session: Session, event: Envelope[AuthStateChanged]) -> None:
    """The handler of users.auth_state_changed.v1 in every service."""
    keep(session, event.data)


def keep(session: Session, data: AuthStateChanged) -> None:
    """Keep the newest auth state of a member; an older one that arrives late changes nothing."""
    values = {
        "security_version": data.security_version,
        "role": data.role,
        "status": data.status,
        "suspended_until": data.suspended_until,
    }
    statement = insert(auth_state).values(member_id=data.member_id, **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["member_id"],
            set_=values,
            where=auth_state.c.security_version < statement.excluded.security_version,
        )
    )


def suspended(member_id: Any) -> Select[tuple[UUID]]:
    """The statement that finds the member while they are suspended; `member_id` may be a parameter or a column."""
    return select(auth_state.c.member_id).where(
        auth_state.c.member_id == member_id,
        auth_state.c.status == "suspended",
        or_(auth_state.c.suspended_until.is_(None), auth_state.c.suspended_until > func.now()),
    )


def is_suspended(session: Session, member_id: UUID) -> bool:
    """True while the member is suspended; a suspension with an end is over at that instant, without any message."""
    return session.scalar(suspended(member_id)) is not None


def may_act_as_admin(session: Session, member_id: UUID, role: str | None) -> bool:
    """True when the `role` that users' events of members name is admin, the newest auth state, which may be newer, does not
    say otherwise, and the member is not suspended. For who acts through a message: Discord's roles count for nothing here."""
    newest = session.scalar(select(auth_state.c.role).where(auth_state.c.member_id == member_id))
    return role == "admin" and newest in (None, "admin") and not is_suspended(session, member_id)


def suspension(session: Session, member_id: UUID) -> tuple[bool, datetime | None]:
    """Whether the member is suspended now, and until when (None: without end)."""
    row = session.execute(
        select(auth_state.c.status, auth_state.c.suspended_until).where(auth_state.c.member_id == member_id)
    ).first()
    if row is None or row.status != "suspended" or (row.suspended_until and row.suspended_until <= now()):
        return False, None
    return True, row.suspended_until
