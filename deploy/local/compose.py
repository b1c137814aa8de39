"""The same commands with Docker Compose, where an engine answers and the Compose file is there."""

import os
import shutil
import subprocess
from functools import lru_cache
from typing import NoReturn

from deploy.local.layout import ROOT, RUN

FILE = ROOT / "deploy/compose.yaml"
# Written by `make up`, so that an engine that comes or goes later does not make `make down` look in the wrong place.
MARK = RUN / "containers"
COMMANDS = {
    "up": ("up", "--detach", "--build", "--wait"),
    "down": ("down",),
    "restart": ("restart",),
    "reset": ("down", "--volumes"),
    "status": ("ps",),
    "logs": ("logs", "--follow", "--tail", "20"),
}


@lru_cache(maxsize=1)
def docker_answers() -> bool:
    """True when there is a Docker engine, not just its client."""
    if not shutil.which("docker"):
        return False
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=2, check=False).returncode == 0
    except (subprocess.TimeoutExpired, OSError):
        return False


def in_charge(command: str, local_fleet_runs: bool) -> bool:
    """True when Compose should do `command`: PROPEL_MODE=docker or local decides, else what is there."""
    mode = os.environ.get("PROPEL_MODE")
    if mode or not FILE.exists() or local_fleet_runs:
        return mode == "docker"
    return docker_answers() if command == "up" else MARK.exists()


def run(command: str, *arguments: str) -> NoReturn:
    """Become `docker compose` doing `command`."""
    RUN.mkdir(exist_ok=True)
    if command == "up":
        MARK.touch()
    elif command in ("down", "reset"):
        MARK.unlink(missing_ok=True)
    os.execvp("docker", ["docker", "compose", "-f", str(FILE), *COMMANDS[command], *arguments])  # noqa: S606
