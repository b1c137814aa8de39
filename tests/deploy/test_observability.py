"""Rules, dashboard and runbooks: what they name is there, and each alert fires when it should and only then."""

import ast
import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from deploy.local import binaries
from deploy.local.debian import Unavailable
from deploy.local.layout import OFFSETS
from tests.conftest import ROOT

static = pytest.mark.static
FOLDER, BOOKS = ROOT / "deploy/observability", ROOT / "docs/runbooks"
RULES = yaml.safe_load((FOLDER / "propel.rules.yaml").read_text(encoding="utf-8"))
TESTS = yaml.safe_load((FOLDER / "tests.yaml").read_text(encoding="utf-8"))
BOARD = json.loads((FOLDER / "propel.dashboard.json").read_text(encoding="utf-8"))
ENTRIES = [rule for group in RULES["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in ENTRIES if "alert" in rule}
RECORDED = {rule["record"] for rule in ENTRIES if "record" in rule}
# What Prometheus itself knows, and the labels it gives.
GIVEN = {"up": frozenset(), "ALERTS": frozenset({"alertstate"})}
TARGET = frozenset({"job", "instance", "namespace", "le"})
WORDS = {"sum", "max", "by", "rate", "increase", "delta", "histogram_quantile", "time", "topk", "absent"}
WORDS |= {"and", "or", "on", "unless", "deriv"}


@dataclass(frozen=True)
class Metric:
    """A metric as the code declares it."""

    kind: str
    name: str
    labels: frozenset[str]

    def series(self) -> set[str]:
        if self.kind == "Histogram":
            return {f"{self.name}_{part}" for part in ("bucket", "sum", "count")}
        return {self.name}


def declared() -> dict[str, Metric]:
    """Every series of the code, by its name."""
    found: dict[str, Metric] = {}
    for folder in ("fleet", "services"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (kind := getattr(node.func, "id", "")) in (
                    "Counter",
                    "Gauge",
                    "Histogram",
                ):
                    if not node.args or not isinstance(node.args[0], ast.Constant) or len(node.args) < 2:
                        continue
                    labels = ast.literal_eval(node.args[2]) if len(node.args) > 2 else []
                    metric = Metric(kind, node.args[0].value, frozenset(labels))
                    for name in metric.series():
                        assert name not in found, f"{name} is declared twice"
                        found[name] = metric
    return found


DECLARED = declared()


def expressions() -> list[tuple[str, str]]:
    """Every expression of the rules and the dashboard, with where it stands."""
    found = [(rule.get("alert") or rule["record"], rule["expr"]) for rule in ENTRIES]
    for panel in BOARD["panels"]:
        found += [(panel["title"], target["expr"]) for target in panel.get("targets", [])]
    return found + [(each["name"], each["expr"]) for each in BOARD["annotations"]["list"]]


def named(expression: str) -> list[tuple[str, set[str]]]:
    """The series an expression names, each with the labels it is asked by."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\b(by|on)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\[[^\]]*\]", " ", bare)
    found = []
    for match in re.finditer(r"(?<![\w.:])([a-zA-Z_][\w:]*)\s*(\{[^}]*\})?", re.sub(r"\{([^}]*)\}", r"{\1}", bare)):
        before = bare[: match.start()]
        if before.count("{") > before.count("}") or match[1] in WORDS:
            continue
        found.append((match[1], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", match[2] or ""))))
    return found


def grouped(expression: str) -> set[str]:
    """The labels an expression sums by."""
    return {each.strip() for group in re.findall(r"\bby\s*\(([^)]*)\)", expression) for each in group.split(",")}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        program = binaries.promtool()
    except Unavailable as reason:
        pytest.skip(str(reason))
    return subprocess.run(
        [str(program.path), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )


@static
def test_the_readers_of_this_file_read():
    assert named('sum by (a) (rate(x_total{b="1", c=~"y"}[5m])) > 0 unless propel:z:p95') == [
        ("x_total", {"b", "c"}),
        ("propel:z:p95", set()),
    ]
    assert grouped("max by (a, b) (x)") == {"a", "b"}
    assert DECLARED["http_request_duration_seconds_bucket"].labels == {"route", "method", "status"}


@static
def test_promtool_reads_the_rules():
    done = promtool("check", "rules", "propel.rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@static
def test_kubernetes_is_given_the_same_rules():
    given = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
    assert given["spec"]["groups"] == RULES["groups"], "copy the groups of propel.rules.yaml into alerts.yaml"


@static
def test_each_alert_fires_when_it_should_and_only_then():
    done = promtool("test", "rules", "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@static
@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_both_tests(alert):
    checks = [check for test in TESTS["tests"] for check in test["alert_rule_test"] if check["alertname"] == alert]
    assert sorted(bool(check["exp_alerts"]) for check in checks) == [False, True]


@static
@pytest.mark.parametrize(("where", "expression"), expressions(), ids=lambda value: value[:40])
def test_what_is_asked_for_is_exported(where, expression):
    found = named(expression)
    assert found, where
    for name, labels in found:
        if name.startswith("propel:"):
            assert name in RECORDED, f"{where}: {name} is recorded nowhere"
            continue
        known = GIVEN[name] if name in GIVEN else DECLARED[name].labels if name in DECLARED else None
        assert known is not None, f"{where}: nothing exports {name}"
        assert labels <= known | TARGET, f"{where}: {name} has no label {labels - known - TARGET}"
        if len(found) == 1:
            assert grouped(expression) <= known | TARGET, f"{where}: {name} is not told apart by {grouped(expression)}"


@static
def test_no_metric_is_exported_for_nobody():
    asked = {name for _, expression in expressions() for name, _ in named(expression)}
    unseen = {metric.name for metric in DECLARED.values() if not metric.series() & asked}
    assert not unseen, f"draw or watch them, or do not count them: {unseen}"


@static
def test_the_dashboard_is_one_that_grafana_takes():
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {variable["name"] for variable in BOARD["templating"]["list"]} == {"source"}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24, panel["title"]
        for target in panel.get("targets", []):
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in grouped(target["expr"]) or "propel:" in target["expr"], (panel["title"], label)


# Runbooks

FENCED = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)


def commands(text: str) -> list[str]:
    return [line for block in FENCED.findall(text) for line in block.splitlines() if line.strip()]


@static
def test_each_alert_has_its_runbook_and_each_runbook_its_alert():
    pages = {path.stem for path in BOOKS.glob("*.md")} - {"README"}
    assert pages == set(ALERTS)
    listed = (BOOKS / "README.md").read_text(encoding="utf-8")
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        assert f"({name}.md)" in listed


@static
@pytest.mark.parametrize("alert", ALERTS)
def test_a_runbook_says_what_it_means_what_people_notice_where_to_look_and_what_to_do(alert):
    text = (BOOKS / f"{alert}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## (.*)$", text, re.M) == ["What people notice", "Look", "Do"]
    assert commands(text)


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@static
@pytest.mark.parametrize("alert", ALERTS)
def test_the_commands_of_a_runbook_exist(alert):
    text = (BOOKS / f"{alert}.md").read_text(encoding="utf-8")
    exported = {series for metric in DECLARED.values() for series in metric.series()}
    for command in [*commands(text), *re.findall(r"`(make [^`]*)`", text)]:
        program, *words = command.split()
        assert program in ("make", "curl", "tail", "grep", "date"), command
        if program == "make":
            assert words[0] in targets(), f"{command}: there is no such target"
        if match := re.search(r"MATCH='?([a-z_]+)", command):
            found = [name for name in exported if match[1] in name]
            assert found or match[1] in ("status", "dead", "outcome", "retried"), f"{command}: nothing is called so"
        for log in re.findall(r"\.run/logs/(\S+)\.log", command):
            assert any(re.fullmatch(log.replace("*", ".*"), name) for name in [*OFFSETS, "topology"]), command


@static
def test_what_make_does_with_the_words_of_a_runbook_is_something_a_shell_understands():
    """A quotation mark among them once ended the word early."""
    lines = {line for path in BOOKS.glob("*.md") for line in commands(path.read_text(encoding="utf-8"))}
    for line in sorted(each for each in lines if each.startswith("make ")):
        said = subprocess.run(
            ["sh", "-c", line.replace("make", "make -n", 1)], cwd=ROOT, capture_output=True, check=True
        )
        checked = subprocess.run(["sh", "-n"], input=said.stdout, capture_output=True, check=False)
        assert checked.returncode == 0, f"{line}: {checked.stderr.decode()}"


def logged() -> str:
    paths = [*(ROOT / "fleet").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


@static
def test_what_runbooks_look_for_in_the_logs_is_logged():
    code = logged()
    for path in BOOKS.glob("*.md"):
        for command in commands(path.read_text(encoding="utf-8")):
            if command.startswith("grep"):
                wanted = re.findall(r"-e (\w+)", command) or [re.findall(r"'([^']+)'|\s([a-z_]{6,})\s", command)[0]]
                for word in wanted:
                    plain = word if isinstance(word, str) else next(part for part in word if part)
                    assert plain in code or plain.startswith('"ms"'), f"{path.name}: nothing logs {plain}"


@static
def test_the_commands_in_discord_that_runbooks_name_exist():
    from services.bot import cogs  # noqa: F401 cogs declare the commands
    from services.bot import commands as table

    for path in BOOKS.glob("*.md"):
        for name in re.findall(r"`/([a-z_]+)`", path.read_text(encoding="utf-8")):
            assert name in table.registry, f"{path.name}: there is no /{name}"


def words_of(setting: str) -> Any:
    return (ROOT / ".env.example").read_text(encoding="utf-8").find(setting)


@static
def test_the_settings_that_runbooks_name_exist():
    others = {"PATH", "WEB_WORKERS", "WEB_THREADS"}
    for path in BOOKS.glob("*.md"):
        for name in re.findall(r"`([A-Z][A-Z_]{4,})`", path.read_text(encoding="utf-8")):
            assert name in others or words_of(name) >= 0, f"{path.name}: there is no setting {name}"
