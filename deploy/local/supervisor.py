"""Starts processes in the order of what they need, keeps them alive, and stops them the other way round.

One loop in one thread: reap, start what may start, probe what is starting. The state is written to a file after every
change, for `make up` to follow and `make status` to show. Knows nothing about Propel.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.children import adopt_orphans, kill_group, spawn, started

BACK_OFF = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
# After this long in good health a death counts as the first one again.
FORGIVEN_AFTER = 30.0
LOG_LIMIT = 10 * 1024 * 1024


@dataclass(frozen=True)
class Process:
    """One process of the fleet. Without `ready` it is a one-shot: done when it ends with status 0."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None
    port: int | None = None
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10.0
    start_seconds: float = 60.0


class StartFailed(Exception):
    """A process did not come up; carries its name and one sentence."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class _Child:
    """What happens to one `Process` over time."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.state = "waiting"
        self.handle: subprocess.Popen[bytes] | None = None
        self.identity: str | None = None
        self.begun = self.took = self.retry_at = 0.0
        self.log_begins = 0
        self.healthy_since: float | None = None
        self.restarts = self.failures = 0

    @property
    def up(self) -> bool:
        return self.state in ("healthy", "done")

    def record(self) -> dict[str, Any]:
        pid = self.handle.pid if self.handle else None
        return {
            "name": self.process.name,
            "state": self.state,
            "pid": pid,
            "started": self.identity,
            "port": self.process.port,
            "took": round(self.took, 2),
            "restarts": self.restarts,
        }


class Supervisor:
    """Runs `processes` until it is told to stop by SIGTERM or SIGINT; a second signal makes it hurry.

    Those whose names are in the file `held`, one in a line, are stopped and stay so for as long as they are in it.
    """

    def __init__(
        self, processes: list[Process], *, directory: Path, logs: Path, state: Path, held: Path | None = None
    ) -> None:
        self.children = {process.name: _Child(process) for process in processes}
        self.directory, self.logs, self.state, self.held = directory, logs, state, held
        self.phase = "starting"
        self.failure: dict[str, Any] | None = None
        self.signals = 0
        self._written = ""

    def run(self) -> int:
        """Start everything and watch over it; gives 0 after a wanted stop, 1 when the start failed."""
        adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self.logs.mkdir(parents=True, exist_ok=True)
        if self.held:
            # Whoever wanted that did not end it, and the whole fleet was started anew since.
            self.held.unlink(missing_ok=True)
        try:
            while not self.signals:
                self._reap()
                self._hold()
                self._start()
                self._probe()
                if self.phase == "starting" and all(child.up for child in self.children.values()):
                    self.phase = "up"
                self._write()
                time.sleep(0.03 if self.phase == "starting" else 0.1)
        except StartFailed as failed:
            self.failure = {"name": failed.name, "sentence": str(failed), "lines": self.last_lines(failed.name)}
            self.say(str(failed))
        self._stop()
        return 1 if self.failure else 0

    def say(self, sentence: str) -> None:
        """One line in the supervisor's own log."""
        print(time.strftime("%Y-%m-%dT%H:%M:%S"), sentence, flush=True)

    def last_lines(self, name: str, count: int = 15) -> list[str]:
        """The end of what a process logged since it was started last."""
        try:
            with (self.logs / f"{name}.log").open("rb") as log:
                log.seek(max(self.children[name].log_begins, log.seek(0, os.SEEK_END) - 16_384))
                return log.read().decode(errors="replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def _on_signal(self, number: int, frame: object) -> None:
        self.signals += 1

    def _write(self) -> None:
        state = {"pid": os.getpid(), "started": started(os.getpid()), "phase": self.phase, "failure": self.failure}
        text = json.dumps({**state, "processes": [child.record() for child in self.children.values()]})
        if text != self._written:
            draft = self.state.with_suffix(".draft")
            draft.write_text(text, encoding="utf-8")
            draft.replace(self.state)
            self._written = text

    def _reap(self) -> None:
        """Notice every death; `waitpid` for any child, because orphans of dead children were adopted too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in self.children.values():
                if child.handle and child.handle.pid == pid:
                    child.handle.returncode = os.waitstatus_to_exitcode(status)
                    self._ended(child, child.handle.returncode)

    def _ended(self, child: _Child, code: int) -> None:
        name, pid = child.process.name, child.handle.pid if child.handle else 0
        # Whatever it started and left behind holds its ports and would make the next attempt fail.
        kill_group(pid)
        child.handle = None
        if self.phase == "stopping":
            child.state = "stopped"
            return
        if child.state == "stopping":
            child.state, child.healthy_since = "held", None
            return
        if child.process.ready is None and code == 0:
            child.state, child.took = "done", time.monotonic() - child.begun
            return
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if self.phase == "starting":
            raise StartFailed(name, f"{name} {how} while starting")
        if child.healthy_since and code == 0:
            # Told to end, and it did: no failure to back off from.
            child.failures = 0
            child.state, child.healthy_since, child.retry_at = "backing off", None, time.monotonic()
            self.say(f"{name} (pid {pid}) ended in good order; it is started again")
            return
        if child.healthy_since and time.monotonic() - child.healthy_since > FORGIVEN_AFTER:
            child.failures = 0
        pause = BACK_OFF[min(child.failures, len(BACK_OFF) - 1)]
        child.failures += 1
        child.state, child.healthy_since, child.retry_at = "backing off", None, time.monotonic() + pause
        self.say(f"{name} (pid {pid}) {how}; it is started again in {pause} s. The end of its log:")
        for line in self.last_lines(name):
            self.say(f"    {name} | {line}")

    def _hold(self) -> None:
        """Stop what is to be held, and let go what is not any more."""
        wanted: set[str] = set()
        if self.held:
            with contextlib.suppress(FileNotFoundError):
                wanted = set(self.held.read_text(encoding="utf-8").split())
        for name, child in self.children.items():
            if name not in wanted:
                if child.state == "held":
                    child.state = "waiting"
            elif child.handle is None and child.process.ready:
                child.state = "held"
            elif child.handle and child.state != "stopping":
                self.say(f"{name} (pid {child.handle.pid}) is stopped and held")
                child.state, child.retry_at = "stopping", time.monotonic() + child.process.stop_seconds
                os.kill(child.handle.pid, child.process.stop_signal)
            elif child.handle and time.monotonic() > child.retry_at:
                self.say(f"{name} did not stop in time and is killed")
                child.retry_at = float("inf")
                kill_group(child.handle.pid)

    def _start(self) -> None:
        for child in self.children.values():
            if child.state == "waiting" and all(self.children[name].up for name in child.process.needs):
                self._launch(child)
            elif child.state == "backing off" and time.monotonic() >= child.retry_at:
                child.restarts += 1
                self._launch(child)

    def _launch(self, child: _Child) -> None:
        process, path = child.process, self.logs / f"{child.process.name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            child.log_begins = output.seek(0, os.SEEK_END)
            try:
                child.handle = spawn(
                    process.command,
                    environment=process.environment,
                    output=output,
                    directory=self.directory,
                    stop_signal=process.stop_signal,
                )
            except OSError as error:
                raise StartFailed(process.name, f"{process.name} could not be started: {error}") from error
        child.identity = started(child.handle.pid)
        child.state, child.begun = "starting", time.monotonic()
        self.say(f"{process.name} started as pid {child.handle.pid}")

    def _probe(self) -> None:
        for child in self.children.values():
            if child.state != "starting" or child.process.ready is None:
                continue
            child.took = time.monotonic() - child.begun
            if child.process.ready():
                child.state, child.healthy_since = "healthy", time.monotonic()
                self.say(f"{child.process.name} is healthy after {child.took:.1f} s")
            elif self.phase == "starting" and child.took > child.process.start_seconds:
                seconds = f"{child.process.start_seconds:.0f} s"
                raise StartFailed(child.process.name, f"{child.process.name} was not ready after {seconds}")

    def _users_of(self, name: str) -> set[str]:
        """Everything that needs `name`, directly or through others (a one-shot that is over among them)."""
        direct = {child.process.name for child in self.children.values() if name in child.process.needs}
        return direct.union(*(self._users_of(user) for user in direct))

    def _stop(self) -> None:
        """Stop each process once nothing that needs it lives; end with nothing left of any of them."""
        self.phase, asked = "stopping", self.signals
        self.say("stopping")
        deadlines: dict[str, float] = {}
        users = {name: self._users_of(name) for name in self.children}
        while alive := {name: child for name, child in self.children.items() if child.handle}:
            for name, child in alive.items():
                assert child.handle
                if name not in deadlines and not users[name] & alive.keys():
                    # The leader alone: it knows in which order its own children have to go.
                    child.state, deadlines[name] = "stopping", time.monotonic() + child.process.stop_seconds
                    os.kill(child.handle.pid, child.process.stop_signal)
                elif self.signals > asked + 1 or time.monotonic() > deadlines.get(name, float("inf")):
                    self.say(f"{name} did not stop in time and is killed")
                    deadlines[name] = float("inf")
                    kill_group(child.handle.pid)
            self._write()
            time.sleep(0.02)
            self._reap()
        self._end_adopted()
        self.phase = "failed" if self.failure else "down"
        for child in self.children.values():
            child.state = "stopped"
        self._write()
        self.say("stopped")

    def _end_adopted(self) -> None:
        """Wait a moment for adopted orphans (PostgreSQL's are in sessions of their own), then kill them."""
        import psutil

        deadline = time.monotonic() + 3
        while left := psutil.Process().children(recursive=True):
            if time.monotonic() > deadline:
                for process in left:
                    self.say(f"{process.pid} was left behind and is killed")
                    process.kill()
                deadline += 1
            time.sleep(0.02)
            self._reap()
