"""The assignment is the best there is: compared with a solver that knows nothing of ours, on random instances."""

import random

import networkx
import pytest

from services.reviews.assignment import assign

pytestmark = pytest.mark.static


def best_total(scores: dict[int, dict[str, int]], capacity: dict[str, int]) -> int:
    """The largest total by network simplex."""
    graph = networkx.DiGraph()
    for row, choices in scores.items():
        graph.add_edge("source", ("row", row), capacity=1, weight=0)
        graph.add_edge(("row", row), "sink", capacity=1, weight=0)
        for place, score in choices.items():
            graph.add_edge(("row", row), ("place", place), capacity=1, weight=-score)
    for place, room in capacity.items():
        graph.add_edge(("place", place), "sink", capacity=room, weight=0)
    graph.add_node("source", demand=-len(scores))
    graph.add_node("sink", demand=len(scores))
    return -networkx.network_simplex(graph)[0]


def total(found: dict[int, str], scores: dict[int, dict[str, int]]) -> int:
    return sum(scores[row][place] for row, place in found.items())


@pytest.mark.parametrize("round_", range(60))
def test_the_total_equals_the_optimum_of_an_independent_solver(round_: int, seed: int) -> None:
    chance = random.Random(f"{seed}/{round_}")
    places = [f"p{number}" for number in range(chance.randint(1, 9))]
    capacity = {place: chance.randint(0, 3) for place in places}
    scores = {
        row: {place: chance.randint(1, 100) for place in places if chance.random() < 0.6}
        for row in range(chance.randint(1, 16))
    }
    found = assign(scores, capacity)
    assert all(place in scores[row] for row, place in found.items())
    assert all(list(found.values()).count(place) <= room for place, room in capacity.items())
    assert total(found, scores) == best_total(scores, capacity)


def test_it_is_not_greedy() -> None:
    scores = {"Ada": {"Bo": 90, "Cy": 80}, "Dan": {"Bo": 89}}
    assert assign(scores, {"Bo": 1, "Cy": 1}) == {"Ada": "Cy", "Dan": "Bo"}


def test_nobody_is_given_to_a_full_place() -> None:
    assert assign({"Ada": {"Bo": 90}}, {"Bo": 0}) == {}
    assert assign({}, {"Bo": 1}) == {}
