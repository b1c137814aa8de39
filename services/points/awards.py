"""Awards: what is written when points are earned, whatever door the deed came through.

Who awards has locked the members' balances (`ledger.lock_current_balance`, or `deeds.lock` for many) and holds what it
read under the lock. Then caps and cooldowns are used up (`allow`), and `write` makes everything an award is, for one or
for hundreds: balance, transfer, day, boards and note in one statement, the events beside it in the same round trip. A
member appears at most once in a call, so that no statement touches a row twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.points import ActivityLogged
from fleet.database import after_commit
from fleet.messages import Envelope, new_id
from fleet.prepared import Call, Statement, run
from services.points import activities, boards, ledger
from services.points.activities import Rule
from services.points.calendar import programme_day
from services.points.models import ActivityType, Balance

issued = Counter("points_issued_total", "Points awarded, by the type of activity", ["activity"])
given = Counter("points_awards_total", "Awards, by the type of activity", ["activity"])


@dataclass(slots=True)
class Award:
    """An award to be written, and afterwards its receipt. `cause` is the message it follows from, if it was one of many.

    Before `write`, `available`, `lifetime` and `version` are those of the locked balance, afterwards those after the award.
    """

    member_id: UUID
    rule: Rule | ActivityType
    points: int
    key: str
    occurred_at: datetime
    available: int
    lifetime: int
    version: int
    actor: UUID | None = None
    details: str | None = None
    cause: Envelope[Any] | None = None
    id: UUID = field(default_factory=new_id)


class MergedMeanwhile(RuntimeError):
    """A member to be awarded was merged into another one, or has no ledger: whoever awards did not hold the lock."""


# Members are locked, so nobody counts or starts these at the same time; each check still stands in the statement itself.
_ALLOW = Statement(
    "award_allow",
    """
    WITH given AS (
        SELECT * FROM unnest(:members, :activities, :periods, :caps, :cooldowns, :times)
            AS g (member_id, activity, period, cap, cooldown, at)
    ), due AS (
        SELECT g.* FROM given g LEFT JOIN cooldowns c USING (member_id, activity)
        WHERE g.cooldown = 0 OR c.last_at IS NULL OR abs(extract(epoch FROM c.last_at - g.at)) >= g.cooldown
    ), counted AS (
        UPDATE allowances a SET used = a.used + 1 FROM due d
        WHERE a.member_id = d.member_id AND a.activity = d.activity AND a.period = d.period AND a.used < d.cap
        RETURNING a.member_id
    ), first_counted AS (
        INSERT INTO allowances (member_id, activity, period, used)
        SELECT d.member_id, d.activity, d.period, 1 FROM due d WHERE d.cap IS NOT NULL AND NOT EXISTS (
            SELECT FROM allowances a
            WHERE a.member_id = d.member_id AND a.activity = d.activity AND a.period = d.period
        ) ON CONFLICT DO NOTHING RETURNING member_id
    ), allowed AS (
        SELECT * FROM due
        WHERE cap IS NULL OR member_id IN (SELECT member_id FROM counted UNION ALL SELECT member_id FROM first_counted)
    ), started AS (
        INSERT INTO cooldowns AS c (member_id, activity, last_at)
        SELECT member_id, activity, at FROM allowed WHERE cooldown > 0
        ON CONFLICT (member_id, activity) DO UPDATE SET last_at = greatest(c.last_at, excluded.last_at)
    )
    SELECT member_id FROM allowed
    """,
    members="uuid[]",
    activities="text[]",
    periods="text[]",
    caps="integer[]",
    cooldowns="integer[]",
    times="timestamptz[]",
)


def allow(session: Session, awards: Sequence[Award]) -> set[UUID]:
    """Count awards against their caps and start their cooldowns; the members whose award is allowed.

    The period is that of the deed. A cooldown is measured from the newest award of the activity, in both directions,
    because messages may arrive in another order than they happened. What is refused uses nothing up.
    """
    limited = [award for award in awards if award.rule.cap_count is not None or award.rule.cooldown_seconds]
    allowed = {award.member_id for award in awards}
    if not limited:
        return allowed
    found = run(
        session,
        _ALLOW(
            members=[award.member_id for award in limited],
            activities=[award.rule.code for award in limited],
            periods=[
                activities.cap_period_key(award.rule, programme_day(award.occurred_at))
                if award.rule.cap_count
                else None
                for award in limited
            ],
            caps=[award.rule.cap_count for award in limited],
            cooldowns=[award.rule.cooldown_seconds for award in limited],
            times=[award.occurred_at for award in limited],
        ),
    )
    return allowed - {award.member_id for award in limited} | {row.member_id for row in found}


def limit_reached(rule: Rule | ActivityType) -> ledger.LimitReached:
    """The refusal of what `allow` does not allow."""
    return ledger.LimitReached(f"{rule.name}: {activities.rule_in_words(rule)}.")


# Nothing is written for who has no current ledger, as who was merged away: `write` notices that the count is short. Nearly
# every score is there to be raised; the first ones of a member, a week or a month are added behind.
_WRITE = Statement(
    "award_write",
    """
    WITH given AS (
        SELECT g.*, l.id AS ledger_id
        FROM unnest(:ids, :members, :points, :activities, :rules, :actors, :keys, :times, :days, :weeks, :months, :details)
            AS g (id, member_id, points, activity, rule, actor, key, at, day, week, month, details)
        JOIN ledgers l ON l.member_id = g.member_id AND l.is_current
    ), balance AS (
        UPDATE balances b
        SET available = b.available + g.points, lifetime = b.lifetime + g.points, version = b.version + 1
        FROM given g WHERE b.member_id = g.member_id RETURNING b.member_id, b.available
    ), transfer AS (
        INSERT INTO transfers (id, ledger_id, debit, credit, points, kind, activity, rule_version, actor,
            idempotency_key, occurred_at, available_after)
        SELECT g.id, g.ledger_id, 'issued', 'available', g.points, 'award', g.activity, g.rule, g.actor,
            g.key, g.at, b.available
        FROM given g JOIN balance b ON b.member_id = g.member_id
    ), note AS (
        INSERT INTO transfer_notes (transfer_id, details) SELECT id, details FROM given WHERE details IS NOT NULL
    ), day AS (
        INSERT INTO active_days (member_id, day) SELECT member_id, day FROM given ON CONFLICT DO NOTHING
    ), earned AS (
        SELECT g.member_id, b.board, g.points, g.at
        FROM given g CROSS JOIN LATERAL (VALUES ('all_time'), (g.week), (g.month)) AS b (board)
    ), raised AS (
        UPDATE scores s SET points = s.points + e.points, reached_at = greatest(s.reached_at, e.at)
        FROM earned e WHERE s.member_id = e.member_id AND s.board = e.board RETURNING s.member_id, s.board
    )
    SELECT (SELECT count(*) FROM balance) AS written, (SELECT count(*) FROM raised) AS raised
    """,
    ids="uuid[]",
    members="uuid[]",
    points="integer[]",
    activities="text[]",
    rules="integer[]",
    actors="uuid[]",
    keys="text[]",
    times="timestamptz[]",
    days="date[]",
    weeks="text[]",
    months="text[]",
    details="text[]",
)


def write(session: Session, awards: Sequence[Award], beside: Callable[[], Sequence[Call]] = tuple) -> None:
    """Write awards that are due; `beside`, called when their numbers are known, gives statements for the same round trip.

    Raises MergedMeanwhile, and then nothing may be committed.
    """
    if not awards:
        return
    for award in awards:
        award.available += award.points
        award.lifetime += award.points
        award.version += 1
    events = outbox.recording(session, [_event(award) for award in awards], source=ledger.SOURCE)
    [done] = run(session, *beside(), events, _writing(awards))
    if done.written != len(awards):
        raise MergedMeanwhile(
            f"{len(awards) - done.written} of {len(awards)} awards were for members who are not there"
        )
    if done.raised != len(boards.PERIODS) * len(awards):
        boards.add_first(session, [(award.member_id, award.points, award.occurred_at) for award in awards])
    after_commit(session, lambda: _count(awards))


def _count(awards: Sequence[Award]) -> None:
    for award in awards:
        given.labels(award.rule.code).inc()
        issued.labels(award.rule.code).inc(award.points)


def _writing(awards: Sequence[Award]) -> Call:
    days = [programme_day(award.occurred_at) for award in awards]
    return _WRITE(
        ids=[award.id for award in awards],
        members=[award.member_id for award in awards],
        points=[award.points for award in awards],
        activities=[award.rule.code for award in awards],
        rules=[award.rule.version for award in awards],
        actors=[award.actor for award in awards],
        keys=[award.key for award in awards],
        times=[award.occurred_at for award in awards],
        days=days,
        weeks=[boards.of_week(day) for day in days],
        months=[boards.of_month(day) for day in days],
        details=[award.details for award in awards],
    )


def _event(award: Award) -> outbox.Entry:
    logged = ActivityLogged(
        member_id=award.member_id,
        transfer_id=award.id,
        activity=award.rule.code,
        category=award.rule.category,
        points=award.points,
        rule_version=award.rule.version,
        occurred_at=award.occurred_at,
        available=award.available,
        lifetime=award.lifetime,
    )
    return outbox.Entry(logged, award.member_id, award.version, award.cause)


def award_submission(
    session: Session,
    balance: Balance,
    activity: ActivityType,
    key: str,
    occurred_at: datetime,
    *,
    points: int,
    actor: UUID,
    note: str | None = None,
) -> Award | None:
    """Award what staff approved (or a check-in code stands for) to the member whose balance is locked.

    `activity` is the rule as it was at the time of the claim; its cap and cooldown count in the period of `occurred_at`.
    0 points are approved without a transfer (None). Raises Suspended, LimitReached.
    """
    ledger.refuse_suspended(session, balance.member_id)
    if not points:
        return None
    ledger.current_ledger(session, balance.member_id)
    award = Award(
        balance.member_id,
        activity,
        points,
        key,
        occurred_at,
        balance.available,
        balance.lifetime,
        balance.version,
        actor=actor,
        details=note or None,
    )
    if not allow(session, [award]):
        raise limit_reached(activity)
    write(session, [award])
    session.expire(balance)
    return award
