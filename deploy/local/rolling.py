"""`make roll`: every process of ours is replaced by one of the present code, in turn, while the fleet answers.

Migrations come first, for they only expand. A web process is told to reload: gunicorn starts new workers and lets the old
ones finish, on the same socket, so that a request may wait a moment and none is refused; nginx does likewise. What is fed by
the broker is ended and started again by the supervisor: messages wait in their queues, what was not committed comes again.
"""

import contextlib
import os
import signal
import subprocess
import time

import psutil

from deploy.local.children import wait_until
from deploy.local.console import line
from deploy.local.fleet import Fleet
from deploy.local.layout import ROOT, recorded_ports
from deploy.local.running import Failed, is_supervised, one_at_a_time, state
from deploy.local.supervisor import Process

SECONDS = 60.0
# What is not ours: the servers, and local Discord, which stands for somebody else's.
OTHERS = ("postgres", "rabbitmq", "epmd", "discord")


def parts(fleet: Fleet) -> list[Process]:
    """What is replaced: every process that stays and is ours, the gateway last."""
    return [process for process in fleet.processes() if process.ready and process.name not in OTHERS]


def roll(name: str = "") -> int:
    """Replace the process of this name, or all of them. Raises Failed when one does not come back healthy."""
    with one_at_a_time():
        return _roll(name)


def _roll(name: str) -> int:
    ports = recorded_ports()
    if not ports or not is_supervised():
        raise Failed("the fleet is not running: start it with `make up` first")
    fleet = Fleet(ports)
    chosen = [process for process in parts(fleet) if name in ("", process.name)]
    if not chosen:
        raise Failed(f"there is no {name!r}; there are: {', '.join(process.name for process in parts(fleet))}")
    _migrate(fleet)
    for process in chosen:
        began = time.monotonic()
        _replace(process)
        line(f"  {process.name:<22} {time.monotonic() - began:5.1f} s")
    return 0


def _migrate(fleet: Fleet) -> None:
    job = next(process for process in fleet.processes() if process.name == "migrations")
    done = subprocess.run(job.command, cwd=ROOT, env=dict(job.environment), capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise Failed(f"the migrations did not pass, and nothing was replaced: {words}")


def _recorded(name: str) -> int | None:
    found = state() or {"processes": []}
    return next(
        (each["pid"] for each in found["processes"] if each["name"] == name and each["state"] == "healthy"), None
    )


def _workers(pid: int) -> set[int]:
    """The processes that work for this one; what ends while we look is none any more."""
    found = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.status() != psutil.STATUS_ZOMBIE:
                    found.add(child.pid)
    return found


def _replace(process: Process) -> None:
    pid = _recorded(process.name)
    if pid is None:
        raise Failed(
            f"{process.name} is not healthy: look at `make logs SERVICE={process.name}` before replacing anything"
        )
    reloads = process.name == "gateway" or "gunicorn" in process.command
    before = _workers(pid)
    os.kill(pid, signal.SIGHUP if reloads else process.stop_signal)

    def replaced() -> bool:
        if not reloads:
            return _recorded(process.name) not in (pid, None)
        present = _workers(pid)
        # Old workers of the gateway stay as long as somebody listens to a stream through them.
        return bool(present - before) if process.name == "gateway" else bool(present) and not present & before

    assert process.ready
    if not wait_until(lambda: replaced() and process.ready(), SECONDS):  # type: ignore[misc]
        raise Failed(f"{process.name} was not replaced within {SECONDS:.0f} s: `make logs SERVICE={process.name}`")
