"""The gateway's nginx in the foreground, configured by `gateway/render.py`.

python -m deploy.local.nginx --target DIR --listen 127.0.0.1:8080 --upstream users=127.0.0.1:17010 ...
"""

import argparse
import os
import sys
from pathlib import Path

from deploy.local.binaries import nginx
from deploy.local.debian import Unavailable


def _pairs(given: list[str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in given)


def main() -> None:
    """Render the configuration into the target directory, with the settings of the environment, and become nginx."""
    from gateway.render import SETTINGS, render

    parser = argparse.ArgumentParser()
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--upstream", action="append", default=[], help="service=address:port")
    parser.add_argument("--probe", action="append", default=[], help="part=address:port, asked at /readyz for /health/")
    given = parser.parse_args()
    target = given.target.resolve()
    target.mkdir(parents=True, exist_ok=True)
    settings = {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}
    upstreams, probes = _pairs(given.upstream), _pairs(given.probe)
    try:
        program = nginx()
        main_file = render(target, listen=given.listen, upstreams=upstreams, settings=settings, probes=probes)
    except (Unavailable, ValueError) as reason:
        sys.exit(f"The gateway cannot start: {reason}.")
    # Until the configuration is read, nginx would complain into a log directory that is root's.
    command = [str(program.path), "-p", f"{target}/", "-c", str(main_file), "-e", "stderr"]
    if not any(line.split()[:1] == ["daemon"] for line in main_file.read_text(encoding="utf-8").splitlines()):
        command += ["-g", "daemon off;"]
    os.execve(program.path, command, {**os.environ, **program.environment})  # noqa: S606


if __name__ == "__main__":
    main()
