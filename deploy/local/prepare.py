"""Makes `.venv` from requirements.lock; started by `bootstrap` with any Python 3.11 or newer.

Standard library only. The environment is stamped with the hash of the lock and the interpreter's version, and the work
is done under one file lock, so that several `make` at once prepare once and a second call costs milliseconds.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.local.debian import Apt, Unavailable, has_apt

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "propel-stamp"
PACKAGES = ROOT / "deploy/packages"
IMAGES = ("users", "points", "rewards", "reviews", "integrations", "bot", "gateway")


def cache() -> Path:
    """Where downloads are kept, shared by every clone of this user."""
    if given := os.environ.get("PROPEL_CACHE"):
        return Path(given).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "propel"


def stamp() -> str:
    """What `.venv` has to be made of: the lock and the version of the interpreter that is running."""
    return f"{hashlib.sha256(LOCK.read_bytes()).hexdigest()} {sys.version_info[0]}.{sys.version_info[1]}\n"


def is_current() -> bool:
    """True when `.venv` is what the lock asks for; asked from inside `.venv`, so a dead interpreter is noticed."""
    return STAMP.exists() and STAMP.read_text(encoding="utf-8") == stamp()


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def pip() -> list[str]:
    """A command that runs pip with this interpreter, wherever pip is to be found; raises Unavailable."""
    candidates = [["-m", "pip"]]
    # ensurepip keeps pip as a wheel, and a wheel of pip runs as it is. Debian keeps the same wheel elsewhere.
    for directory in (Path(os.__file__).parent / "ensurepip/_bundled", Path("/usr/share/python-wheels")):
        candidates += [[str(wheel / "pip")] for wheel in directory.glob("pip-*.whl")]
    for candidate in candidates:
        if _runs([sys.executable, *candidate, "--version"]):
            return [sys.executable, *candidate]
    home = cache() / "pip"
    if not list(home.glob("usr/share/python-wheels/pip-*.whl")):
        if not has_apt():
            raise Unavailable(f"{sys.executable} has no pip and there is no apt to fetch one: install pip for it")
        with tempfile.TemporaryDirectory() as scratch:
            Apt(Path(scratch)).unpack(["python3-pip-whl"], "^python3-pip-whl$", home)
    wheel = next(home.glob("usr/share/python-wheels/pip-*.whl"))
    return [sys.executable, str(wheel / "pip")]


def authorities() -> dict[str, str]:
    """Settings that tell pip and uv whom to trust where Debian's own list, the only one its pip reads, is not installed."""
    if Path("/etc/ssl/certs/ca-certificates.crt").exists() or not has_apt() or os.environ.get("PIP_CERT"):
        return {}
    bundle = cache() / "authorities.crt"
    if not bundle.exists():
        with tempfile.TemporaryDirectory() as scratch:
            Apt(Path(scratch)).unpack(["ca-certificates"], "^ca-certificates$", Path(scratch) / "list")
            found = [*Path(scratch).glob("list/usr/share/ca-certificates/*/*.crt")]
            found += Path("/usr/local/share/ca-certificates").glob("*.crt")
            bundle.parent.mkdir(parents=True, exist_ok=True)
            draft = bundle.with_suffix(f".{os.getpid()}")
            draft.write_text("\n".join(path.read_text(encoding="utf-8") for path in found), encoding="utf-8")
            draft.replace(bundle)
    return {"PIP_CERT": str(bundle), "SSL_CERT_FILE": str(bundle)}


def uv() -> str | None:
    """The path of uv: on PATH, else from PyPI into the cache; None when it cannot be had."""
    if found := shutil.which("uv"):
        return found
    home = cache() / "uv"
    if not _runs([str(home / "bin/uv"), "--version"]):
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
            command = [*pip(), "install", "--quiet", "--no-input", "--target", f"{scratch}/uv", "uv"]
            if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
                return None
            (Path(scratch) / "uv").rename(home)
    return str(home / "bin/uv")


def install() -> None:
    """Fill `.venv` with exactly what the lock names, every file checked by its hash; raises Unavailable."""
    # uv must take the interpreter we chose: one it downloads would come from a host nobody agreed to.
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(VENV)}
    # uv brings its own list of authorities; behind a company's proxy only the system's knows who signed.
    system_authorities = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true"}
    if tool := uv():
        command = [tool, "pip", "sync", "--quiet", "--require-hashes", "--python", str(PYTHON), str(LOCK)]
        said = ""
        for extra in ({}, system_authorities):
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**environment, **extra},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if done.returncode == 0:
                return
            said = said or done.stderr.strip()
        # A mirror that only pip's own configuration knows is the usual reason.
        print(f"uv could not install the packages, trying pip; uv said:\n{said}", file=sys.stderr)
    # pip never removes what the lock no longer names, so it starts from an empty environment.
    make_venv()
    command = [*pip(), "--python", str(PYTHON), "install", "--quiet", "--no-input", "--no-deps", "--require-hashes"]
    if subprocess.run([*command, "-r", str(LOCK)], cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Unavailable("the packages of requirements.lock could not be installed (see above); is PyPI reachable?")


def make_venv() -> None:
    """An empty `.venv`, without ensurepip: Debian ships that apart, in python3-venv."""
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], check=True)


def prepare() -> None:
    """Bring `.venv` to what the lock asks for; does nothing when it is so already. Raises Unavailable, OSError."""
    with (ROOT / ".venv.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if STAMP.exists() and _runs([str(PYTHON), "-E", "-S", "-m", "deploy.local.prepare", "--is-current"]):
            return
        began = time.monotonic()
        print("Preparing .venv (first time, or the lock changed)", file=sys.stderr, flush=True)
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        same = _runs([str(PYTHON), "-c", f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"])
        if not same:
            make_venv()
        STAMP.unlink(missing_ok=True)
        os.environ.update(authorities())
        install()
        STAMP.write_text(stamp(), encoding="utf-8")
        print(f"Prepared with Python {version} in {time.monotonic() - began:.0f} s", file=sys.stderr)


def relock(upgrade: bool) -> None:
    """Write requirements.lock anew from pyproject.toml, for every Python and system at once; raises Unavailable."""
    tool = uv()
    if not tool:
        raise Unavailable("uv is needed to write the lock and could not be fetched: install it from PyPI")
    command = [tool, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-header", "--no-annotate"]
    # No address of an index may get into the file: it is the reader's machine that says where packages come from.
    command += ["--no-emit-index-url", "--no-emit-find-links", "--python-version", "3.11", "--group", "dev"]
    command += [*(["--upgrade"] if upgrade else []), "--output-file", str(LOCK), "pyproject.toml"]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    if subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=False).returncode:
        raise Unavailable("requirements.lock was not written (see above)")
    for image in IMAGES:
        _name_packages(tool, image)


def _name_packages(tool: str, image: str) -> None:
    """Write which packages of the lock the image holds: those of its dependency group, with what they need in turn."""
    command = [
        tool,
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--no-header",
        "--no-annotate",
        "--python-version",
        "3.11",
    ]
    command += ["--no-emit-index-url", "--constraints", str(LOCK), "--group", image]
    # The gateway's is nginx with templates: nothing of what the services share.
    command += [] if image == "gateway" else ["pyproject.toml"]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"the packages of {image} were not named: {done.stderr.strip()}")
    names = sorted({line.partition("=")[0] for line in done.stdout.splitlines() if "==" in line})
    (PACKAGES / f"{image}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--is-current" in sys.argv:
        sys.exit(0 if is_current() else 1)
    os.chdir(ROOT)
    try:
        if "--relock" in sys.argv:
            relock(upgrade=bool(os.environ.get("UPGRADE")))
        else:
            prepare()
    except (Unavailable, OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"Propel cannot prepare its Python environment: {failure}")
    except KeyboardInterrupt:
        sys.exit("interrupted; the next make goes on from here")
