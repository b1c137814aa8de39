"""P6: the relay, from a committed outbox row to an event the broker has confirmed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from fleet import topology
from fleet.contracts.points import ActivityLogged
from fleet.messages import encode, envelope_for, new_id
from tests.bench.amqp import Recorder
from tests.bench.bench import Bench
from tests.bench.figures import Figure, Run, Target, percentile
from tests.bench.limits import BROKER, confirmed_publish, declare_sink, delete_sink
from tests.bench.seed import copy
from tests.bench.stage import EVENT

RATE = 500
PER_SECOND = 10_000
COLUMNS = "message_id, exchange, routing_key, mandatory, body"


def _events() -> Iterator[tuple[str, bytes]]:
    """(id, body) of one ActivityLogged after the other."""
    member = UUID("22222222-2222-4222-8222-222222222222")
    moment = datetime(2026, 1, 1, 12, 0, 0, 123456, UTC)
    event = ActivityLogged(member, new_id(), "discord_activity", "engagement", 5, 1, moment, 125, 1250)
    envelope = envelope_for(event, source="points", subject=str(member), sequence=25, correlation_id=str(new_id()))
    body = encode(envelope)
    while True:
        fresh = str(new_id())
        yield fresh, body.replace(str(envelope.id).encode(), fresh.encode())


def _throughput(bench: Bench, figure: Figure, seconds: float) -> None:
    stage, events = bench.stage, _events()
    count = max(1, round(PER_SECOND * seconds))
    declare_sink(stage, EVENT)
    try:
        for _ in bench.runs(f"P6, {count:,} events"):
            stage.stop()
            stage.purge()
            run = Run(0.0, confirmed_publish(stage, EVENT, min(seconds, 3)))
            stage.start("points-relay")
            stage.settle()
            connection = stage.connect()
            connection.autocommit = False
            lines = (
                f"{id_}\t{topology.EVENTS}\t{EVENT}\tf\t\\\\x{body.hex()}\n"
                for (id_, body), _ in zip(events, range(count), strict=False)
            )
            copy(connection.cursor(), "outbox", COLUMNS, lines)
            with bench.watched(run):
                connection.commit()
                began = time.monotonic()
                while stage.sql("SELECT 1 FROM outbox LIMIT 1") and time.monotonic() < began + 120:
                    time.sleep(0.02)
                run.value = count / (time.monotonic() - began)
            connection.close()
            run.done = count
            figure.runs.append(run)
            bench.check("the relay emptied the outbox", not stage.sql("SELECT 1 FROM outbox LIMIT 1"))
    finally:
        delete_sink(stage)


def _lag(bench: Bench, figure: Figure, seconds: float) -> None:
    """500 transactions a second of one event each; from the commit until the event is out of the broker again."""
    stage, events = bench.stage, _events()
    stage.start("points-relay")
    stage.settle()
    connection = stage.connect()
    cursor = connection.cursor()
    for _ in bench.runs(f"P6 lag at {RATE}/s"):
        run, committed = Run(0.0), dict[str, float]()
        with bench.watched(run), Recorder(stage.rabbitmq.url("topology"), EVENT, "id") as recorder:
            began = time.monotonic()
            for number in range(max(10, int(RATE * seconds))):
                if (pause := began + number / RATE - time.monotonic()) > 0:
                    time.sleep(pause)
                id_, body = next(events)
                values = (id_, topology.EVENTS, EVENT, body)
                cursor.execute(f"INSERT INTO outbox ({COLUMNS}) VALUES (%s, %s, %s, false, %s)", values)
                committed[id_] = time.monotonic()
            recorder.await_all(committed)
        lags = sorted((recorder.seen[id_] - at) * 1000 for id_, at in committed.items() if id_ in recorder.seen)
        bench.check(f"P6: {len(committed)} events, {len(lags)} seen", len(lags) == len(committed))
        run.value = percentile(lags, 0.99)
        run.details = {"p50_ms": percentile(lags, 0.5), "max_ms": lags[-1] if lags else None}
        figure.runs.append(run)
    connection.close()
    stage.stop()


def measure(bench: Bench) -> None:
    """How many events a second, and how late one comes."""
    note = "into a quorum queue; the limit publishes ready-made frames to the same queue, windows of 500"
    rate = Figure("P6", "relay, events", "/s", None, BROKER, Target(">= 8,000/s", at_least=8_000), note=note)
    _throughput(bench, bench.add(rate), bench.options.length(5))
    lag = Figure("P6", f"relay's lag at {RATE}/s, p99", "ms", target=Target("<= 250 ms", at_most=250))
    _lag(bench, bench.add(lag), bench.options.length(10))
