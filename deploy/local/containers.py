"""The tests' servers in containers, where a Docker engine answers. testcontainers is imported only then."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local import postgres, rabbitmq
from deploy.local.children import wait_until
from deploy.local.probes import Probe
from fleet.topology import definitions

POSTGRES_IMAGE = "postgres:18-alpine"
RABBITMQ_IMAGE = "rabbitmq:4.1-alpine"
START_SECONDS = 90


class _Container:
    """One container with the controls of a private server; its port is fixed, so that a restart keeps it."""

    def __init__(self, container: Any, ready: Probe) -> None:
        self.container, self.ready = container, ready

    def start(self) -> None:
        self.container.start()
        self.await_ready()

    def await_ready(self) -> None:
        if not wait_until(self.ready, START_SECONDS):
            raise TimeoutError(f"container {self.container.name} was not ready after {START_SECONDS} s")

    def stop(self) -> None:
        self.container.stop()

    def kill(self) -> None:
        self.container.kill()

    def restart(self) -> None:
        self.stop()
        self.start()


@contextmanager
def _run(container: Any, ready: Probe) -> Iterator[_Container]:
    with container:
        part = _Container(container.get_wrapped_container(), ready)
        part.await_ready()
        yield part


@contextmanager
def postgres_container() -> Iterator[tuple[str, _Container]]:
    """The superuser's address and the controls."""
    from testcontainers.core.container import DockerContainer

    from deploy.local.backends import free_ports

    port, password = free_ports(1)[0], secrets.token_urlsafe(24)
    options = ("fsync=off", "synchronous_commit=off", "max_connections=200")
    container = DockerContainer(POSTGRES_IMAGE).with_bind_ports(5432, port).with_env("POSTGRES_PASSWORD", password)
    container = container.with_command(["postgres", *(text for option in options for text in ("-c", option))])
    with _run(container, postgres.ready(port)) as part:
        yield postgres.url("postgres", password, port, "postgres"), part


@contextmanager
def rabbitmq_container(directory: Path, passwords: dict[str, str]) -> Iterator[tuple[str, _Container]]:
    """Host and port, and the controls, of a node that has loaded the fleet's users and rights."""
    from testcontainers.core.container import DockerContainer

    from deploy.local.backends import free_ports

    port, folder = free_ports(1)[0], directory / f"rabbitmq-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    # Read by the container's own user, hence not private; the users in it live as long as the tests.
    (folder / "definitions.json").write_text(json.dumps(definitions(passwords)), encoding="utf-8")
    (folder / "10-tests.conf").write_text("load_definitions = /etc/rabbitmq/definitions.json\n", encoding="utf-8")
    container = DockerContainer(RABBITMQ_IMAGE).with_bind_ports(5672, port).with_kwargs(hostname="tests")
    container = container.with_volume_mapping(str(folder / "definitions.json"), "/etc/rabbitmq/definitions.json")
    container = container.with_volume_mapping(str(folder / "10-tests.conf"), "/etc/rabbitmq/conf.d/10-tests.conf")
    with _run(container, rabbitmq.ready(port)) as part:
        yield f"127.0.0.1:{port}", part
