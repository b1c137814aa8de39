"""Starting, following and stopping the supervisor of this clone's fleet."""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from deploy.local import binaries
from deploy.local.children import end_orphans, wait_until
from deploy.local.console import line, paint, passing
from deploy.local.daemon import LOCK
from deploy.local.fleet import ACCOUNTS, Fleet, record_ports
from deploy.local.layout import LOGS, PORTS, ROOT, RUN, STATE, Ports, check_free, write_private

STOP_SECONDS = 60


class Failed(Exception):
    """A command could not do what it was asked; the message is one sentence."""


def state() -> dict[str, Any] | None:
    """What the supervisor wrote last; None when there is nothing."""
    try:
        found: dict[str, Any] = json.loads(STATE.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found


def is_supervised() -> bool:
    """True when a supervisor of this clone lives: it alone can hold the lock."""
    try:
        with LOCK.open("r") as gate:
            fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let one command at a time start or stop this clone's fleet."""
    RUN.mkdir(exist_ok=True)
    if not os.access(RUN, os.W_OK):
        raise Failed(f"{RUN} belongs to another user: run the command as that user, or delete the directory")
    with (RUN / "command.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def clean_up() -> bool:
    """End what a killed supervisor left behind, going by what it had written down; True when there was something."""
    found = state()
    if not found or found["phase"] in ("down", "failed"):
        return False
    recorded = {p["pid"]: p["started"] for p in found["processes"] if p["pid"] and p["started"]}
    line("Ending what a supervisor that was killed left behind")
    end_orphans(recorded)
    return True


def start(ports: Ports) -> None:
    """Start the fleet and return when all of it is healthy; raises Failed, PortsError or Unavailable."""
    began = time.monotonic()
    record_ports(ports)
    fleet = Fleet(ports)
    check_free(ports, fleet.port_names())
    for find in (binaries.broker, binaries.nginx):
        find(lambda text: line(f"  {text}"))
    LOGS.mkdir(exist_ok=True)
    STATE.unlink(missing_ok=True)
    with (LOGS / "supervisor.log").open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "deploy.local.daemon"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _follow(daemon, began)
    except KeyboardInterrupt:
        line("Interrupted: stopping what was started")
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(STOP_SECONDS)
        raise Failed("interrupted; nothing is left running") from None
    if not ACCOUNTS.exists() and any(p["name"] == "account-admin" for p in (state() or {}).get("processes", [])):
        write_private(ACCOUNTS, json.dumps(fleet.accounts(), indent=2) + "\n")


def _follow(daemon: subprocess.Popen[bytes], began: float) -> None:
    """Print one line for each process as it becomes healthy, until all are or one failed."""
    shown: set[str] = set()
    while True:
        gone = daemon.poll() is not None
        found = state() or {"phase": "starting", "processes": [], "failure": None}
        for process in found["processes"]:
            if process["name"] not in shown and process["state"] in ("healthy", "done"):
                shown.add(process["name"])
                port = f":{process['port']}" if process["port"] else ""
                line(f"  {paint('ok', 'green')}  {process['name']:<20}{port:<8}{process['took']:6.1f} s")
        if found["phase"] == "up":
            line()
            return
        if failure := found["failure"]:
            passing(f"{failure['sentence']}; stopping")
            daemon.wait(STOP_SECONDS)
            _show_failure(failure)
            raise Failed(
                f"{failure['sentence']}; everything was stopped again. Its log: .run/logs/{failure['name']}.log"
            )
        if gone:
            last = (LOGS / "supervisor.log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            line("\n".join(last))
            raise Failed("the supervisor ended before the fleet was up; see .run/logs/supervisor.log")
        waiting = [p["name"] for p in found["processes"] if p["state"] == "starting"]
        passing(f"      {time.monotonic() - began:4.0f} s  starting {', '.join(waiting) or '...'}")
        time.sleep(0.05)


def _show_failure(failure: dict[str, Any]) -> None:
    line(f"  {paint('failed', 'red')}  {failure['name']}; the end of its log:")
    for text in failure["lines"]:
        line(f"    {text}")


def stop() -> bool:
    """Stop the fleet and everything a killed supervisor left; True when something was running."""
    found = state()
    running = is_supervised()
    if running and found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found["pid"], signal.SIGTERM)
        if not wait_until(lambda: not is_supervised(), STOP_SECONDS):
            os.kill(found["pid"], signal.SIGKILL)
            wait_until(lambda: not is_supervised(), 5)
    left = clean_up()
    STATE.unlink(missing_ok=True)
    PORTS.unlink(missing_ok=True)
    return running or left
