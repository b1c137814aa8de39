"""Corrections by admins: adjustments, and reversals of awards that should not have been.

- A correction is one more transfer; nothing that was written is changed. Corrections count as earned: they change the
  lifetime points and the boards, an adjustment those of its own time, a reversal those of the award that it undoes.
- Nobody is taken below zero available: points that are reserved or spent cannot be corrected away.
- Nobody corrects their own points, neither by asking for it nor by confirming it.
- More points than `ADJUST_SECOND_ADMIN_ABOVE` move only when another admin confirms within seven days, once.
- A transfer is reversed at most once.
- By Discord an admin moves at most 500 points a command and 5,000 a programme day.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox, paging
from fleet.contracts.codec import instant
from fleet.contracts.points import PointsAdjusted
from fleet.messages import new_id, now
from fleet.problems import Forbidden, NotFound, Problem, invalid
from fleet.settings import read
from services.points import boards, decisions, ledger
from services.points.calendar import programme_day
from services.points.correction_models import Adjustment, AdjustmentAllowance
from services.points.models import Balance, Ledger, Transfer
from services.points.models import TransferNote as Note
from services.points.settings import CorrectionSettings

EXPIRES_AFTER = timedelta(days=7)
DISCORD_PER_COMMAND = 500
DISCORD_PER_DAY = 5_000
LARGEST = 1_000_000
ADMINS_ONLY = "Points are adjusted by admins. Link your Discord account to an account with role admin."


class InsufficientPoints(Problem):
    """There are fewer available points than would be taken."""

    status, slug, title = 409, "insufficient-points", "There are not enough points"


class AlreadyReversed(Problem):
    """A transfer is undone once."""

    status, slug, title = 409, "already-reversed", "This entry has been reversed already"


class NotReversible(Problem):
    """Only awards and adjustments can be undone."""

    status, slug, title = 409, "not-reversible", "This entry cannot be reversed"


class AlreadyDecided(Problem):
    """The adjustment was decided, or has expired; `adjustment_status` says which."""

    status, slug, title = 409, "already-decided", "This adjustment does not wait for a decision"


class CommandLimit(Problem):
    """More points than may be moved by Discord, in one command or on one day."""

    status, slug, title = 409, "limit-reached", "That is more than may be adjusted by Discord"


@dataclass(frozen=True)
class Adjusted:
    """An adjustment, the balance of its member, and, once it is applied, its transfer."""

    adjustment: Adjustment
    balance: Balance
    transfer: Transfer | None = None


def adjust(
    session: Session, member_id: UUID, points: int, reason: str, *, actor: UUID, must_exist: bool = True
) -> Adjusted:
    """Correct a member's points now, or, when they are many, ask a second admin to confirm it.

    Raises NotFound for an unknown member (who is opened a ledger unless they `must_exist`), Forbidden for one's own points,
    InsufficientPoints, Suspended.
    """
    balance = ledger.lock_current_balance(session, member_id, must_exist=must_exist)
    ledger.refuse_forgotten(session, balance.member_id)
    actor = _other_than(session, balance.member_id, actor)
    waits = abs(points) > read(CorrectionSettings).second_admin_above
    moment = now()
    adjustment = Adjustment(
        id=new_id(),
        member_id=balance.member_id,
        points=points,
        reason=reason,
        status="pending" if waits else "applied",
        requested_by=actor,
        requested_at=moment,
        expires_at=moment + EXPIRES_AFTER if waits else None,
    )
    session.add(adjustment)
    session.flush()
    if waits:
        _refuse_impossible(session, balance, points)
        return Adjusted(adjustment, balance)
    return _apply(session, adjustment, balance, actor)


def confirm(session: Session, adjustment_id: UUID, *, actor: UUID, note: str | None = None) -> Adjusted:
    """Confirm a waiting adjustment as its second admin, and move the points.

    Raises NotFound, Forbidden for whoever asked for it or would get the points, AlreadyDecided, and what `adjust` raises.
    """
    balance = ledger.lock_owner(session, select(Adjustment.member_id).where(Adjustment.id == adjustment_id))
    actor = _other_than(session, balance.member_id, actor)
    adjustment = _decide(session, adjustment_id, "applied", actor, note)
    return _apply(session, adjustment, balance, actor)


def refuse(session: Session, adjustment_id: UUID, *, actor: UUID, note: str | None = None) -> Adjusted:
    """Refuse a waiting adjustment as its second admin: no points move. Raises as `confirm`."""
    balance = ledger.lock_owner(session, select(Adjustment.member_id).where(Adjustment.id == adjustment_id))
    actor = _other_than(session, balance.member_id, actor)
    return Adjusted(_decide(session, adjustment_id, "refused", actor, note), balance)


def _decide(session: Session, adjustment_id: UUID, status: str, actor: UUID, note: str | None) -> Adjustment:
    """Decide a pending adjustment that has not expired, in one guarded statement: of many at once, one does."""
    statement = select(Adjustment).where(Adjustment.id == adjustment_id).execution_options(populate_existing=True)
    adjustment = session.scalars(statement).one()
    if ledger.resolve(session, adjustment.requested_by) == actor:
        raise Forbidden("Another admin than the one who asked for it decides an adjustment.")
    moment = now()
    guarded = (
        update(Adjustment)
        .where(Adjustment.id == adjustment_id, Adjustment.status == "pending", Adjustment.expires_at > moment)
        .values(status=status, decided_by=actor, decided_at=moment, note=note)
        .returning(Adjustment.id)
    )
    decided = session.scalar(guarded) is not None
    session.refresh(adjustment)
    if not decided:
        present = status_of(adjustment)
        raise AlreadyDecided(f"The adjustment is {present}.", adjustment_status=present)
    return adjustment


def status_of(adjustment: Adjustment) -> str:
    """pending, applied, refused or expired."""
    if adjustment.status == "pending" and adjustment.expires_at is not None and adjustment.expires_at <= now():
        return "expired"
    return adjustment.status


def _apply(session: Session, adjustment: Adjustment, balance: Balance, actor: UUID) -> Adjusted:
    _refuse_impossible(session, balance, adjustment.points)
    key = f"adjustment:{adjustment.id}"
    transfer = _correct(session, balance, "adjustment", adjustment.points, key, None, actor, adjustment.reason)
    _tell(session, balance, transfer, adjustment.points)
    return Adjusted(adjustment, balance, transfer)


def reverse(session: Session, transfer_id: UUID, *, actor: UUID, note: str) -> tuple[Transfer, Balance]:
    """Undo an award or an adjustment, once: its points go back, in the lifetime and on the boards of its own day.

    Raises NotFound, NotReversible for any other kind, Forbidden for one's own, AlreadyReversed, InsufficientPoints.
    """
    original = session.get(Transfer, transfer_id)
    if original is None:
        raise NotFound("There is no such entry in the points log.")
    if original.kind not in ("award", "adjustment"):
        raise NotReversible(f"A {original.kind} is not reversed. Awards and adjustments are.")
    balance = ledger.lock_owner(session, select(Ledger.member_id).where(Ledger.id == original.ledger_id))
    actor = _other_than(session, balance.member_id, actor)
    key = f"reversal:{transfer_id}"
    if found := ledger.already(session, key):
        raise AlreadyReversed("Each entry is reversed once.", reversed_by=str(found.id))
    points = -original.points if original.credit == "available" else original.points
    _refuse_impossible(session, balance, points)
    transfer = _correct(session, balance, "reversal", points, key, original.occurred_at, actor, note)
    _tell(session, balance, transfer, points, original.id)
    return transfer, balance


def _correct(
    session: Session,
    balance: Balance,
    kind: ledger.Kind,
    points: int,
    key: str,
    counts_at: datetime | None,
    actor: UUID,
    words: str,
) -> Transfer:
    """Write the transfer with its words, and count it on the boards of `counts_at` (None: of its own time)."""
    transfer = ledger.move(session, balance, kind, abs(points), key, now(), gives=points > 0, actor=actor)
    session.add(Note(transfer_id=transfer.id, details=words))
    session.flush()
    boards.add(session, balance.member_id, points, counts_at or transfer.occurred_at)
    return transfer


def _tell(session: Session, balance: Balance, transfer: Transfer, points: int, reversed_id: UUID | None = None) -> None:
    event = PointsAdjusted(
        member_id=balance.member_id,
        transfer_id=transfer.id,
        kind="reversal" if reversed_id else "adjustment",
        points=points,
        occurred_at=transfer.occurred_at,
        available=balance.available,
        lifetime=balance.lifetime,
        reversed_transfer_id=reversed_id,
    )
    outbox.record(session, event, source=ledger.SOURCE, subject=balance.member_id, sequence=balance.version)


def _refuse_impossible(session: Session, balance: Balance, points: int) -> None:
    """Raise when `points` cannot be given (to a suspended member) or taken (when fewer are available)."""
    if points > 0:
        ledger.refuse_suspended(session, balance.member_id)
    elif balance.available < -points:
        raise InsufficientPoints(
            f"{balance.available} points are available; {-points} cannot be taken.", available=balance.available
        )


def _other_than(session: Session, member_id: UUID, actor: UUID) -> UUID:
    """The acting admin, after merges; Forbidden when it is about their own points."""
    actor = ledger.resolve(session, actor)
    if actor == member_id:
        raise Forbidden("Nobody corrects their own points. Ask another admin.")
    return actor


def adjust_by_discord(session: Session, member_id: UUID, points: int, reason: str, *, actor: UUID) -> Adjusted:
    """Correct a member's points by a Discord command, within what one admin may move there.

    Raises Forbidden unless the actor is an admin here and not suspended, CommandLimit, and what `adjust` raises.
    """
    if not reason.strip() or len(reason) > 2000:
        raise invalid("/reason", "say why, in at most 2,000 characters")
    if points == 0:
        raise invalid("/points", "must not be 0")
    decisions.require_admin(session, actor, ADMINS_ONLY)
    if abs(points) > DISCORD_PER_COMMAND:
        raise CommandLimit(f"A command moves at most {DISCORD_PER_COMMAND} points.")
    # The bot names people whom users may be about to tell us of.
    adjusted = adjust(session, member_id, points, reason, actor=actor, must_exist=False)
    _use_day(session, adjusted.adjustment.requested_by, abs(points))
    return adjusted


def _use_day(session: Session, actor: UUID, points: int) -> None:
    """Count the points against what the actor may move today, in one guarded statement."""
    use = insert(AdjustmentAllowance).values(actor_id=actor, day=programme_day(now()), used=points)
    use = use.on_conflict_do_update(
        index_elements=["actor_id", "day"],
        set_={"used": AdjustmentAllowance.used + points},
        where=AdjustmentAllowance.used + points <= DISCORD_PER_DAY,
    )
    if session.scalar(use.returning(AdjustmentAllowance.used)) is None:
        raise CommandLimit(f"An admin moves at most {DISCORD_PER_DAY} points a day by Discord. Use the web for more.")


def listed(
    session: Session, status: str | None, member_id: UUID | None, limit: int, cursor: str | None
) -> tuple[list[Adjustment], str | None]:
    """A page of adjustments, newest first, and the cursor of the next one."""
    statement = select(Adjustment)
    if status is not None:
        statement = statement.where(_has_status(status))
    if member_id is not None:
        statement = statement.where(Adjustment.member_id == ledger.resolve(session, member_id))
    if key := paging.decode_cursor(cursor, instant, UUID):
        older = tuple_(Adjustment.requested_at, Adjustment.id) < tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(older)
    statement = statement.order_by(Adjustment.requested_at.desc(), Adjustment.id.desc()).limit(limit + 1)
    rows = session.scalars(statement).all()
    return paging.page(rows, limit, lambda row: (row.requested_at.isoformat(), row.id))


def _has_status(status: str) -> ColumnElement[bool]:
    if status == "expired":
        return and_(Adjustment.status == "pending", Adjustment.expires_at <= func.now())
    alive = or_(Adjustment.expires_at.is_(None), Adjustment.expires_at > func.now())
    return and_(Adjustment.status == status, alive) if status == "pending" else Adjustment.status == status
