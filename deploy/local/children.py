"""Child processes that do not outlive their parent, and what is left of a parent that was killed."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_LINUX = sys.platform == "linux"
# Loaded before any fork: between fork and exec nothing may be imported or looked up.
_libc = ctypes.CDLL(None) if _LINUX else None
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def die_with_parent(signal_number: int, parent: int) -> None:
    """Ask the kernel to send `signal_number` to this process when `parent`, which started it, is gone.

    Linux only; elsewhere the next `make up` or `make down` finds the orphans in the record. A change of user clears
    the wish, so it is made after that. It counts from the thread that forked: children are started from main threads.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal_number)


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent died, so that stopping finds them as well (Linux only)."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    output: IO[bytes],
    directory: Path,
    stop_signal: int = signal.SIGTERM,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `command` as leader of its own session, so that one signal reaches all it starts and Ctrl-C none of it."""
    parent = os.getpid()

    def before_exec() -> None:
        die_with_parent(stop_signal, parent)

    return subprocess.Popen(
        list(command),
        env=dict(environment),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=directory,
        start_new_session=True,
        preexec_fn=before_exec,  # noqa: PLW1509 - the one thing it does is a system call
    )


def started(pid: int) -> str | None:
    """When process `pid` started, in a form that can only be compared; None when there is no such process.

    A pid alone may have been given to somebody else since it was written down; with this it names one process.
    """
    if _LINUX:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else fields[19]
    done = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def kill_group(leader: int, signal_number: int = signal.SIGKILL) -> None:
    """Send a signal to all processes in the group of `leader`; it is fine when there is none."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal_number)


def members(leader: int) -> list[int]:
    """Processes of the session that `leader` opened, whether or not it lives itself (Linux only, else empty)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*") if _LINUX else ():
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            if os.getsid(pid) == leader and started(pid):
                found.append(pid)
    return found


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """True as soon as `condition` holds, False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def end_orphans(recorded: Mapping[int, str], seconds: float = 15) -> None:
    """End what is left of processes written down as {pid: started} by a supervisor that was killed.

    They were told to stop when it died; this waits for them and then kills whole sessions. A session is left alone
    when its leader's pid belongs to another process by now.
    """
    ours = [pid for pid, start in recorded.items() if started(pid) in (start, None)]

    def gone() -> bool:
        return not any(started(pid) == recorded[pid] or members(pid) for pid in ours)

    for pid in ours:
        if started(pid) == recorded[pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    if not wait_until(gone, seconds):
        for pid in ours:
            kill_group(pid)
        wait_until(gone, 5)
