"""The page on restoring: what it names in Kubernetes is there, and the manifest that it changes stays one the operator knows."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from deploy.local.debian import Unavailable
from deploy.manifests.render import OVERLAYS, manifests
from deploy.manifests.schemas import problems
from tests.conftest import ROOT

PAGE = (ROOT / "docs/restoring.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]


@pytest.fixture(scope="module")
def production() -> list[dict[str, Any]]:
    try:
        return manifests(OVERLAYS / "production")
    except Unavailable as reason:
        pytest.skip(str(reason))


def merged(into: Any, change: Any) -> Any:
    """A merge patch applied: null takes away, lists take the place of lists."""
    if not isinstance(change, dict) or not isinstance(into, dict):
        return change
    kept = {name: value for name, value in into.items() if change.get(name, value) is not None}
    return kept | {name: merged(into.get(name), value) for name, value in change.items() if value is not None}


def test_the_changed_cluster_is_one_that_the_operator_knows(production):
    [change] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.M | re.S)
    [cluster] = [each for each in production if each["kind"] == "Cluster" and each["metadata"]["name"] == "points-db"]
    changed = merged(cluster, yaml.safe_load(change))
    assert problems([changed]) == []
    assert list(changed["spec"]["bootstrap"]) == ["recovery"]
    # It reads the archive that the former one wrote, and writes another.
    [read], [written] = changed["spec"]["externalClusters"], changed["spec"]["plugins"]
    assert read["plugin"]["parameters"]["serverName"] == cluster["metadata"]["name"]
    assert written["parameters"]["serverName"] != cluster["metadata"]["name"]


def test_what_the_commands_name_is_there(production):
    kinds = {"deploy": "Deployment", "cronjob": "CronJob", "cluster": "Cluster"}
    named = {
        (kind, name) for line in COMMANDS for kind, name in re.findall(r"\b(deploy|cronjob|cluster)/([a-z-]+)", line)
    }
    assert named
    there = {(each["kind"], each["metadata"]["name"]) for each in production}
    assert {(kinds[kind], name) for kind, name in named} <= there
    labels = [
        each["metadata"].get("labels", {}) for each in production if each["kind"] in ("Deployment", "ScaledObject")
    ]
    assert {"points"} <= {each["app.kubernetes.io/name"] for each in labels}


def test_the_commands_of_make_exist():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert {line.split()[1] for line in COMMANDS if line.startswith("make ")} == {"backup", "restore"} <= targets


@pytest.mark.parametrize("words", [("raise", "points"), ("retell", "users", "--since", "2026-11-27T05:25Z")])
def test_the_programs_take_these_words(words):
    assert f"fleet.restoring {words[0]} {words[1]}" in PAGE
    command = [str(ROOT / ".venv/bin/python"), "-m", "fleet.restoring", *words]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    # It understood, and asks for the database.
    assert (done.returncode, "DATABASE_URL" in done.stderr) == (2, True)
