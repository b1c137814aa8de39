"""The leaderboard against its definition: ties, periods, who is shown, the viewer's own place, and a naive recount."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet import settings
from fleet.contracts.points import Leaderboard
from fleet.database import transaction
from fleet.messages import new_id
from services.points import admin_awards, deeds, leaderboard, ledger
from tests.locks import until_it_waits

# A Wednesday.
NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        return self.moment


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of awards and boards; `clock.moment = ...` sets it."""
    made = Clock()
    monkeypatch.setattr(deeds, "now", made)
    monkeypatch.setattr(admin_awards, "now", made)
    monkeypatch.setattr(leaderboard, "now", made)
    return made


@pytest.fixture
def give(clock: Clock) -> Callable[..., None]:
    """`give(member_id, 10, at=...)` awards points at that moment."""

    def award(member_id: UUID, worth: int, at: datetime = NOW) -> None:
        present, clock.moment = clock.moment, at
        with transaction() as session:
            ledger.know(session, member_id)
            admin_awards.award_by_admin(session, member_id, "peer_mentor", actor=new_id(), points=worth, details=None)
        clock.moment = present

    return award


def board(viewer: UUID | None = None, limit: int = 100, cursor: str | None = None, **filters: Any) -> Leaderboard:
    with transaction() as session:
        return leaderboard.read(session, leaderboard.View(viewer=viewer, **filters), limit, cursor)


def lines(places: Sequence[Any]) -> list[tuple[int, str, int]]:
    return [(place.rank, place.display_name, place.points) for place in places]


def pages(limit: int, **filters: Any) -> list[tuple[int, str, int]]:
    """All lines of a board, page by page."""
    found, cursor = [], None
    while True:
        page = board(limit=limit, cursor=cursor, **filters)
        found += lines(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert len(page.items) == limit


def test_nobody_is_on_an_empty_board():
    assert board(new_id()) == Leaderboard("all_time", [], 0, None, None)


def test_ties_share_a_rank_and_the_next_one_is_skipped(member, give):
    for name, worth in (("Ada", 30), ("Bob", 30), ("Eve", 20), ("Zoe", 20), ("Kim", 10)):
        give(member(name), worth)
    assert [rank for rank, _, _ in lines(board().items)] == [1, 1, 3, 3, 5]
    assert board().total == 5


def test_within_a_tie_who_got_there_first_comes_first(member, give):
    late, early, middle = member("Late"), member("Early"), member("Middle")
    give(late, 10, at=NOW - 3 * HOUR)
    give(middle, 20, at=NOW - HOUR)
    give(late, 10, at=NOW)
    give(early, 20, at=NOW - 2 * HOUR)
    assert lines(board().items) == [(1, "Early", 20), (1, "Middle", 20), (1, "Late", 20)]


def test_what_happened_first_counts_whatever_arrived_first(member, give):
    ada, bob = member("Ada"), member("Bob")
    give(ada, 10, at=NOW)
    give(ada, 10, at=NOW - 5 * HOUR)
    give(bob, 20, at=NOW - HOUR)
    assert lines(board().items) == [(1, "Bob", 20), (1, "Ada", 20)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_go_on_within_a_tie(limit, member, give):
    for number in range(7):
        give(member(f"Member {number}"), 10)
    found = pages(limit)
    assert [rank for rank, _, _ in found] == [1] * 7
    assert len({name for _, name, _ in found}) == 7


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", datetime(2026, 3, 16, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 3, 16, 4, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2026, 3, 15, 18, 30, tzinfo=UTC)),
    ],
)
def test_a_week_begins_on_monday_in_the_programmes_zone(zone, start, member, give, monkeypatch):
    monkeypatch.setenv("PROGRAM_TIMEZONE", zone)
    settings.read.cache_clear()
    early, late = member("Before"), member("After")
    give(early, 10, at=start - timedelta(seconds=1))
    give(late, 10, at=start)
    assert lines(board(period="weekly").items) == [(1, "After", 10)]
    # Who has no points in the period stands behind all who have some.
    me = board(early, period="weekly").me
    assert (me.rank, me.points, me.total_points, lines(me.above), me.below) == (2, 0, 10, [(1, "After", 10)], [])
    assert len(board().items) == 2


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("UTC", datetime(2026, 3, 1, tzinfo=UTC)),
        # The month begins in winter time, the present is in summer time.
        ("America/New_York", datetime(2026, 3, 1, 5, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 2, 28, 10, tzinfo=UTC)),
    ],
)
def test_a_month_begins_on_its_first_in_the_programmes_zone(zone, start, member, give, monkeypatch):
    monkeypatch.setenv("PROGRAM_TIMEZONE", zone)
    settings.read.cache_clear()
    give(member("Before"), 10, at=start - timedelta(seconds=1))
    give(member("After"), 10, at=start)
    assert lines(board(period="monthly").items) == [(1, "After", 10)]


def test_a_new_week_is_a_new_board(member, give, clock):
    give(member("Ada"), 10)
    clock.moment = datetime(2026, 3, 22, 23, 59, 59, tzinfo=UTC)
    assert board(period="weekly").total == 1
    clock.moment += timedelta(seconds=1)
    assert board(period="weekly").total == 0
    assert board(period="monthly").total == 1


def test_a_period_shows_its_points_beside_the_lifetime_ones(member, give):
    ada = member("Ada")
    give(ada, 100, at=NOW - timedelta(days=60))
    give(ada, 7)
    [place] = board(ada, period="weekly").items
    assert (place.points, place.total_points, place.is_me) == (7, 107, True)
    me = board(ada, period="weekly").me
    assert (me.rank, me.points, me.total_points) == (1, 7, 107)


def test_spending_never_lowers_a_rank(member, give):
    ada, bob = member("Ada"), member("Bob")
    give(ada, 30)
    give(bob, 20)
    with transaction() as session:
        balance = ledger.lock_balance(session, ada)
        balance.available, balance.redeemed = 0, 30
    assert [name for _, name, _ in lines(board().items)] == ["Ada", "Bob"]


@pytest.mark.parametrize("period", ["all_time", "weekly", "monthly"])
def test_only_students_who_agreed_and_have_a_name_are_shown(period, member, give):
    shown = [member("Ada"), member("Bob")]
    hidden = member("Hidden", show_in_leaderboard=False)
    others = [member(role.title(), role=role) for role in ("admin", "company", "university")]
    nameless = new_id()
    for place, who in enumerate((*others, nameless, hidden, *shown)):
        give(who, 100 - 10 * place)
    assert [name for _, name, _ in lines(board(period=period).items)] == ["Ada", "Bob"]
    assert board(period=period).total == 2
    assert [board(who, period=period).me for who in others] == [None] * 3
    # Each sees where they stand among those shown.
    assert [board(who, period=period).me.rank for who in (nameless, hidden, *shown)] == [1, 1, 1, 2]
    assert lines(board(hidden, period=period).me.below) == lines(board().items)


def test_the_own_place_has_two_neighbours_on_either_side(member, give):
    ids = [member(name) for name in "ABCDEFG"]
    for place, who in enumerate(ids):
        give(who, 70 - 10 * place)
    me = board(ids[3], limit=1).me
    assert (me.rank, me.points, me.total_points) == (4, 40, 40)
    assert lines(me.above) == [(2, "B", 60), (3, "C", 50)]
    assert lines(me.below) == [(5, "E", 30), (6, "F", 20)]
    assert lines(board(ids[0]).me.above) == []
    assert lines(board(ids[1]).me.above) == [(1, "A", 70)]
    assert lines(board(ids[6]).me.below) == []


def test_neighbours_in_a_tie_have_the_rank_of_the_tie(member, give):
    ids = [member(name) for name in "ABCDE"]
    for place, who in enumerate(ids):
        give(who, 10, at=NOW + place * timedelta(seconds=1))
    me = board(ids[2]).me
    assert me.rank == 1
    assert lines(me.above) == [(1, "A", 10), (1, "B", 10)]
    assert lines(me.below) == [(1, "D", 10), (1, "E", 10)]


def test_who_opted_out_knows_their_place_and_is_nobodys_neighbour(member, give):
    ada, hidden, bob = member("Ada"), member("Hidden", show_in_leaderboard=False), member("Bob")
    give(ada, 30)
    give(hidden, 20)
    give(bob, 10)
    me = board(hidden).me
    assert (me.rank, lines(me.above), lines(me.below)) == (2, [(1, "Ada", 30)], [(2, "Bob", 10)])
    assert lines(board(ada).me.below) == [(2, "Bob", 10)]
    assert not any(place.is_me for place in board(hidden).items)


def test_filters_rank_among_those_who_match(member, give):
    for name, track, university, worth in (
        ("Ada", "tech", "ETH", 40),
        ("Bob", "finance", "ETH", 30),
        ("Eve", "tech", "MIT", 20),
        ("Zoe", "tech", "ETH", 10),
    ):
        give(member(name, track=track, university=university), worth)
    assert lines(board(track="tech").items) == [(1, "Ada", 40), (2, "Eve", 20), (3, "Zoe", 10)]
    assert lines(board(university="ETH").items) == [(1, "Ada", 40), (2, "Bob", 30), (3, "Zoe", 10)]
    assert lines(board(track="tech", university="ETH").items) == [(1, "Ada", 40), (2, "Zoe", 10)]
    assert (board(track="tech").total, board(track="none").total) == (3, 0)


@pytest.mark.parametrize("period", ["all_time", "weekly", "monthly"])
def test_a_change_of_mind_moves_all_boards(period, member, give):
    ada = member("Ada")
    give(ada, 10)
    member("Ada", 2, member_id=ada, show_in_leaderboard=False)
    assert board(ada, period=period).items == []
    give(ada, 10)
    assert board(period=period).items == []
    member("Ada", 3, member_id=ada)
    assert lines(board(period=period).items) == [(1, "Ada", 20)]
    member("Ada", 4, member_id=ada, role="admin")
    assert (board(ada, period=period).items, board(ada, period=period).me) == ([], None)


def test_who_becomes_known_later_appears_with_what_they_earned(member, give):
    ada = new_id()
    give(ada, 10)
    assert board().items == []
    member("Ada", member_id=ada)
    assert lines(board().items) == [(1, "Ada", 10)]


def test_an_opt_out_waits_for_the_award_under_way(member):
    """Else the new board rows of the award, which the update cannot see yet, would stay visible."""
    ada = member("Ada")
    with ThreadPoolExecutor(1) as pool:
        with transaction() as session:
            deeds.award_deed(session, ada, "discord_activity", NOW, "deed 1")
            change = pool.submit(member, "Ada", 2, member_id=ada, show_in_leaderboard=False)
            until_it_waits(change)
        change.result(10)
    assert board().items == []
    with transaction() as session:
        assert session.execute(text("SELECT DISTINCT shown FROM scores")).scalars().all() == [False]


def recount(
    people: dict[UUID, dict[str, Any]], awards: list[tuple[UUID, int, datetime]], start: datetime
) -> list[UUID]:
    """Everybody who earned since `start`, in order: the definition, without the service's code."""
    points: Counter[UUID] = Counter()
    reached: dict[UUID, datetime] = {}
    for who, worth, at in awards:
        if at >= start:
            points[who] += worth
            reached[who] = max(at, reached.get(who, at))
    for who, person in people.items():
        person["points"] = points[who]
    return sorted(reached, key=lambda who: (-points[who], reached[who], who))


def ranked(order: list[UUID], people: dict[UUID, dict[str, Any]]) -> list[tuple[int, str, int]]:
    worth = [people[who]["points"] for who in order]
    return [(worth.index(people[who]["points"]) + 1, people[who]["name"], people[who]["points"]) for who in order]


def test_every_board_is_what_a_naive_recount_says(member, give, seed):
    chance = random.Random(seed)
    people: dict[UUID, dict[str, Any]] = {}
    for number in range(30):
        person = {
            "name": f"Member {number}",
            "role": chance.choice(["student"] * 6 + ["admin", "company"]),
            "show_in_leaderboard": chance.random() < 0.8,
            "track": chance.choice(["tech", "finance", None]),
            "university": chance.choice(["ETH", "MIT", None]),
        }
        words = {name: value for name, value in person.items() if name != "name"}
        people[member(person["name"], **words)] = person
    awards = []
    for _ in range(150):
        at = NOW - timedelta(days=chance.choice([0, 0, 1, 2, 3, 17, 18, 40]), hours=chance.randrange(3))
        awards.append((chance.choice(list(people)), chance.choice([1, 1, 2]), at))
        give(*awards[-1])
    starts = {
        "all_time": datetime(2000, 1, 1, tzinfo=UTC),
        "weekly": datetime(2026, 3, 16, tzinfo=UTC),
        "monthly": datetime(2026, 3, 1, tzinfo=UTC),
    }
    for period, start in starts.items():
        everybody = recount(people, awards, start)
        for filters in ({}, {"track": "tech"}, {"university": "ETH"}, {"track": "tech", "university": "ETH"}):
            visible = [
                who
                for who in everybody
                if people[who]["role"] == "student"
                and people[who]["show_in_leaderboard"]
                and all(people[who][name] == value for name, value in filters.items())
            ]
            expected = ranked(visible, people)
            for limit in (1, 3, 100):
                assert pages(limit, period=period, **filters) == expected
            assert board(period=period, **filters).total == len(expected)
        for who in chance.sample(list(people), 12):
            me = board(who, limit=1, period=period).me
            if people[who]["role"] != "student":
                assert me is None
                continue
            visible = [x for x in everybody if people[x]["role"] == "student" and people[x]["show_in_leaderboard"]]
            assert me.rank == 1 + sum(people[x]["points"] > people[who]["points"] for x in visible)
            position = everybody.index(who) if who in everybody else len(everybody)
            above = [x for x in visible if everybody.index(x) < position]
            below = [x for x in visible if everybody.index(x) > position]
            places = {name: (rank, name, worth) for rank, name, worth in ranked(visible, people)}
            assert lines(me.above) == [places[people[x]["name"]] for x in above[-2:]]
            assert lines(me.below) == [places[people[x]["name"]] for x in below[:2]]


def test_over_http_a_place_holds_nothing_personal(member, give, client, keys):
    ada, bob = member("Ada"), member("Bob", track="tech")
    give(ada, 10)
    give(bob, 20)
    answer = client.get("/api/leaderboard/?limit=1", headers=keys.bearer(ada))
    assert answer.status_code == 200
    cursor = answer.json.pop("next_cursor")
    first = {"rank": 1, "display_name": "Bob", "total_points": 20, "points": 20, "is_me": False}
    assert answer.json == {
        "items": [first],
        "next_cursor": cursor,
        "me": {"rank": 2, "total_points": 10, "points": 10, "above": [first], "below": []},
        "total": 2,
    }
    second = client.get("/api/leaderboard", query_string={"cursor": cursor}, headers=keys.bearer(ada)).json
    assert [(item["display_name"], item["is_me"]) for item in second["items"]] == [("Ada", True)]
    assert second["next_cursor"] is None
    filtered = client.get("/api/leaderboard/?track=tech&period=weekly", headers=keys.bearer(ada, "admin")).json
    assert [item["display_name"] for item in filtered["items"]] == ["Bob"]
    assert client.get("/api/leaderboard/", headers=keys.bearer(new_id(), "company")).json["me"] is None
