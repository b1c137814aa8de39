"""Strict validation: a field that the API does not know is an error, as are wrong kinds of values and missing fields."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from deploy.local.layout import ROOT
from deploy.manifests.render import Manifest

FOLDER = ROOT / "k8s/schemas"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@cache
def _validators() -> dict[tuple[str, str], Draft202012Validator]:
    """A validator for each (apiVersion, kind)."""
    builtin = _read(FOLDER / "kubernetes.json")
    found = {}
    for name, schema in builtin["kinds"].items():
        api, kind = name.rsplit("/", 1)
        found[api, kind] = Draft202012Validator({**schema, "$defs": builtin["$defs"]})
    for path in FOLDER.glob("*.json"):
        if path.name != "kubernetes.json":
            schema = _read(path)
            api, kind = (schema["properties"][name]["enum"][0] for name in ("apiVersion", "kind"))
            # Custom resources carry parts of Kubernetes' own: resources, selectors, pods.
            found[api, kind] = Draft202012Validator({**schema, "$defs": builtin["$defs"]})
    return found


def known() -> set[tuple[str, str]]:
    """Every (apiVersion, kind) that there is a schema of."""
    return set(_validators())


def name_of(manifest: Manifest) -> str:
    """How a manifest is called in messages."""
    return f"{manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"


def problems(manifests: Iterable[Manifest]) -> list[str]:
    """One sentence for everything that is wrong; none when all is well."""
    found, seen = [], set()
    for manifest in manifests:
        name = name_of(manifest)
        key = (manifest.get("apiVersion", ""), manifest.get("kind", ""))
        if (*key, name) in seen:
            found.append(f"{name}: there are two of it")
        seen.add((*key, name))
        validator = _validators().get(key)
        if validator is None:
            found.append(f"{name}: no schema of {key[1]} in {key[0]} is kept in {FOLDER.relative_to(ROOT)}")
            continue
        for error in validator.iter_errors(manifest):
            place = ".".join(str(step) for step in error.absolute_path) or "the object"
            found.append(f"{name}: {place}: {error.message}")
    return found
