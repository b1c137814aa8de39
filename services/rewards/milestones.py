"""A member's milestones: the rewards their points have reached, and those that come next."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from services.rewards import members, shop
from services.rewards.member_models import Unlock
from services.rewards.models import Incentive
from services.rewards.shop import Offer

SHOWN, AHEAD = 10, 3


@dataclass(frozen=True)
class Milestones:
    """What is reached, the newest first, and what comes next, the nearest first."""

    available: int
    lifetime: int
    unlocked: list[Offer]
    unlocked_count: int
    following: list[Offer]


def read(session: Session, member_id: UUID) -> Milestones:
    """The milestones of a member: of what is in the shop, what they unlocked, and what their points do not reach yet."""
    member_id = members.resolve(session, member_id)
    member = members.find(session, member_id)
    mine = (Unlock.member_id == member_id) & (Unlock.incentive_id == Incentive.id)
    unlocked = select(Incentive).join(Unlock, mine).where(Incentive.is_active)
    newest = unlocked.order_by(Unlock.unlocked_at.desc(), Incentive.points_required.desc(), Incentive.id).limit(SHOWN)
    out_of_reach = or_(
        Incentive.points_required > member.available, func.coalesce(Incentive.min_lifetime_points, 0) > member.lifetime
    )
    ahead = (
        select(Incentive).outerjoin(Unlock, mine).where(Incentive.is_active, out_of_reach, Unlock.member_id.is_(None))
    )
    ahead = ahead.order_by(Incentive.points_required, Incentive.id).limit(AHEAD)
    count = session.scalar(select(func.count()).select_from(unlocked.subquery())) or 0
    return Milestones(
        member.available,
        member.lifetime,
        shop.offers(session, member_id, member, session.scalars(newest).all()),
        count,
        shop.offers(session, member_id, member, session.scalars(ahead).all()),
    )
