"""A private RabbitMQ node: own name, ports, cookie and directories, on loopback only.

    python -m deploy.local.rabbitmq serve --home DIR --port N --dist-port N --epmd-port N [--passwords DIR]
    python -m deploy.local.rabbitmq epmd --epmd-port N

Both become the server in the foreground. epmd, Erlang's name service, runs apart: one that the node starts by itself
goes into the background, listens on every address and outlives the node.
"""

import argparse
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

from deploy.local.binaries import broker
from deploy.local.debian import Unavailable
from deploy.local.layout import write_private
from deploy.local.probes import Probe, listens

VHOST = "propel"
# Erlang's schedulers spin for a while before they sleep; on a machine shared with the fleet that takes its cores away.
ERLANG_FLAGS = "+sbwt none +sbwtdcpu none +sbwtdio none"


def configuration(home: Path, port: int) -> str:
    """The text of rabbitmq.conf."""
    lines = {
        "listeners.tcp.local": f"127.0.0.1:{port}",
        "load_definitions": str(home / "definitions.json"),
        "vm_memory_high_watermark.absolute": "512MB",
        "disk_free_limit.absolute": "50MB",
        # The default, 512 MB, is kept in memory: beside the low watermark above the node would block under load.
        "raft.wal_max_size_bytes": "16777216",
        # A message is held unacknowledged while its database is away; after the default of 30 minutes each would count
        # as a crash, and a long outage would end in the dead queue.
        "consumer_timeout": str(7 * 24 * 3600 * 1000),
        "log.console": "true",
        "log.console.level": "info",
        "log.console.formatter": "json",
        "log.file": "false",
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def environment(home: Path, port: int, dist_port: int, epmd_port: int) -> dict[str, str]:
    """What the server script and the tools (`rabbitmqctl`) need to be this node's, over the program's own environment."""
    name = hashlib.sha256(str(home).encode()).hexdigest()[:10]
    interface = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        # The cookie is looked for in HOME.
        "HOME": str(home),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP": str(home / "erl_crash.dump"),
        "RABBITMQ_NODENAME": f"propel-{name}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{ERLANG_FLAGS} {interface} -start_epmd false",
        # Makes the script become the node instead of waiting for it: signals and deaths are the node's own.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def configure(home: Path, port: int, passwords: dict[str, str]) -> None:
    """Write everything the node reads: configuration, users and rights, cookie."""
    from fleet.topology import definitions

    for folder in (home, home / "data", home / "log", home / "generated"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(home / "rabbitmq.conf", configuration(home, port))
    write_private(home / "definitions.json", json.dumps(definitions(passwords)))
    write_private(home / "rabbitmq-env.conf", "")
    write_private(home / "enabled_plugins", "[].\n")
    write_private(home / "advanced.config", "[].\n")
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        write_private(cookie, secrets.token_hex(20))
        cookie.chmod(0o400)


def url(user: str, password: str, port: int) -> str:
    """The AMQP address of the fleet's virtual host for one user."""
    return f"amqp://{user}:{password}@127.0.0.1:{port}/{VHOST}"


def ready(port: int) -> Probe:
    """Ready when the broker answers the protocol's greeting; it listens only after users and rights are loaded."""
    return listens(port, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00")


def epmd_ready(port: int) -> Probe:
    """Ready when epmd takes connections."""
    return listens(port)


def main() -> None:
    """Become the node, or its epmd."""
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["serve", "epmd"])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--dist-port", type=int)
    parser.add_argument("--epmd-port", type=int, required=True)
    parser.add_argument("--passwords", type=Path, help="directory with one file amqp_<user> for each user")
    given = parser.parse_args()
    try:
        program = broker()
    except Unavailable as reason:
        sys.exit(f"RabbitMQ cannot start: {reason}.")
    values = {**os.environ, **program.environment}
    if given.action == "epmd":
        command = ["epmd", "-address", "127.0.0.1", "-port", str(given.epmd_port)]
        os.execvpe("epmd", command, {**values, "ERL_EPMD_RELAXED_COMMAND_CHECK": "1"})  # noqa: S606
    home = given.home.resolve()
    files = {path.name.removeprefix("amqp_"): path for path in given.passwords.glob("amqp_*")}
    configure(home, given.port, {user: path.read_text(encoding="utf-8").strip() for user, path in files.items()})
    values.update(environment(home, given.port, given.dist_port, given.epmd_port))
    os.chdir(home)
    os.execve(program.path, [str(program.path)], values)  # noqa: S606


if __name__ == "__main__":
    main()
