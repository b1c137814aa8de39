"""What a process has to be told, read from its code: the settings that any module it imports reads.

`of("services.points.app")` follows the imports of a process's first module through fleet and services, those inside
functions too, and collects the dataclasses that are handed to `read` or `require` there.
"""

import ast
import dataclasses
import importlib
from functools import cache
from pathlib import Path

from tests.conftest import ROOT


@dataclasses.dataclass(frozen=True)
class Need:
    """One setting that a process reads."""

    name: str
    required: bool
    secret: bool


def entry(service: str, command: list[str]) -> tuple[str, ...]:
    """The first modules of the process that `command` (its words after `python -m`) starts in the image of `service`."""
    if command[0] == "gunicorn":
        return (f"services.{service}.app",)
    if command[0] == "fleet.worker":
        # Modules of a worker are chosen by its command line: no import names them.
        return ("fleet.worker",) if "relay" in command else ("fleet.worker", f"services.{service}.subscriptions")
    return (f"{command[0]}.__main__",) if (ROOT / command[0].replace(".", "/")).is_dir() else (command[0],)


@cache
def _parsed(module: str) -> ast.Module | None:
    base = ROOT / module.replace(".", "/")
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return ast.parse(Path(path).read_text(encoding="utf-8"))
    return None


@cache
def _imported(module: str) -> frozenset[str]:
    """The modules of ours that `module` imports anywhere."""
    found = set()
    for node in ast.walk(_parsed(module) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return frozenset(name for name in found if name.startswith(("fleet", "services")) and _parsed(name))


def reached(*modules: str) -> set[str]:
    """The modules and all that they import, and what those import."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imported(module)
    return found


@cache
def of(*modules: str) -> dict[str, Need]:
    """What the processes that begin with `modules` read, by name."""
    found: dict[str, Need] = {}
    for module in reached(*modules):
        for node in ast.walk(_parsed(module) or ast.Module([], [])):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("read", "require"):
                for argument in node.args:
                    if isinstance(argument, ast.Name) and argument.id[:1].isupper():
                        found |= _fields(getattr(importlib.import_module(module), argument.id))
    return found


def _fields(cls: type) -> dict[str, Need]:
    return {
        field.metadata["name"]: Need(
            field.metadata["name"], field.default is dataclasses.MISSING, field.metadata["secret"]
        )
        for field in dataclasses.fields(cls)
    }
