"""The ledger: double entry, immutable, one lock for each member.

Whoever moves a member's points first locks the member's row in `balances`; under that lock they write transfers, the
balance, the boards and the event, and all of it commits at once. So at every commit the balance equals the sum of the
transfers, and two doors (HTTP, messages) can never both spend or both count what is there once. A transfer's
idempotency key is unique: the same deed, command or request is written once, however often it comes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, Uuid, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import auth_state, outbox
from fleet.contracts.points import ActivityLogged
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem
from services.points import activities, boards
from services.points.calendar import programme_day
from services.points.models import (
    ActiveDay,
    ActivityType,
    Alias,
    Allowance,
    Balance,
    Cooldown,
    Ledger,
    Member,
    Transfer,
)
from services.points.models import TransferNote as Note

SOURCE = "points"
CLOCK_SKEW = timedelta(minutes=5)

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


class ApprovalRequired(Problem):
    """The activity is awarded through a submission that staff approve."""

    status, slug, title = 409, "approval-required", "This activity needs approval"


class InTheFuture(Problem):
    """Nobody has done yet what is going to happen."""

    status, slug, title = 422, "in-the-future", "The time lies in the future"


@dataclass(frozen=True)
class Award:
    """A transfer that was written (or, `repeated`, had been before), and the balance now."""

    transfer: Transfer
    balance: Balance
    repeated: bool = False


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


def award_deed(session: Session, member_id: UUID, code: str, occurred_at: datetime, reference: str) -> Award:
    """Award an activity that earns by itself (a message, a reaction), once for each `reference`.

    Raises NotFound for an unknown type, ApprovalRequired, InTheFuture, Suspended, and LimitReached when the cap or the
    cooldown of the rule does not allow it now.
    """
    activity = activities.get(session, code)
    if activity.requires_approval:
        raise ApprovalRequired(f"{activity.name} is awarded when staff approve a submission of it.")
    if occurred_at > now() + CLOCK_SKEW:
        raise InTheFuture(f"{occurred_at.isoformat()} has not been yet.")
    balance = lock_current_balance(session, member_id)
    if repeated := already(session, f"deed:{reference}"):
        return Award(repeated, balance, repeated=True)
    refuse_suspended(session, balance.member_id)
    _use_cap(session, balance.member_id, activity, occurred_at)
    _use_cooldown(session, balance.member_id, activity, occurred_at)
    return _write_award(session, balance, activity, activity.points, f"deed:{reference}", occurred_at)


def award_by_admin(
    session: Session, member_id: UUID, code: str, *, actor: UUID, points: int | None, details: str | None
) -> Award:
    """Award an activity by an admin's word: it is the approval, so caps, cooldowns and evidence do not bind it.

    Raises NotFound for an unknown member or type, Suspended.
    """
    activity = activities.get(session, code)
    balance = lock_current_balance(session, member_id, must_exist=True)
    refuse_forgotten(session, balance.member_id)
    refuse_suspended(session, balance.member_id)
    worth = activity.points if points is None else points
    award = _write_award(session, balance, activity, worth, f"admin:{new_id()}", now(), actor=actor)
    if details:
        session.add(Note(transfer_id=award.transfer.id, details=details))
        session.flush()
    return award


def award_submission(
    session: Session,
    balance: Balance,
    activity: ActivityType,
    key: str,
    occurred_at: datetime,
    *,
    points: int,
    actor: UUID,
    note: str | None = None,
) -> Award | None:
    """Award what staff approved (or a check-in code stands for) to the member whose balance is locked.

    `activity` is the rule as it was at the time of the claim; its cap and cooldown count in the period of `occurred_at`.
    0 points are approved without a transfer (None). Raises Suspended, LimitReached.
    """
    refuse_suspended(session, balance.member_id)
    if not points:
        return None
    _use_cap(session, balance.member_id, activity, occurred_at)
    _use_cooldown(session, balance.member_id, activity, occurred_at)
    award = _write_award(session, balance, activity, points, key, occurred_at, actor=actor)
    if note:
        session.add(Note(transfer_id=award.transfer.id, details=note))
        session.flush()
    return award


def already(session: Session, key: str) -> Transfer | None:
    """The transfer that was written under this idempotency key, if it was."""
    return session.scalar(_BY_KEY, {"key": key})


def refuse_suspended(session: Session, member_id: UUID) -> None:
    """Raise Suspended while the member is."""
    if auth_state.is_suspended(session, member_id):
        raise Suspended("A suspended member earns and spends no points until the suspension ends.")


def refuse_forgotten(session: Session, member_id: UUID) -> None:
    """Raise NotFound for a member who was forgotten: numbers that come late are booked, but no word is kept any more."""
    if session.scalar(select(Member.id).where(Member.id == member_id, Member.status == "erased")) is not None:
        raise NotFound("There is no such member.")


def _use_cap(session: Session, member_id: UUID, activity: ActivityType, occurred_at: datetime) -> None:
    """Count one use against the cap of the deed's own period, in one guarded statement."""
    if activity.cap_count is None:
        return
    period = activities.cap_period_key(activity, programme_day(occurred_at))
    use = insert(Allowance).values(member_id=member_id, activity=activity.code, period=period, used=1)
    use = use.on_conflict_do_update(
        index_elements=["member_id", "activity", "period"],
        set_={"used": Allowance.used + 1},
        where=Allowance.used < activity.cap_count,
    )
    if session.scalar(use.returning(Allowance.used)) is None:
        raise LimitReached(f"{activity.name}: {activities.rule_in_words(activity)}.")


def _use_cooldown(session: Session, member_id: UUID, activity: ActivityType, occurred_at: datetime) -> None:
    """Start the cooldown anew when the last one is over, in one guarded statement.

    Measured from the newest award of the activity, in both directions, because messages may arrive in another order than
    they happened.
    """
    if not activity.cooldown_seconds:
        return
    span = timedelta(seconds=activity.cooldown_seconds)
    start = insert(Cooldown).values(member_id=member_id, activity=activity.code, last_at=occurred_at)
    start = start.on_conflict_do_update(
        index_elements=["member_id", "activity"],
        set_={"last_at": func.greatest(Cooldown.last_at, occurred_at)},
        where=or_(Cooldown.last_at <= occurred_at - span, Cooldown.last_at >= occurred_at + span),
    )
    if session.scalar(start.returning(Cooldown.last_at)) is None:
        raise LimitReached(f"{activity.name}: {activities.rule_in_words(activity)}.")


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


def _write_award(
    session: Session,
    balance: Balance,
    activity: ActivityType,
    points: int,
    key: str,
    occurred_at: datetime,
    actor: UUID | None = None,
) -> Award:
    """Issue points to the member whose balance is locked, and tell it."""
    transfer = move(session, balance, "award", points, key, occurred_at, actor=actor, activity=activity)
    day = insert(ActiveDay).values(member_id=balance.member_id, day=programme_day(occurred_at))
    session.execute(day.on_conflict_do_nothing())
    boards.add(session, balance.member_id, points, occurred_at)
    logged = ActivityLogged(
        member_id=balance.member_id,
        transfer_id=transfer.id,
        activity=activity.code,
        category=activity.category,
        points=points,
        rule_version=activity.version,
        occurred_at=occurred_at,
        available=balance.available,
        lifetime=balance.lifetime,
    )
    outbox.record(session, logged, source=SOURCE, subject=balance.member_id, sequence=balance.version)
    return Award(transfer, balance)
