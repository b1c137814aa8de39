"""What the machine did during a run: CPU of each of our parts, of everything else, and how loaded it was."""

import contextlib
import os
import platform
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

Snapshot = dict[tuple[int, float], tuple[str, int, float]]


def _snapshot() -> Snapshot:
    """(pid, start) -> (name, parent's pid, CPU seconds so far) of every process that can be seen."""
    found: Snapshot = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error), process.oneshot():
            times = process.cpu_times()
            found[process.pid, process.create_time()] = (process.name(), process.ppid(), times.user + times.system)
    return found


def _busy() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


class Watch:
    """`with Watch({"postgres": pid}) as watch: ...; watch.found` afterwards."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        # The innermost root counts: the parts are children of this very process.
        self._roots = {pid: name for name, pid in roots.items()} | {os.getpid(): "bench"}
        self.found: dict[str, Any] = {}

    def knows(self, name: str, pid: int) -> None:
        """Count `pid` and all below it, started meanwhile, as `name`."""
        self._roots[pid] = name

    def __enter__(self) -> "Watch":
        self._before, self._busy, self._load = _snapshot(), _busy(), os.getloadavg()
        self._began = time.monotonic()
        return self

    def _group(self, pid: int, parents: Mapping[int, int]) -> str | None:
        while pid > 1:
            if name := self._roots.get(pid):
                return name
            pid = parents.get(pid, 0)
        return None

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._began
        after = _snapshot()
        parents = {pid: parent for (pid, _), (_, parent, _) in after.items()}
        ours: defaultdict[str, float] = defaultdict(float)
        others: defaultdict[str, float] = defaultdict(float)
        workers = []
        for key, (name, parent, total) in after.items():
            spent = total - self._before.get(key, ("", 0, 0.0))[2]
            group = self._group(key[0], parents)
            if spent <= 0:
                continue
            if group is None:
                others[name] += spent
            else:
                ours[group] += spent
            if self._roots.get(parent) == "points-web":
                workers.append(round(spent, 2))
        top = sorted(others.items(), key=lambda item: -item[1])[:3]
        self.found = {
            "seconds": round(seconds, 2),
            "cpu_s": {name: round(spent, 2) for name, spent in sorted(ours.items())},
            "web_workers_cpu_s": sorted(workers, reverse=True),
            "others_cpu_s": round(sum(others.values()), 2),
            "others_most": [f"{name} {spent:.1f}" for name, spent in top if spent >= 0.05],
            "busy_cores": round((_busy() - self._busy) / seconds, 2) if seconds else 0.0,
            "load_before": round(self._load[0], 2),
            "load_after": round(os.getloadavg()[0], 2),
        }


def cpu_below(pids: Iterable[int]) -> float:
    """CPU seconds so far of these processes and all that live below them."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            for each in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = each.cpu_times()
                    total += times.user + times.system
    return total


def pss_mb(pid: int) -> float:
    """Memory of a process and all below it in MB, shared pages counted once where the system tells."""
    total = 0
    process = psutil.Process(pid)
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            full = each.memory_full_info()
            total += getattr(full, "pss", 0) or full.rss
    return total / 2**20


def describe() -> dict[str, Any]:
    """The machine, for the reader of the figures."""
    model = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {
        "system": platform.platform(),
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "python": platform.python_version(),
    }
