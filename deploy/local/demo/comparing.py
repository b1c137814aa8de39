"""Boards side by side: what was counted, what Discord shows, what REST shows."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

# Keeps a right-to-left name from turning the columns after it round.
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
MISSING = "-"


class Row(NamedTuple):
    """One line of a board."""

    rank: int
    name: str
    points: int


Key = tuple[str, int]


def ranked(points: Iterable[tuple[str, int]]) -> list[Row]:
    """These people as a board: most points first, equal points share a rank (1, 1, 3)."""
    rows: list[Row] = []
    for position, (name, each) in enumerate(sorted(points, key=lambda one: (-one[1], one[0])), 1):
        rank = rows[-1].rank if rows and rows[-1].points == each else position
        rows.append(Row(rank, name, each))
    return rows


def equal(expected: Sequence[Row], shown: Sequence[Row]) -> bool:
    """True when the same people are there with the same points and ranks, best first; within a tie in any order."""
    falling = all(one.points >= other.points for one, other in pairwise(shown))
    return falling and Counter(expected) == Counter(shown)


def _keyed(rows: Iterable[Row]) -> dict[Key, Row]:
    """Rows by name; several people of one name are told apart by their order."""
    seen: Counter[str] = Counter()
    found = {}
    for row in sorted(rows, key=lambda one: -one.points):
        found[row.name, seen[row.name]] = row
        seen[row.name] += 1
    return found


class Line(NamedTuple):
    """One person in the table: how the boards show them, None where they are missing."""

    name: str
    rows: list[Row | None]

    @property
    def differs(self) -> bool:
        """True when not all boards agree."""
        return len(set(self.rows)) > 1

    @property
    def points_differ(self) -> bool:
        """True when the points are not the same on all boards, or somebody is missing on one."""
        return len({row and row.points for row in self.rows}) > 1


def side_by_side(boards: Sequence[Sequence[Row]]) -> list[Line]:
    """Everybody who is on any of the boards, in the order of the first one; who is missing there comes last."""
    lines: dict[Key, list[Row | None]] = defaultdict(lambda: [None] * len(boards))
    for number, board in enumerate(boards):
        for key, row in _keyed(board).items():
            lines[key][number] = row
    return [Line(name, rows) for (name, _), rows in lines.items()]


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    columns = 0
    for character in text:
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def pad(text: str, columns: int) -> str:
    """The text with spaces up to so many columns; right-to-left text isolated from what follows."""
    right_to_left = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    shown = f"{_ISOLATE}{text}{_END_ISOLATE}" if right_to_left else text
    return shown + " " * (columns - width(text))


def chosen(lines: Sequence[Line], first: int, names: Iterable[str]) -> list[Line]:
    """What of a long table is printed: the first ones, everybody of these names, and whoever's points differ.

    One wrong number moves the ranks of everybody below; they are only printed when no points are wrong.
    """
    wanted = set(names)
    only_ranks = not any(line.points_differ for line in lines)

    def shown(number: int, line: Line) -> bool:
        return number < first or line.name in wanted or line.points_differ or (only_ranks and line.differs)

    return [line for number, line in enumerate(lines) if shown(number, line)]


def left_out(lines: Sequence[Line], shown: Sequence[Line]) -> str:
    """A sentence about the lines of the table that are not printed; empty when all are."""
    agree = sum(not line.differs for line in lines) - sum(not line.differs for line in shown)
    others = len(lines) - len(shown) - agree
    parts = [f"{agree:,} more, on which all agree"] if agree else []
    parts += [f"{others:,} more whose rank differs in consequence"] if others else []
    return f"... and {', and '.join(parts)}" if parts else ""


def table(lines: Sequence[Line], headings: Sequence[str]) -> list[str]:
    """The lines as aligned text under their headings, with a mark where they differ."""
    columns = max([width("name"), *(width(line.name) for line in lines)])
    cells = [[_cell(row) for row in line.rows] for line in lines]
    widths = [max([len(heading), *(len(row[n]) for row in cells)]) for n, heading in enumerate(headings)]
    texts = ["  ".join([pad("name", columns), *(h.rjust(w) for h, w in zip(headings, widths, strict=True))])]
    for line, row in zip(lines, cells, strict=True):
        parts = [pad(line.name, columns), *(cell.rjust(w) for cell, w in zip(row, widths, strict=True))]
        texts.append("  ".join(parts) + ("   differs" if line.differs else ""))
    return texts


def _cell(row: Row | None) -> str:
    return f"#{row.rank:<3} {row.points:>4}" if row else MISSING


def expected(before: Iterable[Row], recounted: Mapping[str, int]) -> list[Row]:
    """The board that has to be there: whoever was on it before the play, unchanged, and the members of the play."""
    return ranked([*((row.name, row.points) for row in before), *recounted.items()])
