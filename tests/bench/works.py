"""The works of the bench, P1 to P10."""

from dataclasses import dataclass

from tests.bench import award_http, bus, phrases, reading, redeeming, relaying, starting
from tests.bench.bench import Measure


@dataclass(frozen=True)
class Work:
    """`at`: `every` size, the `middle` one (100,000 or fewer), or `alone`, without the stage."""

    name: str
    at: str
    measure: Measure


# At one size, reads come before what makes the ledger longer.
WORKS = (
    Work("P3", "every", reading.leaderboard),
    Work("P10", "every", reading.growth),
    Work("P4", "middle", reading.dashboard),
    Work("P6", "middle", relaying.measure),
    Work("P5", "middle", redeeming.measure),
    Work("P1", "middle", award_http.measure),
    Work("P2", "middle", bus.measure),
    Work("P7", "alone", starting.measure),
    Work("P8", "alone", phrases.measure),
)
NOT_YET = {
    "P9": ("match-all, 300 requests x 60 professionals x 30 days", "<= 2 s, optimal", "reviews"),
}
NAMES = tuple(work.name for work in WORKS) + tuple(NOT_YET)
