"""What the bot asks for members and staff: the shop, redemptions, and what is to be done with them."""

from typing import Any

from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts import rewards
from fleet.messages import Envelope
from fleet.problems import Forbidden, invalid
from services.rewards import awaited, catalog, decisions, listings, members, milestones, outcomes, redemptions, shop
from services.rewards.heard import subscriptions
from services.rewards.shop import Offer

LONGEST_DETAILS = 1000


@subscriptions.handles(rewards.GetCatalogue)
def get_catalogue(session: Session, question: Envelope[rewards.GetCatalogue]) -> rewards.Catalogue:
    """The shop as one member sees it."""
    asked = question.data
    if asked.retired:
        members.require_admin(session, asked.member_id)
    active = None if asked.retired else True
    wanted = catalog.filters(is_active=active, category=asked.category, words=asked.words)
    limit = max(1, min(asked.limit, 25))
    found = shop.page(session, asked.member_id, wanted, limit, asked.cursor, unlocked=asked.unlocked)
    return rewards.Catalogue(
        [_offered(offer) for offer in found.offers], found.available, found.lifetime, found.next_cursor
    )


@subscriptions.handles(rewards.GetIncentive)
def get_incentive(session: Session, question: Envelope[rewards.GetIncentive]) -> rewards.CatalogueEntry:
    """One incentive as one member sees it."""
    return _offered(shop.offer(session, question.data.member_id, question.data.incentive_id))


@subscriptions.handles(rewards.GetMilestones)
def get_milestones(session: Session, question: Envelope[rewards.GetMilestones]) -> rewards.Milestones:
    """What a member has reached, and what comes next."""
    found = milestones.read(session, question.data.member_id)
    return rewards.Milestones(
        found.available,
        found.lifetime,
        [_offered(offer) for offer in found.unlocked],
        found.unlocked_count,
        [_offered(offer) for offer in found.following],
    )


def _offered(offer: Offer) -> rewards.CatalogueEntry:
    each: Any = offer.incentive
    return rewards.CatalogueEntry(
        incentive_id=each.id,
        name=each.name,
        points_required=each.points_required,
        category=each.category,
        can_redeem=offer.can_redeem,
        points_missing=offer.points_missing,
        is_active=each.is_active,
        description=each.description,
        stock=each.stock,
        tier=each.tier,
        sponsor=each.sponsor,
        image_url=each.image_url,
        per_member_limit=each.per_member_limit,
        min_lifetime_points=each.min_lifetime_points,
        limit_left=offer.limit_left,
        reason=offer.reason,
        unlocked_at=offer.unlocked_at,
    )


@subscriptions.handles(rewards.GetRedemption)
def get_redemption(session: Session, question: Envelope[rewards.GetRedemption]) -> rewards.RedemptionEntry:
    """One redemption, for whom it concerns and for staff."""
    asked = question.data
    if not asked.staff_channel:
        if asked.member_id is None:
            raise Forbidden("Say who asks.")
        if not _is_own(session, asked):
            members.require_admin(session, asked.member_id)
    return _entry(listings.described(session, asked.redemption_id))


def _is_own(session: Session, asked: rewards.GetRedemption) -> bool:
    owner = redemptions.find(session, asked.redemption_id).member_id
    return asked.member_id is not None and owner == members.resolve(session, asked.member_id)


@subscriptions.handles(rewards.GetRedemptions)
def get_redemptions(session: Session, question: Envelope[rewards.GetRedemptions]) -> rewards.Redemptions:
    """One's own redemptions; or what waits for staff."""
    asked = question.data
    limit = max(1, min(asked.limit, 25))
    if asked.queue:
        members.require_admin(session, asked.member_id)
        filters, whose = listings.Filters(status="pending", order="oldest"), None
    else:
        filters, whose = listings.Filters(member=asked.member_id), asked.member_id
    rows, following = listings.listed(session, filters, limit, asked.cursor)
    return rewards.Redemptions([_entry(row) for row in rows], listings.pending(session, whose), following)


def _entry(row: Any) -> rewards.RedemptionEntry:
    made, incentive = row.Redemption, row.Incentive
    return rewards.RedemptionEntry(
        redemption_id=made.id,
        member_id=made.member_id,
        display_name=row.display_name,
        reward_id=incentive.id,
        name=incentive.name,
        category=incentive.category,
        points_spent=made.points_spent,
        status=made.status,
        requested_at=made.requested_at,
        image_url=incentive.image_url,
        decided_at=made.decided_at,
        note=made.note,
        reason=made.reason,
        tracking_info=made.tracking_info,
        estimated_delivery=made.estimated_delivery,
    )


@subscriptions.handles(rewards.Redeem)
def redeem(session: Session, command: Envelope[rewards.Redeem]) -> Any:
    """Begin a redemption; the answer comes when points has said yes or no."""
    wish = command.data
    if not 1 <= len(wish.reference) <= 200:
        raise invalid("/reference", "must have 1 to 200 characters")
    if wish.delivery_details is not None and len(wish.delivery_details) > LONGEST_DETAILS:
        raise invalid("/delivery_details", f"at most {LONGEST_DETAILS} characters")
    details = {"text": wish.delivery_details} if wish.delivery_details else None
    made = redemptions.request(
        session,
        wish.member_id,
        wish.incentive_id,
        details=details,
        reference=f"discord:{wish.reference}",
        expected_points=wish.expected_points,
    )
    if made.status == "requested":
        awaited.keep(session, made.id, command)
        return outbox.LATER
    if made.status == "declined":
        raise outcomes.refusal(session, made)
    return outcomes.outcome(session, made)


@subscriptions.handles(rewards.CancelRedemption)
def cancel_redemption(session: Session, command: Envelope[rewards.CancelRedemption]) -> rewards.RedemptionOutcome:
    """A member takes a redemption back."""
    return outcomes.outcome(session, decisions.cancel(session, command.data.redemption_id, command.data.member_id))


@subscriptions.handles(rewards.DecideRedemption)
def decide_redemption(session: Session, command: Envelope[rewards.DecideRedemption]) -> rewards.RedemptionOutcome:
    """An admin moves a redemption on."""
    asked = command.data
    actor = members.require_admin(session, asked.actor_member_id)
    shipped = {"tracking_info": asked.tracking_info, "estimated_delivery": asked.estimated_delivery}
    made = decisions.decide(session, asked.redemption_id, asked.decision, actor, note=asked.note, **shipped)  # type: ignore[arg-type]
    return outcomes.outcome(session, made)
