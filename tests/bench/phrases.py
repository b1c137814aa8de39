"""P8: what people write of their time, and what a hostile hand would, read by the grammar in this process."""

import statistics
import time
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from services.reviews.grammar import parse
from tests.bench.bench import Bench, say
from tests.bench.figures import Figure, Run, Target
from tests.reviews.phrase_table import FIRST, LAST, ZONE, read_rows

LONGEST = 2_000
# What repeats without end is what a backtracking reader would choke on.
UNITS = (
    *(
        "mon ",
        "tue or ",
        "9-",
        "not the 8th, ",
        "between 9 and ",
        "for an hour ",
        "next ",
        "1",
        "until until ",
        "((((",
        ":",
    ),
    *("Mon,Tue/Wed-", "after before ", "12/", "half past ", "é", "\u202e9", "a", "2pm-3pm ", "weekdays except "),
)


def _took_ms(text: str, first: date = FIRST, last: date = LAST, zone: ZoneInfo = ZONE) -> float:
    began = time.perf_counter()
    parse(text, zone, first, last, 30, None)
    return (time.perf_counter() - began) * 1000


def measure(bench: Bench) -> None:
    """The median of the phrases in the table of tests over their two weeks, and the slowest of the hostile texts over a
    whole month."""
    note = "in this process, a month of days; the slowest of all texts"
    typical = bench.add(Figure("P8", "availability text, typical", "ms", target=Target("<= 1 ms", at_most=1)))
    slowest = bench.add(
        Figure("P8", "2,000 hostile characters", "ms", target=Target("<= 50 ms", at_most=50), note=note)
    )
    phrases = [row.phrase for row in read_rows()]
    hostile = [(unit * LONGEST)[:LONGEST] for unit in UNITS]
    for text in (*phrases, *hostile):
        parse(text, ZONE, FIRST, LAST, 30, None)
    for _ in bench.runs("P8"):
        typical.runs.append(Run(statistics.median(_took_ms(phrase) for phrase in phrases)))
        worst = max((_took_ms(text, last=FIRST + timedelta(days=30)), text) for text in hostile)
        slowest.runs.append(Run(worst[0], details={"begins with": worst[1][:12]}))
    say(f"P8: {typical.median:.2f} ms, {slowest.median:.1f} ms")
