"""P1: an award over HTTP, through nginx, with a token and an Idempotency-Key."""

from tests.bench.bench import Bench, say
from tests.bench.figures import Figure, Run, Target
from tests.bench.limits import LIMIT4, FourWrites
from tests.bench.load import request

# Five times the peer tuned is 253 * 5 of a machine whose limit4 was 4,620: the same 0.27.
TARGET = Target(">= 0.27 of the limit, >= 5x the peer tuned", at_least=0.27, of_limit=True)


def generator_ceiling(bench: Bench) -> float:
    """What the load generator reaches against nginx alone, which answers an unknown path by itself."""
    bench.stage.start("gateway")
    port, seconds = bench.stage.parts["gateway"].port, bench.options.length(3)
    found = bench.play([request("GET", "/nowhere/")], bench.options.clients, min(seconds, 3))
    say(f"the load generator's own ceiling: {found['answers_rate']:,.0f} answers/s (nginx alone, port {port})")
    return float(found["answers_rate"])


def measure(bench: Bench) -> None:
    """Awards per second, and how long one takes under that load."""
    seconds = bench.options.length(5)
    bench.stage.start("points-web", "gateway")
    ceiling = generator_ceiling(bench)
    note = f"{bench.web}; the generator alone reaches {ceiling:,.0f}/s"
    what = f"award over HTTP, {bench.options.clients} clients"
    rate = bench.add(Figure("P1", what, "/s", bench.members, LIMIT4, TARGET, shipped="75", tuned="188-253", note=note))
    slowest = bench.add(Figure("P1", f"{what}, p99", "ms", bench.members))
    limit = FourWrites(bench.stage, bench.members, bench.options.clients)
    granted = bench.stage.sql("SELECT count(*) FROM transfers")[0][0]
    answered = 0
    for _ in bench.runs(f"P1 at {bench.members:,} members"):
        bench.stage.stop()
        run = Run(0.0, limit.measure(seconds))
        bench.fresh_web()
        with bench.watched(run):
            found = bench.play(bench.awards(), bench.options.clients, seconds)
        run.value, run.done, run.details = found["rate"], found["total"], found
        answered += found["statuses"].get("201", 0)
        rate.runs.append(run)
        slowest.runs.append(Run(found["p99_ms"]))
        bench.check(f"every answer of P1 was 201, not {found['statuses']}", set(found["statuses"]) <= {"201"})
        bench.check("the outbox was published after P1", bench.stage.drained())
    limit.close()
    written = bench.stage.sql("SELECT count(*) FROM transfers")[0][0] - granted
    # Answers outside of the counted seconds were awards too.
    bench.check(f"P1: {answered} counted answers, {written} transfers", written >= answered)
