"""The shop as one member sees it: what they can redeem now, and, of everything else, what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from fleet import auth_state
from services.rewards import catalog, members, unlocks
from services.rewards.member_models import Member, Unlock
from services.rewards.models import Incentive, Redemption
from services.rewards.redemptions import ENDED_IN_VAIN


@dataclass(frozen=True)
class Offer:
    """An incentive for one member. `reason`: the code of what stands in the way, None when nothing does."""

    incentive: Incentive
    points_missing: int
    limit_left: int | None
    reason: str | None
    locked_reason: str | None
    unlocked_at: datetime | None

    @property
    def can_redeem(self) -> bool:
        return self.reason is None


@dataclass(frozen=True)
class Page:
    """A page of offers, and the points they were held against."""

    offers: list[Offer]
    available: int
    lifetime: int
    next_cursor: str | None


def page(
    session: Session,
    member_id: UUID,
    filters: list[ColumnElement[bool]],
    limit: int,
    cursor: str | None,
    *,
    unlocked: bool = False,
) -> Page:
    """A page of the shop, cheapest first; `unlocked` keeps what the member has unlocked."""
    member_id = members.resolve(session, member_id)
    if unlocked:
        own = exists().where(Unlock.member_id == member_id, Unlock.incentive_id == Incentive.id)
        filters = [*filters, own]
    incentives, following = catalog.listed(session, filters, limit, cursor)
    member = members.find(session, member_id)
    return Page(offers(session, member_id, member, incentives), member.available, member.lifetime, following)


def offer(session: Session, member_id: UUID, incentive_id: UUID) -> Offer:
    """One incentive, active or not, as the member sees it; NotFound."""
    member_id = members.resolve(session, member_id)
    return offers(session, member_id, members.find(session, member_id), [catalog.find(session, incentive_id)])[0]


def offers(session: Session, member_id: UUID, member: Member, incentives: Sequence[Incentive]) -> list[Offer]:
    """What each of these incentives is to the member, whose id is resolved."""
    ids = [each.id for each in incentives]
    used, when = _used(session, member_id, ids), unlocks.unlocked_at(session, member_id, ids)
    suspended = auth_state.is_suspended(session, member_id)
    found = []
    for each in incentives:
        left = None if each.per_member_limit is None else max(0, each.per_member_limit - used.get(each.id, 0))
        reason = _reason(member, each, left, suspended)
        level = each.min_lifetime_points or 0
        locked = f"Reach {level} lifetime points" if member.lifetime < level else None
        missing = max(0, each.points_required - member.available)
        found.append(Offer(each, missing, left, reason, locked, when.get(each.id)))
    return found


def _reason(member: Any, incentive: Incentive, left: int | None, suspended: bool) -> str | None:
    """What stands in the way first; points by what we know of them, the last word on them is points' own."""
    obstacles = {
        "retired": not incentive.is_active,
        "suspended": suspended,
        "locked": member.lifetime < (incentive.min_lifetime_points or 0),
        "limit-reached": left == 0,
        "out-of-stock": incentive.stock == 0,
        "insufficient-points": member.available < incentive.points_required,
    }
    return next((reason for reason, stands in obstacles.items() if stands), None)


def _used(session: Session, member_id: UUID, incentive_ids: list[UUID]) -> dict[UUID, int]:
    counted = (
        select(Redemption.incentive_id, func.count())
        .where(
            Redemption.member_id == member_id,
            Redemption.incentive_id.in_(incentive_ids),
            Redemption.status.not_in(ENDED_IN_VAIN),
        )
        .group_by(Redemption.incentive_id)
    )
    return {row[0]: row[1] for row in session.execute(counted)}
