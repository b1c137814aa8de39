"""The processes that speak AMQP.

python -m fleet.worker users                    consumer and relay in one process
python -m fleet.worker points --only consumer   apart, where one Python core is not enough for both
python -m fleet.worker points --only relay
"""

import argparse
import importlib
import signal
import threading
from typing import Any

from fleet import desk, housekeeping, logs, metrics, tracing
from fleet.consumer import BATCH, PREFETCH, Consumer
from fleet.database import engine
from fleet.depths import Depths
from fleet.relay import Relay
from fleet.settings import (
    BrokerSettings,
    DatabaseSettings,
    LogSettings,
    MetricsSettings,
    ProgramSettings,
    read,
    require,
)
from fleet.survey import Survey
from fleet.topology import SERVICES

log = logs.get(__name__)


def run(service: str, roles: tuple[str, ...]) -> int:
    """Run the roles of `service` in this process until SIGTERM or SIGINT; 0 when it ended in good order."""
    require(LogSettings, BrokerSettings, DatabaseSettings, MetricsSettings, ProgramSettings, tracing.TracingSettings)
    logs.configure(service, "-".join(roles))
    tracing.start(service, "-".join(roles))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    amqp_url = read(BrokerSettings).url
    engine()
    parts: list[Any] = []
    if "consumer" in roles:
        found = importlib.import_module(f"services.{service}.subscriptions")
        batch = getattr(found, "BATCH", PREFETCH)
        parts.append(Consumer(found.subscriptions, amqp_url, stop, batch=min(batch, BATCH)))
        # What else a service keeps doing beside its messages: each is made with `stop`, has run() and ready.
        parts += [make(stop) for make in getattr(found, "PARTS", ())]
        parts.append(desk.Desk(service, amqp_url, stop))
        parts.append(Depths(service, amqp_url, stop))
    if "relay" in roles:
        parts.append(Relay(service, stop))
        parts.append(housekeeping.Housekeeping(stop))
        parts.append(Survey(service, stop))
    threads = [threading.Thread(target=_guarded, args=(part.run, stop), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    metrics.serve(lambda: all(part.ready for part in parts))
    log.info("worker_started", roles=roles)
    while not stop.is_set() and all(thread.is_alive() for thread in threads):
        stop.wait(1)
    in_order = stop.is_set()
    stop.set()
    for thread in threads:
        thread.join(15)
    tracing.stop()
    log.info("worker_stopped", in_order=in_order)
    return 0 if in_order and not _failed.is_set() else 1


_failed = threading.Event()


def _guarded(work: Any, stop: threading.Event) -> None:
    """A part that ends by an exception ends the process: the supervisor starts a fresh one."""
    try:
        work()
    except Exception:
        log.exception("worker_part_failed")
        _failed.set()
        stop.set()


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("--only", choices=("consumer", "relay"))
    arguments = parser.parse_args()
    return run(arguments.service, (arguments.only,) if arguments.only else ("consumer", "relay"))


if __name__ == "__main__":
    raise SystemExit(main())
