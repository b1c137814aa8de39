"""The ledger: double entry, immutable, one lock for each member.

Whoever moves a member's points first locks the member's row in `balances`; under that lock they write transfers, the
balance, the boards and the event, and all of it commits at once. So at every commit the balance equals the sum of the
transfers, and two doors (HTTP, messages) can never both spend or both count what is there once. A transfer's
idempotency key is unique: the same deed, command or request is written once, however often it comes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, or_, select
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


def resolve(session: Session, member_id: UUID) -> UUID:
    """The member that this id leads to, after merges."""
    return session.scalar(select(Alias.member_id).where(Alias.old_id == member_id)) or member_id


def know(session: Session, member_id: UUID) -> None:
    """Make sure that the member has a row, a balance and a current ledger; repeating it changes nothing.

    A Discord-born member is addressed by their derived id, which may be sooner than users' event about them.
    """
    session.execute(insert(Member).values(id=member_id).on_conflict_do_nothing())
    session.execute(insert(Balance).values(member_id=member_id).on_conflict_do_nothing())
    ledger = insert(Ledger).values(id=new_id(), member_id=member_id, is_current=True)
    session.execute(ledger.on_conflict_do_nothing())


def lock_balance(session: Session, member_id: UUID) -> Balance:
    """The member's balance, locked until the transaction ends. The first thing in every movement of points."""
    statement = select(Balance).where(Balance.member_id == member_id)
    balance = session.scalar(statement.with_for_update().execution_options(populate_existing=True))
    if balance is None:
        raise NotFound("There is no such member.")
    return balance


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
    member_id = resolve(session, member_id)
    know(session, member_id)
    balance = lock_balance(session, member_id)
    if repeated := _already(session, f"deed:{reference}"):
        return Award(repeated, balance, repeated=True)
    _refuse_suspended(session, member_id)
    _use_cap(session, member_id, activity, occurred_at)
    _use_cooldown(session, member_id, activity, occurred_at)
    return _write_award(session, balance, activity, activity.points, f"deed:{reference}", occurred_at)


def award_by_admin(
    session: Session, member_id: UUID, code: str, *, actor: UUID, points: int | None, details: str | None
) -> Award:
    """Award an activity by an admin's word: it is the approval, so caps, cooldowns and evidence do not bind it.

    Raises NotFound for an unknown member or type, Suspended.
    """
    activity = activities.get(session, code)
    member_id = resolve(session, member_id)
    balance = lock_balance(session, member_id)
    _refuse_suspended(session, member_id)
    worth = activity.points if points is None else points
    award = _write_award(session, balance, activity, worth, f"admin:{new_id()}", now(), actor=actor)
    if details:
        session.add(Note(transfer_id=award.transfer.id, details=details))
        session.flush()
    return award


def _already(session: Session, key: str) -> Transfer | None:
    return session.scalar(select(Transfer).where(Transfer.idempotency_key == key))


def _refuse_suspended(session: Session, member_id: UUID) -> None:
    if auth_state.is_suspended(session, member_id):
        raise Suspended("A suspended member earns and spends no points until the suspension ends.")


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

    Measured in both directions, because messages may arrive in another order than they happened.
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
    balance.available += points
    balance.lifetime += points
    balance.version += 1
    transfer = Transfer(
        id=new_id(),
        ledger_id=session.scalars(
            select(Ledger.id).where(Ledger.member_id == balance.member_id, Ledger.is_current)
        ).one(),
        debit="issued",
        credit="available",
        points=points,
        kind="award",
        activity=activity.code,
        rule_version=activity.version,
        actor=actor,
        idempotency_key=key,
        occurred_at=occurred_at,
        available_after=balance.available,
    )
    session.add(transfer)
    session.flush()
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
