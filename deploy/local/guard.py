"""Holds servers for somebody who may be killed at any moment, a test run: python -m deploy.local.guard SPECIFICATION

Reads one word a line from standard input (`start`, `stop`, `kill`, `alive`) and answers each with one line. When its
input ends, which is what the death of the other side looks like, it stops the servers and removes their directories.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deploy.local.children import adopt_orphans, spawn, wait_until

STOP_SECONDS = 15


class Guard:
    """The servers of one specification: processes (command, environment, stop_signal), log, remove."""

    def __init__(self, specification: dict[str, Any]) -> None:
        self.specification = specification
        self.children: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(self) -> str:
        """Start what does not run."""
        if self.alive() == "yes":
            return "ok"
        self.kill()
        with Path(self.specification["log"]).open("ab") as log:
            for each in self.specification["processes"]:
                child = spawn(
                    each["command"],
                    environment={**os.environ, **each["environment"]},
                    output=log,
                    directory=Path.cwd(),
                    stop_signal=each["stop_signal"],
                )
                self.children.append((child, each["stop_signal"]))
        return "ok"

    def alive(self) -> str:
        """Whether all processes live."""
        return "yes" if self.children and all(child.poll() is None for child, _ in self.children) else "no"

    def stop(self) -> str:
        """Stop in reverse order, each with its own signal; then end whatever is left."""
        for child, number in reversed(self.children):
            if child.poll() is None:
                child.send_signal(number)
                wait_until(lambda child=child: child.poll() is not None, STOP_SECONDS)  # type: ignore[misc]
        return self.kill()

    def kill(self) -> str:
        """End every process at once, as a crash of the whole part would."""
        import psutil

        for child, _ in self.children:
            child.poll()
        deadline = time.monotonic() + 10
        # Orphans come to this process, so that nothing below it can escape.
        while (left := psutil.Process().children(recursive=True)) and time.monotonic() < deadline:
            for process in left:
                try:
                    process.kill()
                    process.wait(2)
                except (psutil.Error, ChildProcessError):
                    continue
        self.children.clear()
        return "ok"

    def close(self) -> None:
        """Stop and remove."""
        self.stop()
        for path in self.specification["remove"]:
            shutil.rmtree(path, ignore_errors=True)


def main() -> None:
    """Obey standard input until it ends."""
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    guard = Guard(json.loads(sys.argv[1]))
    words = {"start": guard.start, "stop": guard.stop, "kill": guard.kill, "alive": guard.alive}
    try:
        for line in sys.stdin:
            print(words[line.strip()](), flush=True)
    except BrokenPipeError:
        pass
    finally:
        guard.close()


if __name__ == "__main__":
    main()
