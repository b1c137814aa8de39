"""Fills the database of points by COPY: members with a history, as if the programme had run for ninety days.

Everything follows from the number of members: `member_id(i)` is the i-th. Some earn much more than others; every
twenty-fifth entry is a redemption; a few members opted out or are no students. The books balance.
"""

from __future__ import annotations

import hashlib
import random
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

SPAN_DAYS = 90
CHUNK = 2_000
# Code, points and how often out of a hundred.
ACTIVITIES = (
    ("discord_activity", 5, 55),
    ("like_interaction", 2, 20),
    ("resource_share", 10, 10),
    ("linkedin_post", 5, 6),
    ("event_attendance", 15, 4),
    ("thoughtful_reply", 25, 3),
    ("resume_feedback_provide", 75, 1),
    ("peer_mentor", 250, 1),
)
TRACKS = ("software", "data", "design", "product", "research", "security")


def _id(kind: bytes, number: int) -> str:
    return hashlib.blake2b(number.to_bytes(8, "big"), key=kind, digest_size=16).hexdigest()


def member_id(number: int) -> UUID:
    """The id of the `number`-th member."""
    return UUID(_id(b"member", number))


def is_student(number: int) -> bool:
    return number % 20 != 7


def is_shown(number: int) -> bool:
    return is_student(number) and number % 10 != 3


class _Text:
    """Chunks of text as the file that COPY reads."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._chunks = chunks

    def read(self, _size: int = -1) -> bytes:
        return next(self._chunks, "").encode()


def _chunks(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    for line in lines:
        held.append(line)
        if len(held) == CHUNK:
            yield "".join(held)
            held.clear()
    if held:
        yield "".join(held)


def copy(cursor: Any, table: str, columns: str, lines: Iterable[str]) -> None:
    """COPY lines (tab-separated, newline at the end) into a table."""
    cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", _Text(_chunks(lines)), 1 << 20)


@dataclass
class Past:
    """What the members' histories add up to, by number."""

    available: array[int]
    redeemed: array[int]
    lifetime: array[int]
    moves: array[int]
    week: array[int]
    month: array[int]
    last: array[int]
    active: array[int]
    active_days: array[int]
    holds: list[str] = field(default_factory=list)
    rows: int = 0

    @classmethod
    def empty(cls, members: int) -> Past:
        def zeros(code: str = "q") -> array[int]:
            return array(code, bytes(array(code).itemsize * members))

        return cls(zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), zeros(), array("I"), array("I"))


def _history(past: Past, members: int, rows: int, end: datetime) -> Iterator[str]:
    """The lines of `transfers`, oldest first as they would have been written, adding up into `past`."""
    pick = random.Random(members)
    draw, bits = pick.random, pick.getrandbits
    deck = [(code, points) for code, points, share in ACTIVITIES for _ in range(share)]
    ledgers = [_id(b"ledger", number) for number in range(members)]
    clock = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}+00" for s in range(86_400)]
    week_from = (end - timedelta(days=end.weekday())).date()
    month_from = end.date().replace(day=1)
    last_active = array("i", [-1]) * members
    total, start = members * rows, end - timedelta(days=SPAN_DAYS)
    step = SPAN_DAYS * 86_400 / total
    base, day_at, number = start.timestamp(), "", -1
    in_week = in_month = False
    for row in range(total):
        moment = base + row * step
        if int(moment // 86_400) != number:
            number = int(moment // 86_400)
            day = datetime.fromtimestamp(moment, UTC).date()
            day_at, in_week, in_month = f"{day} ", day >= week_from, day >= month_from
        at = day_at + clock[int(moment % 86_400)]
        who = int(members * draw() ** 1.5)
        key = f"{int(moment * 1000):012x}7{bits(12):03x}8{bits(60):015x}"
        if row % 25 == 24 and past.available[who] >= 50:
            past.available[who] -= 50
            past.redeemed[who] += 50
            left = past.available[who]
            past.moves[who] += 2
            past.rows += 2
            redemption = str(UUID(int=bits(128)))
            past.holds.append(f"{redemption}\t{_id(b'member', who)}\t50\tcaptured\t{at}\t{at}\n")
            again = f"{int(moment * 1000):012x}7{bits(12):03x}9{bits(60):015x}"
            for id_, move, kind in ((key, "available\treserved", "hold"), (again, "reserved\tredeemed", "capture")):
                yield f"{id_}\t{ledgers[who]}\t{move}\t50\t{kind}\t\\N\t\\N\t{kind}:{redemption}\t{at}\t{at}\t{left}\n"
            continue
        code, points = deck[int(draw() * 100)]
        past.available[who] += points
        past.lifetime[who] += points
        past.moves[who] += 1
        past.last[who] = int(moment)
        past.rows += 1
        if in_week:
            past.week[who] += points
        if in_month:
            past.month[who] += points
        if last_active[who] != number:
            last_active[who] = number
            past.active.append(who)
            past.active_days.append(number)
        yield f"{key}\t{ledgers[who]}\tissued\tavailable\t{points}\taward\t{code}\t1\tdeed:seed:{row:012}\t{at}\t{at}\t{past.available[who]}\n"


TRANSFERS = (
    "id, ledger_id, debit, credit, points, kind, activity, rule_version, idempotency_key,"
    " occurred_at, recorded_at, available_after"
)


def _people(cursor: Any, members: int) -> None:
    everyone = range(members)
    ids = [_id(b"member", number) for number in everyone]

    def described(n: int) -> str:
        role, shown = "student" if is_student(n) else "company", "t" if n % 10 != 3 else "f"
        return (
            f"{ids[n]}\tMember {n}\t{shown}\t{role}\tactive\t{TRACKS[n % 6]}\tUniversity {n % 41}\t{2027 + n % 4}\t1\n"
        )

    columns = "id, display_name, show_in_leaderboard, role, status, track, university, graduation_year, version"
    copy(cursor, "members", columns, map(described, everyone))
    ledgers = (f"{_id(b'ledger', n)}\t{ids[n]}\tt\n" for n in everyone)
    copy(cursor, "ledgers", "id, member_id, is_current", ledgers)
    states = (f"{ids[n]}\t1\t{'student' if is_student(n) else 'company'}\tactive\n" for n in everyone)
    copy(cursor, "auth_state", "member_id, security_version, role, status", states)


def _projections(cursor: Any, members: int, past: Past, end: datetime) -> None:
    ids = [_id(b"member", number) for number in range(members)]
    balances = (
        f"{ids[n]}\t{past.available[n]}\t0\t{past.redeemed[n]}\t{past.lifetime[n]}\t{past.moves[n]}\n"
        for n in range(members)
    )
    copy(cursor, "balances", "member_id, available, reserved, redeemed, lifetime, version", balances)
    monday = (end - timedelta(days=end.weekday())).date()
    boards = [
        ("all_time", past.lifetime),
        (f"week:{monday}", past.week),
        (f"month:{end.date().replace(day=1)}", past.month),
    ]

    def scores() -> Iterator[str]:
        for n in range(members):
            at, shown = datetime.fromtimestamp(past.last[n], UTC).isoformat(), "t" if is_shown(n) else "f"
            for board, points in boards:
                if points[n]:
                    yield f"{board}\t{ids[n]}\t{points[n]}\t{at}\t{shown}\n"

    copy(cursor, "scores", "board, member_id, points, reached_at, shown", scores())
    copy(cursor, "holds", "redemption_id, member_id, points, state, created_at, changed_at", past.holds)
    first = datetime(1970, 1, 1, tzinfo=UTC).date()
    dates = {number: str(first + timedelta(days=number)) for number in set(past.active_days)}
    days = (f"{ids[who]}\t{dates[day]}\n" for who, day in zip(past.active, past.active_days, strict=True))
    copy(cursor, "active_days", "member_id, day", days)


# The one place for projections of the boards, from the scores that are there by now (triggers do not fire in between).
RANKS = (
    "INSERT INTO rank_counts SELECT board, 0, points, count(*) FROM scores WHERE shown GROUP BY board, points",
    "INSERT INTO rank_counts SELECT board, 1, points >> 10, count(*) FROM scores WHERE shown"
    " GROUP BY board, points >> 10",
)


def fill(connection: Any, members: int, rows: int, say: Callable[[str], None]) -> int:
    """Fill the emptied database of points; returns the number of transfers. `connection` is the superuser's."""
    began = time.monotonic()
    cursor = connection.cursor()
    # Foreign keys are right by construction; checking ten million would take longer than writing them.
    for setting in ("session_replication_role = replica", "maintenance_work_mem = '512MB'", "synchronous_commit = off"):
        cursor.execute(f"SET {setting}")
    # Indexes that no constraint needs are built afterwards, in one go.
    cursor.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE schemaname = 'public' AND tablename = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexname::regclass)",
        (["transfers", "scores", "ledgers"],),
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    end, past = datetime.now(UTC), Past.empty(members)
    _people(cursor, members)
    say(f"seed: {members:,} members, {time.monotonic() - began:.0f} s; their history follows")
    copy(cursor, "transfers", TRANSFERS, _history(past, members, rows, end))
    say(f"seed: {past.rows:,} transfers, {time.monotonic() - began:.0f} s; balances, boards and indexes follow")
    _projections(cursor, members, past, end)
    for statement in (*(definition for _, definition in indexes), *RANKS, "VACUUM ANALYZE", "CHECKPOINT"):
        cursor.execute(statement)
    say(f"seed: done, {time.monotonic() - began:.0f} s")
    return past.rows


# How many balances are not what their transfers add up to.
BOOKS = """
    SELECT count(*) FROM balances b FULL JOIN (
        SELECT l.member_id,
            sum(CASE WHEN credit = 'available' THEN t.points WHEN debit = 'available' THEN -t.points ELSE 0 END) AS available,
            sum(CASE WHEN credit = 'reserved' THEN t.points WHEN debit = 'reserved' THEN -t.points ELSE 0 END) AS reserved,
            sum(CASE WHEN credit = 'redeemed' THEN t.points WHEN debit = 'redeemed' THEN -t.points ELSE 0 END) AS redeemed
        FROM transfers t JOIN ledgers l ON l.id = t.ledger_id GROUP BY l.member_id
    ) t USING (member_id)
    WHERE (b.available, b.reserved, b.redeemed) IS DISTINCT FROM
        (coalesce(t.available, 0), coalesce(t.reserved, 0), coalesce(t.redeemed, 0))
"""
