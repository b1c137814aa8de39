"""Awards of many waiting deeds in a dozen statements: the hot path of the bus.

The rules are those of `ledger.award_deed`, and a test shows that both doors come to the same. What makes it fast is that
every step is one statement over arrays instead of one for each deed. A *round* takes at most one deed of a member, so
that no statement touches a row twice; a member's further deeds wait for the next round of the same transaction. The
locks are taken in one order, member by member, as behind every other door.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.points import ActivityLogged, ActivityOutcome, LogActivity
from fleet.messages import Envelope, new_id, now
from fleet.problems import NotFound, Problem
from services.points import activities, boards, ledger
from services.points.calendar import programme_day
from services.points.models import ActivityType

Command = Envelope[LogActivity]
Outcome = ActivityOutcome | Problem


@dataclass(slots=True)
class Deed:
    """One command on its way through a round."""

    command: Command
    activity: ActivityType
    member_id: UUID
    transfer_id: UUID
    ledger_id: UUID | None = None

    @property
    def reference(self) -> str:
        return f"deed:{self.command.data.reference}"

    @property
    def occurred_at(self) -> datetime:
        return self.command.data.occurred_at


def award_deeds(session: Session, commands: Sequence[Command]) -> list[Outcome]:
    """Award every command as `ledger.award_deed` would; for each, in order, its outcome or the Problem that refuses it."""
    types = {activity.code: activity for activity in activities.active(session)}
    outcomes: dict[UUID, Outcome] = {}
    waiting: list[Deed] = []
    for command in commands:
        found = _readable(command, types)
        if isinstance(found, Problem):
            outcomes[command.id] = found
        elif found.activity.cap_count is not None and found.activity.cooldown_seconds:
            # Refused by the second of two guards, it must not have used up the first: alone it can be undone.
            outcomes[command.id] = _alone(session, command)
        else:
            waiting.append(found)
    _resolve(session, waiting)
    while waiting:
        this_round, waiting = _split(waiting)
        outcomes |= _round(session, this_round)
    return [outcomes[command.id] for command in commands]


def _split(waiting: list[Deed]) -> tuple[list[Deed], list[Deed]]:
    """The next round, in the order of locks, and what waits for a later one: no member and no reference twice."""
    members: set[UUID] = set()
    references: set[str] = set()
    this_round: list[Deed] = []
    later: list[Deed] = []
    for deed in waiting:
        fits = deed.member_id not in members and deed.reference not in references
        (this_round if fits else later).append(deed)
        # Also one that waits: what comes behind it must not overtake it.
        members.add(deed.member_id)
        references.add(deed.reference)
    return sorted(this_round, key=lambda deed: deed.member_id), later


def _alone(session: Session, command: Command) -> Outcome:
    deed = command.data
    try:
        with session.begin_nested():
            award = ledger.award_deed(session, deed.member_id, deed.activity, deed.occurred_at, deed.reference)
    except Problem as problem:
        return problem
    return ActivityOutcome(not award.repeated, award.transfer.points, award.balance.available, award.balance.lifetime)


def _readable(command: Command, types: dict[str, ActivityType]) -> Deed | Problem:
    activity = types.get(command.data.activity)
    if activity is None:
        return NotFound(f"There is no activity type {command.data.activity!r}. GET /api/activities/ lists them.")
    if activity.requires_approval:
        return ledger.ApprovalRequired(f"{activity.name} is awarded when staff approve a submission of it.")
    if command.data.occurred_at > now() + ledger.CLOCK_SKEW:
        return ledger.InTheFuture(f"{command.data.occurred_at.isoformat()} has not been yet.")
    return Deed(command, activity, command.data.member_id, new_id())


_ALIASES = text("SELECT old_id, member_id FROM aliases WHERE old_id = ANY(CAST(:ids AS uuid[]))")


def _resolve(session: Session, deeds: Sequence[Deed]) -> None:
    leads = {
        row.old_id: row.member_id for row in session.execute(_ALIASES, {"ids": [str(deed.member_id) for deed in deeds]})
    }
    for deed in deeds:
        deed.member_id = leads.get(deed.member_id, deed.member_id)


def _round(session: Session, deeds: list[Deed]) -> dict[UUID, Outcome]:
    """Award deeds of different members."""
    balances = _lock_balances(session, deeds)
    outcomes: dict[UUID, Outcome] = {}

    def keep(where: list[Deed], refused: list[Deed], because: Any) -> list[Deed]:
        for deed in refused:
            outcomes[deed.command.id] = because(deed)
        gone = {deed.command.id for deed in refused}
        return [deed for deed in where if deed.command.id not in gone]

    known = _already_awarded(session, deeds)
    deeds = keep(
        deeds,
        [d for d in deeds if d.reference in known],
        lambda d: _repeated(known[d.reference], balances[d.member_id]),
    )
    suspended = _suspended(session, deeds)
    deeds = keep(deeds, [d for d in deeds if d.member_id in suspended], lambda _: ledger.Suspended())
    deeds = keep(deeds, _over_cap(session, deeds), _limit_reached)
    deeds = keep(deeds, _too_soon(session, deeds), _limit_reached)
    _write(session, deeds, balances)
    for deed in deeds:
        balance = balances[deed.member_id]
        outcomes[deed.command.id] = ActivityOutcome(True, deed.activity.points, balance.available, balance.lifetime)
    outbox.record_all(session, [_event(deed, balances[deed.member_id]) for deed in deeds], source=ledger.SOURCE)
    return outcomes


def _limit_reached(deed: Deed) -> Problem:
    return ledger.LimitReached(f"{deed.activity.name}: {activities.rule_in_words(deed.activity)}.")


def _repeated(points: int, balance: "_Balance") -> ActivityOutcome:
    return ActivityOutcome(False, points, balance.available, balance.lifetime, "This was counted before.")


_LOCK = text(
    "SELECT b.member_id, b.available, b.lifetime, b.version, l.id AS ledger_id FROM balances b"
    " JOIN ledgers l ON l.member_id = b.member_id AND l.is_current"
    " WHERE b.member_id = ANY(CAST(:ids AS uuid[])) ORDER BY b.member_id FOR UPDATE OF b"
)


@dataclass(slots=True)
class _Balance:
    available: int
    lifetime: int
    version: int


def _lock_balances(session: Session, deeds: list[Deed]) -> dict[UUID, _Balance]:
    ids = [str(deed.member_id) for deed in deeds]
    rows = {row.member_id: row for row in session.execute(_LOCK, {"ids": ids})}
    if strangers := [deed.member_id for deed in deeds if deed.member_id not in rows]:
        values = {"ids": [str(i) for i in strangers], "ledgers": [str(new_id()) for _ in strangers]}
        session.execute(
            text("INSERT INTO members (id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING"), values
        )
        session.execute(
            text("INSERT INTO balances (member_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING"), values
        )
        session.execute(
            text(
                "INSERT INTO ledgers (member_id, id, is_current) SELECT *, true FROM"
                " unnest(CAST(:ids AS uuid[]), CAST(:ledgers AS uuid[])) ON CONFLICT DO NOTHING"
            ),
            values,
        )
        rows = {row.member_id: row for row in session.execute(_LOCK, {"ids": ids})}
    for deed in deeds:
        deed.ledger_id = rows[deed.member_id].ledger_id
    # A merge may have happened between looking for aliases and locking; then each deed goes alone, which looks again.
    if session.execute(_ALIASES, {"ids": ids}).first() is not None:
        raise MergedMeanwhile
    return {member_id: _Balance(row.available, row.lifetime, row.version) for member_id, row in rows.items()}


class MergedMeanwhile(RuntimeError):
    """A member of the round was merged into another one while the round began; nothing was written."""


def _already_awarded(session: Session, deeds: list[Deed]) -> dict[str, int]:
    found = text("SELECT idempotency_key, points FROM transfers WHERE idempotency_key = ANY(:keys)")
    return {
        row.idempotency_key: row.points for row in session.execute(found, {"keys": [deed.reference for deed in deeds]})
    }


def _suspended(session: Session, deeds: list[Deed]) -> set[UUID]:
    found = text(
        "SELECT member_id FROM auth_state WHERE member_id = ANY(CAST(:ids AS uuid[])) AND status = 'suspended'"
        " AND (suspended_until IS NULL OR suspended_until > now())"
    )
    return set(session.scalars(found, {"ids": [str(deed.member_id) for deed in deeds]}))


_USE_CAPS = text(
    "INSERT INTO allowances AS a (member_id, activity, period, used)"
    " SELECT u.member_id, u.activity, u.period, 1 FROM unnest(CAST(:ids AS uuid[]), CAST(:activities AS text[]),"
    " CAST(:periods AS text[])) AS u (member_id, activity, period)"
    " ON CONFLICT (member_id, activity, period) DO UPDATE SET used = a.used + 1"
    " WHERE a.used < (SELECT cap_count FROM activity_types t WHERE t.code = excluded.activity) RETURNING a.member_id"
)


def _over_cap(session: Session, deeds: list[Deed]) -> list[Deed]:
    """Count each deed against its cap; those for which there was nothing left."""
    capped = [deed for deed in deeds if deed.activity.cap_count is not None]
    if not capped:
        return []
    values = {
        "ids": [str(deed.member_id) for deed in capped],
        "activities": [deed.activity.code for deed in capped],
        "periods": [activities.cap_period_key(deed.activity, programme_day(deed.occurred_at)) for deed in capped],
    }
    used = set(session.scalars(_USE_CAPS, values))
    return [deed for deed in capped if deed.member_id not in used]


_START_COOLDOWNS = text(
    "INSERT INTO cooldowns AS c (member_id, activity, last_at) SELECT u.* FROM unnest(CAST(:ids AS uuid[]),"
    " CAST(:activities AS text[]), CAST(:times AS timestamptz[])) AS u (member_id, activity, at)"
    " ON CONFLICT (member_id, activity) DO UPDATE SET last_at = greatest(c.last_at, excluded.last_at)"
    " WHERE abs(extract(epoch FROM c.last_at - excluded.last_at)) >="
    " (SELECT cooldown_seconds FROM activity_types t WHERE t.code = excluded.activity) RETURNING c.member_id"
)


def _too_soon(session: Session, deeds: list[Deed]) -> list[Deed]:
    """Start each deed's cooldown; those whose last one is not over."""
    cooling = [deed for deed in deeds if deed.activity.cooldown_seconds]
    if not cooling:
        return []
    values = {
        "ids": [str(deed.member_id) for deed in cooling],
        "activities": [deed.activity.code for deed in cooling],
        "times": [deed.occurred_at for deed in cooling],
    }
    started = set(session.scalars(_START_COOLDOWNS, values))
    return [deed for deed in cooling if deed.member_id not in started]


_WRITE_BALANCES = text(
    "UPDATE balances b SET available = u.available, lifetime = u.lifetime, version = u.version"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:available AS bigint[]), CAST(:lifetime AS bigint[]),"
    " CAST(:versions AS bigint[])) AS u (member_id, available, lifetime, version) WHERE b.member_id = u.member_id"
)
_WRITE_TRANSFERS = text(
    "INSERT INTO transfers (id, ledger_id, debit, credit, points, kind, activity, rule_version, idempotency_key,"
    " occurred_at, available_after) SELECT u.id, u.ledger_id, 'issued', 'available', u.points, 'award', u.activity,"
    " u.version, u.key, u.at, u.after FROM unnest(CAST(:transfers AS uuid[]), CAST(:ledgers AS uuid[]),"
    " CAST(:points AS integer[]), CAST(:activities AS text[]), CAST(:rules AS integer[]), CAST(:keys AS text[]),"
    " CAST(:times AS timestamptz[]), CAST(:available AS bigint[]))"
    " AS u (id, ledger_id, points, activity, version, key, at, after)"
)
_WRITE_DAYS = text(
    "INSERT INTO active_days (member_id, day) SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS date[]))"
    " ON CONFLICT DO NOTHING"
)


def _write(session: Session, deeds: list[Deed], balances: dict[UUID, _Balance]) -> None:
    """Write balances, transfers, days and boards of deeds that are due."""
    if not deeds:
        return
    for deed in deeds:
        balance = balances[deed.member_id]
        balance.available += deed.activity.points
        balance.lifetime += deed.activity.points
        balance.version += 1
    values = {
        "ids": [str(deed.member_id) for deed in deeds],
        "available": [balances[deed.member_id].available for deed in deeds],
        "lifetime": [balances[deed.member_id].lifetime for deed in deeds],
        "versions": [balances[deed.member_id].version for deed in deeds],
        "transfers": [str(deed.transfer_id) for deed in deeds],
        "ledgers": [str(deed.ledger_id) for deed in deeds],
        "points": [deed.activity.points for deed in deeds],
        "activities": [deed.activity.code for deed in deeds],
        "rules": [deed.activity.version for deed in deeds],
        "keys": [deed.reference for deed in deeds],
        "times": [deed.occurred_at for deed in deeds],
        "days": [programme_day(deed.occurred_at) for deed in deeds],
    }
    for statement in (_WRITE_BALANCES, _WRITE_TRANSFERS, _WRITE_DAYS):
        session.execute(statement, values)
    boards.add_all(session, [(deed.member_id, deed.activity.points, deed.occurred_at) for deed in deeds])


def _event(deed: Deed, balance: _Balance) -> outbox.Entry:
    logged = ActivityLogged(
        member_id=deed.member_id,
        transfer_id=deed.transfer_id,
        activity=deed.activity.code,
        category=deed.activity.category,
        points=deed.activity.points,
        rule_version=deed.activity.version,
        occurred_at=deed.occurred_at,
        available=balance.available,
        lifetime=balance.lifetime,
    )
    return outbox.Entry(logged, deed.member_id, balance.version, deed.command)
