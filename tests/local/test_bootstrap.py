"""How the preparation finds its Python, and what it says when there is none."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local import debian

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path):
    """An empty project with the bootstrap, and a PATH that holds only the tools it may use."""
    (tmp_path / "deploy/local").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/local/bootstrap", tmp_path / "deploy/local/bootstrap")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dirname").symlink_to(shutil.which("dirname"))
    return tmp_path


def python(directory: Path, name: str, script: str) -> None:
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def bootstrap(clone: Path, *more: Path) -> subprocess.CompletedProcess:
    path = ":".join(map(str, [clone / "bin", *more]))
    environment = {"PATH": path, "HOME": str(clone)}
    command = ["/bin/sh", str(clone / "deploy/local/bootstrap")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_without_any_python_one_sentence_says_what_to_install(clone):
    done = bootstrap(clone)
    assert done.returncode == 1
    assert done.stderr.startswith("Propel needs Python 3.11 or newer and found none: install it")
    assert done.stderr.count("\n") == 1


def test_one_that_is_too_old_is_named_with_its_version(clone):
    python(clone / "bin", "python3", "echo 3.9; exit 1")
    done = bootstrap(clone)
    assert done.returncode == 1
    assert f"found only {clone}/bin/python3 (3.9)" in done.stderr


def test_a_shim_that_fails_is_named_as_broken(clone):
    python(clone / "bin", "python3.13", "echo 'pyenv: command not found' >&2; exit 127")
    done = bootstrap(clone)
    assert done.returncode == 1
    assert f"does not run: {clone}/bin/python3.13" in done.stderr


def test_a_broken_shim_does_not_hide_the_python_behind_it(clone):
    (clone / "behind").mkdir()
    python(clone / "bin", "python3.12", "exit 127")
    python(clone / "behind", "python3.12", 'case "$1" in -c) echo 3.12;; *) echo "chosen $0 $*";; esac')
    done = bootstrap(clone, clone / "behind")
    assert done.stdout == f"chosen {clone}/behind/python3.12 -E -m deploy.local.prepare\n"


def test_a_python_that_only_pyenv_knows_is_found_newest_first(clone):
    for version in ("3.11.9", "3.13.0", "3.10.1"):
        (clone / f".pyenv/versions/{version}/bin").mkdir(parents=True)
        script = f'case "$1" in -c) echo {version};; *) echo "chosen {version}";; esac'
        python(clone / f".pyenv/versions/{version}/bin", "python", script)
    assert bootstrap(clone).stdout == "chosen 3.13.0\n"


APT = """
case "$*" in
  *update*) mkdir -p refreshed;;
  *simulate*) [ -d refreshed ] || exit 100
    echo "Inst libnew (2.0 Debian:12 [amd64])"
    echo "Inst libc6 [2.35] (2.36 Debian:12 [amd64])"
    echo "Inst logrotate (3.21 Debian:12 [amd64])"
    echo "Inst server (1.0-1 Debian:12 [all])";;
  *download*) echo "$*" > asked; : > server_1.deb;;
esac
"""


def test_only_missing_and_wanted_packages_are_fetched_with_lists_of_our_own_when_the_systems_are_empty(
    tmp_path, monkeypatch
):
    for folder in ("bin", "apt", "target"):
        (tmp_path / folder).mkdir()
    python(tmp_path / "bin", "apt-get", APT)
    python(tmp_path / "bin", "dpkg-deb", f'echo "$1 $3" > {tmp_path}/unpacked')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    debian.Apt(tmp_path / "apt").unpack(["server", "installed"], "^(server|lib.*)$", tmp_path / "target")
    asked = (tmp_path / "apt/asked").read_text().split("download ")[1].split()
    # An upgrade (libc6) and what only the system service needs (logrotate) stay away; what is installed is still needed.
    assert asked == ["libnew=2.0", "server=1.0-1", "installed"]
    assert (tmp_path / "unpacked").read_text() == f"-x {tmp_path / 'target'}\n"
    assert not list((tmp_path / "apt").glob("*.deb"))
