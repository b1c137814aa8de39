"""`make integrator NAME=acme EVENTS=...`: a user at the running fleet's broker, and a subscriber that runs as it stands.

The program goes to standard output and everything else to standard error: make integrator NAME=acme > acme.py
REMOVE=1 ends the integrator.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from deploy.local import rabbitmq
from deploy.local.binaries import broker
from deploy.local.layout import ROOT, RUN, Ports, recorded_ports, secret
from deploy.local.running import is_supervised
from fleet import integrators

EXAMPLE = ROOT / "examples/subscriber.py"
HINTS = ('os.environ.get("PROPEL_AMQP_URL", "")', 'os.environ.get("PROPEL_EVENTS", "")')


def _control(ports: Ports) -> tuple[list[str], dict[str, str]]:
    """The node's own rabbitmqctl, and the environment in which it finds the node."""
    program = broker()
    home = RUN / "rabbitmq"
    node = rabbitmq.environment(home.resolve(), ports["rabbitmq"], ports["erlang"], ports["epmd"])
    tool = Path(program.path).parent / "rabbitmqctl"
    return [str(tool), "--quiet"], {**os.environ, **program.environment, **node}


def _run(ports: Ports, commands: list[list[str]]) -> str | None:
    """Run them one after the other; the words of the first that fails, None when none did."""
    tool, environment = _control(ports)
    for words in commands:
        done = subprocess.run([*tool, *words], env=environment, capture_output=True, text=True, check=False)
        # Changing one that is there already begins with a refusal to make it.
        if done.returncode and words[0] != "add_user":
            return f"{words[0]}: {(done.stderr or done.stdout).strip()}"
    return None


def program(url: str, types: list[str]) -> str:
    """The subscriber of examples/ with its address and events filled in."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for hint, value in zip(HINTS, (url, ",".join(types)), strict=True):
        if hint not in text:
            raise ValueError(f"{EXAMPLE.name} has no {hint} any more")
        text = text.replace(hint, f'{hint[:-3]}"{value}")')
    return text


def main() -> int:
    """Make, change or remove the integrator; print their program."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.integrator", description=__doc__)
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--events", default="")
    parser.add_argument("--remove", action="store_true")
    given = parser.parse_args()
    ports = recorded_ports()
    if not given.name:
        return _refuse("say who it is for: make integrator NAME=acme")
    if not ports or not is_supervised():
        return _refuse("the fleet is not running: start it with `make up` first")
    try:
        types = integrators.check(given.name, [each for each in given.events.replace(" ", ",").split(",") if each])
    except integrators.WrongIntegrator as wrong:
        return _refuse(str(wrong))
    if given.remove:
        failed = _run(ports, integrators.removal(given.name))
        return _refuse(failed) if failed else _say(f"{given.name} is an integrator no more")
    password = secret(f"integrator_{given.name}")
    if failed := _run(ports, integrators.commands(given.name, types, password)):
        return _refuse(failed)
    _say(
        f"{given.name} may read {len(types)} kinds of events into queues named {given.name}.*; save what follows, run it"
    )
    sys.stdout.write(program(rabbitmq.url(given.name, password, ports["rabbitmq"]), types))
    return 0


def _say(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return 0


def _refuse(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
