"""Single entries of the points log with what stands behind them."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.contracts.points import Receipt
from fleet.problems import invalid
from services.points import analytics, ledger
from services.points.models import Member
from services.points.submission_models import Evidence

DEEPEST = 100_000
_KINDS = ("award", "adjustment", "reversal", "hold", "release", "refund")


def receipt(session: Session, member_id: UUID, number: int) -> Receipt:
    """The entry at this place of the member's log, the newest being 1. Raises NotFound, InvalidFields."""
    if not 1 <= number <= DEEPEST:
        raise invalid("/number", f"must be between 1 and {DEEPEST:,}")
    row = analytics.points_log_at(session, member_id, number)
    return Receipt(
        number=number,
        transfer_id=row.id,
        kind=row.kind if row.kind in _KINDS else "other",
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


def name_of(session: Session, member_id: UUID | None) -> str | None:
    """The name that a member is shown by, after merges; None for nobody and for who has no name here."""
    if member_id is None:
        return None
    return session.scalar(select(Member.display_name).where(Member.id == ledger.resolve(session, member_id)))


def _file_name(session: Session, row: Any) -> str | None:
    if row.evidence_id is None:
        return None
    return session.scalar(select(Evidence.name).where(Evidence.id == row.evidence_id))
