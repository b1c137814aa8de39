"""The consumer of the fault tests: `python -m tests.faults.ship`.

Applies LogActivity by writing its reference into `effects`. References that begin with a special word do damage:
`die` ends the process, `fail` raises, `flaky` raises the first time it is seen, `slow` takes a while.
"""

import os
import signal
import sys
import threading
import time

from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import logs
from fleet.consumer import BATCH, Consumer
from fleet.contracts.points import ActivityOutcome, LogActivity
from fleet.desk import Desk
from fleet.messages import Envelope
from fleet.subscriptions import Subscriptions

subscriptions = Subscriptions("points")
_seen: set[str] = set()


@subscriptions.handles(LogActivity)
def log_activity(session: Session, command: Envelope[LogActivity]) -> ActivityOutcome:
    reference = command.data.reference
    if reference.startswith("die"):
        os._exit(9)
    if reference.startswith("fail"):
        raise RuntimeError("this message always fails")
    if reference.startswith("flaky") and reference not in _seen:
        _seen.add(reference)
        raise RuntimeError("this message fails the first time")
    session.execute(text("INSERT INTO effects (reference) VALUES (:reference)"), {"reference": reference})
    if reference.startswith("slow"):
        time.sleep(0.02)
    return ActivityOutcome(True, 1, 1, 1)


def main() -> None:
    logs.configure("points", "ship")
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    desk = Desk("points", os.environ["AMQP_URL"], stop)
    threading.Thread(target=desk.run, daemon=True).start()
    Consumer(subscriptions, os.environ["AMQP_URL"], stop, batch=BATCH).run()


if __name__ == "__main__":
    sys.exit(main())
