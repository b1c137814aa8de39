"""The process that `make up` leaves behind: holds the fleet's lock and supervises until it is told to stop."""

import fcntl
import sys

from deploy.local.fleet import Fleet, tidy_environment
from deploy.local.layout import HELD, LOGS, ROOT, RUN, STATE, recorded_ports
from deploy.local.supervisor import Supervisor

LOCK = RUN / "fleet.lock"


def main() -> int:
    """Run the recorded fleet; 0 after a wanted stop, 1 when it did not start."""
    tidy_environment()
    ports = recorded_ports()
    if ports is None:
        sys.exit("no ports are recorded: start the fleet with `make up`")
    # Held for life and given back by the kernel however this process ends: whoever gets it knows that no fleet runs.
    gate = LOCK.open("w")
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("this fleet has a supervisor already")
    return Supervisor(Fleet(ports).processes(), directory=ROOT, logs=LOGS, state=STATE, held=HELD).run()


if __name__ == "__main__":
    sys.exit(main())
