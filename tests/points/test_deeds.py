"""Many deeds at once come to what they would have come to one after another."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from fleet import auth_state
from fleet.contracts.points import ActivityOutcome, LogActivity
from fleet.contracts.users import AuthStateChanged
from fleet.database import transaction
from fleet.messages import Envelope, decode, envelope_for, new_id
from fleet.problems import Problem
from services.points import deeds, ledger

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
CODES = ("discord_activity", "like_interaction", "peer_mentor", "no_such_type")


def command(member_id: UUID, code: str, at: datetime, reference: str) -> Envelope[LogActivity]:
    return envelope_for(LogActivity(member_id, code, at, reference), source="bot")


def generated(dice: random.Random, count: int, members: list[UUID]) -> list[Envelope[LogActivity]]:
    """Commands that meet each other in every way: same member, same day, within an hour, same reference."""
    found = []
    for _ in range(count):
        at = NOON + timedelta(minutes=dice.randrange(0, 4 * 24 * 60, 20))
        code = dice.choices(CODES, (5, 5, 1, 1))[0]
        person = dice.randrange(len(members))
        found.append(command(members[person], code, at, f"r{person}-{dice.randrange(count)}"))
    return found


def one_by_one(commands: list[Envelope[LogActivity]]) -> list[ActivityOutcome | Problem]:
    found: list[ActivityOutcome | Problem] = []
    for each in commands:
        deed = each.data
        try:
            with transaction() as session:
                award = deeds.award_deed(session, deed.member_id, deed.activity, deed.occurred_at, deed.reference)
            found.append(award)
        except Problem as problem:
            found.append(problem)
    return found


def at_once(commands: list[Envelope[LogActivity]]) -> list[ActivityOutcome | Problem]:
    with transaction() as session:
        return deeds.award_deeds(session, commands)


def shape(outcomes: list[ActivityOutcome | Problem]) -> list[object]:
    return [type(o) if isinstance(o, Problem) else (o.awarded, o.points, o.available, o.lifetime) for o in outcomes]


def renamed(commands: list[Envelope[LogActivity]]) -> list[Envelope[LogActivity]]:
    """The same deeds of other members: what happens to them must be the same."""
    others: dict[UUID, UUID] = {}
    return [
        command(
            others.setdefault(c.data.member_id, new_id()),
            c.data.activity,
            c.data.occurred_at,
            f"again {c.data.reference}",
        )
        for c in commands
    ]


def by_round(commands: list[Envelope[LogActivity]]) -> list[Envelope[LogActivity]]:
    """The order in which rounds take them: each member's first deed, then each one's second ..."""
    seen: dict[UUID, int] = {}
    numbered = []
    for position, each in enumerate(commands):
        number = seen[each.data.member_id] = seen.get(each.data.member_id, 0) + 1
        numbered.append((number, position, each))
    return [each for _number, _position, each in sorted(numbered, key=lambda row: row[:2])]


def test_at_once_is_the_same_as_one_after_another(seed):
    dice = random.Random(seed)
    for count, people in ((1, 1), (40, 5), (40, 40), (200, 60), (200, 8)):
        commands = by_round(generated(dice, count, [new_id() for _ in range(people)]))
        together = at_once(commands)
        apart = one_by_one(renamed(commands))
        assert shape(together) == shape(apart), f"SEED={seed}"


def test_the_rows_are_the_same_too(seed):
    dice = random.Random(seed + 1)
    commands = by_round(generated(dice, 120, [new_id() for _ in range(20)]))
    at_once(commands)
    first = snapshot()
    with transaction() as session:
        session.execute(text("SELECT 1"))
    one_by_one(renamed(commands))
    both = snapshot()
    for table, rows in first.items():
        assert both[table] == {row: 2 * count for row, count in rows.items()}, table


def snapshot() -> dict[str, dict[tuple, int]]:
    """How many rows of each kind there are, whoever's they are."""
    wanted = {
        "transfers": "debit, credit, points, kind, activity, rule_version, occurred_at, available_after",
        "balances": "available, lifetime, version",
        "scores": "board, points, reached_at, shown",
        "allowances": "activity, period, used",
        "cooldowns": "activity, last_at",
        "active_days": "day",
        "outbox": "exchange, routing_key, mandatory",
    }
    with transaction() as session:
        return {
            table: {
                tuple(row[:-1]): row[-1]
                for row in session.execute(text(f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns}"))
            }
            for table, columns in wanted.items()
        }


def test_a_reference_of_two_members_in_one_batch_earns_once(row_count):
    outcomes = at_once([command(new_id(), "discord_activity", NOON, "shared") for _ in range(2)])
    assert [outcome.awarded for outcome in outcomes] == [True, False]
    assert row_count("transfers") == 1


def test_every_award_of_a_batch_is_told_with_its_version():
    member_id = new_id()
    commands = [command(member_id, "discord_activity", NOON + timedelta(days=day), f"d{day}") for day in range(3)]
    at_once(commands)
    with transaction() as session:
        told = [decode(bytes(body)) for body in session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars()]
    assert [(event.sequence, event.data.lifetime) for event in told] == [(1, 5), (2, 10), (3, 15)]
    assert [event.causation_id for event in told] == [str(each.id) for each in commands]


def test_a_suspended_member_in_a_batch_earns_nothing_and_the_others_do():
    bad, good = new_id(), new_id()
    with transaction() as session:
        auth_state.keep(session, AuthStateChanged(bad, 2, "student", "suspended"))
    outcomes = at_once([command(bad, "discord_activity", NOON, "a"), command(good, "discord_activity", NOON, "b")])
    assert isinstance(outcomes[0], ledger.Suspended)
    assert outcomes[1] == ActivityOutcome(True, 5, 5, 5, transfer_id=outcomes[1].transfer_id)


def test_a_deed_refused_by_its_cooldown_has_not_used_its_cap(row_count):
    with transaction() as session:
        session.execute(
            text("UPDATE activity_types SET cap_count = 2, cap_period = 'day' WHERE code = 'like_interaction'")
        )
    try:
        member_id = new_id()
        times = [NOON, NOON + timedelta(minutes=5), NOON + timedelta(hours=2)]
        outcomes = at_once([command(member_id, "like_interaction", at, f"c{at}") for at in times])
        assert [isinstance(outcome, Problem) for outcome in outcomes] == [False, True, False]
        assert row_count("allowances", "used = 2") == 1
    finally:
        with transaction() as session:
            session.execute(
                text("UPDATE activity_types SET cap_count = NULL, cap_period = NULL WHERE code = 'like_interaction'")
            )
