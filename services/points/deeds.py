"""Deeds: what earns by itself (a message, a reaction), taken by the hundreds into one transaction. The hot path of the bus.

Every step is one statement over arrays. A *round* takes at most one deed of a member; a member's further deeds wait for
the next round of the same transaction. One deed is a round of one, so there is one set of rules. The locks are taken in
one order, member by member, as behind every other door.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.auth_state import IS_SUSPENDED
from fleet.contracts.points import ActivityOutcome, LogActivity
from fleet.messages import Envelope, new_id, now
from fleet.prepared import Statement, run
from fleet.problems import NotFound, Problem
from services.points import activities, awards, ledger
from services.points.activities import Rule
from services.points.awards import Award

CLOCK_SKEW = timedelta(minutes=5)

Command = Envelope[LogActivity]
Outcome = ActivityOutcome | Problem


class ApprovalRequired(Problem):
    """The activity is awarded through a submission that staff approve."""

    status, slug, title = 409, "approval-required", "This activity needs approval"


class InTheFuture(Problem):
    """Nobody has done yet what is going to happen."""

    status, slug, title = 422, "in-the-future", "The time lies in the future"


@dataclass(slots=True)
class Deed:
    """One deed on its way through a round. `reference` names it once and for all; `cause` is its command."""

    member_id: UUID
    rule: Rule
    occurred_at: datetime
    reference: str
    cause: Command | None = None

    @property
    def key(self) -> str:
        return f"deed:{self.reference}"


def award_deed(session: Session, member_id: UUID, code: str, occurred_at: datetime, reference: str) -> ActivityOutcome:
    """Award one deed, once for each `reference`.

    Raises NotFound for an unknown type, ApprovalRequired, InTheFuture, Suspended, and LimitReached when the cap or the
    cooldown of the rule does not allow it now.
    """
    deed = _readable(activities.rules(session), member_id, code, occurred_at, reference)
    [outcome] = [deed] if isinstance(deed, Problem) else _award(session, [deed])
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


def award_deeds(session: Session, commands: Sequence[Command]) -> list[Outcome]:
    """Award every command as `award_deed` would; for each, in order, its outcome or the Problem that refuses it."""
    rules = activities.rules(session)
    found: list[Deed | Problem] = []
    for command in commands:
        data = command.data
        found.append(_readable(rules, data.member_id, data.activity, data.occurred_at, data.reference, command))
    outcomes = iter(_award(session, [deed for deed in found if isinstance(deed, Deed)]))
    return [each if isinstance(each, Problem) else next(outcomes) for each in found]


def _readable(
    rules: dict[str, Rule],
    member_id: UUID,
    code: str,
    occurred_at: datetime,
    reference: str,
    cause: Command | None = None,
) -> Deed | Problem:
    rule = rules.get(code)
    if rule is None:
        return NotFound(f"There is no activity type {code!r}. GET /api/activities/ lists them.")
    if rule.requires_approval:
        return ApprovalRequired(f"{rule.name} is awarded when staff approve a submission of it.")
    if occurred_at > now() + CLOCK_SKEW:
        return InTheFuture(f"{occurred_at.isoformat()} has not been yet.")
    return Deed(member_id, rule, occurred_at, reference, cause)


def _award(session: Session, deeds: list[Deed]) -> list[Outcome]:
    """Round by round; the outcome of each deed in the given order."""
    outcomes: dict[int, Outcome] = {}
    members = lock(session, [deed.member_id for deed in deeds])
    for deed in deeds:
        deed.member_id = members[deed.member_id]
    waiting = deeds
    while waiting:
        this_round, waiting = _split(waiting)
        outcomes |= _round(session, this_round)
    return [outcomes[id(deed)] for deed in deeds]


def _split(waiting: list[Deed]) -> tuple[list[Deed], list[Deed]]:
    """The next round, and what waits for a later one: no member and no reference twice."""
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
    return this_round, later


_LOCK = Statement(
    "deeds_lock",
    """
    SELECT g.number, a.member_id AS leads_to FROM unnest(:ids) WITH ORDINALITY AS g (id, number)
    LEFT JOIN aliases a ON a.old_id = g.id
    JOIN balances b ON b.member_id = coalesce(a.member_id, g.id)
    JOIN ledgers l ON l.member_id = b.member_id AND l.is_current
    ORDER BY b.member_id FOR UPDATE OF b
    """,
    ids="uuid[]",
)
_WHO = "SELECT coalesce(a.member_id, g.id) FROM unnest(:ids) AS g (id) LEFT JOIN aliases a ON a.old_id = g.id"
_KNOW = Statement("deeds_know", f"INSERT INTO members (id) {_WHO} ON CONFLICT DO NOTHING", ids="uuid[]")
_OPEN = Statement("deeds_open", f"INSERT INTO balances (member_id) {_WHO} ON CONFLICT DO NOTHING", ids="uuid[]")
_BEGIN = Statement(
    "deeds_begin",
    "INSERT INTO ledgers (id, member_id, is_current) SELECT g.ledger_id, coalesce(a.member_id, g.id), true"
    " FROM unnest(:ids, :ledgers) AS g (id, ledger_id) LEFT JOIN aliases a ON a.old_id = g.id ON CONFLICT DO NOTHING",
    ids="uuid[]",
    ledgers="uuid[]",
)


def lock(session: Session, member_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Lock the balances of all these members, in the order of their ids; which member each id leads to.

    The locks are asked for twice, in one round trip: a merge may have come while the first waited, and only a statement
    that begins under the lock sees where an id leads now. Of whom nothing is known yet, members are opened.
    """
    ids = sorted(set(member_ids), key=attrgetter("int"))
    while True:
        rows = run(session, _LOCK(ids=ids), _LOCK(ids=ids))
        found = {ids[row.number - 1]: row.leads_to or ids[row.number - 1] for row in rows}
        strangers = [member_id for member_id in ids if member_id not in found]
        if not strangers:
            return found
        ledgers = _BEGIN(ids=strangers, ledgers=[new_id() for _ in strangers])
        run(session, _KNOW(ids=strangers), _OPEN(ids=strangers), ledgers)


_LOOK = Statement(
    "deeds_look",
    f"""
    SELECT b.available, b.lifetime, b.version, t.points AS counted_before, {IS_SUSPENDED} AS suspended
    FROM unnest(:ids, :keys) WITH ORDINALITY AS g (id, key, number)
    JOIN balances b ON b.member_id = g.id
    LEFT JOIN transfers t ON t.idempotency_key = g.key
    LEFT JOIN auth_state s ON s.member_id = g.id
    ORDER BY g.number
    """,  # noqa: S608 a constant
    ids="uuid[]",
    keys="text[]",
)


def _round(session: Session, deeds: list[Deed]) -> dict[int, Outcome]:
    """Award deeds of different members, all of them locked."""
    rows = run(session, _LOOK(ids=[deed.member_id for deed in deeds], keys=[deed.key for deed in deeds]))
    outcomes: dict[int, Outcome] = {}
    due: list[tuple[Deed, Award]] = []
    for deed, row in zip(deeds, rows, strict=True):
        if row.counted_before is not None:
            outcomes[id(deed)] = _counted_before(row)
        elif row.suspended:
            outcomes[id(deed)] = ledger.Suspended(ledger.SUSPENDED)
        else:
            due.append((deed, _award_of(deed, row)))
    allowed = awards.allow(session, [award for _, award in due])
    awards.write(session, [award for _, award in due if award.member_id in allowed])
    for deed, award in due:
        made = award.member_id in allowed
        outcomes[id(deed)] = _made(award) if made else awards.limit_reached(deed.rule)
    return outcomes


def _made(award: Award) -> ActivityOutcome:
    return ActivityOutcome(True, award.points, award.available, award.lifetime, transfer_id=award.id)


def _counted_before(row: Any) -> ActivityOutcome:
    return ActivityOutcome(False, row.counted_before, row.available, row.lifetime, "This was counted before.")


def _award_of(deed: Deed, row: Any) -> Award:
    return Award(
        deed.member_id,
        deed.rule,
        deed.rule.points,
        deed.key,
        deed.occurred_at,
        row.available,
        row.lifetime,
        row.version,
        cause=deed.cause,
    )
