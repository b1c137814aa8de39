"""What an overlay of k8s/ comes to."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from deploy import mounted
from deploy.local import wheels
from deploy.local.layout import ROOT

OVERLAYS = ROOT / "k8s/overlays"
Manifest = dict[str, Any]


class RenderError(Exception):
    """kustomize refused the folder, or had something to say about it."""


def overlays() -> list[str]:
    """The names of the overlays."""
    return sorted(path.parent.name for path in OVERLAYS.glob("*/kustomization.yaml"))


def text(folder: Path) -> str:
    """The YAML of a folder. Raises RenderError for warnings too, and deploy.local.debian.Unavailable without kustomize."""
    # One that was written by older code may lack what newer code wants.
    if folder == OVERLAYS / "dev" and any(not (folder / "secrets" / name).exists() for name in mounted.files()):
        mounted.write(folder / "secrets")
    done = subprocess.run([*wheels.kustomize(), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise RenderError(done.stderr.strip())
    return done.stdout


def manifests(folder: Path) -> list[Manifest]:
    """The objects of a folder, in the order in which they would be applied."""
    return [document for document in yaml.safe_load_all(text(folder)) if document]
