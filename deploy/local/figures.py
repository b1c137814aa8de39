"""`make figures MATCH=outbox`: the metrics of every process of the running fleet whose lines hold the word."""

import argparse
import sys
import urllib.request

from deploy.local.console import line, paint
from deploy.local.fleet import Fleet
from deploy.local.layout import recorded_ports
from deploy.local.running import is_supervised

WITH_METRICS = ("-web", "-stream", "-worker", "-consumer", "-relay", "-client")


def show(match: str) -> int:
    """Print them, process by process; 1 when the fleet is not running or a process does not answer."""
    ports = recorded_ports()
    if not ports or not is_supervised():
        line(paint("the fleet is not running: start it with `make up` first", "red"))
        return 1
    worst, shown = 0, 0
    for name in [each.name for each in Fleet(ports).processes() if each.name.endswith(WITH_METRICS)]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[name]}/metrics", timeout=5) as answer:
                page = answer.read().decode()
        except OSError as error:
            line(paint(f"{name}: {error}", "red"))
            worst = 1
            continue
        for row in page.splitlines():
            if match in row and not row.startswith("#") and "_bucket{" not in row and "_created" not in row:
                line(f"{name:<19} {row}")
                shown += 1
    if not shown and not worst:
        line(f"no metric holds {match!r}; a counter is there from its first event on")
    return worst


def main() -> int:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.figures", description=__doc__)
    parser.add_argument("match", nargs="?", default="")
    return show(parser.parse_args().match)


if __name__ == "__main__":
    sys.exit(main())
