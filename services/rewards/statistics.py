"""Figures of the shop for staff: what was redeemed, what waits and how long, what the points went for.

`points_reserved` are held for redemptions that are not decided, `points_spent` are of approved and fulfilled ones,
`points_refunded` of those that were taken back.
"""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.rewards.saga import STEPS

STATUSES = ("requested", "pending", "declined", *(step.target for step in STEPS.values()))
TOP = 10
WEEKS = 12

_TOTALS = """
    SELECT status, count(*) AS redemptions, coalesce(sum(points_spent), 0) AS points FROM redemptions GROUP BY status
"""
_WAITING = """
    SELECT extract(epoch FROM now() - min(requested_at)) AS oldest_s FROM redemptions WHERE status = 'pending'
"""
# From the request to staff's word; what the member cancelled or nobody decided says nothing of staff's speed.
_DECIDED = """
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided_at - requested_at)) AS median_s
    FROM redemptions WHERE status IN ('approved', 'shipped', 'delivered', 'rejected', 'refunded')
        AND decided_at > now() - make_interval(weeks => :weeks)
"""
_TOP = """
    SELECT i.id, i.name, count(*) AS redemptions, sum(r.points_spent) AS points
    FROM redemptions r JOIN incentives i ON i.id = r.incentive_id
    WHERE r.status IN ('approved', 'shipped', 'delivered')
    GROUP BY i.id ORDER BY count(*) DESC, i.id LIMIT :top
"""
# Monday first, as everywhere; every week in range, also empty ones.
_WEEKLY = """
    SELECT CAST(week AS date) AS week, count(r.id) AS redemptions, coalesce(sum(r.points_spent), 0) AS points
    FROM generate_series(date_trunc('week', now() AT TIME ZONE :zone) - make_interval(weeks => :weeks - 1),
        date_trunc('week', now() AT TIME ZONE :zone), interval '1 week') AS week
    LEFT JOIN redemptions r ON date_trunc('week', r.requested_at AT TIME ZONE :zone) = week
        AND r.status NOT IN ('requested', 'declined')
    GROUP BY week ORDER BY week
"""


def figures(session: Session, zone: str) -> dict[str, Any]:
    """All figures as of now; weeks begin in the programme's `zone`."""
    values = {"zone": zone, "weeks": WEEKS, "top": TOP}
    totals = {row.status: row for row in session.execute(text(_TOTALS))}
    by_status = {status: totals[status].redemptions if status in totals else 0 for status in STATUSES}

    def points(*statuses: str) -> int:
        return sum(int(totals[status].points) for status in statuses if status in totals)

    def one(statement: str) -> float | None:
        found = session.scalar(text(statement), values)
        return None if found is None else round(float(found), 1)

    return {
        "by_status": by_status,
        "redemptions": sum(by_status.values()),
        "points_reserved": points("requested", "pending"),
        "points_spent": points("approved", "shipped", "delivered"),
        "points_refunded": points("refunded"),
        "oldest_pending_seconds": one(_WAITING),
        "median_decision_seconds": one(_DECIDED),
        "top_rewards": [
            {"id": row.id, "name": row.name, "redemptions": row.redemptions, "points": int(row.points)}
            for row in session.execute(text(_TOP), values)
        ],
        "weekly": [
            {"week": row.week.isoformat(), "redemptions": row.redemptions, "points": int(row.points)}
            for row in session.execute(text(_WEEKLY), values)
        ],
    }
