"""The chart: ratios to their limits with the targets, and growth with the number of members. Plain SVG, no library."""

import math
from html import escape

from tests.bench.figures import Figure
from tests.bench.report import number

WIDTH, ROW, LEFT, RIGHT = 1000, 26, 440, 200
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7c3aed", "#be123c", "#0f766e")
STYLE = "text{font:13px system-ui,sans-serif;fill:#222}.small{font-size:11px;fill:#555}.head{font-size:16px;font-weight:600}"


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd", width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _ratios(figures: list[Figure], top: float) -> tuple[list[str], float]:
    """A bar for each figure that has a limit; a black tick is its target."""
    found = [_text(20, top, "Share of the limit measured in the same run (black: the target)", "head")]
    top += 16
    span = WIDTH - LEFT - RIGHT
    most = max([1.0, *(figure.ratio or 0.0 for figure in figures)]) * 1.05
    for figure in figures:
        ratio, middle = figure.ratio or 0.0, top + ROW / 2
        colour = "#b91c1c" if figure.met is False else "#0b6e99"
        found.append(_text(LEFT - 10, middle + 4, figure.key, anchor="end"))
        found.append(
            f'<rect x="{LEFT}" y="{top + 4:.1f}" width="{span * ratio / most:.1f}" height="{ROW - 8}" fill="{colour}"/>'
        )
        target = figure.target.at_least if figure.target and figure.target.of_limit else None
        if target:
            x = LEFT + span * target / most
            found.append(_line(x, top + 1, x, top + ROW - 1, "#000", 2))
        words = f"{ratio:.3f} of {figure.limit_name} ({number(figure.median, figure.unit)})"
        found.append(_text(LEFT + span * ratio / most + 8, middle + 4, words, "small"))
        top += ROW
    one = LEFT + span / most
    found.insert(1, _line(one, top - ROW * len(figures), one, top, "#999"))
    return found, top + 30


def _series(figures: list[Figure]) -> dict[str, list[tuple[int, float]]]:
    """Medians in ms by the number of members, of each figure that was measured at several sizes."""
    found: dict[str, list[tuple[int, float]]] = {}
    for figure in figures:
        if figure.members and figure.unit == "ms" and figure.runs and figure.median > 0:
            found.setdefault(f"{figure.work} {figure.what}", []).append((figure.members, figure.median))
    return {name: sorted(points) for name, points in found.items() if len(points) > 1}


def _growth(series: dict[str, list[tuple[int, float]]], top: float) -> tuple[list[str], float]:
    """Milliseconds over members, both logarithmic: a flat line does not grow."""
    found = [_text(20, top, "Growth with the number of members, ms (both axes logarithmic)", "head")]
    left, right, height, top = 70.0, WIDTH - 400.0, 320.0, top + 20
    sizes = [size for points in series.values() for size, _ in points]
    times = [time for points in series.values() for _, time in points]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)) + 1e-9)
    high = max(high, low + 1)
    first, last = math.log10(min(sizes)), math.log10(max(sizes))

    def x(size: float) -> float:
        return left + (right - left) * (math.log10(size) - first) / (last - first)

    def y(time: float) -> float:
        return top + height * (high - math.log10(time)) / (high - low)

    for power in range(low, high + 1):
        found += [
            _line(left, y(10**power), right, y(10**power)),
            _text(left - 8, y(10**power) + 4, f"{10.0**power:g}", "small", "end"),
        ]
    for size in sorted(set(sizes)):
        found += [
            _line(x(size), top, x(size), top + height),
            _text(x(size), top + height + 18, f"{size:,}", "small", "middle"),
        ]
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        path = " ".join(f"{x(size):.1f},{y(time):.1f}" for size, time in points)
        dash = ' stroke-dasharray="5 4"' if index >= len(COLOURS) else ""
        found.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        found += [f'<circle cx="{x(size):.1f}" cy="{y(time):.1f}" r="3" fill="{colour}"/>' for size, time in points]
        key = top + 12 + 20 * index
        found.append(f'<path d="M{right + 20} {key}h24" stroke="{colour}" stroke-width="2"{dash}/>')
        found.append(_text(right + 50, key + 4, name, "small"))
    return found, top + height + 40


def draw(figures: list[Figure], title: str) -> str:
    """The whole chart as SVG."""
    parts, top = [_text(20, 28, title, "head")], 60.0
    limited = [figure for figure in figures if figure.ratio is not None]
    if limited:
        more, top = _ratios(limited, top)
        parts += more
    series = _series(figures)
    if series:
        more, top = _growth(series, top)
        parts += more
    if not limited and not series:
        parts.append(_text(20, top, "Nothing was measured that has a limit or a second size."))
        top += 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" width="{WIDTH}" height="{top:.0f}">'
    )
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", background, *parts, "</svg>", ""])
