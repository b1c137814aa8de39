"""What rewards does by itself every second: asks points again for what it has not answered, ends what staff left too long.

Nothing is decided because it is late: what is stuck is told to points once more, in the same words. Points takes each
step of a hold once and tells its present state every time. The pause doubles, from 30 s to five minutes.
"""

import threading
from collections.abc import Callable
from datetime import timedelta

from prometheus_client import Counter
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fleet import logs
from fleet.database import is_outage, transaction
from fleet.messages import now
from fleet.settings import read
from services.rewards import redemptions, waiting
from services.rewards.models import Redemption
from services.rewards.saga import Wish
from services.rewards.settings import RedemptionSettings

log = logs.get(__name__)

asked_again = Counter(
    "redemption_commands_sent_again_total",
    "Commands to points sent again because their answer is late, by what is waited for",
    ["settling"],
)

EVERY_S = 1.0
AT_ONCE = 100
LONGEST_PAUSE_S = 300.0
ALARM_AFTER = 5  # so often asked again: more than ten minutes without an answer


def ask_again(session: Session) -> int:
    """Send again what points has not answered in time; returns how many."""
    due = select(Redemption).where(Redemption.resend_at <= func.now()).order_by(Redemption.resend_at).limit(AT_ONCE)
    stuck = session.scalars(due.with_for_update(skip_locked=True).execution_options(populate_existing=True)).all()
    for each in stuck:
        pause = min(read(RedemptionSettings).resend_after_s * 2 ** (each.resent + 1), LONGEST_PAUSE_S)
        said = update(Redemption).where(Redemption.id == each.id)
        session.execute(said.values(resend_at=now() + timedelta(seconds=pause), resent=Redemption.resent + 1))
        redemptions.advance(session, each.id, Wish("remind"), redemptions.SYSTEM)
        asked_again.labels(each.settling).inc()
        tell = log.error if each.resent >= ALARM_AFTER else log.info
        tell("saga_asked_again", redemption_id=str(each.id), settling=each.settling, times=each.resent)
    return len(stuck)


def expire(session: Session) -> int:
    """End what waits for staff past its time: points and stock return; returns how many."""
    # One at a time: each locks its incentive too.
    over = select(Redemption.id).where(Redemption.expires_at <= func.now()).order_by(Redemption.expires_at)
    found = session.scalar(over.limit(1).with_for_update(skip_locked=True))
    if found is None:
        return 0
    redemptions.advance(session, found, Wish("expire"), redemptions.SYSTEM)
    return 1


CHORES: tuple[Callable[[Session], int], ...] = (ask_again, expire)


class Sweeper:
    """Does every chore until nothing is left of it, then rests a second, until `stop` is set."""

    ready = True

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def run(self) -> None:
        """Work until stopped; a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                for chore in CHORES:
                    while not self.stop.is_set() and _do(chore):
                        pass
            except Exception as error:
                if not is_outage(error):
                    raise
                log.warning("sweep_postponed")
            self.stop.wait(EVERY_S)


def _do(chore: Callable[[Session], int]) -> int:
    def work() -> int:
        with transaction() as session:
            return chore(session)

    return waiting.undisturbed(work)
