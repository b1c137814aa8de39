"""One gateway for all tests that can share it, and a maker of others for those that need settings of their own."""

import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.binaries import Program, nginx
from tests.gateway.fleet import Fleet, Gateway, services


@pytest.fixture(scope="session")
def program() -> Program:
    """The nginx of this machine, or the one that local mode fetches."""
    return nginx()


@pytest.fixture(scope="session")
def standing(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    behind = services()
    addresses = {name: each.address for name, each in behind.items()}
    fleet = Fleet(Gateway(program, tmp_path_factory.mktemp("gateway"), addresses), behind)
    yield fleet
    fleet.gateway.stop()
    for each in behind.values():
        each.close()


@pytest.fixture
def fleet(standing: Fleet) -> Fleet:
    """All six services behind the default settings."""
    standing.forget()
    return standing


@pytest.fixture
def start(program: Program, fleet: Fleet, tmp_path: Path) -> Iterator[Callable[..., Gateway]]:
    """Start another gateway; without `upstreams`, before the same services."""
    started: list[Gateway] = []

    def another(upstreams: dict[str, str] | None = None, target: Path = tmp_path, **options: Any) -> Gateway:
        if upstreams is None:
            upstreams = {name: each.address for name, each in fleet.services.items()}
        started.append(Gateway(program, target, upstreams, **options))
        return started[-1]

    yield another
    for each in started:
        each.stop()


@pytest.fixture
def dead() -> Iterator[str]:
    """An address at which nobody listens, kept so that nobody else comes to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every account can reach, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="propel-gateway-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
