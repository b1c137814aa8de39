"""Programs that come inside wheels, and the commands for a small cluster."""

import subprocess

import pytest

from deploy.local import wheels
from deploy.local.debian import Unavailable
from deploy.manifests import dev
from deploy.manifests.render import OVERLAYS, RenderError, text


@pytest.fixture
def program(tmp_path):
    """`program("kubectl", "what it says")`: a program that says so, whatever it is asked."""

    def make(name: str, says: str):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}\nEND\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return make


@pytest.mark.parametrize(
    ("name", "says", "version"),
    [
        ("kubectl", "Client Version: v1.34.5\nKustomize Version: v5.7.1", (5, 7)),
        ("kubectl", "Client Version: v1.26.1\nKustomize Version: v4.5.7", (4, 5)),
        ("kubectl", 'Client Version: version.Info{Major:"1", Minor:"20+", GitVersion:"v1.20.2"}', (0,)),
        ("kustomize", "v5.4.3", (5, 4)),
        ("kustomize", "{kustomize/v5.6.0  2025-01-01}", (5, 6)),
        ("kustomize", "nothing to see", (0,)),
    ],
)
def test_a_kustomize_that_is_too_old_is_told_from_one_that_will_do(program, name, says, version):
    path = program(name, says)
    command = [str(path), "build" if name == "kustomize" else "kustomize"]
    assert wheels._kustomize_version(command) == version


def test_the_distributions_old_kubectl_is_passed_over(program, monkeypatch):
    old = program("kubectl", "Client Version: v1.20.2")
    monkeypatch.delenv("KUSTOMIZE", raising=False)
    monkeypatch.setattr(wheels, "which", lambda name: old if name == "kubectl" else None)
    monkeypatch.setattr(wheels, "_fetched", lambda wheel, say: program(wheel.program, "the fetched one"))
    assert wheels.kustomize()[1] == "kustomize"
    new = program("kubectl", "Client Version: v1.34.5\nKustomize Version: v5.7.1")
    monkeypatch.setattr(wheels, "_fetched", lambda wheel, say: pytest.fail("there was one"))
    assert wheels.kustomize() == [str(new), "kustomize"]


def test_the_fetched_kubectl_renders_the_same():
    try:
        fetched = [str(wheels._fetched(wheels.KUBECTL, print)), "kustomize"]
        found = wheels.kustomize()
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert wheels._kustomize_version(fetched) >= wheels.KUSTOMIZE
    one, other = (
        subprocess.run([*command, OVERLAYS / "production"], capture_output=True, text=True, check=True).stdout
        for command in (fetched, found)
    )
    assert one == other


def test_a_folder_that_cannot_be_rendered_is_an_error(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("resources: [nowhere.yaml]\n", encoding="utf-8")
    with pytest.raises(RenderError, match=r"nowhere\.yaml"):
        text(tmp_path)


def test_what_a_small_cluster_is_handed_is_built_here(monkeypatch):
    images = dev.images()
    assert images == ["bot", "gateway", "integrations", "local-discord", "points", "reviews", "rewards", "users"]
    assert "SERVICE=bot" in dev.build("local-discord")
    assert dev.build("local-discord")[dev.build("local-discord").index("--target") + 1] == "local-discord"
    assert dev.build("points")[-1] == "."
    monkeypatch.setattr(dev.shutil, "which", lambda name: name if name == "kind" else None)
    assert dev.load("points") == ["kind", "load", "docker-image", "propel/points:dev"]
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    assert dev.load("points")[0] == "minikube"
    assert dev.main() == 1
