"""The table at the end, the JSON file, and what changed since another run."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import Check, Figure
from tests.bench.works import NOT_YET

HEADINGS = ("", "work", "members", "figure", "min..max", "limit", "ratio", "target", "met", "peer shipped / tuned")
LEFT = {0, 1, 7, 8, 9}


def number(value: float, unit: str = "") -> str:
    """A figure as a reader wants it: three or four digits and its unit."""
    if value != value:
        return "-"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}{'' if unit in ('', '/s', 'x') else ' '}{unit}"


def _order(figure: Figure) -> tuple[int, int]:
    return int(figure.work[1:]), 0


def _row(figure: Figure) -> tuple[str, ...]:
    peer = " / ".join(text or "-" for text in (figure.shipped, figure.tuned)) if figure.shipped or figure.tuned else ""
    members = f"{figure.members:,}" if figure.members else ""
    target = figure.target.text if figure.target else ""
    if not figure.runs:
        return (
            figure.work,
            figure.what,
            members,
            "",
            "",
            "",
            "",
            target,
            "not yet" if figure.missing else "failed",
            peer,
        )
    spread = f"{number(min(figure.values))}..{number(max(figure.values))}"
    limit = f"{number(figure.limit)} {figure.limit_name}" if figure.limit else ""
    ratio = f"{figure.ratio:.3f}" if figure.ratio is not None else ""
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return (
        *(figure.work, figure.what, members, number(figure.median, figure.unit), spread),
        *(limit, ratio, target, met, peer),
    )


def table(figures: list[Figure]) -> str:
    """All figures, one aligned line each; what no service does yet is listed as such."""
    later = [Figure(name, f"{what} ({service})", "", missing=True) for name, (what, _, service) in NOT_YET.items()]
    shown = sorted([*figures, *later], key=_order)
    rows: list[Sequence[str]] = [HEADINGS]
    for figure in shown:
        filled = list(_row(figure))
        if figure.work in NOT_YET:
            filled[7] = NOT_YET[figure.work][1]
        rows.append(filled)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if column in LEFT else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def costs(figures: list[Figure]) -> str:
    """CPU of each part for one piece of work, which a busy neighbour changes least."""
    lines = ["CPU microseconds for each piece of work (medians; the load itself is `bench`):"]
    for figure in figures:
        if found := figure.cost_us:
            parts = ", ".join(f"{part} {number(cost)}" for part, cost in found.items() if cost >= 0.5)
            lines.append(f"  {figure.key}: {number(sum(found.values()) - found.get('bench', 0.0))} ({parts})")
    return "\n".join(lines)


def notes(figures: list[Figure]) -> str:
    """What has to be known to read the table."""
    lines = [f"{figure.key}: {figure.note}" for figure in figures if figure.note]
    return "\n".join(["The peer's figures are another machine's; ratios travel, figures do not.", *lines])


def surroundings(figures: list[Figure]) -> str:
    """What else went on: the worst of all runs."""
    watched = [(figure.key, run.machine) for figure in figures for run in figure.runs if run.machine]
    if not watched:
        return "Nothing was watched."
    key, worst = max(watched, key=lambda item: item[1]["others_cpu_s"] / max(item[1]["seconds"], 0.01))
    loads = [machine["load_before"] for _, machine in watched]
    share = worst["others_cpu_s"] / max(worst["seconds"], 0.01)
    most = ", ".join(worst["others_most"]) or "nothing"
    return (
        f"Load average before the runs {min(loads):.1f}..{max(loads):.1f}. Other processes took at most {share:.2f} cores"
        f" (during {key}: {most} s)."
    )


def to_json(figures: list[Figure], checks: list[Check], about: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        **about,
        "figures": [figure.to_dict() for figure in figures],
        "checks": [{"what": check.what, "ok": check.ok} for check in checks],
        "not_yet": {name: f"{what} (with {service})" for name, (what, _, service) in NOT_YET.items()},
    }


def comparison(figures: list[Figure], path: Path) -> str:
    """The change of each figure since the run in `path`: of the figure, and of its ratio, which is the fairer one."""
    old = {each["key"]: each for each in json.loads(path.read_text(encoding="utf-8"))["figures"]}
    lines = [f"Beside {path}:"]
    for figure in figures:
        before = old.get(figure.key, {}).get("median")
        if before is None or not figure.runs:
            continue
        change = f"{(figure.median / before - 1) * 100:+.0f} %" if before else "-"
        line = f"  {figure.key}: {number(before)} -> {number(figure.median, figure.unit)} ({change})"
        if (ratio := old[figure.key].get("ratio")) and figure.ratio:
            line += f", ratio {ratio:.3f} -> {figure.ratio:.3f} ({(figure.ratio / ratio - 1) * 100:+.0f} %)"
        lines.append(line)
    return "\n".join(lines if len(lines) > 1 else [*lines, "  no figure in common"])
