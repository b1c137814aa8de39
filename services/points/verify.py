"""Do the books balance? `python -m services.points.verify [--json]` compares every projection with the transfers.

Prints a table of checks with the rows compared and the rows that differ, then those rows, and exits 1 when there are any.
It only reads, and all in one REPEATABLE READ snapshot: what commits meanwhile is seen by every check or by none, so the
outcome is right under full load.
"""

# Every part of these statements is a constant of this package.
# ruff: noqa: S608

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet.database import transaction
from fleet.settings import ProgramSettings, read
from services.points import projections

SHOWN_ROWS = 20

_AMONG = "(CAST(:members AS uuid[]) IS NULL OR {} = ANY(CAST(:members AS uuid[])))"


@dataclass(frozen=True)
class Check:
    """Something that must be so: a query of (who, stored, should) in which the last two never differ."""

    name: str
    compared: str


def _among(column: str) -> str:
    return _AMONG.format(column)


def _board(like: str) -> str:
    return f"""
        SELECT coalesce(s.board, e.board) || ' ' || coalesce(s.member_id, e.member_id) AS who,
            concat_ws(' ', s.points, s.reached_at, s.shown) AS stored, concat_ws(' ', e.points, e.reached_at, e.shown) AS should
        FROM (SELECT * FROM scores WHERE board LIKE '{like}' AND {_among("member_id")}) s
        FULL JOIN (SELECT * FROM {projections.SCORES} x WHERE board LIKE '{like}') e USING (board, member_id)"""


CHECKS: tuple[Check, ...] = (
    Check(
        "balances = transfers (available, reserved, redeemed, lifetime)",
        f"""
        SELECT coalesce(b.member_id, e.member_id) AS who,
            concat_ws(' ', b.available, b.reserved, b.redeemed, b.lifetime) AS stored,
            concat_ws(' ', coalesce(e.available, 0), coalesce(e.reserved, 0), coalesce(e.redeemed, 0),
                coalesce(e.lifetime, 0)) AS should
        FROM (SELECT * FROM balances WHERE {_among("member_id")}) b FULL JOIN {projections.BALANCES} e USING (member_id)""",
    ),
    # Each transfer names a debit and a credit of the same points, so the sum over all accounts can only be 0.
    Check(
        "debit = credit (available + reserved + redeemed = issued)",
        f"""
        SELECT member_id AS who, (available + reserved + redeemed)::text AS stored, lifetime::text AS should
        FROM {projections.BALANCES} e""",
    ),
    Check("all-time board = transfers", _board("all_time")),
    Check("weekly boards = transfers", _board("week:%")),
    Check("monthly boards = transfers", _board("month:%")),
    Check(
        "active days = days with an award",
        f"""
        SELECT coalesce(s.member_id, e.member_id) || ' ' || coalesce(s.day, e.day) AS who,
            s.day::text AS stored, e.day::text AS should
        FROM (SELECT * FROM active_days WHERE {_among("member_id")}) s
        FULL JOIN {projections.ACTIVE_DAYS} e USING (member_id, day)""",
    ),
    # Where a rule was changed meanwhile, nobody can say from the transfers alone what had been counted.
    Check(
        "allowances = awards of the period",
        f"""
        SELECT coalesce(s.member_id, e.member_id) || ' ' || coalesce(s.activity, e.activity) || ' '
                || coalesce(s.period, e.period) AS who, s.used::text AS stored,
            CASE WHEN e.used IS NULL OR e.same_rule OR s.used > e.used THEN e.used ELSE s.used END::text AS should
        FROM (SELECT s.* FROM allowances s JOIN activity_types a ON a.code = s.activity
            WHERE (s.period = a.cap_period OR s.period LIKE a.cap_period || ':%') AND {_among("member_id")}) s
        FULL JOIN {projections.ALLOWANCES} e USING (member_id, activity, period)""",
    ),
    Check(
        "cooldowns = the latest award",
        f"""
        SELECT coalesce(s.member_id, e.member_id) || ' ' || coalesce(s.activity, e.activity) AS who,
            s.last_at::text AS stored,
            CASE WHEN e.last_at IS NULL OR e.same_rule OR s.last_at > e.last_at THEN e.last_at ELSE s.last_at END::text
                AS should
        FROM (SELECT s.* FROM cooldowns s JOIN activity_types a ON a.code = s.activity
            WHERE a.cooldown_seconds > 0 AND {_among("member_id")}) s
        FULL JOIN {projections.COOLDOWNS} e USING (member_id, activity)""",
    ),
    Check(
        "holds = reserved and redeemed",
        f"""
        SELECT coalesce(b.member_id, h.member_id) AS who, concat_ws(' ', b.reserved, b.redeemed) AS stored,
            concat_ws(' ', coalesce(h.held, 0), coalesce(h.spent, 0)) AS should
        FROM (SELECT * FROM balances WHERE {_among("member_id")}) b FULL JOIN (
            SELECT member_id, coalesce(sum(points) FILTER (WHERE state = 'held'), 0) AS held,
                coalesce(sum(points - coalesce(refunded_points, 0)) FILTER (WHERE state IN ('captured', 'refunded')), 0)
                    AS spent
            FROM holds WHERE {_among("member_id")} GROUP BY member_id) h USING (member_id)""",
    ),
    Check(
        "reversals undo what they name",
        f"""
        SELECT r.id AS who, concat_ws(' ', r.points, r.debit, r.credit, r.member_id) AS stored,
            concat_ws(' ', o.points, o.credit, o.debit, o.member_id) AS should
        FROM (SELECT t.*, l.member_id FROM transfers t JOIN ledgers l ON l.id = t.ledger_id
            WHERE t.kind = 'reversal' AND {_among("l.member_id")}) r
        LEFT JOIN (SELECT t.*, l.member_id FROM transfers t JOIN ledgers l ON l.id = t.ledger_id) o
            ON r.idempotency_key = 'reversal:' || o.id AND o.kind IN ('award', 'adjustment')""",
    ),
    Check(
        "applied adjustments = their transfers",
        f"""
        SELECT coalesce('adjustment:' || a.id, t.idempotency_key) AS who, t.points::text AS stored, a.points::text AS should
        FROM (SELECT * FROM adjustments WHERE status = 'applied' AND {_among("member_id")}) a
        FULL JOIN (SELECT idempotency_key, CASE credit WHEN 'available' THEN points ELSE -points END AS points
            FROM transfers JOIN ledgers l ON l.id = ledger_id WHERE kind = 'adjustment' AND {_among("l.member_id")}) t
        ON t.idempotency_key = 'adjustment:' || a.id""",
    ),
    Check(
        "approved submissions = their awards",
        f"""
        SELECT coalesce('submission:' || s.id, t.idempotency_key) AS who, concat_ws(' ', t.points, t.id) AS stored,
            concat_ws(' ', s.points, s.transfer_id) AS should
        FROM (SELECT * FROM submissions WHERE status = 'approved' AND points > 0 AND {_among("member_id")}) s
        FULL JOIN (SELECT idempotency_key, points, t.id FROM transfers t JOIN ledgers l ON l.id = ledger_id
            WHERE idempotency_key LIKE 'submission:%' AND {_among("l.member_id")}) t
        ON t.idempotency_key = 'submission:' || s.id""",
    ),
    Check(
        "ledgers: one current for each member, none for an old id",
        f"""
        SELECT member_id AS who, concat_ws(' ', count(*) FILTER (WHERE is_current), bool_or(a.old_id IS NOT NULL)) AS stored,
            '1 f' AS should
        FROM ledgers LEFT JOIN (SELECT old_id FROM aliases) a ON a.old_id = member_id
        WHERE {_among("member_id")} GROUP BY member_id""",
    ),
    Check(
        "no change of a link waits for a lost predecessor",
        f"""
        SELECT discord_born_id || ' change ' || version AS who, 'since ' || arrived_at AS stored,
            CASE WHEN arrived_at > now() - interval '10 minutes' THEN 'since ' || arrived_at END AS should
        FROM waiting_link_changes WHERE {_among("discord_born_id")}""",
    ),
    Check(
        "rank counts = boards",
        """
        SELECT concat_ws(' ', board, level, bucket) AS who, coalesce(c.members, 0)::text AS stored,
            coalesce(s.members, 0)::text AS should
        FROM (SELECT board, level, bucket, sum(members) AS members FROM (
                SELECT board, 0 AS level, bucket, members FROM rank_counts WHERE level = 0
                UNION ALL SELECT board, 1, 0, members FROM rank_counts WHERE level = 1
                UNION ALL SELECT board, 0, points, change FROM rank_deltas
                UNION ALL SELECT board, 1, 0, change FROM rank_deltas) x GROUP BY 1, 2, 3) c
        FULL JOIN (
            SELECT board, 0 AS level, points AS bucket, count(*) AS members FROM scores WHERE shown GROUP BY 1, 3
            UNION ALL SELECT board, 1, 0, count(*) FROM scores WHERE shown GROUP BY 1) s
        USING (board, level, bucket) WHERE CAST(:members AS uuid[]) IS NULL""",
    ),
)


@dataclass(frozen=True)
class Finding:
    """What a check found: how many rows it compared, how many differ, and the first of those."""

    check: str
    rows: int
    differing: int
    examples: list[dict[str, str | None]] = field(default_factory=list)


def findings(session: Session, members: Sequence[UUID] | None = None) -> list[Finding]:
    """Run all checks in the session's snapshot, on everything or on what belongs to `members`."""
    values = {
        "members": None if members is None else [str(member_id) for member_id in members],
        "zone": str(read(ProgramSettings).zone),
    }
    return [_finding(session, check, values) for check in CHECKS]


def _finding(session: Session, check: Check, values: dict[str, Any]) -> Finding:
    differs = "stored IS DISTINCT FROM should"
    counts = f"SELECT count(*), count(*) FILTER (WHERE {differs}) FROM ({check.compared}) AS compared"
    rows, differing = session.execute(text(counts), values).one()
    if not differing:
        return Finding(check.name, rows, 0)
    which = f"SELECT who::text AS who, stored, should FROM ({check.compared}) AS compared WHERE {differs} ORDER BY 1"
    found = session.execute(text(f"{which} LIMIT {SHOWN_ROWS}"), values)
    return Finding(check.name, rows, differing, [dict(row) for row in found.mappings()])


def snapshot(session: Session) -> None:
    """Make the session's transaction one that sees a single instant and cannot write. The first thing in it."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    session.execute(text("SET LOCAL statement_timeout = 0"))


def table(found: Sequence[Finding]) -> str:
    """The findings for people: an aligned table, then the rows that differ."""
    width = max(len(each.check) for each in found)
    lines = [f"{'check':<{width}}  {'rows':>10}  {'differing':>9}"]
    lines += [f"{each.check:<{width}}  {each.rows:>10,}  {each.differing:>9,}" for each in found]
    for each in found:
        if each.differing:
            lines += ["", f"{each.check}: {each.differing:,} differ"]
            lines += [f"  {row['who']}: is {row['stored']}, should be {row['should']}" for row in each.examples]
            if each.differing > len(each.examples):
                lines.append(f"  and {each.differing - len(each.examples):,} more")
    bad = sum(each.differing for each in found)
    lines += ["", "The books balance." if not bad else f"{bad:,} rows differ from what the transfers say."]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the database of DATABASE_URL; 0 when nothing differs."""
    parser = argparse.ArgumentParser(prog="python -m services.points.verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    given = parser.parse_args(arguments)
    with transaction() as session:
        snapshot(session)
        found = findings(session)
    bad = sum(each.differing for each in found)
    if given.json:
        sys.stdout.write(json.dumps({"ok": not bad, "checks": [asdict(each) for each in found]}) + "\n")
    else:
        sys.stdout.write(table(found) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
