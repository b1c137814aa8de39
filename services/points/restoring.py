"""What points counts, and what it says once more, after a restore; see fleet/restoring.py."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.restoring import Retell, at_once, pages
from services.points import merging
from services.points.models import Balance

RAISED = ("balances.version", "submissions.version")
KEPT = {
    "activity_types.version": "is told to nobody; transfers and submissions name it",
    "activity_type_versions.version": "the history of activity_types",
    "transfers.rule_version": "names a version of activity_types",
    "submissions.rule_version": "names a version of activity_types",
    "members.version": "users counts it",
    "links.version": "users counts it",
    "waiting_link_changes.version": "users counts it",
    "shop_prices.version": "rewards counts it",
    "feed_items.version": "rewards and reviews count it",
}


def balances(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """What everybody has: rewards may know of awards that are no more."""
    rows = select(Balance).order_by(Balance.member_id).limit(at_once()).with_for_update()
    if after is not None:
        rows = rows.where(Balance.member_id > after)
    found = session.scalars(rows).all()
    for balance in found:
        merging.tell(session, balance)
    return pages([balance.member_id for balance in found])


RETOLD: tuple[Retell, ...] = (balances,)
