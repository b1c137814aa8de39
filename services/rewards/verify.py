"""Are the books of rewards right? `python -m services.rewards.verify [--json] [--repair]`.

Compares redemptions with the holds that points keeps (by a question, page by page), the stock with what was supplied, and
each redemption with its steps. Prints a table of checks with the rows compared and the rows that differ, then those
rows, and exits 1 when there are any. It only reads; `--repair` sends points the commands that mend what differs from it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet.database import transaction
from fleet.problems import Problem
from fleet.restoring import STEP
from services.rewards import reconciler

SHOWN_ROWS = 20
HOLDS = "redemptions = holds of points"

# name, and a query of (who, stored, should) in which the last two never differ.
CHECKS: tuple[tuple[str, str], ...] = (
    (
        "supplied = stock + items taken by redemptions",
        """
        SELECT i.id AS who, CAST(i.supplied AS text) AS stored, CAST(i.stock + coalesce(r.taken, 0) AS text) AS should
        FROM incentives i LEFT JOIN (
            SELECT incentive_id, count(*) AS taken FROM redemptions WHERE has_item GROUP BY incentive_id) r
            ON r.incentive_id = i.id
        WHERE i.stock IS NOT NULL""",
    ),
    (
        "each redemption is where its last step led",
        """
        SELECT r.id AS who, r.status AS stored, s.status AS should FROM redemptions r LEFT JOIN LATERAL (
            SELECT status FROM redemption_steps WHERE redemption_id = r.id ORDER BY version DESC LIMIT 1) s ON true""",
    ),
    (
        "each redemption began once and ended at most once",
        """
        SELECT redemption_id AS who, '1 0' AS should, count(*) FILTER (WHERE status = 'requested') || ' ' || greatest(0,
            count(DISTINCT status) FILTER (WHERE status IN ('declined', 'cancelled', 'rejected', 'expired', 'refunded')) - 1)
            AS stored
        FROM redemption_steps GROUP BY redemption_id""",
    ),
    (
        # After a restore the versions go on a million later (restoring.py), and in between there is none.
        "each incentive has a history of all its versions",
        f"""
        SELECT i.id AS who, (i.version % {STEP})::text AS stored, count(c.version)::text AS should
        FROM incentives i LEFT JOIN incentive_changes c ON c.incentive_id = i.id GROUP BY i.id""",  # noqa: S608 a constant
    ),
    (
        "no change of a link waits for a lost predecessor",
        """
        SELECT discord_born_id || ' ' || version AS who, 'waits' AS stored,
            CASE WHEN arrived_at > now() - interval '10 minutes' THEN 'waits' END AS should
        FROM waiting_link_changes""",
    ),
)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check, with the first rows that differ."""

    check: str
    rows: int
    differing: int
    examples: list[dict[str, Any]] = field(default_factory=list)


def findings(session: Session) -> list[Finding]:
    """Run all checks of this service's own tables in the session's snapshot."""
    return [_finding(session, name, query) for name, query in CHECKS]


def _finding(session: Session, name: str, query: str) -> Finding:
    differs = "stored IS DISTINCT FROM should"
    counts = f"SELECT count(*), count(*) FILTER (WHERE {differs}) FROM ({query}) AS compared"  # noqa: S608 constants
    rows, differing = session.execute(text(counts)).one()
    if not differing:
        return Finding(name, rows, 0)
    which = f"SELECT CAST(who AS text) AS who, stored, should FROM ({query}) AS compared WHERE {differs} ORDER BY 1"  # noqa: S608
    found = session.execute(text(f"{which} LIMIT {SHOWN_ROWS}"))
    return Finding(name, rows, differing, [dict(row) for row in found.mappings()])


def of_holds(found: reconciler.Comparison) -> Finding:
    """The comparison with points as a finding."""
    examples = []
    for each in found.mismatches[:SHOWN_ROWS]:
        stored = f"{each.status or 'nothing'}{f' (waits for {each.settling})' if each.settling else ''}"
        examples.append({"who": str(each.redemption_id), "stored": stored, "should": f"hold {each.hold}: {each.what}"})
    return Finding(HOLDS, found.compared, len(found.mismatches), examples)


def table(found: Sequence[Finding]) -> str:
    """The findings for people: an aligned table, then the rows that differ."""
    width = max(len(each.check) for each in found)
    lines = [f"{'check':<{width}}  {'rows':>10}  {'differing':>9}"]
    lines += [f"{each.check:<{width}}  {each.rows:>10,}  {each.differing:>9,}" for each in found]
    for each in found:
        if each.differing:
            lines += ["", f"{each.check}: {each.differing:,} differ"]
            lines += [f"  {row['who']}: {row['stored']}, against {row['should']}" for row in each.examples]
            if each.differing > len(each.examples):
                lines.append(f"  and {each.differing - len(each.examples):,} more")
    bad = sum(each.differing for each in found)
    lines += ["", "The shop is in order." if not bad else f"{bad:,} rows differ."]
    return "\n".join(lines)


def verify(
    ask: reconciler.Ask = reconciler.ask_points, *, repair: bool = False, margin: timedelta = reconciler.MARGIN
) -> list[Finding]:
    """All checks; with `repair`, points is sent what mends the differences. Raises Unavailable when it does not answer."""
    compared = reconciler.compare(ask, margin)
    with transaction() as session:
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        found = [of_holds(compared), *findings(session)]
    if repair and compared.mismatches:
        with transaction() as session:
            mended = reconciler.mend(session, compared.mismatches)
        sys.stdout.write(f"Commands for {mended} redemptions are on their way to points; verify again in a minute.\n")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the database of DATABASE_URL against points; 0 when nothing differs, 2 when points does not answer."""
    parser = argparse.ArgumentParser(prog="python -m services.rewards.verify", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--repair", action="store_true", help="send points the commands that mend what differs")
    given = parser.parse_args(arguments)
    try:
        found = verify(repair=given.repair)
    except Problem as problem:
        sys.stderr.write(f"{problem.detail}\n")
        return 2
    bad = sum(each.differing for each in found)
    if given.json:
        sys.stdout.write(json.dumps({"ok": not bad, "checks": [asdict(each) for each in found]}) + "\n")
    else:
        sys.stdout.write(table(found) + "\n")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
