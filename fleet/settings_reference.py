"""The settings of all processes as `.env.example`, collected from their dataclasses: `python -m fleet.settings_reference`.

Also what a deployment must give: tests compare it with the files that configure each process.
"""

import dataclasses
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).resolve().parent.parent / ".env.example"


@dataclass(frozen=True)
class Entry:
    """One setting: its name, what it is for, its default (None: it must be given), and who reads it."""

    name: str
    help: str
    default: Any
    secret: bool
    module: str


def entries() -> Iterator[Entry]:
    """Every setting declared with `setting(...)` in fleet and services, in the order of modules and fields."""
    seen = set()
    for name in ("fleet", "services"):
        package = importlib.import_module(name)
        for info in pkgutil.walk_packages(package.__path__, f"{name}."):
            if (
                ".migrations" in info.name
                or ".alembic" in info.name
                or info.name.endswith(("__main__", "gunicorn_conf"))
            ):
                continue
            module = importlib.import_module(info.name)
            for found in vars(module).values():
                if dataclasses.is_dataclass(found) and isinstance(found, type) and found.__module__ == info.name:
                    for entry in _of(found):
                        if entry.name not in seen:
                            seen.add(entry.name)
                            yield entry


def _of(cls: type) -> Iterator[Entry]:
    for field in dataclasses.fields(cls):
        data = field.metadata
        if "name" in data and "help" in data:
            default = None if field.default is dataclasses.MISSING else field.default
            yield Entry(data["name"], data["help"], default, data["secret"], cls.__module__)


def render() -> str:
    """The text of `.env.example`."""
    lines = [
        "# Settings of Propel, written by `python -m fleet.settings_reference`. Copy to .env what you want to change.",
        "# Local mode chooses all of them by itself. NAME_FILE may name a file that holds the value of NAME.",
    ]
    module = None
    for entry in entries():
        if entry.module != module:
            module = entry.module
            lines += ["", f"# --- {module}"]
        lines.append(f"# {entry.help}" + (" (secret)" if entry.secret else ""))
        value = (
            ""
            if entry.default is None
            else str(entry.default).lower()
            if isinstance(entry.default, bool)
            else entry.default
        )
        lines.append(f"#{entry.name}={value}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the file."""
    PATH.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {PATH.name}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
