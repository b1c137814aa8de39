"""Packages of Debian and Ubuntu, downloaded and unpacked without being installed.

Installing would need root and would start system services on open ports. Nothing here writes outside of the cache:
apt is given private state and cache directories, so that it works for an ordinary user and with empty system lists.
Standard library only: this also runs before `.venv` exists.
"""

import re
import shutil
import subprocess
from pathlib import Path


class Unavailable(Exception):
    """A part cannot be had here; the message is one sentence that says what to do."""


def has_apt() -> bool:
    """True where packages can be fetched with apt and unpacked with dpkg."""
    return all(shutil.which(tool) for tool in ("apt-get", "dpkg-deb"))


def release() -> str:
    """A name for this release and architecture, e.g. `debian-12-amd64`; keeps caches of different systems apart."""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout
    return f"{fields.get('ID', 'linux')}-{fields.get('VERSION_ID', 'rolling')}-{architecture.strip()}"


class Apt:
    """apt-get with its cache (and, once `refresh` ran, its package lists) under `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
        (directory / "state/lists/partial").mkdir(parents=True, exist_ok=True)
        # The sandbox user cannot reach a private directory and apt would only warn about it.
        self.options = ["-qq", "-o", f"Dir::Cache={directory / 'cache'}", "-o", "APT::Sandbox::User="]
        self.refreshed = False

    def refresh(self) -> None:
        """Fetch the package lists of the system's own sources into the private state directory."""
        self.options += [
            "-o",
            f"Dir::State={self.directory / 'state'}",
            "-o",
            "Dir::State::status=/var/lib/dpkg/status",
        ]
        self.refreshed = True
        self._run(["update"])

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", *self.options, *arguments]
        return subprocess.run(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def _missing(self, packages: list[str], keep: str) -> list[str] | None:
        """`name=version` of what installing `packages` would add and `keep` matches; None when apt cannot tell."""
        done = self._run(["install", "--simulate", "--no-install-recommends", *packages])
        if done.returncode:
            return None
        # `Inst name [installed] (candidate ...`: a line with an installed version is an upgrade, which we do not need.
        added = re.findall(r"^Inst (\S+) \((\S+) ", done.stdout, re.M)
        found = [f"{name}={version}" for name, version in added if re.match(keep, name)]
        present = {name for name, _ in added}
        # A package the system already has is not in the plan, though its files are needed next to the others.
        return found + [name for name in packages if name not in present]

    def unpack(self, packages: list[str], keep: str, target: Path) -> None:
        """Download `packages` with the dependencies this system lacks and `keep` matches, and unpack them in `target`.

        Raises Unavailable with apt's own last words when they cannot be had.
        """
        for attempt in ("the lists of the system", "fresh lists of our own"):
            if attempt != "the lists of the system" and not self.refreshed:
                self.refresh()
            wanted = self._missing(packages, keep)
            done = self._run(["download", *wanted]) if wanted else None
            if done is not None and done.returncode == 0:
                break
            # Old lists name versions that the mirror has replaced (404), and a fresh image has no lists at all.
        else:
            said = (done or self._run(["install", "--simulate", *packages])).stderr.strip().splitlines() or ["nothing"]
            raise Unavailable(f"apt could not fetch {', '.join(packages)} (it said: {said[-1]})")
        archives = sorted(self.directory.glob("*.deb"))
        for archive in archives:
            subprocess.run(["dpkg-deb", "-x", str(archive), str(target)], check=True)
            archive.unlink()
