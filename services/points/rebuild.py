"""Restore every projection from the transfers: `python -m services.points.rebuild`, then verify.

Balances, boards, active days, allowances, cooldowns and rank counts are derived anew (services/points/projections.py).
What no transfer says cannot be: notes and evidence, holds, submissions and adjustments are records of their own, and
stay as they are; versions of balances are kept, and a balance that was lost gets one beyond any it can have had.

`LOCK TABLE balances IN EXCLUSIVE MODE` keeps every writer out until the commit, since each of them locks a row of
balances first; readers go on and see the old state until then.
"""

# Every part of these statements is a constant of this package.
# ruff: noqa: S608

import sys

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet.database import transaction
from fleet.settings import ProgramSettings, read
from services.points import projections, verify

STATEMENTS: tuple[tuple[str, str], ...] = (
    (
        "balances",
        f"""
        INSERT INTO balances AS b (member_id, available, reserved, redeemed, lifetime, version)
        SELECT member_id, available, reserved, redeemed, lifetime,
            (SELECT count(*) FROM transfers) + 2 * (SELECT coalesce(sum(version), 0) FROM links) + 1
        FROM {projections.BALANCES} e
        ON CONFLICT (member_id) DO UPDATE SET available = excluded.available, reserved = excluded.reserved,
            redeemed = excluded.redeemed, lifetime = excluded.lifetime
        WHERE (b.available, b.reserved, b.redeemed, b.lifetime)
            <> (excluded.available, excluded.reserved, excluded.redeemed, excluded.lifetime)""",
    ),
    (
        "balances without transfers",
        f"""
        UPDATE balances b SET available = 0, reserved = 0, redeemed = 0, lifetime = 0
        WHERE (available, reserved, redeemed, lifetime) <> (0, 0, 0, 0)
            AND NOT EXISTS (SELECT FROM {projections.BALANCES} e WHERE e.member_id = b.member_id)""",
    ),
    (
        "boards",
        f"""
        INSERT INTO scores AS s (board, member_id, points, reached_at, shown)
        SELECT board, member_id, points, reached_at, shown FROM {projections.SCORES} e
        ON CONFLICT (board, member_id) DO UPDATE SET points = excluded.points, reached_at = excluded.reached_at,
            shown = excluded.shown
        WHERE (s.points, s.reached_at, s.shown) <> (excluded.points, excluded.reached_at, excluded.shown)""",
    ),
    (
        "rows of boards that stand for nothing",
        f"""
        DELETE FROM scores s WHERE NOT EXISTS (
            SELECT FROM {projections.SCORES} e WHERE e.board = s.board AND e.member_id = s.member_id)""",
    ),
    (
        "active days",
        f"INSERT INTO active_days (member_id, day) SELECT member_id, day FROM {projections.ACTIVE_DAYS} e"
        " ON CONFLICT DO NOTHING",
    ),
    (
        "active days without an award",
        f"""
        DELETE FROM active_days s WHERE NOT EXISTS (
            SELECT FROM {projections.ACTIVE_DAYS} e WHERE e.member_id = s.member_id AND e.day = s.day)""",
    ),
    ("allowances of former awards", "DELETE FROM allowances"),
    (
        "allowances",
        "INSERT INTO allowances (member_id, activity, period, used)"
        f" SELECT member_id, activity, period, used FROM {projections.ALLOWANCES} e",
    ),
    ("cooldowns of former awards", "DELETE FROM cooldowns"),
    (
        "cooldowns",
        "INSERT INTO cooldowns (member_id, activity, last_at)"
        f" SELECT member_id, activity, last_at FROM {projections.COOLDOWNS} e",
    ),
    # The folder moves these into the counts, and every reader adds them until then.
    ("rank counts", "DELETE FROM rank_counts"),
    ("rank changes", "DELETE FROM rank_deltas"),
    (
        "ranks",
        "INSERT INTO rank_deltas (board, points, change)"
        " SELECT board, points, count(*) FROM scores WHERE shown GROUP BY board, points",
    ),
)


def rebuild(session: Session) -> dict[str, int]:
    """Restore all projections in the session's transaction; how many rows each statement wrote."""
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("LOCK TABLE balances IN EXCLUSIVE MODE"))
    session.execute(text("LOCK TABLE rank_counts, rank_deltas IN EXCLUSIVE MODE"))
    values = {"members": None, "zone": str(read(ProgramSettings).zone)}
    return {name: session.execute(text(sql), values).rowcount for name, sql in STATEMENTS}  # type: ignore[attr-defined]


def main() -> int:
    """Rebuild the database of DATABASE_URL, and verify it; 0 when nothing differs afterwards."""
    with transaction() as session:
        written = rebuild(session)
    sys.stdout.writelines(f"{name}: {rows:,} rows\n" for name, rows in written.items())
    return verify.main([])


if __name__ == "__main__":
    raise SystemExit(main())
