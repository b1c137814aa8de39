"""What a run of the bench is asked to do: NAME=VALUE words, as make gives them, and a few paths."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SIZES = (1_000, 100_000, 1_000_000)
MIDDLE = 100_000
RESULTS = Path("test-results")


@dataclass(frozen=True)
class Options:
    """`seconds` is the length of one run; None leaves each work its own."""

    only: tuple[str, ...] = ()
    members: int = SIZES[-1]
    rows: int = 10
    seconds: float | None = None
    runs: int = 5
    clients: int = 16
    web_workers: int = 2
    web_threads: int = 4
    json: Path | None = None
    chart: Path | None = None
    compare: Path | None = None
    sizes: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        smaller = tuple(size for size in SIZES if size < self.members)
        object.__setattr__(self, "sizes", (*smaller, self.members))

    @property
    def middle(self) -> int:
        """The size for everything that is measured at one size only."""
        return min(self.members, MIDDLE)

    def wants(self, work: str) -> bool:
        return not self.only or work in self.only

    def length(self, usual: float) -> float:
        """Seconds of one run of a work that usually takes `usual`."""
        return usual if self.seconds is None else self.seconds


WORDS: dict[str, tuple[str, Callable[[str], object], str]] = {
    "ONLY": ("only", lambda text: tuple(text.upper().replace(" ", ",").split(",")), "P1,P3: only these works"),
    "MEMBERS": ("members", int, "the largest number of members (1000000); smaller ones are 1000 and 100000"),
    "ROWS": ("rows", int, "ledger rows for each member (10)"),
    "SECONDS": ("seconds", float, "length of every run, instead of each work's own"),
    "RUNS": ("runs", int, "runs of each figure, of which the median is shown (5)"),
    "CLIENTS": ("clients", int, "connections of the award loads and of pgbench (16)"),
    "WORKERS": ("web_workers", int, "gunicorn workers of points (2)"),
    "THREADS": ("web_threads", int, "threads of each (4)"),
}


def parse(arguments: list[str] | None = None) -> Options:
    """Options from a command line; ends the process with a sentence when they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Propel beside its limits.")
    parser.add_argument(
        "words", nargs="*", metavar="NAME=VALUE", help="; ".join(f"{n}: {w[2]}" for n, w in WORDS.items())
    )
    parser.add_argument("--json", type=Path, help=f"where the figures go ({RESULTS}/bench-<time>.json)")
    parser.add_argument("--chart", type=Path, help="where the chart goes (beside the figures)")
    parser.add_argument("--compare", type=Path, help="figures of another run: the change of each is printed")
    given = parser.parse_args(arguments)
    values: dict[str, object] = {"json": given.json, "chart": given.chart, "compare": given.compare}
    for word in given.words:
        name, equals, text = word.partition("=")
        if not equals or name not in WORDS:
            parser.error(f"{word} is not one of {', '.join(f'{known}=' for known in WORDS)}")
        field_name, read, _ = WORDS[name]
        try:
            values[field_name] = read(text)
        except ValueError:
            parser.error(f"{word}: a number is wanted")
    options = Options(**values)  # type: ignore[arg-type]
    if min(options.runs, options.members, options.rows, options.clients, options.web_workers, options.web_threads) < 1:
        parser.error("numbers start at 1")
    if options.seconds is not None and options.seconds <= 0:
        parser.error("SECONDS must be more than 0")
    return options
