"""P5: from POST redeem to `pending`, through the gateway, at fifty a second: both services, both relays, the broker.

The requests come at their times whether the ones before were answered or not, and each is measured from its time on.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import requests

from tests.bench.bench import POINTS, Bench
from tests.bench.figures import Figure, Run, Target, percentile
from tests.bench.reading import Person

RATE = 50
SHOP = ("rewards-web", "rewards-worker")
# Many answers may be late at once; what waits for a thread here would count as the fleet's time.
THREADS = 100


def _reward(bench: Bench) -> str:
    """A reward that nobody lacks the points or the stock for."""
    admin = Person(bench, bench.members, "admin")
    body = {"name": f"Bench {time.time_ns()}", "points_required": 1, "stock": None}
    answer = admin.post("/api/incentives/", body)
    answer.raise_for_status()
    return str(answer.json()["id"])


def play(bench: Bench, reward: str, seconds: float) -> dict[str, Any]:
    """Fifty redeems a second by as many members; times in seconds, and the statuses of all answers."""
    people = [Person(bench, number) for number in bench.viewers(200)]
    kept = local()

    def redeem(number: int, due: float) -> tuple[float, int]:
        if not hasattr(kept, "session"):
            kept.session = requests.Session()
        time.sleep(max(0.0, due - time.perf_counter()))
        status = people[number % len(people)].redeem(kept.session, reward)
        return time.perf_counter() - due, status

    # Everybody once before it counts: a member's first event unlocks what their points reach.
    begin, warmup = time.perf_counter() + 0.5, len(people)
    with ThreadPoolExecutor(THREADS) as pool:
        asked = [pool.submit(redeem, number, begin + number / RATE) for number in range(warmup + round(seconds * RATE))]
        answers = [each.result() for each in asked]
    times = sorted(taken for taken, _status in answers[warmup:])
    return {"times": times, "statuses": Counter(status for _taken, status in answers)}


def measure(bench: Bench) -> None:
    """The median and the slow end of the way from the request to held points."""
    seconds = bench.options.length(20)
    bench.stage.start(*POINTS, *SHOP)
    what = f"POST redeem to pending, {RATE}/s"
    note = "one web process of rewards, its worker with its relay"
    middle = Figure("P5", f"{what}, p50", "ms", bench.members, target=Target("<= 150 ms", at_most=150), note=note)
    late = Figure("P5", f"{what}, p99", "ms", bench.members, target=Target("<= 1 s", at_most=1000))
    bench.add(middle)
    bench.add(late)
    reward = _reward(bench)
    for _ in bench.runs(f"P5 at {bench.members:,} members"):
        bench.stage.settle()
        run = Run(0.0)
        with bench.watched(run):
            found = play(bench, reward, seconds)
        statuses = dict(found["statuses"])
        bench.check(f"every redeem was answered with 201, not {statuses}", set(statuses) == {201})
        run.value, run.done = percentile(found["times"], 0.5) * 1000, len(found["times"])
        run.details = {"statuses": statuses, "max_ms": found["times"][-1] * 1000}
        middle.runs.append(run)
        late.runs.append(Run(percentile(found["times"], 0.99) * 1000))
    bench.stage.stop(*SHOP)
