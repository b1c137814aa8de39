"""P7: the whole fleet of local mode, cold, warm and idle, beside whatever runs in this clone."""

import json
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.bench import Bench, say
from tests.bench.figures import Figure, Run, Target
from tests.bench.machine import Watch, pss_mb
from tests.e2e.conftest import free_span, run_local


def _state(home: Path) -> dict[str, Any]:
    """What the supervisor wrote down; it is the parent of all processes of the fleet."""
    found: dict[str, Any] = json.loads((home / "state.json").read_text(encoding="utf-8"))
    return found


def _up(run: Run, home: Path, ports: dict[str, str]) -> None:
    with Watch({}) as watch:
        began = time.monotonic()
        run_local(home, "up", check=True, **ports)
        run.value = time.monotonic() - began
        watch.knows("fleet", _state(home)["pid"])
    run.machine = watch.found


def measure(bench: Bench) -> None:
    """Time until `up` returns, on no data and on data, and the memory of everything a while later."""
    note = "downloads and the Python environment are there"
    cold = bench.add(Figure("P7", "fleet, cold start", "s", target=Target("<= 40 s", at_most=40), note=note))
    warm = bench.add(Figure("P7", "fleet, warm start", "s", target=Target("<= 10 s", at_most=10)))
    memory = bench.add(Figure("P7", "fleet, idle", "MB", target=Target("<= 1,024 MB (PSS)", at_most=1024)))
    rest = bench.options.length(10)
    for _ in bench.runs("P7"):
        home = Path(tempfile.mkdtemp(prefix="propel-bench-", dir="/var/tmp" if Path("/var/tmp").is_dir() else None))
        home.chmod(0o755)
        base = free_span()
        gateway = next(port for port in iter(lambda: random.randrange(20_000, 32_000), 0) if abs(port - base) > 300)
        ports = {"PORT_BASE": str(base), "GATEWAY_PORT": str(gateway)}
        first, second = Run(0.0), Run(0.0)
        try:
            _up(first, home, ports)
            run_local(home, "down")
            _up(second, home, ports)
            time.sleep(rest)
            found = _state(home)
            parts = {each["name"]: round(pss_mb(each["pid"])) for each in found["processes"] if each["pid"]}
            memory.runs.append(Run(pss_mb(found["pid"]), details=parts))
        finally:
            run_local(home, "reset", check=False)
            shutil.rmtree(home, ignore_errors=True)
        cold.runs.append(first)
        warm.runs.append(second)
    say(f"P7: cold {cold.median:.1f} s, warm {warm.median:.1f} s, {memory.median:.0f} MB")
