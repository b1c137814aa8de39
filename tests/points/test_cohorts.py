"""Cohorts: figures of groups, and that nobody's can be computed from what is shown."""

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from fleet.database import transaction
from fleet.messages import new_id
from services.points import analytics_schemas, cohorts
from services.points.figures import Trend
from services.points.models import Member
from tests.answers import pointers, refused
from tests.points.histories import alias, at_time, row, write

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW, THEN = NOON - timedelta(days=1), NOON - timedelta(days=40)


def read(by="track", university=None, period="30days") -> cohorts.Cohorts:
    with at_time(NOON), transaction() as session:
        return cohorts.read(session, by, period, university)


def students(count: int, earning: int = 0, before: int = 0, **words: Any) -> None:
    """`count` students, of whom `earning` earned 10 in the window, and `before` earned 20 in the one before."""
    ids = [new_id() for _ in range(count)]
    with transaction() as session:
        session.execute(insert(Member), [{"id": id_, "role": "student", "status": "active"} | words for id_ in ids])
    for index, id_ in enumerate(ids):
        rows = [row("award", 10, NOW)] * (index < earning) + [row("award", 20, THEN)] * (index < before)
        write(rows, id_)


class TestFigures:
    def test_a_group_with_all_its_figures(self):
        students(6, earning=5, before=6, track="tech")
        students(10, earning=10, before=5, track="consulting")
        found = read()
        assert [item.group for item in found.items] == ["consulting", "tech"]
        assert found.suppressed is False
        tech = found.items[1]
        assert vars(tech) == {
            "group": "tech",
            "members": 6,
            "active_members": 5,
            "points_earned": 50,
            "activities_completed": 5,
            "average_points": 8.3,
            "trends": {
                "active_members": Trend(-1, -16.67, "down"),
                "points_earned": Trend(-70, -58.33, "down"),
                "activities_completed": Trend(-1, -16.67, "down"),
            },
        }

    def test_only_present_students_count(self, member):
        students(5, 5, 5, track="tech")
        students(3, 3, 3, track="tech", role="admin")
        students(3, 3, 3, track="tech", status="erased")
        alias(member("Merged", track="tech"), member("Ada", track="tech"))
        assert [(item.group, item.members) for item in read().items] == [("tech", 6)]

    def test_corrections_count_and_spending_does_not(self, member):
        students(5, 5, 5, track="tech")
        fixed = member("Ada", track="tech")
        write([row("adjustment", 7, NOW, down=True), row("hold", 500, NOW)], fixed)
        (tech,) = read().items
        assert (tech.members, tech.active_members, tech.points_earned, tech.activities_completed) == (6, 6, 43, 5)

    def test_who_gave_none_is_a_group(self):
        students(5, 5, 5, track=None)
        assert [item.group for item in read().items] == [None]

    def test_years_are_numbers(self):
        students(5, 5, 5, graduation_year=2027)
        assert [item.group for item in read("graduation_year").items] == [2027]

    def test_a_university_has_its_own_students_only(self):
        students(7, 7, 7, track="tech", university="MIT")
        students(9, 9, 9, track="tech", university="ETH")
        assert [item.members for item in read(university="MIT").items] == [7]
        assert [item.group for item in read("university", "MIT").items] == ["MIT"]
        assert [item.members for item in read().items] == [16]


class TestSuppression:
    def test_a_group_of_four_is_not_shown_and_drags_the_smallest_other_along(self):
        students(4, 4, 4, track="tech")
        students(5, 5, 5, track="finance")
        students(9, 9, 9, track="consulting")
        found = read()
        assert [item.group for item in found.items] == ["consulting"]
        assert found.suppressed is True

    def test_two_small_groups_protect_each_other_when_they_are_five(self):
        students(2, track="tech")
        students(3, track="finance")
        students(9, track="consulting")
        assert [item.group for item in read().items] == ["consulting"]

    def test_two_small_groups_of_three_in_all_do_not(self):
        students(1, track="tech")
        students(2, track="finance")
        students(9, track="consulting")
        students(12, track="data")
        assert [item.group for item in read().items] == ["data"]

    def test_a_single_small_group_shows_nothing(self):
        students(4, 4, 4, track="tech")
        assert read() == cohorts.Cohorts("track", "30days", [], True)

    def test_figures_of_few_active_people_are_hidden_in_a_large_group(self):
        students(50, earning=1, before=50, track="tech")
        students(50, earning=20, before=50, track="finance")
        students(50, earning=30, before=50, track="consulting")
        found = {item.group: item for item in read().items}
        assert {group: item.members for group, item in found.items()} == dict.fromkeys(found, 50)
        assert found["tech"].points_earned is found["finance"].points_earned is None
        assert found["tech"].average_points is found["tech"].active_members is found["tech"].trends is None
        assert found["consulting"].points_earned == 300

    def test_a_trend_is_hidden_when_it_would_tell_of_few_people_before(self):
        students(9, 9, before=2, track="tech")
        students(9, 9, before=9, track="finance")
        found = {item.group: item for item in read().items}
        assert [item.points_earned for item in found.values()] == [90, 90]
        assert [item.trends for item in found.values()] == [None, None]


# --- What a stranger can work out: linear algebra over everything shown, in exact fractions ---


def determined(equations: list[tuple[dict[Any, int], int]]) -> dict[Any, Fraction]:
    """The unknowns that the equations (coefficients, value) leave only one value for, by elimination."""
    names = sorted({name for left, _ in equations for name in left}, key=str)
    rows = [[Fraction(left.get(name, 0)) for name in names] + [Fraction(right)] for left, right in equations]
    pivots: list[int] = []
    for column in range(len(names)):
        pivot = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        top = len(pivots)
        rows[top], rows[pivot] = rows[pivot], rows[top]
        rows[top] = [value / rows[top][column] for value in rows[top]]
        for r, other in enumerate(rows):
            if r != top and other[column]:
                rows[r] = [a - other[column] * b for a, b in zip(other, rows[top], strict=True)]
        pivots.append(column)
    return {
        names[column]: rows[r][-1]
        for r, column in enumerate(pivots)
        if not any(rows[r][c] for c in range(len(names)) if c != column)
    }


people = st.lists(
    st.tuples(
        st.sampled_from(["tech", "finance", "data", None]),
        st.sampled_from(["MIT", "ETH", "KIT"]),
        st.sampled_from([2026, 2027, 2028]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)


def tables(crowd: list[tuple[Any, ...]]) -> dict[str, list[Counter[Any]]]:
    """For each of the three kinds of cell (members, active, active before): its true counts by each attribute."""
    chosen = {"members": crowd, "now": [p for p in crowd if p[3]], "before": [p for p in crowd if p[4]]}
    found = {}
    for kind, some in chosen.items():
        found[kind] = [Counter({p[a]: 0 for p in crowd}) for a in range(3)]
        for a in range(3):
            found[kind][a].update(p[a] for p in some)
    return found


def shown_of(true: dict[str, list[Counter[Any]]], attribute: int) -> dict[str, set[Any]]:
    members = cohorts.protect(true["members"][attribute])
    now = cohorts.protect(true["now"][attribute], members)
    return {"members": members, "now": now, "before": cohorts.protect(true["before"][attribute], now)}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(people)
def test_no_suppressed_cell_can_be_derived_across_the_three_groupings(crowd):
    true = tables(crowd)
    shown = [shown_of(true, attribute) for attribute in range(3)]
    for kind in true:
        equations: list[tuple[dict[Any, int], int]] = []
        for a, counts in enumerate(true[kind]):
            equations += [({(a, group): 1}, counts[group]) for group in shown[a][kind]]
        # What everybody knows: each grouping divides the same students.
        for a, b in itertools.pairwise(range(3)):
            left = {(a, group): 1 for group in true[kind][a]} | {(b, group): -1 for group in true[kind][b]}
            equations.append((left, 0))
        found = determined(equations)
        for a, counts in enumerate(true[kind]):
            hidden = {group for group in counts if group not in shown[a][kind]}
            derived = {group for group in hidden if (a, group) in found}
            assert not derived, f"{kind} by attribute {a}: {derived} can be computed"
            rest = sum(counts[group] for group in hidden)
            total_known = any(set(true[kind][b]) == shown[b][kind] for b in range(3))
            assert not hidden or not total_known or (len(hidden) >= 2 and rest >= 5)
            assert all(counts[group] >= 5 for group in shown[a][kind])
            assert shown[a]["before"] <= shown[a]["now"] <= shown[a]["members"]


def test_the_elimination_finds_what_a_plain_subtraction_does():
    whole = [({("u", 1): 1, ("u", 2): 1, ("t", 1): -1, ("t", 2): -1}, 0)]
    known = [({("t", 1): 1}, 7), ({("t", 2): 1}, 6), ({("u", 1): 1}, 10)]
    assert determined(whole + known)["u", 2] == 3
    assert ("u", 2) not in determined(whole + known[:2])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=3), st.integers(0, 12), max_size=8))
def test_no_more_is_hidden_than_must_be(counts):
    shown = cohorts.protect(counts)
    hidden = {group: count for group, count in counts.items() if group not in shown}
    large = sorted(count for count in hidden.values() if count >= 5)
    if large:
        # Without the last one that was added, the rest would not have been protected.
        rest = sorted(hidden.values(), reverse=True)
        rest.remove(large[-1])
        assert len(rest) < 2 or sum(rest) < 5
    assert not [count for group, count in counts.items() if count < 5 and group in shown]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people)
def test_the_statement_counts_what_the_people_are(points, truncate, crowd):
    truncate("points")
    for track, university, year, now, before in crowd:
        students(1, now, before, track=track, university=university, graduation_year=year)
    true = tables(crowd)
    for a, by in enumerate(cohorts.ATTRIBUTES):
        shown = shown_of(true, a)
        found = read(by)
        assert {item.group: item.members for item in found.items} == {
            g: true["members"][a][g] for g in shown["members"]
        }
        for item in found.items:
            active = true["now"][a][item.group] if item.group in shown["now"] else None
            assert (item.active_members, item.activities_completed) == (active, active)
            assert item.points_earned == (None if active is None else 10 * active)
            assert (item.trends is not None) == (item.group in shown["before"])
            if item.trends:
                before = true["before"][a][item.group]
                assert item.trends["active_members"].change == active - before
                assert item.trends["points_earned"].change == 10 * active - 20 * before
        assert found.suppressed == any(len(shown[kind]) < len(true[kind][a]) for kind in true)


class TestOverHttp:
    @pytest.fixture
    def get(self, keys, client) -> Callable[..., Any]:
        return lambda who, role, **query: client.get(
            "/api/analytics/cohorts/", headers=keys.bearer(who, role), query_string=query
        )

    @pytest.fixture(autouse=True)
    def crowd(self) -> None:
        students(6, track="tech", university="MIT", graduation_year=2027)
        students(8, track="tech", university="ETH", graduation_year=2028)

    def test_the_answer_is_as_described(self, get, member):
        answer = get(member("Acme", role="company"), "company", by="university").json
        loaded = analytics_schemas.Cohorts().load(answer)
        assert [(item["group"], item["members"]) for item in loaded["items"]] == [("ETH", 8), ("MIT", 6)]
        assert (answer["by"], answer["period"], answer["suppressed"]) == ("university", "30days", True)

    def test_approved_accounts_and_admins_see_them(self, get, member):
        assert get(member("Acme", role="company"), "company").json["items"][0]["members"] == 14
        assert get(new_id(), "admin").json["items"][0]["members"] == 14
        mit = member("MIT", role="university", university="MIT")
        assert get(mit, "university").json["items"][0]["members"] == 6
        assert [item["group"] for item in get(mit, "university", by="university").json["items"]] == ["MIT"]
        assert [item["group"] for item in get(mit, "university", by="graduation_year").json["items"]] == [2027]

    @pytest.mark.parametrize("role", ["company", "university"])
    @pytest.mark.parametrize("status", ["awaiting_approval", "suspended", "erased"])
    def test_accounts_that_nobody_approved_see_nothing(self, get, member, role, status):
        refused(get(member("Acme", role=role, status=status, university="MIT"), role), 403, "forbidden")

    @pytest.mark.parametrize("role", ["company", "university"])
    def test_accounts_that_points_has_not_heard_of_see_nothing(self, get, role):
        refused(get(new_id(), role), 403, "forbidden")

    def test_a_token_of_another_role_than_the_account_has_opens_nothing(self, get, member):
        refused(get(member("Ada", role="student"), "company"), 403, "forbidden")

    def test_a_university_without_a_name_sees_nobody(self, get, member):
        refused(get(member("?", role="university"), "university"), 403, "forbidden")

    def test_students_see_nothing(self, get, member):
        refused(get(member("Ada"), "student"), 403, "forbidden")

    @pytest.mark.parametrize(
        ("name", "value"), [("by", "role"), ("by", ""), ("by", "id"), ("period", "1days"), ("university", "MIT")]
    )
    def test_wrong_parameters_are_refused(self, get, name, value):
        assert pointers(get(new_id(), "admin", **{name: value})) == [f"/{name}"]
