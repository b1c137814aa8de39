"""The best assignment of requests to places that hold only so many: the largest total, not one after the other.

Successive shortest paths with potentials (the Hungarian method with capacities): each request is inserted along the
cheapest chain of moves, which keeps the total the largest possible for the requests so far. A place that is not full has
potential 0, so of these only the best one of a row is looked at; places that are full stay full.
"""

from collections.abc import Hashable, Mapping, Sequence
from heapq import heappop, heappush
from typing import TypeVar

# Sums of whole numbers are exact: no chain of moves may turn in a circle because of a rounding error.
GRAIN = 1_000_000
Row = TypeVar("Row", bound=Hashable)
Place = TypeVar("Place", bound=Hashable)
NOWHERE = -1


def assign(scores: Mapping[Row, Mapping[Place, float]], capacity: Mapping[Place, int]) -> dict[Row, Place]:
    """Rows to places so that the sum of scores is the largest possible and no place holds more than its capacity.

    `scores[row][place]`: only places that a row may have, all above 0. Rows that find no place are left out.
    """
    rows = list(scores)
    places = sorted({place for choices in scores.values() for place in choices}, key=repr)
    numbers = {place: number for number, place in enumerate(places)}
    costs = [{numbers[place]: -round(score * GRAIN) for place, score in scores[row].items()} for row in rows]
    room = [capacity.get(place, 0) for place in places]
    solved = _Solver(costs, room)
    for row in range(len(rows)):
        solved.insert(row)
    return {rows[row]: places[place] for row, place in enumerate(solved.place_of) if place != NOWHERE}


class _Solver:
    def __init__(self, costs: Sequence[dict[int, int]], room: list[int]) -> None:
        self.costs = costs
        self.room = room
        self.sorted = [sorted(choices, key=choices.__getitem__) for choices in costs]
        self.next_free = [0] * len(costs)
        self.rows_of: list[list[int]] = [[] for _ in room]
        self.place_of = [NOWHERE] * len(costs)
        self.full = {place for place, left in enumerate(room) if left <= 0}
        self.row_potential = [0] * len(costs)
        self.place_potential = [0] * len(room)

    def insert(self, root: int) -> None:
        """Give one more row its place, along the cheapest chain of moves."""
        usable = [self.costs[root][place] - self.place_potential[place] for place in self.costs[root]]
        self.row_potential[root] = min([0, *usable])
        reached: dict[int, int] = {root: 0}
        came: dict[int, tuple[int, int]] = {}
        done: dict[int, int] = {}
        queue: list[tuple[int, int, int]] = []
        self._relax(root, 0, came, queue)
        while True:
            length, place, row = heappop(queue)
            if place in done or (place != NOWHERE and came[place] != (length, row)):
                continue
            if place == NOWHERE or place not in self.full:
                break
            done[place] = length
            for holder in self.rows_of[place]:
                reached[holder] = length
                self._relax(holder, length, came, queue)
        for each, distance in reached.items():
            self.row_potential[each] += length - distance
        for each, distance in done.items():
            self.place_potential[each] += distance - length
        self._move(place, row, root, came)

    def _relax(
        self, row: int, length: int, came: dict[int, tuple[int, int]], queue: list[tuple[int, int, int]]
    ) -> None:
        """Offer what can be reached from a row: nowhere, the best place that is not full, and those that are full."""
        base, costs = length - self.row_potential[row], self.costs[row]
        heappush(queue, (base, NOWHERE, row))
        order = self.sorted[row]
        while self.next_free[row] < len(order) and order[self.next_free[row]] in self.full:
            self.next_free[row] += 1
        if self.next_free[row] < len(order):
            self._offer(order[self.next_free[row]], base + costs[order[self.next_free[row]]], row, came, queue)
        for place in self.full if len(self.full) < len(costs) else costs:
            if place in costs and place in self.full:
                self._offer(place, base + costs[place] - self.place_potential[place], row, came, queue)

    def _offer(
        self,
        place: int,
        length: int,
        row: int,
        came: dict[int, tuple[int, int]],
        queue: list[tuple[int, int, int]],
    ) -> None:
        if self.room[place] > 0 or self.rows_of[place]:
            known = came.get(place)
            if known is None or length < known[0]:
                came[place] = (length, row)
                heappush(queue, (length, place, row))

    def _move(self, place: int, row: int, root: int, came: dict[int, tuple[int, int]]) -> None:
        """Move every row along the chain that ends with `row` at `place`, back to the root."""
        while True:
            left = self.place_of[row]
            if left != NOWHERE:
                self.rows_of[left].remove(row)
            self.place_of[row] = place
            if place != NOWHERE:
                self.rows_of[place].append(row)
                if len(self.rows_of[place]) >= self.room[place]:
                    self.full.add(place)
            if row == root:
                return
            place, row = left, came[left][1]
