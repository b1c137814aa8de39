"""Single entries of the points log with what stands behind them; and, for staff, what everybody did and what waits.

The log of everybody is walked by the transfers' ids, which are ordered by when they were written down: that is their
primary key, whatever the number of transfers.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session, aliased

from fleet import paging
from fleet.contracts.points import (
    ActivityFigure,
    LoggedEntry,
    ProgrammeFigures,
    QueueFigure,
    QueueReport,
    Receipt,
)
from fleet.messages import now
from fleet.problems import invalid
from services.points import analytics, ledger, programme
from services.points.models import ActivityType, Alias, Ledger, Member, Transfer
from services.points.submission_models import Evidence, Submission

LONGEST_HOURS = 24 * 366
DEEPEST = 100_000
_KINDS = ("award", "adjustment", "reversal", "hold", "release", "refund")


def receipt(session: Session, member_id: UUID, number: int) -> Receipt:
    """The entry at this place of the member's log, the newest being 1. Raises NotFound, InvalidFields."""
    if not 1 <= number <= DEEPEST:
        raise invalid("/number", f"must be between 1 and {DEEPEST:,}")
    return _receipt(session, analytics.points_log_at(session, member_id, number), number)


def receipt_of(session: Session, member_id: UUID, transfer_id: UUID) -> Receipt:
    """The entry of the member's log that this transfer is; NotFound when it is not theirs. Its `number` is 0."""
    return _receipt(session, analytics.points_log_entry(session, member_id, transfer_id), 0)


def _receipt(session: Session, row: Any, number: int) -> Receipt:
    return Receipt(
        number=number,
        transfer_id=row.id,
        kind=_kind(row.kind),
        name=row.name or row.kind,
        points=row.points,
        occurred_at=row.occurred_at,
        balance_after=row.available_after,
        activity=row.activity,
        rule_version=row.rule_version,
        decided_by=name_of(session, row.actor),
        details=row.details,
        description=row.description or None,
        url=row.url,
        evidence_name=_file_name(session, row),
    )


def _kind(kind: str) -> Any:
    return kind if kind in _KINDS else "other"


def activity_log(
    session: Session, hours: int, member_id: UUID | None, limit: int, cursor: str | None
) -> tuple[list[LoggedEntry], str | None]:
    """A page of what was written down in the last hours, of everybody or of one member, newest first, and the next cursor.

    Raises InvalidFields.
    """
    if not 1 <= hours <= LONGEST_HOURS:
        raise invalid("/hours", f"must be between 1 and {LONGEST_HOURS:,}")
    decider = aliased(Member)
    statement = (
        select(
            Transfer.id,
            Ledger.member_id,
            Member.display_name,
            Transfer.kind,
            func.coalesce(ActivityType.name, Transfer.kind).label("name"),
            case((Transfer.credit == "available", Transfer.points), else_=-Transfer.points).label("points"),
            Transfer.occurred_at,
            decider.display_name.label("decided_by"),
        )
        .join(Ledger, Ledger.id == Transfer.ledger_id)
        .join(Member, Member.id == Ledger.member_id)
        .outerjoin(ActivityType, ActivityType.code == Transfer.activity)
        .outerjoin(Alias, Alias.old_id == Transfer.actor)
        .outerjoin(decider, decider.id == func.coalesce(Alias.member_id, Transfer.actor))
        .where(
            or_(Transfer.debit == "available", Transfer.credit == "available"),
            Transfer.id >= first_id(now() - timedelta(hours=hours)),
        )
    )
    if member_id is not None:
        statement = statement.where(Ledger.member_id == ledger.resolve(session, member_id))
    if key := paging.decode_cursor(cursor, UUID):
        statement = statement.where(Transfer.id < key[0])
    rows = session.execute(statement.order_by(Transfer.id.desc()).limit(limit + 1)).all()
    found, following = paging.page(rows, limit, lambda row: (row.id,))
    entries = [
        LoggedEntry(
            row.member_id, row.display_name, _kind(row.kind), row.name, row.points, row.occurred_at, row.decided_by
        )
        for row in found
    ]
    return entries, following


def first_id(moment: datetime) -> UUID:
    """The smallest id that a transfer written down at this moment can have."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def programme_figures(session: Session) -> ProgrammeFigures:
    """The programme at a glance."""
    found = programme.read(session)
    week = found.weeks[-1]
    return ProgrammeFigures(
        members=sum(role.members for role in found.members),
        active_7days=sum(role.active_7days for role in found.members),
        active_30days=sum(role.active_30days for role in found.members),
        issued=found.points.issued,
        reserved=found.points.reserved,
        redeemed=found.points.redeemed,
        outstanding=found.points.outstanding,
        week_points=week.points_earned,
        week_awards=week.activities_count,
        week_members=week.active_members,
        pending=found.queue.pending,
        top_activities=[
            ActivityFigure(top.name or top.activity, top.awards, top.points_earned) for top in found.top_activities[:5]
        ],
        oldest_pending_at=found.queue.oldest_submitted_at,
    )


def queue_report(session: Session) -> QueueReport:
    """What waits for staff by kind, the longest waiting first."""
    oldest = func.min(Submission.submitted_at)
    statement = (
        select(Submission.activity, ActivityType.name, func.count().label("pending"), oldest.label("oldest_at"))
        .join(ActivityType, ActivityType.code == Submission.activity)
        .where(Submission.status == "pending")
        .group_by(Submission.activity, ActivityType.name)
        .order_by(oldest, Submission.activity)
    )
    kinds = [QueueFigure(row.activity, row.name, row.pending, row.oldest_at) for row in session.execute(statement)]
    return QueueReport(sum(kind.pending for kind in kinds), kinds)


def name_of(session: Session, member_id: UUID | None) -> str | None:
    """The name that a member is shown by, after merges; None for nobody and for who has no name here."""
    if member_id is None:
        return None
    return session.scalar(select(Member.display_name).where(Member.id == ledger.resolve(session, member_id)))


def _file_name(session: Session, row: Any) -> str | None:
    if row.evidence_id is None:
        return None
    return session.scalar(select(Evidence.name).where(Evidence.id == row.evidence_id))
