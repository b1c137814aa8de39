"""How a redemption stands, in words for whoever asked: the outcome of a command, or the problem that declined it."""

from sqlalchemy.orm import Session

from fleet.contracts.rewards import RedemptionOutcome
from fleet.problems import Problem
from services.rewards import catalog, members
from services.rewards.models import Redemption


class InsufficientPoints(Problem):
    """The member has fewer points available than the reward costs."""

    status, slug, title = 409, "insufficient-points", "There are not enough points"


class Locked(Problem):
    """The member's lifetime points have not reached the level of the reward."""

    status, slug, title = 409, "locked", "This reward is locked"


def refusal(session: Session, redemption: Redemption) -> Problem:
    """Why points did not reserve anything for a declined redemption."""
    member, name = members.find(session, redemption.member_id), catalog.find(session, redemption.incentive_id).name
    facts = {"redemption_id": str(redemption.id), "points_required": redemption.points_spent}
    if redemption.reason == "suspended":
        return members.Suspended("A suspended member spends no points until the suspension ends.", **facts)
    if redemption.reason == "locked":
        level = redemption.min_lifetime_points or 0
        words = f"{name} is for members who have earned {level} points in all; you have earned {member.lifetime}."
        return Locked(words, min_lifetime_points=level, lifetime=member.lifetime, **facts)
    words = f"{name} costs {redemption.points_spent} points; you have {member.available}."
    return InsufficientPoints(words, available=member.available, **facts)


def outcome(session: Session, redemption: Redemption) -> RedemptionOutcome:
    """The redemption as it stands; what is left to spend is known once points has answered."""
    waits = redemption.status == "requested"
    return RedemptionOutcome(
        redemption_id=redemption.id,
        member_id=redemption.member_id,
        reward_id=redemption.incentive_id,
        name=catalog.find(session, redemption.incentive_id).name,
        points_spent=redemption.points_spent,
        status=redemption.status,  # type: ignore[arg-type]
        remaining_points=None if waits else members.find(session, redemption.member_id).available,
    )
