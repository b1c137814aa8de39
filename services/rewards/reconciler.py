"""Do redemptions and holds say the same? Both sides are read page by page and compared by redemption.

Which hold may lie behind which redemption is one table, `BEHIND`. A redemption that changed after points was asked is left
for the next time; all others must fit at once, for a settled one has no command under way. What differs is counted by a
metric and logged as an error. Repairs are commands to points, as everything else is: `python -m services.rewards.verify
--repair` sends them, nothing writes over either side.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import Gauge
from sqlalchemy import select
from sqlalchemy.orm import Session

from fleet import asking, logs, outbox
from fleet.contracts.points import GetHolds, HoldEntry, Holds, ReleaseHold
from fleet.database import is_outage, transaction
from fleet.messages import now
from fleet.problems import Problem
from fleet.settings import read
from services.rewards import redemptions, saga
from services.rewards.models import Redemption
from services.rewards.settings import ReconcileSettings

log = logs.get(__name__)

PAGE = 500
FIRST_AFTER_S = 60.0
# Clocks of two machines, and a transaction that takes its time to commit.
MARGIN = timedelta(seconds=5)
LATE = timedelta(minutes=10)
LOGGED = 20

mismatches = Gauge("redemption_mismatches", "Redemptions that differ from their holds, at the last comparison")

Pair = tuple[str, str | None]
_NONE_HELD = frozenset({"released", "voided", "refused"})
# (status, settling) -> the states its hold may be in; None: points knows nothing of it.
BEHIND: dict[Pair, frozenset[str | None]] = {
    ("requested", "hold"): frozenset({None, "held", "refused"}),
    ("pending", None): frozenset({"held"}),
    ("declined", None): frozenset({"refused"}),
    **{(status, "capture"): frozenset({"held", "captured"}) for status in ("approved", "shipped", "delivered")},
    **{(status, None): frozenset({"captured"}) for status in ("approved", "shipped", "delivered")},
    **{(status, "release"): _NONE_HELD | {None, "held"} for status in ("cancelled", "rejected", "expired")},
    **{(status, None): _NONE_HELD for status in ("cancelled", "rejected", "expired")},
    ("refunded", "capture"): frozenset({"held", "captured"}),
    ("refunded", "refund"): frozenset({"captured", "refunded"}),
    ("refunded", None): frozenset({"refunded"}),
}
# What leads a hold from where it is to where its redemption is, as commands in this order; what is not here no command
# can mend, and a person has to look.
MENDS: dict[tuple[str, str | None], tuple[saga.Settling, ...]] = {
    ("pending", None): ("hold",),
    ("declined", "held"): ("release",),
    **{(status, None): ("hold", "capture") for status in ("approved", "shipped", "delivered")},
    **{(status, "held"): ("capture",) for status in ("approved", "shipped", "delivered")},
    **{(status, state): ("release",) for status in ("cancelled", "rejected", "expired") for state in (None, "held")},
    ("refunded", None): ("hold", "capture", "refund"),
    ("refunded", "held"): ("capture", "refund"),
    ("refunded", "captured"): ("refund",),
}


@dataclass(frozen=True)
class Mismatch:
    """A redemption that differs from its hold. `status` None: rewards knows nothing of it; `hold` None: points does not."""

    redemption_id: UUID
    status: str | None
    settling: str | None
    hold: str | None
    what: str
    member_id: UUID


@dataclass(frozen=True)
class Comparison:
    """How many redemptions and holds were compared, and which differ."""

    compared: int
    mismatches: list[Mismatch]


Ask = Callable[[GetHolds], Holds]


def ask_points(question: GetHolds) -> Holds:
    """Points' answer to a question; raises Unavailable when there is none."""
    answer: Holds = asking.ask(question, source=redemptions.SOURCE)
    return answer


def compare(ask: Ask = ask_points, margin: timedelta = MARGIN) -> Comparison:
    """Compare everything that has been at rest for `margin`, page by page. Raises Unavailable.

    Not to be called inside a transaction.
    """
    compared, found, after, more = 0, [], None, True
    while more:
        asked_at = now() - margin
        page = ask(GetHolds(after, PAGE))
        more = page.more
        upto = page.items[-1].redemption_id if more else None
        holds = {each.redemption_id: each for each in page.items}
        for row in _between(after, upto):
            compared += 1
            mismatch = _difference(row, holds.pop(row.id, None), asked_at)
            if mismatch:
                found.append(mismatch)
        compared += len(holds)
        found += [_orphan(each) for each in holds.values() if each.state not in _NONE_HELD]
        after = upto
    return Comparison(compared, found)


def _between(after: UUID | None, upto: UUID | None) -> Iterator[Redemption]:
    """Redemptions in the order of ids, those after `after` up to and with `upto`."""
    while True:
        statement = select(Redemption).order_by(Redemption.id).limit(PAGE)
        if after is not None:
            statement = statement.where(Redemption.id > after)
        if upto is not None:
            statement = statement.where(Redemption.id <= upto)
        with transaction() as session:
            rows = session.scalars(statement).all()
            session.expunge_all()
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def _difference(row: Redemption, hold: HoldEntry | None, asked_at: datetime) -> Mismatch | None:
    if row.changed_at >= asked_at:
        return None
    state = hold.state if hold else None
    what = None
    if state not in BEHIND[row.status, row.settling]:
        what = "the hold is in another state"
    elif hold is not None and hold.points not in (None, row.points_spent):
        what = f"{hold.points} points are held, not {row.points_spent}"
    elif row.settling and row.changed_at < now() - LATE:
        what = "points has not answered for long"
    return Mismatch(row.id, row.status, row.settling, state, what, row.member_id) if what else None


def _orphan(hold: HoldEntry) -> Mismatch:
    return Mismatch(hold.redemption_id, None, None, hold.state, "rewards knows nothing of it", hold.member_id)


def mend(session: Session, found: list[Mismatch]) -> int:
    """Send points the commands that mend what differs; returns how many redemptions they are about."""
    mended = 0
    for each in found:
        commands = _mending(session, each)
        for command in commands:
            outbox.record(session, command, source=redemptions.SOURCE, subject=each.redemption_id)
        mended += bool(commands)
    return mended


def _mending(session: Session, each: Mismatch) -> list[Any]:
    if each.status is None:
        # Points reserved for nothing go back; what was spent for something that we lost is for a person to judge.
        return [ReleaseHold(each.redemption_id, each.member_id)] if each.hold == "held" else []
    redemption = redemptions.find(session, each.redemption_id)
    state = redemptions.saga_of(session, redemption)
    steps = MENDS.get((redemption.status, each.hold), ())
    if state.settling:
        # What comes after the answer it waits for, it asks for itself; what has to come before it points may have lost.
        upto = steps.index(state.settling) + 1 if state.settling in steps else 0
        steps = steps[:upto] or (state.settling,)
    return [saga.command_for(state, step) for step in steps]


class Reconciler:
    """Compares a minute after the start and then every hour, until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Work until stopped; points or a database that is away is waited for."""
        pause = min(FIRST_AFTER_S, read(ReconcileSettings).every_s)
        while not self.stop.wait(pause):
            pause = read(ReconcileSettings).every_s
            try:
                report(compare())
            except Problem as problem:
                log.warning("redemptions_not_compared", reason=problem.detail)
                pause = min(FIRST_AFTER_S, pause)
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("redemptions_not_compared", reason="the database is away")


def report(found: Comparison) -> None:
    """Set the metric and log what differs."""
    mismatches.set(len(found.mismatches))
    for each in found.mismatches[:LOGGED]:
        log.error(
            "redemption_mismatched",
            redemption_id=str(each.redemption_id),
            status=each.status,
            settling=each.settling,
            hold=each.hold,
            what=each.what,
        )
    log.info("redemptions_compared", compared=found.compared, mismatches=len(found.mismatches))
