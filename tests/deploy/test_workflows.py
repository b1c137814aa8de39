"""The workflows of the public host run what anybody runs, and build every image."""

import re

import pytest
import yaml

from deploy.local.prepare import IMAGES
from tests.conftest import ROOT

pytestmark = pytest.mark.static

FOLDER = ROOT / ".github/workflows"


def workflow(name: str):
    # YAML 1.1 reads the key `on` as true.
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))


def steps(name: str):
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def test_a_change_is_held_against_the_two_commands():
    assert [step["run"] for step in steps("check") if "run" in step] == ["make check", "make test"]
    assert set(workflow("check")[True]) == {"push", "pull_request"}


def test_every_image_is_built():
    built = set(workflow("images")["jobs"]["image"]["strategy"]["matrix"]["image"])
    present = {name for name in IMAGES if (ROOT / "services" / name / "models.py").exists()} | {"gateway"}
    assert built == present


@pytest.mark.parametrize("name", ["check", "images"])
def test_a_workflow_may_read_and_no_more_unless_it_says_so(name):
    found = workflow(name)
    assert found["permissions"] == {"contents": "read"}
    for job in found["jobs"].values():
        assert set(job.get("permissions", {})) <= {"contents", "packages"}
        assert job["timeout-minutes"]
    text = (FOLDER / f"{name}.yml").read_text(encoding="utf-8")
    # A title or a branch that somebody else chose must not become a command.
    for script in re.findall(r"run: \|\n((?: {10}.*\n)+)", text):
        assert "${{" not in script
    assert "pull_request_target" not in text


def test_only_a_push_to_main_publishes():
    pushing = [step for step in steps("images") if step.get("with", {}).get("push") or "login" in step.get("uses", "")]
    assert len(pushing) == 2
    assert all(step["if"] == "github.event_name == 'push'" for step in pushing)
