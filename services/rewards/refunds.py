"""Refunds: spent points given back, once, with or without the item going back to the shelf.

- More points than `REFUND_SECOND_ADMIN_ABOVE` go back only when another admin confirms within seven days, once.
- One refund at most waits for each redemption, and nobody refunds their own.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.problems import Forbidden, Problem
from fleet.settings import read
from services.rewards import decisions, members, redemptions
from services.rewards.models import Redemption, RefundRequest
from services.rewards.redemptions import Actor
from services.rewards.saga import STEPS, Wish, WrongStatus
from services.rewards.settings import RefundSettings

EXPIRES_AFTER = timedelta(days=7)


class NothingWaits(Problem):
    """There is no refund of this redemption that waits for a second admin."""

    status, slug, title = 409, "no-refund-waits", "No refund waits for confirmation"


@dataclass(frozen=True)
class Refunded:
    """The redemption, and, when a second admin has to confirm it, the request that waits."""

    redemption: Redemption
    request: RefundRequest | None = None


def refund(session: Session, redemption_id: UUID, actor_id: UUID, reason: str, *, restock: bool) -> Refunded:
    """Give the points back now, or, when they are many, ask a second admin to confirm it.

    Asking again while it waits gives the request that waits. Raises NotFound, Forbidden for one's own, WrongStatus.
    """
    actor = decisions.staff(session, redemption_id, actor_id)
    found = redemptions.find(session, redemption_id)
    if found.status == "refunded" or found.points_spent <= read(RefundSettings).second_admin_above:
        return Refunded(_give_back(session, redemption_id, actor, reason, restock))
    if found.status not in STEPS["refund"].sources:
        raise WrongStatus(f"The redemption is {found.status}.", present_status=found.status)
    return Refunded(found, _ask(session, redemption_id, actor, reason, restock))


def confirm(session: Session, redemption_id: UUID, actor_id: UUID, note: str | None) -> Refunded:
    """Confirm a waiting refund as its second admin, and give the points back.

    Raises NotFound, NothingWaits, Forbidden for whoever asked for it or whose redemption it is, WrongStatus.
    """
    actor = decisions.staff(session, redemption_id, actor_id)
    request = _decide(session, redemption_id, "confirmed", actor, note)
    return Refunded(_give_back(session, redemption_id, actor, request.reason, request.restock), request)


def refuse(session: Session, redemption_id: UUID, actor_id: UUID, note: str | None) -> Refunded:
    """Refuse a waiting refund as its second admin: nothing goes back. Raises as `confirm`."""
    actor = decisions.staff(session, redemption_id, actor_id)
    request = _decide(session, redemption_id, "refused", actor, note)
    return Refunded(redemptions.find(session, redemption_id), request)


def _give_back(session: Session, redemption_id: UUID, actor: Actor, reason: str, restock: bool) -> Redemption:
    return redemptions.advance(session, redemption_id, Wish("refund", restock=restock), actor, note=reason)


def _waiting(redemption_id: UUID) -> ColumnElement[bool]:
    return and_(RefundRequest.redemption_id == redemption_id, RefundRequest.status == "pending")


def _ask(session: Session, redemption_id: UUID, actor: Actor, reason: str, restock: bool) -> RefundRequest:
    moment = now()
    # What nobody confirmed in time makes room for a new request: the database allows one that waits.
    over = update(RefundRequest).where(_waiting(redemption_id), RefundRequest.expires_at <= moment)
    forgotten = members.is_forgotten(session, redemptions.find(session, redemption_id).member_id)
    values = {"reason": "" if forgotten else reason, "restock": restock, "requested_by": actor.member_id}
    values |= {"requested_at": moment, "expires_at": moment + EXPIRES_AFTER}
    session.execute(over.values(**values), execution_options={"synchronize_session": False})
    made = insert(RefundRequest).values(id=new_id(), redemption_id=redemption_id, status="pending", **values)
    session.execute(
        made.on_conflict_do_nothing(
            index_elements=["redemption_id"],
            index_where=RefundRequest.status == literal("pending", literal_execute=True),
        )
    )
    waiting = select(RefundRequest).where(_waiting(redemption_id)).execution_options(populate_existing=True)
    return session.scalars(waiting).one()


def _decide(session: Session, redemption_id: UUID, status: str, actor: Actor, note: str | None) -> RefundRequest:
    """Decide the waiting request that has not expired, in one guarded statement: of many at once, one does."""
    waiting = select(RefundRequest).where(_waiting(redemption_id), RefundRequest.expires_at > func.now())
    request = session.scalar(waiting.execution_options(populate_existing=True))
    if request is None:
        raise NothingWaits("Nobody has asked for a refund of this redemption, or it was decided or has expired.")
    if members.resolve(session, request.requested_by) == actor.member_id:
        raise Forbidden("Another admin than the one who asked for it decides a refund.")
    guarded = (
        update(RefundRequest)
        .where(RefundRequest.id == request.id, RefundRequest.status == "pending")
        .values(status=status, decided_by=actor.member_id, decided_at=now(), note=note)
        .returning(RefundRequest.id)
    )
    if session.scalar(guarded, execution_options={"synchronize_session": False}) is None:
        raise NothingWaits("Another admin was faster.")
    session.refresh(request)
    return request


def status_of(request: RefundRequest) -> str:
    """pending, confirmed, refused or expired."""
    return "expired" if request.status == "pending" and request.expires_at <= now() else request.status


def listed(
    session: Session, status: str | None, limit: int, cursor: str | None
) -> tuple[list[RefundRequest], str | None]:
    """A page of requests for refunds, newest first, and the cursor of the next one."""
    statement = select(RefundRequest)
    if status == "expired":
        statement = statement.where(RefundRequest.status == "pending", RefundRequest.expires_at <= func.now())
    elif status is not None:
        statement = statement.where(RefundRequest.status == status)
        if status == "pending":
            statement = statement.where(RefundRequest.expires_at > func.now())
    if key := paging.decode_cursor(cursor, instant, UUID):
        older = tuple_(RefundRequest.requested_at, RefundRequest.id) < tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(older)
    statement = statement.order_by(RefundRequest.requested_at.desc(), RefundRequest.id.desc()).limit(limit + 1)
    return paging.page(session.scalars(statement).all(), limit, lambda row: (row.requested_at.isoformat(), row.id))
