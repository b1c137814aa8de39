"""What rewards counts, and what it says once more, after a restore; see fleet/restoring.py.

What points has to do for redemptions is no part of it: the reconciler compares both sides and sends it (`verify --repair`).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet.restoring import Retell, at_once, pages
from services.rewards import catalog_admin
from services.rewards.models import Incentive

RAISED = ("incentives.version", "redemptions.version")
KEPT = {
    "incentive_changes.version": "the history of incentives, which may have a gap",
    "redemption_steps.version": "the history of redemptions, which may have a gap",
    "step_notes.version": "names a step",
    "members.profile_version": "users counts it",
    "members.contact_version": "users counts it",
    "members.points_version": "points counts it",
    "links.version": "users counts it",
    "waiting_link_changes.version": "users counts it",
}


def incentives(session: Session, since: datetime, after: UUID | None) -> tuple[int, UUID | None]:
    """What each reward costs and whether it can be had."""
    rows = select(Incentive).order_by(Incentive.id).limit(at_once()).with_for_update()
    if after is not None:
        rows = rows.where(Incentive.id > after)
    found = session.scalars(rows).all()
    for incentive in found:
        catalog_admin.tell(session, incentive, "changed")
    return pages([incentive.id for incentive in found])


RETOLD: tuple[Retell, ...] = (incentives,)
