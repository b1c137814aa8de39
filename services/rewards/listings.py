"""Lists of redemptions: a member's history, staff's queue, and what is shown beside each."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.messages import now
from fleet.problems import NotFound
from services.rewards import members
from services.rewards.member_models import Member
from services.rewards.models import Incentive, Redemption


@dataclass(frozen=True)
class Filters:
    """Which redemptions a list shows; `member` None: everybody's."""

    member: UUID | None = None
    status: str | None = None
    reward: UUID | None = None
    older_than_hours: int | None = None
    order: Literal["newest", "oldest"] = "newest"


def _described() -> Any:
    return (
        select(Redemption, Incentive, Member.display_name, Member.available)
        .join(Incentive, Incentive.id == Redemption.incentive_id)
        .join(Member, Member.id == Redemption.member_id, isouter=True)
        .execution_options(populate_existing=True)
    )


def described(session: Session, redemption_id: UUID) -> Any:
    """One row of (Redemption, Incentive, display_name, available), the last two of its member; NotFound."""
    found = session.execute(_described().where(Redemption.id == redemption_id)).one_or_none()
    if found is None:
        raise NotFound("There is no such redemption.")
    return found


def listed(session: Session, filters: Filters, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of rows of (Redemption, Incentive, display_name) and the cursor of the next one."""
    statement = _described()
    if filters.member is not None:
        statement = statement.where(Redemption.member_id == members.resolve(session, filters.member))
    if filters.status is not None:
        statement = statement.where(Redemption.status == filters.status)
    if filters.reward is not None:
        statement = statement.where(Redemption.incentive_id == filters.reward)
    if filters.older_than_hours is not None:
        statement = statement.where(Redemption.requested_at <= now() - timedelta(hours=filters.older_than_hours))
    place = tuple_(Redemption.requested_at, Redemption.id)
    newest = filters.order == "newest"
    if key := paging.decode_cursor(cursor, instant, UUID):
        last = tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(place < last if newest else place > last)
    order = [Redemption.requested_at, Redemption.id]
    statement = statement.order_by(*(column.desc() if newest else column for column in order)).limit(limit + 1)
    rows = session.execute(statement).all()
    return paging.page(rows, limit, lambda row: (row.Redemption.requested_at.isoformat(), row.Redemption.id))


def pending(session: Session, member_id: UUID | None = None) -> int:
    """How many redemptions wait for staff, of everybody or of one member."""
    statement = select(func.count()).where(Redemption.status == "pending")
    if member_id is not None:
        statement = statement.where(Redemption.member_id == members.resolve(session, member_id))
    return session.scalar(statement) or 0
