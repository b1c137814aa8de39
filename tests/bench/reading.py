"""P3, P4 and P10: what members look at, through nginx, and how it grows with their number."""

import statistics
import time
from typing import Any

import requests

from tests.bench.bench import POINTS, Bench, NotYet, say
from tests.bench.figures import Figure, Run, Target
from tests.bench.limits import FLASK, flask_limit
from tests.bench.options import SIZES
from tests.bench.seed import member_id

PAGE = "/api/leaderboard/?limit=100"
# With as many clients as this machine has cores, an answer's time is its own and not that of the queue before it.
FEW, MANY = 2, 8
# 8,342/s of plain Flask on the machine where the peer was measured.
PEER_FLASK = 8_342
SHIPPED = {1_000: "26 ms", 100_000: "772 ms", 1_000_000: "10.0 s"}


class Person:
    """A member with a browser of their own."""

    def __init__(self, bench: Bench, number: int, role: str = "student") -> None:
        self._url = f"http://127.0.0.1:{bench.stage.parts['gateway'].port}"
        self.id = member_id(number)
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {bench.stage.token(self.id, role)}"

    def get(self, path: str) -> requests.Response:
        return self._session.get(self._url + path, timeout=60)

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        return self._session.post(self._url + path, json=body, timeout=60)

    def redeem(self, session: requests.Session, reward: str) -> int:
        """The status of a redeem, sent over a connection of whoever sends it."""
        headers = {"Authorization": self._session.headers["Authorization"]}
        body = {"reward_id": reward}
        return session.post(f"{self._url}/api/rewards/redeem/", json=body, headers=headers, timeout=60).status_code

    def award(self, to: "Person") -> None:
        body = {"activity_type": "resource_share"}
        answer = self._session.post(f"{self._url}/api/users/{to.id}/add_points/", json=body, timeout=60)
        answer.raise_for_status()


def _checked_page(bench: Bench) -> None:
    """The page is whole, and ranks are those that counting gives."""
    for number in bench.viewers(5):
        found = Person(bench, number).get(PAGE).json()
        shown = bench.stage.sql("SELECT count(*) FROM scores WHERE board = 'all_time' AND shown")[0][0]
        bench.check("a page holds 100 or all there are", len(found["items"]) == min(100, shown))
        if me := found["me"]:
            above = "SELECT count(*) FROM scores WHERE board = 'all_time' AND shown AND points > %s"
            rank = bench.stage.sql(above, me["points"])[0][0] + 1
            bench.check(f"the rank of member {number} is {rank}, not {me['rank']}", me["rank"] == rank)


def leaderboard(bench: Bench) -> None:
    """P3: the page of a hundred with one's own rank and neighbours."""
    seconds = bench.options.length(5)
    bench.stage.start(*POINTS)
    _checked_page(bench)
    words = "leaderboard page of 100 with own rank"
    target = Target("<= 15 ms at 1 M", at_most=15) if bench.members >= SIZES[-1] else None
    middle = bench.add(Figure("P3", f"{words}, {FEW} clients, p50", "ms", bench.members))
    late = bench.add(Figure("P3", f"{words}, {FEW} clients, p99", "ms", bench.members, target=target))
    shipped = SHIPPED.get(bench.members, "")
    crowd = bench.add(Figure("P3", f"{words}, {MANY} clients, p50", "ms", bench.members, shipped=shipped))
    pages = bench.add(Figure("P3", f"{words}, {MANY} clients", "/s", bench.members, FLASK, note=bench.web))
    for _ in bench.runs(f"P3 at {bench.members:,} members"):
        limit = flask_limit(bench.stage, min(seconds, 3))
        bench.fresh_web()
        alone, run = Run(0.0), Run(0.0, limit)
        with bench.watched(alone):
            few = bench.play(bench.reads(PAGE), FEW, seconds)
        with bench.watched(run):
            many = bench.play(bench.reads(PAGE), MANY, seconds)
        for found in (few, many):
            bench.check(f"every page was answered with 200, not {found['statuses']}", set(found["statuses"]) <= {"200"})
        alone.value, alone.details = few["p50_ms"], few
        run.value, run.done, run.details = many["rate"], many["total"], many
        middle.runs.append(alone)
        late.runs.append(Run(few["p99_ms"]))
        crowd.runs.append(Run(many["p50_ms"]))
        pages.runs.append(run)
    _freshness(bench)


def _freshness(bench: Bench) -> None:
    """How long until an award shows on the board of the one who got it."""
    target = Target("<= 2 s", at_most=2_000) if bench.members == bench.options.sizes[-1] else None
    figure = bench.add(Figure("P3", "an award shows on the board, slowest of 10", "ms", bench.members, target=target))
    admin, person = Person(bench, bench.members, "admin"), Person(bench, bench.viewers()[-1])
    for _ in range(bench.options.runs):
        slowest = 0.0
        for _ in range(10):
            before = (person.get(PAGE).json()["me"] or {"points": 0})["points"]
            admin.award(person)
            began = time.monotonic()
            while (person.get(PAGE).json()["me"] or {"points": 0})["points"] <= before:
                if time.monotonic() > began + 10:
                    break
                time.sleep(0.005)
            slowest = max(slowest, time.monotonic() - began)
        figure.runs.append(Run(slowest * 1000))


VIEWS = {
    "dashboard": ("/api/dashboard/stats/?period=30days", "111", 440),
    "timeline of 90 days": ("/api/points/timeline/?granularity=daily&days=90", "114", 515),
}


def dashboard(bench: Bench) -> None:
    """P4: the dashboard and the timeline, each by itself."""
    missing = []
    bench.stage.start(*POINTS)
    for what, (path, shipped, tuned) in VIEWS.items():
        share = 1.5 * tuned / PEER_FLASK
        target = Target(f">= 1.5x the peer tuned: {share:.3f} of plain Flask", at_least=share, of_limit=True)
        status = Person(bench, bench.viewers()[0]).get(path).status_code
        if status == 404:
            missing.append(path.partition("?")[0])
            bench.add(Figure("P4", what, "/s", bench.members, FLASK, target, shipped, str(tuned), missing=True))
            continue
        note = f"{bench.web}, {bench.options.rows} ledger rows each"
        figure = Figure("P4", f"{what}, {MANY} clients", "/s", bench.members, FLASK, target, shipped, str(tuned), note)
        _view(bench, bench.add(figure), path)
    if not missing:
        _stale(bench)
    elif len(missing) == len(VIEWS):
        raise NotYet(f"{' and '.join(missing)} answer 404")


def _view(bench: Bench, figure: Figure, path: str) -> None:
    seconds = bench.options.length(5)
    for _ in bench.runs(f"P4 {path.partition('?')[0]}"):
        run = Run(0.0, flask_limit(bench.stage, min(seconds, 3)))
        bench.fresh_web()
        with bench.watched(run):
            found = bench.play(bench.reads(path), MANY, seconds)
        bench.check(f"every {path} was answered with 200, not {found['statuses']}", set(found["statuses"]) <= {"200"})
        run.value, run.done, run.details = found["rate"], found["total"], found
        figure.runs.append(run)


def _stale(bench: Bench) -> None:
    """Reads of the dashboard right after an award that do not show it."""
    figure = bench.add(Figure("P4", "stale dashboards of 12", "", bench.members, target=Target("none", at_most=0)))
    figure.shipped = "8-11"
    admin, path = Person(bench, bench.members, "admin"), VIEWS["dashboard"][0]
    for _ in range(bench.options.runs):
        stale = 0
        for number in bench.viewers(12):
            person = Person(bench, number)
            before = person.get(path).json()["current_period"]["points_earned"]
            admin.award(person)
            stale += person.get(path).json()["current_period"]["points_earned"] <= before
        figure.runs.append(Run(float(stale)))


GROWING = {
    "award": ("", 1.5),
    "balance": ("/api/points/balance/", 1.5),
    "points-logs page": ("/api/points-logs/", 1.5),
    "leaderboard page": (PAGE, 2.0),
}


def growth(bench: Bench) -> None:
    """P10: the time of each at this size; at the largest also how it grew since the smallest."""
    seconds = bench.options.length(4)
    bench.stage.start(*POINTS)
    figures = {what: bench.add(_of_size(what, bench.members)) for what in GROWING}
    for _ in bench.runs(f"P10 at {bench.members:,} members"):
        bench.fresh_web()
        for what, (path, _) in GROWING.items():
            run = Run(0.0)
            with bench.watched(run):
                found: dict[str, Any] = bench.play(bench.reads(path) if path else bench.awards(), FEW, seconds)
            good = {"200"} if path else {"201"}
            bench.check(
                f"every {what} was answered with {good}, not {found['statuses']}", set(found["statuses"]) <= good
            )
            run.value, run.done, run.details = found["p50_ms"], found["total"], found
            figures[what].runs.append(run)
    sizes = bench.options.sizes
    if bench.members != sizes[-1] or len(sizes) == 1:
        return
    for what, (_, most) in GROWING.items():
        small = next(figure for figure in bench.figures if figure.key == _of_size(what, sizes[0]).key)
        base = statistics.median(small.values)
        target = Target(f"<= {most:g}x", at_most=most)
        grown = bench.add(Figure("P10", f"{what}: {sizes[-1]:,} beside {sizes[0]:,} members", "x", target=target))
        grown.runs += [Run(value / base) for value in figures[what].values]
    say("P10: the ledger has " + f"{bench.stage.sql('SELECT count(*) FROM transfers')[0][0]:,} rows now")


def _of_size(what: str, members: int) -> Figure:
    return Figure("P10", f"{what}, {FEW} clients, p50", "ms", members)
