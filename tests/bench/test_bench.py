"""The bench itself, at toy size: what it says must be whole and right. How fast it was is nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.bench import report, seed
from tests.bench.__main__ import main
from tests.bench.figures import Figure, Run, Target
from tests.bench.options import parse
from tests.conftest import ROOT


def test_awards_over_the_bus_and_the_leaderboard_are_measured_beside_their_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["ONLY=P2,P3", "MEMBERS=200", "ROWS=5", "SECONDS=0.5", "RUNS=1", "WORKERS=1"]
    status = main([*words, "--json", str(tmp_path / "a.json"), "--compare", str(given(tmp_path / "old.json"))])
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "a.json").read_text())
    assert [check for check in found["checks"] if not check["ok"]] == []
    assert status == 0
    figures = {figure["key"]: figure for figure in found["figures"]}
    assert {figure["work"] for figure in figures.values()} == {"P2", "P3"}
    bus = next(figure for key, figure in figures.items() if key.startswith("P2 awards over the bus"))
    assert bus["median"] > 0
    assert bus["limit"] > 0
    assert bus["ratio"] == pytest.approx(bus["runs"][0]["value"] / bus["runs"][0]["limit"])
    machine = bus["runs"][0]["machine"]
    assert {"points-consumer", "points-relay", "postgres", "rabbitmq"} <= set(machine["cpu_s"])
    assert {"load_before", "load_after", "others_cpu_s"} <= set(machine)
    for name in ("P9", *figures):
        assert name.split(" @")[0].split(" ", 1)[0] in out
    assert "Beside" in out
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")


def given(path: Path) -> Path:
    """Figures of an earlier run, of which there were none."""
    path.write_text('{"figures": []}')
    return path


def test_interrupted_it_leaves_nothing_behind():
    before = set(Path("/var/tmp").glob("propel-bench-*"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench", "ONLY=P6"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    lines = iter(process.stderr.readline, "")
    assert any("servers are up" in line for line in lines)
    homes = set(Path("/var/tmp").glob("propel-bench-*")) - before
    process.terminate()
    process.stderr.read()
    assert process.wait(30) == 130
    assert not [home for home in homes if home.exists()]


def figure(value: float, target: Target | None = None, limit: float | None = None) -> Figure:
    return Figure(
        "P1",
        "work",
        "/s",
        1000,
        "4 writes",
        target,
        runs=[Run(value - 1, limit), Run(value, limit), Run(value + 9, limit)],
    )


@pytest.mark.parametrize(
    ("found", "met"),
    [
        (figure(30, Target("", at_least=0.27, of_limit=True), 100), True),
        (figure(26, Target("", at_least=0.27, of_limit=True), 100), False),
        (figure(20, Target("", at_most=20)), True),
        (figure(21, Target("", at_most=20)), False),
        (figure(30, Target("", at_least=0.27, of_limit=True)), None),
        (figure(30), None),
    ],
)
def test_a_target_is_met_by_the_median_or_by_its_ratio(found: Figure, met: bool | None):
    assert found.met is met


def test_the_table_is_aligned_and_shows_spread_and_ratio():
    text = report.table(
        [figure(30, Target(">= 0.27", at_least=0.27, of_limit=True), 100), Figure("P4", "x", "", missing=True)]
    )
    head, _, first, *_ = text.splitlines()
    assert "29.0..39.0" in first
    assert "0.300" in first
    assert head.index("target") == first.index(">= 0.27")
    assert sum("not yet" in line for line in text.splitlines()) == 2


def test_a_comparison_tells_the_change_of_figure_and_ratio(tmp_path: Path):
    old = figure(20, None, 100)
    (tmp_path / "old.json").write_text(json.dumps({"figures": [old.to_dict()]}))
    text = report.comparison([figure(30, None, 100)], tmp_path / "old.json")
    assert "(+50 %)" in text
    assert "ratio 0.200 -> 0.300" in text


def test_options_are_words_as_make_gives_them():
    assert parse(["ONLY=p1,P3", "MEMBERS=50000"]).sizes == (1_000, 50_000)
    assert parse(["ONLY=p1,P3"]).only == ("P1", "P3")
    assert parse([]).sizes == (1_000, 100_000, 1_000_000)
    for wrong in ("MEMBER=5", "RUNS=0", "SECONDS=x", "P3"):
        with pytest.raises(SystemExit):
            parse([wrong])


def test_a_seeded_past_is_the_same_for_the_same_number_of_members():
    assert seed.member_id(7) == seed.member_id(7)
    assert len({seed.member_id(number) for number in range(1000)}) == 1000
