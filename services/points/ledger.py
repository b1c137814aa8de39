"""The ledger: double entry, immutable, one lock for each member.

Whoever moves a member's points first locks the member's row in `balances`; under that lock they write transfers, the
balance, the boards and the event, and all of it commits at once. So at every commit the balance equals the sum of the
transfers, and two doors (HTTP, messages) can never both spend or both count what is there once. A transfer's
idempotency key is unique: the same deed, command or request is written once, however often it comes.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import auth_state
from fleet.messages import new_id
from fleet.problems import NotFound, Problem
from services.points.models import (
    ActivityType,
    Alias,
    Balance,
    Ledger,
    Member,
    Transfer,
)

SOURCE = "points"
SUSPENDED = "A suspended member earns and spends no points until the suspension ends."

Kind = Literal["award", "adjustment", "reversal", "hold", "release", "capture", "refund"]
ISSUED = "issued"
# From which account to which; a correction that takes points goes the other way.
MOVES: dict[Kind, tuple[str, str]] = {
    "award": (ISSUED, "available"),
    "adjustment": (ISSUED, "available"),
    "reversal": (ISSUED, "available"),
    "hold": ("available", "reserved"),
    "release": ("reserved", "available"),
    "capture": ("reserved", "redeemed"),
    "refund": ("redeemed", "available"),
}


class Suspended(Problem):
    """A suspended member earns nothing and spends nothing."""

    status, slug, title = 409, "suspended", "The account is suspended"


class LimitReached(Problem):
    """The activity's cap for the period, or its cooldown, is used up."""

    status, slug, title = 409, "limit-reached", "This activity cannot be awarded again yet"


# Built once: these are in every movement of points.
_LEADS_TO = select(Alias.member_id).where(Alias.old_id == bindparam("id", type_=Uuid()))
_BALANCE = (
    select(Balance)
    .where(Balance.member_id == func.coalesce(_LEADS_TO.scalar_subquery(), bindparam("id", type_=Uuid())))
    .with_for_update(of=Balance)
    .execution_options(populate_existing=True)
)
_CURRENT_LEDGER = select(Ledger.id).where(Ledger.member_id == bindparam("id", type_=Uuid()), Ledger.is_current)
_BY_KEY = select(Transfer).where(Transfer.idempotency_key == bindparam("key"))


def resolve(session: Session, member_id: UUID) -> UUID:
    """The member that this id leads to, after merges."""
    return session.scalar(_LEADS_TO, {"id": member_id}) or member_id


def know(session: Session, member_id: UUID) -> None:
    """Make sure that the id has a row and a balance; repeating it changes nothing.

    A Discord-born member is addressed by their derived id, which may be sooner than users' event about them.
    """
    session.execute(insert(Member).values(id=member_id).on_conflict_do_nothing())
    session.execute(insert(Balance).values(member_id=member_id).on_conflict_do_nothing())


def lock_balance(session: Session, member_id: UUID) -> Balance:
    """The balance of just this id, locked until the transaction ends; NotFound when it has none.

    Only for what must not follow an alias; whoever moves points uses `lock_current_balance`.
    """
    statement = select(Balance).where(Balance.member_id == member_id)
    balance = session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if balance is None:
        raise NotFound("There is no such member.")
    return balance


def lock_current_balance(session: Session, member_id: UUID, *, must_exist: bool = False) -> Balance:
    """The balance of the member that this id leads to, locked, and still theirs. The first thing in every movement.

    A merge may come between reading where the id leads and getting the lock. The row we waited for is then empty and
    dead: what would be written to it is lost to the member. So under the lock we ask again, and go where the id leads
    now. A member of whom nothing is known yet is opened, or, with `must_exist`, NotFound is raised.
    """
    while True:
        balance = session.scalar(_BALANCE, {"id": member_id})
        if balance is None and must_exist:
            raise NotFound("There is no such member.")
        if balance is None:
            know(session, resolve(session, member_id))
        elif resolve(session, member_id) == balance.member_id:
            return balance


def lock_owner(session: Session, whose: Select[Any]) -> Balance:
    """The locked balance of the member that `whose` selects (the owner of a ledger, of a hold), asked again under the lock.

    Raises NotFound when there is no such row.
    """
    while True:
        owner: UUID | None = session.scalar(whose)
        if owner is None:
            raise NotFound("There is no such entry.")
        balance = lock_current_balance(session, owner)
        again = session.scalar(whose)
        if again == balance.member_id or (again is not None and resolve(session, again) == balance.member_id):
            return balance


def current_ledger(session: Session, member_id: UUID) -> UUID:
    """The ledger that the member's transfers are written to now, opened when there is none. Their balance must be locked."""
    found = session.scalar(_CURRENT_LEDGER, {"id": member_id})
    if found is None:
        found = new_id()
        session.execute(insert(Ledger).values(id=found, member_id=member_id, is_current=True))
    return found


def balance_of(session: Session, member_id: UUID) -> Balance:
    """The member's balance without a lock; zeros for one who never earned."""
    found = session.get(Balance, resolve(session, member_id))
    return found or Balance(member_id=member_id, available=0, reserved=0, redeemed=0, lifetime=0, version=0)


def already(session: Session, key: str) -> Transfer | None:
    """The transfer that was written under this idempotency key, if it was."""
    return session.scalar(_BY_KEY, {"key": key})


def refuse_suspended(session: Session, member_id: UUID) -> None:
    """Raise Suspended while the member is."""
    if auth_state.is_suspended(session, member_id):
        raise Suspended(SUSPENDED)


def refuse_forgotten(session: Session, member_id: UUID) -> None:
    """Raise NotFound for a member who was forgotten: numbers that come late are booked, but no word is kept any more."""
    if session.scalar(select(Member.id).where(Member.id == member_id, Member.status == "erased")) is not None:
        raise NotFound("There is no such member.")


def move(
    session: Session,
    balance: Balance,
    kind: Kind,
    points: int,
    key: str,
    occurred_at: datetime,
    *,
    gives: bool = True,
    actor: UUID | None = None,
    activity: ActivityType | None = None,
) -> Transfer:
    """Write one transfer of the member whose balance is locked, and the balance with it.

    One row takes `points` from one account and gives them to another, so debit equals credit whatever happens; which
    accounts follows from the kind, and for corrections from their direction (`gives`). Points that come from or go back
    to `issued` count in the lifetime points; all others only change their place.
    """
    debit, credit = MOVES[kind] if gives else tuple(reversed(MOVES[kind]))
    for account, change in ((debit, -points), (credit, points)):
        if account == ISSUED:
            balance.lifetime -= change
        else:
            setattr(balance, account, getattr(balance, account) + change)
    balance.version += 1
    transfer = Transfer(
        id=new_id(),
        ledger_id=current_ledger(session, balance.member_id),
        debit=debit,
        credit=credit,
        points=points,
        kind=kind,
        activity=activity.code if activity else None,
        rule_version=activity.version if activity else None,
        actor=actor,
        idempotency_key=key,
        occurred_at=occurred_at,
        available_after=balance.available,
    )
    session.add(transfer)
    session.flush()
    return transfer
