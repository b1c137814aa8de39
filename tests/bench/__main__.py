"""Runs the works and shows what they found: python -m tests.bench [ONLY=P1,P3] [MEMBERS=100000] [SECONDS=5] [RUNS=5]."""

import json
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.bench import chart, machine, report, seed
from tests.bench.bench import Bench, NotYet, say
from tests.bench.options import RESULTS, parse
from tests.bench.stage import stage
from tests.bench.works import NAMES, NOT_YET, WORKS, Work


def _do(bench: Bench, work: Work) -> None:
    """Measure one work; what does not exist yet, or breaks, is said and does not end the others."""
    try:
        work.measure(bench)
    except NotYet as missing:
        say(f"{work.name} is not there yet: {missing}")
    except Exception as error:
        traceback.print_exc()
        bench.check(f"{work.name} ran to its end ({type(error).__name__}: {str(error)[:200]})", False)


def _on_stage(bench: Bench) -> None:
    """Every work that needs servers, size by size."""
    options = bench.options
    wanted = [work for work in WORKS if options.wants(work.name) and work.at != "alone"]
    sizes = [size for size in options.sizes if size == options.middle or any(work.at == "every" for work in wanted)]
    if not wanted:
        return
    with stage(options, say) as bench._stage:
        for size in sizes:
            bench.stage.stop()
            bench.stage.purge()
            bench.stage.empty()
            connection = bench.stage.connect()
            seed.fill(connection, size, options.rows, say)
            connection.close()
            bench.stage.settle()
            bench.members, bench.sent = size, 0
            for work in wanted:
                if work.at == "every" or size == options.middle:
                    _do(bench, work)
            bench.stage.stop()
            say("comparing the ledger with the balances")
            wrong = bench.stage.sql(seed.BOOKS)[0][0]
            bench.check(f"balances of {wrong} of {size:,} members differ from their transfers", wrong == 0)
        say("ending the servers")
    bench._stage = None


class Told(BaseException):
    """Somebody told the run to end. Not a KeyboardInterrupt: Python ends by SIGINT after one that came while a text was
    being executed (as dataclasses do), also when it was caught, and then the exit status would not be ours."""


def _end(*_: object) -> None:
    raise Told


def run(bench: Bench) -> dict[str, Any]:
    """Measure everything that is wanted; returns what describes the run, whole or interrupted."""
    options = bench.options
    about: dict[str, Any] = {"began": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "machine": machine.describe()}
    about["options"] = {name: value for name, value in vars(options).items() if not isinstance(value, Path)}
    about["interrupted"], began = False, time.monotonic()
    # Told to end, it ends like with Ctrl-C: servers stopped, data removed, and what was measured is shown.
    before = signal.signal(signal.SIGTERM, _end)
    watch = machine.Watch({})
    try:
        with watch:
            _measure(bench)
    except (KeyboardInterrupt, Told):
        say("interrupted; servers are stopped and their data removed")
        about["interrupted"] = True
    finally:
        signal.signal(signal.SIGTERM, before)
    return about | {"seconds": round(time.monotonic() - began), "whole_run": watch.found}


def _measure(bench: Bench) -> None:
    _on_stage(bench)
    for work in WORKS:
        if work.at == "alone" and bench.options.wants(work.name):
            _do(bench, work)


def _write(bench: Bench, about: dict[str, Any]) -> tuple[Path, Path]:
    given = bench.options.json or RESULTS / f"bench-{time.strftime('%Y%m%d-%H%M%S')}.json"
    picture = bench.options.chart or given.with_suffix(".svg")
    for path in (given, picture):
        path.parent.mkdir(parents=True, exist_ok=True)
    found = report.to_json(bench.figures, bench.checks, about)
    given.write_text(json.dumps(found, indent=1, default=str) + "\n", encoding="utf-8")
    measured = [figure for figure in bench.figures if figure.runs]
    title = (
        f"Propel, {about['began'][:10]}, {about['machine']['cores']} cores, up to {max(bench.options.sizes):,} members"
    )
    picture.write_text(chart.draw(measured, title), encoding="utf-8")
    return given, picture


def main(arguments: list[str] | None = None) -> int:
    """0 when everything that was measured was also right, however slow; 1 otherwise; 130 when interrupted."""
    options = parse(arguments)
    if unknown := [name for name in options.only if name not in NAMES]:
        print(f"{', '.join(unknown)}: the works are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in options.only:
        if name in NOT_YET:
            say(f"{name} comes with {NOT_YET[name][2]}")
    bench = Bench(options)
    about = run(bench)
    if about["interrupted"] and not any(figure.runs for figure in bench.figures):
        return 130
    given, picture = _write(bench, about)
    wrong = [check.what for check in bench.checks if not check.ok]
    for show in (report.table, report.costs, report.notes, report.surroundings):
        text = show(bench.figures)
        print(f"\n{text}")
    print(f"\n{len(bench.checks)} checks of what was measured: {'all right' if not wrong else f'{len(wrong)} WRONG'}")
    for what in wrong:
        print(f"  WRONG: {what}")
    if options.compare:
        print(f"\n{report.comparison(bench.figures, options.compare)}")
    print(f"\nFigures: {given}   Chart: {picture}")
    return 130 if about["interrupted"] else 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
