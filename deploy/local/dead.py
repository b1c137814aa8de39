"""`make dead SERVICE=points [ID=...] [CAUSE=...] [TYPE=...] [REPLAY=1 | PURGE=1] [DRY=1]`: what a service could not apply."""

import argparse
import subprocess
import sys

from deploy.local.console import line, paint
from deploy.local.fleet import PYTHON, SERVICES, Fleet
from deploy.local.layout import ROOT, recorded_ports
from deploy.local.running import is_supervised


def main() -> int:
    """Run fleet/desk.py as the service itself, in the running fleet: each keeps its own."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.dead", description=__doc__)
    parser.add_argument("service", choices=[service.name for service in SERVICES if service.present])
    parser.add_argument("words", nargs="*", help="as fleet/desk.py takes them")
    given, options = parser.parse_known_args()
    ports = recorded_ports()
    if not ports or not is_supervised():
        line(paint("the fleet is not running: start it with `make up` first", "red"))
        return 1
    command = [PYTHON, "-m", "fleet.desk", given.service, *given.words, *options]
    return subprocess.run(command, env=Fleet(ports).environment(given.service), cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
