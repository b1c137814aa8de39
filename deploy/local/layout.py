"""Where everything of a local fleet lives: `.run/`, its secrets, its settings and its ports."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# PROPEL_RUN puts a fleet elsewhere: the tests run one of their own beside yours.
RUN = Path(os.environ.get("PROPEL_RUN") or ROOT / ".run").resolve()
LOGS = RUN / "logs"
SECRETS = RUN / "secrets"
STATE = RUN / "state.json"
# Processes that the supervisor keeps stopped, one name in a line.
HELD = RUN / "held"
PORTS = RUN / "ports.json"
MAIL = RUN / "mail"
# Tells this fleet from the others on the same machine.
CLONE = hashlib.sha256(str(RUN).encode()).hexdigest()[:10]

# What listens where, counted from PORT_BASE. The numbers are fixed: a port in a log names its process at once.
OFFSETS = {
    "postgres": 0,
    "rabbitmq": 1,
    "epmd": 2,
    "erlang": 3,
    "restored": 4,
    "users-web": 10,
    "users-worker": 11,
    "points-web": 20,
    "points-consumer": 21,
    "points-relay": 22,
    "rewards-web": 30,
    "rewards-worker": 31,
    "reviews-web": 40,
    "reviews-worker": 41,
    "integrations-web": 50,
    "integrations-worker": 51,
    "integrations-stream": 52,
    "bot-client": 60,
    "bot-worker": 61,
    "bot-web": 62,
    "discord": 100,
}
SPAN = 200


class PortsError(Exception):
    """The ports cannot be used; the message is one sentence that says which and how to choose others."""


@dataclass(frozen=True)
class Ports:
    """The two numbers that decide every port of a fleet."""

    gateway: int
    base: int

    def __getitem__(self, name: str) -> int:
        return self.gateway if name == "gateway" else self.base + OFFSETS[name]


def settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the operator set: `.env` (KEY=VALUE lines, quotes and comments allowed), overridden by the environment."""
    values = {}
    with contextlib.suppress(FileNotFoundError):
        for line in (ROOT / ".env").read_text(encoding="utf-8").splitlines():
            name, equals, value = line.strip().removeprefix("export ").partition("=")
            if equals and not name.startswith("#"):
                values[name.strip()] = value.strip().strip("'\"")
    return {**values, **environment}


def _number(values: Mapping[str, str], name: str, default: int, highest: int) -> int:
    text = values.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= highest:
        raise PortsError(
            f"{name}={text} is not a port between 1 and {highest}: choose another, e.g. make up {name}={default}"
        )
    return int(text)


def chosen_ports(values: Mapping[str, str]) -> Ports:
    """GATEWAY_PORT and PORT_BASE out of the settings; raises PortsError when they make no sense."""
    ports = Ports(_number(values, "GATEWAY_PORT", 8080, 65535), _number(values, "PORT_BASE", 17000, 65535 - SPAN))
    if ports.base <= ports.gateway < ports.base + SPAN:
        raise PortsError(
            f"GATEWAY_PORT={ports.gateway} lies within PORT_BASE .. PORT_BASE+{SPAN - 1}, where the parts listen:"
            " choose another, e.g. make up GATEWAY_PORT=8081"
        )
    return ports


def recorded_ports() -> Ports | None:
    """The ports of the fleet that `make up` started last; None when none was."""
    try:
        return Ports(**json.loads(PORTS.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def check_free(ports: Ports, names: list[str]) -> None:
    """Raise PortsError naming the first port that one of `names` could not listen on."""
    for name in names:
        with socket.socket() as probe:
            # As the servers do it: a connection of an earlier run that is still closing does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", ports[name]))
            except OSError as error:
                variable, other = ("GATEWAY_PORT", 8090) if name == "gateway" else ("PORT_BASE", 18000)
                raise PortsError(
                    f"Port {ports[name]}, needed for {name}, cannot be used ({error.strerror}): stop what uses it or choose"
                    f" others, e.g. make up {variable}={other}"
                ) from error


def shown(path: Path) -> Path:
    """The path as a reader wants it: from the project's root when it is inside."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def secret(name: str) -> str:
    """The secret called `name`, made at its first use; every clone has its own and nothing has a default."""
    path = SECRETS / name
    if not path.exists():
        # UUIDs and passwords alike fit every place a secret goes to, a URL among them.
        # Hexadecimal: one that began with a hyphen would be an option to whatever program it is given to.
        write_private(path, str(uuid.uuid4()) if name == "member_namespace" else secrets.token_hex(24))
    return path.read_text(encoding="utf-8").strip()


def signing_key() -> Path:
    """The file with the Ed25519 key that users signs access tokens with, made at its first use."""
    path = SECRETS / "users_jwt_key.pem"
    if not path.exists():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem.decode())
    return path
