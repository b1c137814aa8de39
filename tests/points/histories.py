"""Histories for the tests of figures: transfers of all kinds, written row by row, and how to make them up."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy import insert

from fleet.database import transaction
from fleet.messages import new_id
from services.points import analytics, cohorts, dashboard, programme, timeline
from services.points.models import Alias, Ledger, Transfer

ZONES = ("America/New_York", "Europe/Berlin", "Asia/Kolkata")
CODES = ("peer_mentor", "linkedin_post", "resume_upload", "discord_activity")
# What each kind may do: from where to where.
MOVES = {
    "award": [("issued", "available")],
    "adjustment": [("issued", "available"), ("available", "issued")],
    "reversal": [("available", "issued")],
    "hold": [("available", "reserved")],
    "release": [("reserved", "available")],
    "capture": [("reserved", "redeemed")],
    "refund": [("redeemed", "available")],
}


@dataclass(frozen=True)
class Row:
    """One transfer."""

    at: datetime
    kind: str
    debit: str
    credit: str
    points: int
    activity: str | None = None
    ledger: int = 0


def row(
    kind: str, points: int, at: datetime, activity: str | None = None, *, down: bool = False, ledger: int = 0
) -> Row:
    """A transfer of a kind; `down`: a correction that takes points."""
    debit, credit = MOVES[kind][-1 if down else 0]
    return Row(at, kind, debit, credit, points, activity, ledger)


def write(rows: list[Row], member_id: UUID | None = None) -> UUID:
    """A member with these transfers, on as many ledgers as the rows name (merges leave several)."""
    member_id = member_id or new_id()
    ledgers = [new_id() for _ in range(max((r.ledger for r in rows), default=0) + 1)]
    with transaction() as session:
        session.execute(
            insert(Ledger),
            [{"id": id_, "member_id": member_id, "is_current": not n} for n, id_ in enumerate(ledgers)],
        )
        if rows:
            session.execute(insert(Transfer), [_values(r, ledgers[r.ledger]) for r in rows])
    return member_id


def _values(r: Row, ledger_id: UUID) -> dict[str, object]:
    return {
        "id": new_id(),
        "ledger_id": ledger_id,
        "debit": r.debit,
        "credit": r.credit,
        "points": r.points,
        "kind": r.kind,
        "activity": r.activity,
        "idempotency_key": str(uuid4()),
        "occurred_at": r.at,
        "available_after": 0,
    }


def alias(old_id: UUID, member_id: UUID) -> UUID:
    """Make `old_id` lead to the member."""
    with transaction() as session:
        session.add(Alias(old_id=old_id, member_id=member_id))
    return old_id


def at_time(moment: datetime) -> ExitStack:
    """It is `moment` for all figures, within the block."""
    stack = ExitStack()
    for module in (analytics, cohorts, dashboard, programme, timeline):
        stack.enter_context(patch.object(module, "now", lambda: moment))
    return stack


def times_of(zone: ZoneInfo) -> st.SearchStrategy[datetime]:
    """Presents of a zone: around its changes of the clocks, the turn of the year, and any time at all."""
    days = [(2026, 3, 8), (2026, 3, 29), (2026, 10, 25), (2026, 11, 1), (2026, 1, 1), (2024, 2, 29), (2026, 6, 30)]
    clocks = [(0, 0), (0, 0, 0, 1), (1, 30), (2, 30), (3, 0), (12, 0), (23, 59, 59, 999_999)]
    local = st.builds(
        lambda day, clock, after, fold: datetime(*day, *clock, tzinfo=zone, fold=fold) + timedelta(days=after),
        st.sampled_from(days),
        st.sampled_from(clocks),
        st.integers(0, 40),
        st.integers(0, 1),
    )
    anywhen = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31))  # noqa: DTZ001
    return st.one_of(local.map(lambda t: t.astimezone(UTC)), anywhen.map(lambda t: t.replace(tzinfo=UTC)))


def histories(present: datetime, zone: ZoneInfo, near: tuple[timedelta, ...] = ()) -> st.SearchStrategy[list[Row]]:
    """Up to 30 rows, on up to 3 ledgers, before `present` (and a clock's error after it), thick around the days on
    which the clocks change, midnights, and the distances `near`."""
    hour = timedelta(hours=1)
    tick = timedelta(microseconds=1)
    midnights = st.builds(
        lambda back, off: (
            (present.astimezone(zone) - timedelta(days=back))
            .replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            .astimezone(UTC)
            + off
        ),
        st.integers(0, 100),
        st.sampled_from([-hour, -tick, timedelta(0), tick, hour, 2 * hour, 3 * hour]),
    )
    changes = st.builds(
        lambda day, half_hours: datetime(*day, tzinfo=UTC) + timedelta(minutes=30 * half_hours),
        st.sampled_from([(2026, 3, 8), (2026, 3, 29), (2026, 10, 24), (2026, 10, 25), (2026, 11, 1), (2026, 11, 2)]),
        st.integers(0, 60),
    )
    back = st.integers(-300, 800 * 86_400).map(lambda seconds: present - timedelta(seconds=seconds))
    kinds = [midnights, changes, back]
    if near:
        edge = st.builds(
            lambda distance, off: present - distance + off,
            st.sampled_from(near),
            st.sampled_from([-tick, timedelta(0), tick]),
        )
        kinds.append(edge)
    latest = present + timedelta(minutes=5)
    times = st.one_of(*kinds).filter(lambda moment: moment <= latest)
    moves = st.sampled_from([(kind, move) for kind, found in MOVES.items() for move in found])
    rows = st.builds(_row, times, moves, st.integers(1, 2000), st.sampled_from(CODES), st.booleans(), st.integers(0, 2))
    return st.lists(rows, max_size=30)


def _row(at: datetime, move: tuple[str, tuple[str, str]], points: int, code: str, named: bool, ledger: int) -> Row:
    kind, (debit, credit) = move
    activity = code if kind == "award" or (kind == "reversal" and named) else None
    return Row(at, kind, debit, credit, points, activity, ledger)
