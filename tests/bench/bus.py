"""P2: awards over the bus, from a command's publication until it is committed and its event confirmed by the broker."""

import time
from typing import Any

from fleet import topology
from tests.bench.amqp import Recorder
from tests.bench.bench import Bench, say
from tests.bench.feed import Feeder
from tests.bench.figures import Figure, Run, Target, percentile
from tests.bench.limits import LIMIT4, FourWrites
from tests.bench.stage import EVENT, subscribers

PARTS = ("points-consumer", "points-relay")
RATE = 500


def _given(bench: Bench, name: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"url": bench.stage.rabbitmq.url("bot"), "watch_url": bench.stage.rabbitmq.url("topology")}
    given |= {"members": bench.members, "first": bench.sent, "today": bench.today, "name": name, "reply_to": None}
    return given | more


def _counters(bench: Bench) -> tuple[float, float, float]:
    stage, queue = bench.stage, topology.queue("points", "commands")
    applied = stage.counter("points-consumer", "messages_consumed_total", queue=queue, outcome="applied")
    return time.monotonic(), applied, stage.counter("points-relay", "messages_published_total")


def _sustained(bench: Bench, run: Run, name: str, seconds: float, reply_to: str | None) -> None:
    """Flood the queue for the given time, then let everything drain and count what was granted."""
    warmup = min(3.0, seconds / 2)
    start = _counters(bench)
    feeder = Feeder(_given(bench, name, seconds=seconds + warmup, reply_to=reply_to))
    try:
        # The feeder needs about a second to start.
        deadline = time.monotonic() + 30
        while _counters(bench)[1] == start[1] and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(warmup)
        with bench.watched(run):
            before = _counters(bench)
            time.sleep(seconds * 0.9)
            after = _counters(bench)
        fed = feeder.result(seconds + 60)
    finally:
        feeder.stop()
    bench.sent += fed["sent"]
    spent = after[0] - before[0]
    each = 2 if reply_to else 1
    run.done = after[1] - before[1]
    run.value = min(after[1] - before[1], (after[2] - before[2]) / each) / spent
    run.details = fed | {
        "applied_per_s": (after[1] - before[1]) / spent,
        "published_per_s": (after[2] - before[2]) / spent,
    }
    deadline = time.monotonic() + 120
    while (applied := _counters(bench)[1] - start[1]) < fed["sent"] and time.monotonic() < deadline:
        time.sleep(0.2)
    bench.check(f"P2: {fed['sent']} commands, {applied:.0f} applied", applied == fed["sent"])
    bench.check("the outbox was published after P2", bench.stage.drained())
    pattern = f"deed:bench-{name}-%"
    granted = bench.stage.sql("SELECT count(*) FROM transfers WHERE idempotency_key LIKE %s", pattern)[0][0]
    bench.check(f"P2: {fed['sent']} commands, {granted} awards", granted == fed["sent"])
    starving = fed["queue_from"] is not None and fed["queue_from"] < 200
    if starving:
        say("P2: the queue ran low, so the feeder may have been the limit")
    run.details["feeder_was_ahead"] = not starving


def _throughput(bench: Bench, figure: Figure, seconds: float, reply_to: str | None, parts: tuple[str, ...]) -> None:
    stage = bench.stage
    limit = FourWrites(stage, bench.members, bench.options.clients)
    for number in bench.runs(f"P2 at {bench.members:,} members, {'with' if reply_to else 'without'} replies"):
        stage.stop()
        stage.purge()
        run = Run(0.0, limit.measure(min(seconds, 5)))
        stage.start(*parts)
        stage.settle()
        _sustained(bench, run, f"{'r' if reply_to else 'p'}{number}", seconds, reply_to)
        figure.runs.append(run)
    limit.close()
    stage.stop()
    stage.purge()


def _latency(bench: Bench, middle: Figure, late: Figure) -> None:
    """At a steady 500/s: from before the publication until the event came back out of the broker."""
    stage, seconds = bench.stage, bench.options.length(10)
    stage.start(*PARTS)
    stage.settle()
    for number in bench.runs(f"P2 latency at {RATE}/s"):
        given = _given(bench, f"l{number}", seconds=seconds + 1, rate=RATE)
        run = Run(0.0)
        with bench.watched(run), Recorder(stage.rabbitmq.url("topology"), EVENT, "causationid") as recorder:
            feeder = Feeder(given)
            fed = feeder.result(seconds + 60)
            recorder.await_all(fed["left"])
        bench.sent += fed["sent"]
        run.done = fed["sent"]
        # The first second, in which the consumer finds its pace, does not count.
        settled = sorted(fed["left"].values())[min(RATE, fed["sent"] // 2)]
        counted = [(id_, left) for id_, left in fed["left"].items() if left >= settled]
        took = sorted((recorder.seen[id_] - left) * 1000 for id_, left in counted if id_ in recorder.seen)
        bench.check(f"P2: {len(counted)} events awaited, {len(took)} seen", len(took) == len(counted))
        details = {"latest_start_ms": fed["latest_start_ms"], "count": len(took), "max_ms": took[-1] if took else None}
        run.value, run.details = percentile(took, 0.5), details
        middle.runs.append(run)
        late.runs.append(Run(percentile(took, 0.99)))
    stage.stop()


def measure(bench: Bench) -> None:
    """Sustained without replies, then with replies and everybody who listens, then latency."""
    seconds = bench.options.length(60)
    target = Target(">= 1.0 of the limit", at_least=1.0, of_limit=True)
    what = f"awards over the bus, sustained {seconds:g} s"
    note = "publishing on the same machine included"
    plain = bench.add(Figure("P2", what, "/s", bench.members, LIMIT4, target, shipped="35", tuned="220", note=note))
    _throughput(bench, plain, seconds, None, PARTS)
    seconds = bench.options.length(20)
    listening = tuple(f"{name}-worker" for name in subscribers())
    note = f"with {', '.join(listening)}; the prototype had 0.91"
    replied = bench.add(Figure("P2", f"the same with replies, {seconds:g} s", "/s", bench.members, LIMIT4, note=note))
    _throughput(bench, replied, seconds, "bot", (*PARTS, *listening))
    words = f"award over the bus at {RATE}/s"
    middle = Figure("P2", f"{words}, p50", "ms", bench.members, target=Target("<= 20 ms", at_most=20))
    late = Figure("P2", f"{words}, p99", "ms", bench.members, target=Target("<= 50 ms", at_most=50))
    _latency(bench, bench.add(middle), bench.add(late))
