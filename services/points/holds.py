"""Holds: the two-phase half of the redemption saga that points owns.

A redemption reserves points (held), which are then spent (captured) or given back (released); spent points may be given
back once (refunded). Commands arrive more than once and in any order, so every one of them is decided by the hold's row:

- a redemption has at most one hold, and each of its steps moves points at most once;
- a command for a step that has been taken tells the present state again and moves nothing;
- a release that comes before its hold leaves a tombstone (voided), and the late hold reserves nothing;
- what can only come of a broken saga (capturing what is not held, refunding what was not spent) is a fault: it is tried
  again later, in case a predecessor is on its way, then lies in the dead queue and alarms.

Lifetime points and boards do not change by spending.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import auth_state, outbox
from fleet.contracts.points import HoldCaptured, HoldRefused, HoldReleased, PointsHeld, PointsRefunded
from fleet.messages import now
from fleet.problems import NotFound
from services.points import ledger
from services.points.correction_models import Hold
from services.points.models import Balance

_OWNER = select(Hold.member_id).where(Hold.redemption_id == bindparam("id", type_=Uuid()))
_HOLD = (
    select(Hold).where(Hold.redemption_id == bindparam("id", type_=Uuid())).execution_options(populate_existing=True)
)


class HoldFault(RuntimeError):
    """A command that contradicts the hold's state: the saga is broken, or something overtook it."""


def place(session: Session, redemption_id: UUID, member_id: UUID, points: int, min_lifetime_points: int | None) -> Hold:
    """Reserve `points` of the member for a redemption, or refuse (suspended, locked, insufficient-points), and tell it."""
    if _find(session, redemption_id) is not None:
        return _tell_again(session, redemption_id)
    balance = ledger.lock_current_balance(session, member_id)
    reason = _why_not(session, balance, points, min_lifetime_points or 0)
    state = "refused" if reason else "held"
    if not _insert(session, redemption_id, balance.member_id, state, points=points, reason=reason):
        # It became known while we waited for the lock.
        _refuse_other_owner(session, redemption_id, balance)
        return _tell(session, _get(session, redemption_id), balance)
    if state == "held":
        ledger.move(session, balance, "hold", points, f"hold:{redemption_id}", now())
    return _tell(session, _get(session, redemption_id), balance)


def _why_not(session: Session, balance: Balance, points: int, min_lifetime_points: int) -> str | None:
    if auth_state.is_suspended(session, balance.member_id):
        return "suspended"
    if balance.lifetime < min_lifetime_points:
        return "locked"
    return "insufficient-points" if balance.available < points else None


def capture(session: Session, redemption_id: UUID) -> Hold:
    """Spend what is held. It cannot fail for want of points: the hold has reserved them. HoldFault when nothing is held."""
    balance = _lock_owner(session, redemption_id)
    hold = _get(session, redemption_id)
    if _change(session, hold, "held", "captured"):
        ledger.move(session, balance, "capture", _points(hold), f"capture:{redemption_id}", now())
    elif hold.state not in ("captured", "refunded"):
        raise HoldFault(f"the hold of redemption {redemption_id} is {hold.state} and cannot be captured")
    return _tell(session, hold, balance)


def release(session: Session, redemption_id: UUID, member_id: UUID) -> Hold:
    """Give back what is held; when nothing is known of the redemption yet, see to it that nothing ever will be held."""
    if _find(session, redemption_id) is None:
        # The lock first, as in `place`: of a hold and a release at the same time neither waits for the other's row.
        balance = ledger.lock_current_balance(session, member_id)
        if not _insert(session, redemption_id, balance.member_id, "voided"):
            _refuse_other_owner(session, redemption_id, balance)
    else:
        balance = _lock_owner(session, redemption_id)
    hold = _get(session, redemption_id)
    if _change(session, hold, "held", "released"):
        ledger.move(session, balance, "release", _points(hold), f"release:{redemption_id}", now())
    return _tell(session, hold, balance)


def refund(session: Session, redemption_id: UUID, points: int, reason: str) -> Hold:
    """Give back spent points, once. HoldFault when they are not spent (yet), or are more than the redemption cost."""
    balance = _lock_owner(session, redemption_id)
    hold = _get(session, redemption_id)
    if hold.state == "captured" and not 1 <= points <= _points(hold):
        raise HoldFault(f"redemption {redemption_id} cost {hold.points} points; {points} cannot be refunded")
    if _change(session, hold, "captured", "refunded", refunded_points=points, reason=reason):
        ledger.move(session, balance, "refund", points, f"refund:{redemption_id}", now())
    elif hold.state != "refunded":
        raise HoldFault(f"the hold of redemption {redemption_id} is {hold.state} and cannot be refunded")
    return _tell(session, hold, balance)


def _points(hold: Hold) -> int:
    return hold.points or 0


def _find(session: Session, redemption_id: UUID) -> UUID | None:
    return session.scalar(_OWNER, {"id": redemption_id})


def _lock_owner(session: Session, redemption_id: UUID) -> Balance:
    """The locked balance of whoever has the hold now; from then on nobody else changes the hold."""
    try:
        return ledger.lock_owner(session, _OWNER.params(id=redemption_id))
    except NotFound as error:
        raise HoldFault(f"nothing is known of redemption {redemption_id}") from error


def _refuse_other_owner(session: Session, redemption_id: UUID, balance: Balance) -> None:
    """HoldFault when the hold is not of the member whose balance is locked.

    Going on to lock its owner's balance too would wait for one member while holding another, and two redemptions that
    are mixed up crosswise would wait for each other for ever. Tried again, the command meets the hold before any lock.
    """
    if _find(session, redemption_id) != balance.member_id:
        raise HoldFault(f"redemption {redemption_id} is known as another member's")


def _get(session: Session, redemption_id: UUID) -> Hold:
    return session.scalars(_HOLD, {"id": redemption_id}).one()


def _insert(session: Session, redemption_id: UUID, member_id: UUID, state: str, **values: Any) -> bool:
    """Write the hold's row; False when there is one already."""
    moment = now()
    row = insert(Hold).values(
        redemption_id=redemption_id, member_id=member_id, state=state, created_at=moment, changed_at=moment, **values
    )
    return session.scalar(row.on_conflict_do_nothing().returning(Hold.redemption_id)) is not None


def _change(session: Session, hold: Hold, expected: str, state: str, **values: Any) -> bool:
    """Take the step from `expected` to `state`; False when the hold is not in `expected`."""
    if hold.state != expected:
        return False
    guarded = (
        update(Hold)
        .where(Hold.redemption_id == hold.redemption_id, Hold.state == expected)
        .values(state=state, changed_at=now(), **values)
        .returning(Hold.redemption_id)
    )
    taken = session.scalar(guarded) is not None
    session.refresh(hold)
    return taken


def _tell_again(session: Session, redemption_id: UUID) -> Hold:
    balance = _lock_owner(session, redemption_id)
    return _tell(session, _get(session, redemption_id), balance)


def _tell(session: Session, hold: Hold, balance: Balance) -> Hold:
    """Record the event of the hold's present state."""
    now_has: dict[str, Any] = {"available": balance.available, "lifetime": balance.lifetime}
    about: dict[str, Any] = {"redemption_id": hold.redemption_id, "member_id": balance.member_id}
    event: Any
    if hold.state == "held":
        event = PointsHeld(**about, points=_points(hold), **now_has)
    elif hold.state == "refused":
        event = HoldRefused(**about, points=_points(hold), reason=hold.reason, **now_has)  # type: ignore[arg-type]
    elif hold.state == "captured":
        event = HoldCaptured(**about, points=_points(hold), **now_has)
    elif hold.state == "refunded":
        event = PointsRefunded(**about, points=hold.refunded_points or 0, reason=hold.reason or "", **now_has)
    else:
        event = HoldReleased(**about, points=_points(hold), **now_has)
    outbox.record(session, event, source=ledger.SOURCE, subject=balance.member_id, sequence=balance.version)
    return hold
