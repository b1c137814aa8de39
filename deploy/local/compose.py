"""The same commands with Docker Compose, where an engine answers: `deploy/compose.yaml` is the fleet."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache

from deploy.local.console import line, paint
from deploy.local.layout import ROOT, RUN, SECRETS, chosen_ports, recorded_ports, secret, settings, shown

FILE = ROOT / "deploy/compose.yaml"
HANDED = RUN / "containers-secrets"
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
BOOKS = ("points", "rewards")


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
    if mode or local_fleet_runs:
        return mode == "docker"
    return docker_answers() if command == "up" else MARK.exists()


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """What fills in the file: the operator's settings, and the ports."""
    # Other commands find the ports of the last `make up`.
    ports = chosen_ports(values) if {"PORT_BASE", "GATEWAY_PORT"} & set(values) else recorded_ports()
    ports = ports or chosen_ports(values)
    found = {**values, "PROPEL_SECRETS": str(HANDED), "GATEWAY_PORT": str(ports.gateway)}
    found["DISCORD_PORT"] = str(ports["discord"])
    found.setdefault("GATEWAY_URL", f"http://127.0.0.1:{ports.gateway}")
    if values.get("DISCORD_TOKEN"):
        found["BOT_DISCORD_API"] = ""
    return found


def _compose(*arguments: str) -> int:
    command = ["docker", "compose", "--file", str(FILE), *arguments]
    return subprocess.run(command, env=environment(settings()), check=False).returncode


def run(command: str, arguments: Sequence[str] = ()) -> int:
    """Let `docker compose` do `command`; its status."""
    RUN.mkdir(exist_ok=True)
    if command == "up":
        from deploy import mounted  # what the fleet is made of takes a moment to import, and only this needs it

        mounted.write(HANDED)
        MARK.touch()
    status = _compose(*COMMANDS[command], *arguments)
    if status == 0 and command == "up":
        _greet()
    elif status == 0 and command in ("down", "reset"):
        MARK.unlink(missing_ok=True)
    if status == 0 and command == "reset":
        shutil.rmtree(RUN)
    return status


def verify() -> int:
    """The books of points and rewards, each asked in its own container; 1 when some differ."""
    worst = 0
    for name in BOOKS:
        line(paint(name, "bold"))
        worst = max(worst, _compose("exec", "-T", f"{name}-web", "python", "-m", f"services.{name}.verify"))
    return worst


def admin(username: str, email: str, password: str) -> int:
    """Make an administrator. The password goes by the environment of this process, not on a command line."""
    os.environ["ADMIN_PASSWORD"] = password
    job = ("account-admin", "python", "-m", "services.users.admin", username, email)
    return _compose("run", "--rm", "--no-deps", "--env", "ADMIN_PASSWORD", *job)


def _greet() -> None:
    values = environment(settings())
    line(paint("Propel is up, in containers", "bold"))
    line(f"  Gateway          {values['GATEWAY_URL']}   the state of each part: {values['GATEWAY_URL']}/health/")
    if not values.get("DISCORD_TOKEN"):
        line(f"  Local Discord    http://127.0.0.1:{values['DISCORD_PORT']}/")
    for role in ("admin", "student"):
        where = shown(SECRETS / f"account_{role}")
        line(f"  {role.capitalize():<16} {role} / {secret(f'account_{role}')}   (also in {where})")
    line("Next: make status, make logs SERVICE=points-web, make verify, make down")
