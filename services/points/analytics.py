"""What a member's own history says: the points log and streaks."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from fleet import auth_state, paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Standing, Streak
from fleet.messages import now
from fleet.problems import NotFound
from services.points import leaderboard, ledger
from services.points.calendar import programme_day
from services.points.models import ActiveDay, ActivityType, Ledger, Transfer
from services.points.models import TransferNote as Note
from services.points.submission_models import Submission


def _log() -> Any:
    """The receipts: every movement in or out of what is available, with its activity, note and evidence.

    A capture moves points on from reserved; the hold before it is the receipt.
    """
    return (
        select(
            Transfer.id,
            Transfer.kind,
            Transfer.activity,
            Transfer.rule_version,
            Transfer.actor,
            Transfer.occurred_at,
            Transfer.available_after,
            # What left is negative.
            case((Transfer.credit == "available", Transfer.points), else_=-Transfer.points).label("points"),
            ActivityType.name.label("name"),
            Note.details.label("details"),
            Submission.id.label("submission_id"),
            Submission.description,
            Submission.url,
            Submission.evidence_id,
        )
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .outerjoin(ActivityType, ActivityType.code == Transfer.activity)
        .outerjoin(Note, Note.transfer_id == Transfer.id)
        .outerjoin(Submission, Submission.transfer_id == Transfer.id)
        .where(or_(Transfer.debit == "available", Transfer.credit == "available"))
    )


def points_log(session: Session, member_id: UUID, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of a member's points log, newest first, and the cursor of the next page."""
    statement = _log().where(Ledger.member_id == ledger.resolve(session, member_id))
    if key := paging.decode_cursor(cursor, instant, UUID):
        older = tuple_(Transfer.occurred_at, Transfer.id) < tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(older)
    statement = statement.order_by(Transfer.occurred_at.desc(), Transfer.id.desc()).limit(limit + 1)
    rows = session.execute(statement).all()
    return paging.page(rows, limit, lambda row: (row.occurred_at.isoformat(), row.id))


def points_log_entry(session: Session, member_id: UUID | None, transfer_id: UUID) -> Any:
    """One receipt; NotFound when there is none, or it is not `member_id`'s (None: anybody's)."""
    statement = _log().where(Transfer.id == transfer_id)
    if member_id is not None:
        statement = statement.where(Ledger.member_id == ledger.resolve(session, member_id))
    row = session.execute(statement).first()
    if row is None:
        raise NotFound("There is no such entry in your points log.")
    return row


def points_log_at(session: Session, member_id: UUID, number: int) -> Any:
    """The receipt at this place of the member's log, the newest being 1; NotFound when the log is shorter."""
    statement = _log().where(Ledger.member_id == ledger.resolve(session, member_id))
    statement = statement.order_by(Transfer.occurred_at.desc(), Transfer.id.desc()).offset(number - 1).limit(1)
    row = session.execute(statement).first()
    if row is None:
        raise NotFound("Your points log has no such entry. The newest one is number 1.")
    return row


def standing(session: Session, member_id: UUID) -> Standing:
    """Balance, all-time rank and suspension of a member."""
    member_id = ledger.resolve(session, member_id)
    balance = ledger.balance_of(session, member_id)
    place = leaderboard.own_place(session, leaderboard.View(viewer=member_id))
    suspended, until = auth_state.suspension(session, member_id)
    return Standing(
        available=balance.available,
        reserved=balance.reserved,
        redeemed=balance.redeemed,
        lifetime=balance.lifetime,
        rank=place.rank if place else None,
        suspended_until=until,
        suspended=suspended,
    )


def streak(session: Session, member_id: UUID) -> Streak:
    """Consecutive programme days with an award; today not yet counted does not break the current one."""
    days = session.scalars(
        select(ActiveDay.day)
        .where(and_(ActiveDay.member_id == ledger.resolve(session, member_id)))
        .order_by(ActiveDay.day)
    ).all()
    return measure_streak(list(days), programme_day(now()))


def measure_streak(days: list[date], today: date) -> Streak:
    """The streaks in ascending, distinct `days`, seen from `today`."""
    longest = current = 0
    previous: date | None = None
    for day in days:
        current = current + 1 if previous is not None and day == previous + timedelta(days=1) else 1
        longest = max(longest, current)
        previous = day
    if previous is None or previous < today - timedelta(days=1):
        current = 0
    return Streak(current, longest, previous)
