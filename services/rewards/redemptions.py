"""Redemptions: every one begins and moves on here, whichever door it came through.

- A request takes the item, snapshots the price and asks points to hold it, all in one transaction.
- Each step is decided by `saga.decide` and kept by one guarded UPDATE: of many who would take different steps at once, one
  does, and the others decide anew from what it is now.
- What a redemption does not need any more goes back with the very step that ends it: the item here, the points by command.
- Nobody has more of an incentive than its limit: counted under the incentive's lock.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.points import HoldRefused
from fleet.contracts.rewards import (
    RedemptionDecided,
    RedemptionDeclined,
    RedemptionFulfilled,
    RedemptionRequested,
    RewardRedeemed,
)
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, invalid
from fleet.settings import read
from services.rewards import awaited, catalog, letters, members, saga
from services.rewards.models import Incentive, Redemption, RedemptionStep, StepNote
from services.rewards.saga import Saga, Wish, Word
from services.rewards.settings import RedemptionSettings

SOURCE = "rewards"
# These give back the right to redeem again.
ENDED_IN_VAIN = ("declined", "cancelled", "rejected", "expired", "refunded")
By = Literal["member", "staff", "system", "points"]


class LimitReached(Problem):
    """The member has had as many of this reward as one may have."""

    status, slug, title = 409, "limit-reached", "You have had as many of this reward as one may have"


class PriceChanged(Problem):
    """It costs something else than what the member agreed to."""

    status, slug, title = 409, "price-changed", "The price of this reward has changed"


@dataclass(frozen=True)
class Actor:
    """Who takes a step; only members and staff have an id."""

    by: By
    member_id: UUID | None = None


SYSTEM, POINTS = Actor("system"), Actor("points")


def request(
    session: Session,
    member_id: UUID,
    incentive_id: UUID,
    *,
    details: dict[str, Any] | None = None,
    reference: str | None = None,
    expected_points: int | None = None,
) -> Redemption:
    """Begin a redemption at the price of this moment; a known `reference` gives the one it began.

    Raises NotFound for a reward that is not in the shop, Suspended, LimitReached, OutOfStock, and PriceChanged when it
    costs something else than `expected_points`. Whether the points suffice,
    points says later.
    """
    owner = members.hold_still(session, member_id)
    if reference is not None and (known := _by_reference(session, owner, reference)):
        return known
    members.refuse_who_cannot_spend(session, owner)
    incentive = catalog.lock(session, incentive_id)
    if not incentive.is_active:
        raise NotFound("This reward is not in the shop.")
    price = incentive.points_required
    if expected_points not in (None, price):
        raise PriceChanged(f"{incentive.name} costs {price} points now. Nothing was spent.", points_required=price)
    _refuse_beyond_limit(session, owner, incentive)
    has_item = catalog.take_item(session, incentive)
    begun, commands = saga.begin(_wanted(owner, incentive, has_item))
    moment = now()
    redemption = Redemption(
        id=begun.redemption_id,
        member_id=owner,
        incentive_id=incentive.id,
        points_spent=begun.points,
        min_lifetime_points=begun.level,
        status=begun.status,
        settling=begun.settling,
        has_item=begun.has_item,
        version=1,
        requested_at=moment,
        changed_at=moment,
        resend_at=moment + timedelta(seconds=read(RedemptionSettings).resend_after_s),
        resent=0,
        delivery_details=details,
        reference=reference,
    )
    session.add(redemption)
    session.flush()
    _write_step(session, redemption, Actor("member", owner), None)
    _say(session, commands)
    _tell(session, redemption)
    return redemption


def _wanted(owner: UUID, incentive: Incentive, has_item: bool) -> Saga:
    return Saga(
        redemption_id=new_id(),
        member_id=owner,
        points=incentive.points_required,
        level=incentive.min_lifetime_points,
        digital=incentive.category == "digital",
        status="requested",
        settling=None,
        has_item=has_item,
    )


def _by_reference(session: Session, owner: UUID, reference: str) -> Redemption | None:
    known = session.scalar(select(Redemption).where(Redemption.reference == reference))
    if known is not None and known.member_id != owner:
        raise invalid("/reference", "names the redemption of somebody else")
    return known


def used(session: Session, member_id: UUID, incentive_id: UUID) -> int:
    """How many redemptions of an incentive count against the member's limit."""
    counted = select(func.count()).where(
        Redemption.incentive_id == incentive_id,
        Redemption.member_id == member_id,
        Redemption.status.not_in(ENDED_IN_VAIN),
    )
    return session.scalar(counted) or 0


def _refuse_beyond_limit(session: Session, owner: UUID, incentive: Incentive) -> None:
    limit = incentive.per_member_limit
    if limit is not None and used(session, owner, incentive.id) >= limit:
        times = "once" if limit == 1 else f"{limit} times"
        raise LimitReached(f"{incentive.name} can be redeemed {times} by one member.", limit=limit)


def find(session: Session, redemption_id: UUID) -> Redemption:
    """The redemption as it is now; NotFound when there is none."""
    found = session.get(Redemption, redemption_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such redemption.")
    return found


def of_member(session: Session, redemption_id: UUID, member_id: UUID) -> Redemption:
    """A redemption of one's own; NotFound when it is another's."""
    found = find(session, redemption_id)
    if found.member_id != members.resolve(session, member_id):
        raise NotFound("There is no such redemption.")
    return found


def saga_of(session: Session, redemption: Redemption, message: Wish | Word | None = None) -> Saga:
    """What decides about the redemption; whether it is digital only where the message makes that matter."""
    asked = isinstance(message, Wish) and message.verb == "deliver"
    return Saga(
        redemption_id=redemption.id,
        member_id=redemption.member_id,
        points=redemption.points_spent,
        level=redemption.min_lifetime_points,
        digital=asked and catalog.category_of(session, redemption.incentive_id) == "digital",
        status=redemption.status,
        settling=redemption.settling,  # type: ignore[arg-type]
        has_item=redemption.has_item,
    )


def advance(
    session: Session,
    redemption_id: UUID,
    message: Wish | Word,
    actor: Actor,
    *,
    note: str | None = None,
    **facts: Any,
) -> Redemption:
    """Take the step that `message` means, if it means one; the redemption as it is then.

    `facts` are columns that come with the step (tracking_info, estimated_delivery); repeated with other ones, a step
    corrects them. Raises NotFound, WrongStatus, SagaFault.
    """
    while True:
        redemption = find(session, redemption_id)
        before = saga_of(session, redemption, message)
        after, commands = saga.decide(before, message)
        if (note or facts) and members.is_forgotten(session, redemption.member_id):
            # The step is taken, for what was approved must end somehow; but nothing is written about the person.
            note, facts = None, {}
        if after == before and _known(redemption, facts):
            _say(session, commands)
            return redemption
        if after.status == "declined" and isinstance(message, HoldRefused):
            facts["reason"] = message.reason
        kept = _keep(session, redemption, before, after, facts, note)
        if kept is not None:
            _say(session, commands)
            return _after_step(session, kept, before, after, actor, note)


def _known(redemption: Redemption, facts: dict[str, Any]) -> bool:
    return all(value is None or getattr(redemption, name) == value for name, value in facts.items())


def _keep(
    session: Session, redemption: Redemption, before: Saga, after: Saga, facts: dict[str, Any], note: str | None
) -> Redemption | None:
    """Write the new state over just the one that was decided from; None when it is not that any more."""
    settings, moment = read(RedemptionSettings), now()
    values: dict[str, Any] = {"status": after.status, "settling": after.settling, "has_item": after.has_item}
    values |= {name: value for name, value in facts.items() if value is not None}
    if note:
        values["note"] = note
    if after.status != before.status:
        pending = after.status == "pending"
        values["expires_at"] = moment + timedelta(days=settings.expires_after_days) if pending else None
        if redemption.decided_at is None and not pending:
            values["decided_at"] = moment
    if after.settling != before.settling:
        later = moment + timedelta(seconds=settings.resend_after_s)
        values |= {"resend_at": later if after.settling else None, "resent": 0}
    guarded = (
        update(Redemption)
        .where(
            Redemption.id == before.redemption_id,
            Redemption.status == before.status,
            Redemption.settling.is_not_distinct_from(before.settling),
            Redemption.member_id == before.member_id,
        )
        .values(version=Redemption.version + 1, changed_at=moment, **values)
        .returning(Redemption)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    return session.scalar(guarded)


def _after_step(
    session: Session, redemption: Redemption, before: Saga, after: Saga, actor: Actor, note: str | None
) -> Redemption:
    """What belongs to a step that was taken: the item, the history, and whoever must know of it."""
    if before.has_item and not after.has_item:
        catalog.put_back(session, redemption.incentive_id)
    if before.status == after.status and before != after:
        # Points settled something that was decided before: nobody need hear of it.
        return redemption
    _write_step(session, redemption, actor, note)
    _tell(session, redemption)
    letters.redemption(session, redemption, note)
    if before.status == "requested":
        awaited.answer(session, redemption)
    return redemption


def _write_step(session: Session, redemption: Redemption, actor: Actor, note: str | None) -> None:
    session.add(
        RedemptionStep(
            redemption_id=redemption.id,
            version=redemption.version,
            status=redemption.status,
            by=actor.by,
            actor_id=actor.member_id,
            occurred_at=redemption.changed_at,
        )
    )
    if note:
        session.add(StepNote(redemption_id=redemption.id, version=redemption.version, note=note))
    session.flush()


def _say(session: Session, commands: tuple[saga.Command, ...]) -> None:
    """Tell points what it must do, in this very transaction."""
    for command in commands:
        outbox.record(session, command, source=SOURCE, subject=command.redemption_id)


def _tell(session: Session, redemption: Redemption) -> None:
    """Record the event of the redemption's present state."""
    about: dict[str, Any] = {
        "redemption_id": redemption.id,
        "member_id": redemption.member_id,
        "reward_id": redemption.incentive_id,
        "points_spent": redemption.points_spent,
        "requested_at": redemption.requested_at,
    }
    status, moment = redemption.status, redemption.changed_at
    event: Any
    if status == "requested":
        event = RedemptionRequested(**about)
    elif status == "pending":
        event = RewardRedeemed(**about)
    elif status == "declined":
        event = RedemptionDeclined(**about, reason=redemption.reason, declined_at=moment)  # type: ignore[arg-type]
    elif status in ("shipped", "delivered"):
        event = RedemptionFulfilled(**about, status=status, fulfilled_at=moment)  # type: ignore[arg-type]
    else:
        event = RedemptionDecided(**about, status=status, decided_at=moment)  # type: ignore[arg-type]
    outbox.record(session, event, source=SOURCE, subject=redemption.id, sequence=redemption.version)


def steps(session: Session, redemption_id: UUID) -> list[Any]:
    """Every step with its words, oldest first: rows of (RedemptionStep, note)."""
    statement = (
        select(RedemptionStep, StepNote.note)
        .join(
            StepNote,
            (StepNote.redemption_id == RedemptionStep.redemption_id) & (StepNote.version == RedemptionStep.version),
            isouter=True,
        )
        .where(RedemptionStep.redemption_id == redemption_id)
        .order_by(RedemptionStep.version)
    )
    return list(session.execute(statement))
