"""A figure: what was measured over some runs, beside its limit, its target and the peer's figure."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Target:
    """What is aimed at: a bound on the median itself, or on its ratio to the limit."""

    text: str
    at_least: float | None = None
    at_most: float | None = None
    of_limit: bool = False

    def met(self, median: float, ratio: float | None) -> bool | None:
        """None when there is no limit to compare with."""
        value = ratio if self.of_limit else median
        if value is None:
            return None
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


@dataclass
class Run:
    """One run: its value, the limit measured right before it, what the machine did meanwhile, and details.

    `done` is how many pieces of work were done while the machine was watched.
    """

    value: float
    limit: float | None = None
    done: float = 0.0
    machine: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@dataclass
class Figure:
    """`shipped` and `tuned` are the peer's figures, taken on another machine."""

    work: str
    what: str
    unit: str
    members: int | None = None
    limit_name: str = ""
    target: Target | None = None
    shipped: str = ""
    tuned: str = ""
    note: str = ""
    # True for what cannot be measured because it does not exist yet.
    missing: bool = False
    runs: list[Run] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What names the same figure in another run of the bench."""
        return f"{self.work} {self.what}" + (f" @{self.members}" if self.members else "")

    @property
    def values(self) -> list[float]:
        return [run.value for run in self.runs]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def limit(self) -> float | None:
        limits = [run.limit for run in self.runs if run.limit]
        return statistics.median(limits) if limits else None

    @property
    def ratio(self) -> float | None:
        """The median of the runs' own ratios: each limit was measured right before its run."""
        ratios = [run.value / run.limit for run in self.runs if run.limit]
        return statistics.median(ratios) if ratios else None

    @property
    def met(self) -> bool | None:
        return self.target.met(self.median, self.ratio) if self.target and self.runs else None

    @property
    def cost_us(self) -> dict[str, float]:
        """CPU microseconds of each part for one piece of work: what remains comparable on a machine that is not quiet."""
        counted = [run for run in self.runs if run.done and run.machine]
        parts = sorted({part for run in counted for part in run.machine["cpu_s"]})
        return {
            part: statistics.median(run.machine["cpu_s"].get(part, 0.0) / run.done * 1e6 for run in counted)
            for part in parts
        }

    def to_dict(self) -> dict[str, Any]:
        """Everything, for the JSON file."""
        found = asdict(self) | {"key": self.key}
        if self.runs:
            found |= {"median": self.median, "min": min(self.values), "max": max(self.values)}
            found |= {"limit": self.limit, "ratio": self.ratio, "met": self.met}
            found["cost_us"] = {part: round(cost, 1) for part, cost in self.cost_us.items()}
        return found


@dataclass(frozen=True)
class Check:
    """Something that must be true of what was measured, whatever its speed."""

    what: str
    ok: bool


def percentile(ordered: list[float], share: float) -> float:
    """The value that `share` of an ascending list does not exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
