"""The users and rights of the broker as the file that a node loads when it starts: `python -m fleet.broker_definitions`.

Passwords come from a mounted folder, one file for each user; only their salted hashes get into the file.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from fleet.settings import read, setting
from fleet.topology import SERVICES, definitions


@dataclass(frozen=True)
class DefinitionsSettings:
    """What the broker is told by its first container."""

    passwords: Path = setting("BROKER_PASSWORDS_DIR", help="folder with one file for each user of the broker")
    target: Path = setting("BROKER_DEFINITIONS", help="the file to write, for load_definitions of the node")


def main() -> int:
    """Write the file; 1 when a user has no password."""
    settings = read(DefinitionsSettings)
    names = (*SERVICES, "topology")
    missing = [name for name in names if not (settings.passwords / name).is_file()]
    if missing:
        sys.stderr.write(f"{settings.passwords} has no password of {', '.join(missing)}\n")
        return 1
    passwords = {name: (settings.passwords / name).read_text(encoding="utf-8").strip() for name in names}
    settings.target.write_text(json.dumps(definitions(passwords)), encoding="utf-8")
    sys.stdout.write(f"wrote users and rights of {len(names)} users\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
