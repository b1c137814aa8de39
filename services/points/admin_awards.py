"""An award by an admin's word: it *is* the approval, so approval, caps, cooldowns and evidence do not bind it.

Two round trips: one that locks the member and looks at everything there is to know, one that writes it all. What the door
has to keep of the request (its idempotency key and answer) travels with them.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.auth_state import IS_SUSPENDED
from fleet.messages import new_id, now
from fleet.prepared import Call, Statement, run
from fleet.problems import Forbidden, NotFound
from services.points import awards, ledger
from services.points.activities import RULE_COLUMNS, Rule
from services.points.awards import Award

# Asked for twice in one round trip: a merge may have come while the first waited for the lock, and only a statement that
# begins under the lock sees where an id leads now.
_LOCK = Statement(
    "admin_award_lock",
    """
    SELECT FROM balances WHERE member_id = coalesce((SELECT member_id FROM aliases WHERE old_id = :member), :member)
    FOR UPDATE
    """,
    member="uuid",
)
_LOOK = Statement(
    "admin_award_look",
    f"""
    SELECT b.member_id, b.available, b.lifetime, b.version AS balance_version, m.status = 'erased' AS erased, {IS_SUSPENDED} AS suspended,
        l.id IS NULL AS without_ledger,
        coalesce((SELECT member_id FROM aliases WHERE old_id = :actor), :actor) = b.member_id AS own,
        {RULE_COLUMNS}
    FROM balances b
    JOIN members m ON m.id = b.member_id
    LEFT JOIN ledgers l ON l.member_id = b.member_id AND l.is_current
    LEFT JOIN auth_state s ON s.member_id = b.member_id
    LEFT JOIN activity_types t ON t.code = :activity AND t.is_active
    WHERE b.member_id = coalesce((SELECT member_id FROM aliases WHERE old_id = :member), :member)
    FOR UPDATE OF b
    """,  # noqa: S608 constants
    member="uuid",
    actor="uuid",
    activity="text",
)


def award_by_admin(
    session: Session,
    member_id: UUID,
    code: str,
    *,
    actor: UUID,
    points: int | None,
    details: str | None,
    beside: Callable[[Award], Sequence[Call]] = lambda _award: (),
) -> Award:
    """Award an activity to a member; without `points`, what it is worth.

    `beside(award)` are statements to run with the writing. Raises NotFound for an unknown member or type, Forbidden for
    one's own, Suspended.
    """
    row = _looked(session, member_id, code, actor)
    if row.own:
        raise Forbidden("Nobody awards points to themselves. Ask another admin.")
    if row.code is None:
        raise NotFound(f"There is no activity type {code!r}. GET /api/activities/ lists them.")
    if row.suspended:
        raise ledger.Suspended(ledger.SUSPENDED)
    rule = Rule(*row[-len(Rule.__slots__) :])
    award = Award(
        row.member_id,
        rule,
        rule.points if points is None else points,
        f"admin:{new_id()}",
        now(),
        row.available,
        row.lifetime,
        row.balance_version,
        actor=actor,
        details=details or None,
    )
    awards.write(session, [award], beside=lambda: beside(award))
    return award


def _looked(session: Session, member_id: UUID, code: str, actor: UUID) -> Any:
    """What is known of the member, who is locked from here on."""
    look = _LOOK(member=member_id, actor=actor, activity=code)
    found = run(session, _LOCK(member=member_id), look)
    if found and found[0].without_ledger:
        ledger.current_ledger(session, found[0].member_id)
    if not found or found[0].erased:
        raise NotFound("There is no such member.")
    return found[0]
