"""What every work is given: the options, the stage, and where to put what it measured."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fleet.messages import now
from tests.bench import load
from tests.bench.figures import Check, Figure, Run
from tests.bench.machine import Watch
from tests.bench.options import Options
from tests.bench.seed import is_student, member_id
from tests.bench.stage import Stage

BEGAN = time.monotonic()
POINTS = ("points-web", "points-consumer", "points-relay", "gateway")


def say(text: str) -> None:
    """One line of progress, with the minutes since the start."""
    minutes, seconds = divmod(int(time.monotonic() - BEGAN), 60)
    print(f"[{minutes:3}:{seconds:02}] {text}", file=sys.stderr, flush=True)


class NotYet(Exception):
    """What is to be measured does not exist in this tree; the message says what is missing."""


@dataclass
class Bench:
    """One run of the bench. `members` is the size the database has now."""

    options: Options
    _stage: Stage | None = None
    members: int = 0
    figures: list[Figure] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    sent: int = 0
    today: str = field(default_factory=lambda: now().isoformat())

    @property
    def stage(self) -> Stage:
        assert self._stage is not None, "this work needs servers"
        return self._stage

    def add(self, figure: Figure) -> Figure:
        self.figures.append(figure)
        return figure

    def check(self, what: str, ok: bool) -> None:
        self.checks.append(Check(what, ok))
        if not ok:
            say(f"WRONG: {what}")

    def runs(self, title: str) -> Iterator[int]:
        """Number the runs, saying so."""
        for number in range(1, self.options.runs + 1):
            say(f"{title}: run {number} of {self.options.runs}")
            yield number

    @contextmanager
    def watched(self, run: Run) -> Iterator[None]:
        """Note in the run what the machine does during the block."""
        with Watch(self.stage.roots) as watch:
            yield
        run.machine = watch.found

    @property
    def web(self) -> str:
        """How the web processes run, for the notes."""
        return f"{self.options.web_workers} x {self.options.web_threads} threads"

    # Requests

    def viewers(self, count: int = 500) -> list[int]:
        """Numbers of students spread over all members, from those with most points to those with least."""
        step = max(1, self.members // count)
        return [number for number in range(0, self.members, step) if is_student(number)][:count]

    def reads(self, path: str) -> list[str]:
        """The same request by each of many viewers."""
        return [load.request("GET", path, self.stage.token(member_id(number))) for number in self.viewers()]

    def awards(self) -> list[str]:
        """Award requests of as many admins as there are clients."""
        admins = [self.stage.token(member_id(self.members + number), "admin") for number in range(self.options.clients)]
        path, body = "/api/users/{member}/add_points/", '{"activity_type":"resource_share"}'
        return [load.request("POST", path, token, body, idempotent=True) for token in admins]

    def play(self, requests: list[str], clients: int, seconds: float) -> dict[str, Any]:
        """A load through the gateway."""
        port = self.stage.parts["gateway"].port
        return load.run(port, requests, clients=clients, seconds=seconds, members=self.members)

    def fresh_web(self) -> None:
        """The processes of points, the web one started anew: connections spread over its workers by chance."""
        self.stage.stop("gateway", "points-web")
        self.stage.start(*POINTS)
        self.stage.settle()


Measure = Callable[[Bench], None]
