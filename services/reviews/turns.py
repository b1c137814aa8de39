"""Changes of state: guarded, and written down with who made them and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet.messages import new_id, now
from fleet.problems import Problem
from services.reviews.models import ReviewRequest, Turn
from services.reviews.session_models import Meeting


class WrongState(Problem):
    """The request or session is not in a state from which this can be done."""

    status, slug, title = 409, "wrong-state", "Not possible in the present state"


@dataclass(frozen=True)
class Actor:
    """Who does something: a member of one's own or of staff, a professional by a link, or the service itself."""

    kind: str
    member_id: UUID | None = None

    @property
    def sees_all(self) -> bool:
        """True for all but students, who act on what is their own."""
        return self.kind != "student"


SYSTEM = Actor("system")


def locked_request(session: Session, request_id: UUID) -> ReviewRequest | None:
    """The request, locked until the transaction ends, as it is now."""
    statement = select(ReviewRequest).where(ReviewRequest.id == request_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def locked_session(session: Session, session_id: UUID) -> Meeting | None:
    """The session, locked until the transaction ends, as it is now."""
    statement = select(Meeting).where(Meeting.id == session_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).first()


def turn(
    session: Session,
    row: ReviewRequest | Meeting,
    becomes: str,
    actor: Actor,
    *,
    expected: tuple[str, ...],
    note: str | None = None,
    was_at: datetime | None = None,
    **values: Any,
) -> None:
    """Bring a row from one of the expected states to another, once, and write down who did it. Raises WrongState.

    `was_at`: when a session that is moved was to begin. `values`: further columns.
    """
    was, table = row.status, type(row)
    guarded = update(table).where(table.id == row.id, table.status.in_(expected), table.status == was)
    changed = guarded.values(status=becomes, version=table.version + 1, **values).returning(table.version)
    if session.scalar(changed.execution_options(synchronize_session=False)) is None:
        raise WrongState(f"It is {was} now.", present_status=was)
    session.refresh(row)
    write_down(session, row, was, actor, note=note, starts_at=was_at)


def write_down(
    session: Session,
    row: ReviewRequest | Meeting,
    was: str | None,
    actor: Actor,
    *,
    note: str | None = None,
    starts_at: datetime | None = None,
) -> None:
    """One line of the history of a request or session."""
    request_id = row.id if isinstance(row, ReviewRequest) else row.review_request_id
    line = Turn(
        id=new_id(),
        subject_id=row.id,
        review_request_id=request_id,
        was=was,
        becomes=row.status,
        actor=actor.kind,
        actor_id=actor.member_id,
        note=note,
        starts_at=starts_at,
        at=now(),
    )
    session.add(line)
    session.flush()


def history(session: Session, subject_id: UUID) -> list[Turn]:
    """All that happened to a request or a session, in order."""
    return list(session.scalars(select(Turn).where(Turn.subject_id == subject_id).order_by(Turn.id)))
