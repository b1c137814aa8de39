"""What members can afford: a projection of their points, and the moment an incentive is first within reach.

Every event of points that changes a balance carries what it is then, with its version; an older one that arrives late
changes nothing. An unlock is a row whose key is (member, incentive): written once, and told once, in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, select, text
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.rewards import IncentiveUnlocked
from fleet.messages import now
from services.rewards import letters
from services.rewards.models import Incentive

SOURCE = "rewards"

# In the order of ids, as everybody does who locks several members.
_KEEP = text(
    """
    INSERT INTO members AS m (id, available, lifetime, points_version)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:available AS bigint[]), CAST(:lifetime AS bigint[]),
        CAST(:versions AS bigint[])) AS heard (id, available, lifetime, version) ORDER BY id
    ON CONFLICT (id) DO UPDATE SET available = excluded.available, lifetime = excluded.lifetime,
        points_version = excluded.points_version
    WHERE m.points_version < excluded.points_version
    RETURNING m.id
    """
).columns(id=Uuid)

_UNLOCK = text(
    """
    INSERT INTO unlocks (member_id, incentive_id, unlocked_at)
    SELECT coalesce(a.member_id, m.id), i.id, :moment
    FROM members m LEFT JOIN aliases a ON a.old_id = m.id
    JOIN incentives i ON i.is_active AND i.points_required <= m.available
        AND coalesce(i.min_lifetime_points, 0) <= m.lifetime
    WHERE m.id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM unlocks u WHERE u.member_id = coalesce(a.member_id, m.id) AND u.incentive_id = i.id)
    ORDER BY 1, 2
    ON CONFLICT DO NOTHING
    RETURNING member_id, incentive_id
    """
).columns(member_id=Uuid, incentive_id=Uuid)


@dataclass(frozen=True)
class Heard:
    """What an event says of a member's points, and the version of the balance it belongs to."""

    member_id: UUID
    version: int
    available: int
    lifetime: int


def keep(session: Session, heard: Sequence[Heard]) -> None:
    """Take over what points said, as far as it is new, and unlock what it brings within reach."""
    newest: dict[UUID, Heard] = {}
    for each in heard:
        if each.member_id not in newest or each.version > newest[each.member_id].version:
            newest[each.member_id] = each
    found = list(newest.values())
    values = {
        "ids": [str(each.member_id) for each in found],
        "available": [each.available for each in found],
        "lifetime": [each.lifetime for each in found],
        "versions": [each.version for each in found],
    }
    applied = session.scalars(_KEEP, values).all()
    if applied:
        _unlock(session, [str(member_id) for member_id in applied])


def _unlock(session: Session, member_ids: list[str]) -> None:
    moment = now()
    rows = session.execute(_UNLOCK, {"ids": member_ids, "moment": moment}).all()
    if not rows:
        return
    incentives = _incentives(session, {row.incentive_id for row in rows})
    within_reach: dict[UUID, list[Incentive]] = {}
    for row in rows:
        within_reach.setdefault(row.member_id, []).append(incentives[row.incentive_id])
    for member_id, unlocked in within_reach.items():
        unlocked.sort(key=lambda each: (each.points_required, each.id))
        for each in unlocked:
            told = IncentiveUnlocked(member_id, each.id, each.points_required, moment)
            outbox.record(session, told, source=SOURCE, subject=member_id)
        letters.unlocked(session, member_id, unlocked)


def _incentives(session: Session, ids: set[UUID]) -> dict[UUID, Incentive]:
    return {each.id: each for each in session.scalars(select(Incentive).where(Incentive.id.in_(ids)))}


def unlocked_at(session: Session, member_id: UUID, incentive_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """When each of the incentives was unlocked by the member; those that never were are left out."""
    rows = session.execute(
        text(
            "SELECT incentive_id, unlocked_at FROM unlocks"
            " WHERE member_id = :member AND incentive_id = ANY(CAST(:ids AS uuid[]))"
        ).columns(incentive_id=Uuid),
        {"member": member_id, "ids": [str(each) for each in incentive_ids]},
    )
    return {row.incentive_id: row.unlocked_at for row in rows}
