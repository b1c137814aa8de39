"""`make dead SERVICE=points [REPLAY=1]`: the messages of a service that could not be applied, in the running fleet."""

import argparse
import subprocess
import sys

from deploy.local.console import line, paint
from deploy.local.fleet import PYTHON, SERVICES, Fleet
from deploy.local.layout import ROOT, recorded_ports
from deploy.local.running import is_supervised


def main() -> int:
    """Run fleet/dead_letters.py as the service itself: nobody else may read its queues."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.dead", description=__doc__)
    parser.add_argument("service", choices=[service.name for service in SERVICES if service.present])
    parser.add_argument("--replay", action="store_true")
    given = parser.parse_args()
    ports = recorded_ports()
    if not ports or not is_supervised():
        line(paint("the fleet is not running: start it with `make up` first", "red"))
        return 1
    fleet = Fleet(ports)
    values = {**fleet.environment(given.service), "AMQP_URL": fleet.amqp_url(given.service)}
    command = [PYTHON, "-m", "fleet.dead_letters", given.service, *(["--replay"] if given.replay else [])]
    return subprocess.run(command, env=values, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
