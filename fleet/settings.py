"""Typed settings, read from the environment in one place.

A process names what it needs as frozen dataclasses whose fields are made by `setting(...)`. `read(cls)` gives the
filled instance, or ends the process with status 2 after listing *every* missing or malformed name, so that nobody
mends a deployment one variable at a time. `NAME_FILE` may name a file that holds the value of `NAME` (mounted secrets).
"""

import dataclasses
import os
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")


class SettingsError(Exception):
    """Names that are missing or malformed; `problems` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def setting(name: str, *, help: str, default: Any = dataclasses.MISSING, secret: bool = False) -> Any:
    """A field read from the environment variable `name`; without `default` it must be given."""
    return dataclasses.field(default=default, metadata={"name": name, "help": help, "secret": secret})


def database_url(value: str) -> str:
    """The address with the driver named: SQLAlchemy 2.1 reads the plain form as psycopg 3, which we do not ship."""
    for prefix in ("postgres://", "postgresql://"):
        if value.startswith(prefix):
            return "postgresql+psycopg2://" + value.removeprefix(prefix)
    if value.startswith("postgresql+psycopg2://"):
        return value
    raise ValueError("must start with postgresql://")


def _boolean(value: str) -> bool:
    if value.lower() in ("true", "1", "yes"):
        return True
    if value.lower() in ("false", "0", "no", ""):
        return False
    raise ValueError("must be true or false")


class DatabaseUrl(str):
    """Marks a field as a database address, normalised by `database_url`."""

    __slots__ = ()


_PARSERS: dict[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: float,
    bool: _boolean,
    Path: Path,
    ZoneInfo: ZoneInfo,
    DatabaseUrl: database_url,
}


def given(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The text of one setting, from the variable itself or from the file that `<name>_FILE` names. Raises OSError."""
    if environment.get(name, "") != "":
        return environment[name]
    if file := environment.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").strip() or None
    return None


def parse(cls: type[T], environment: Mapping[str, str]) -> T:
    """Fill `cls` from `environment`; raises SettingsError naming every field that is missing or malformed."""
    values, problems = {}, []
    kinds = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        name = field.metadata["name"]
        kind = kinds[field.name]
        kind = next((k for k in typing.get_args(kind) if k is not type(None)), kind)
        try:
            raw = given(name, environment)
            if raw is not None:
                values[field.name] = _PARSERS[kind](raw)
            elif field.default is dataclasses.MISSING:
                problems.append(f"{name} is missing: {field.metadata['help']}")
        except (ValueError, OSError, KeyError) as error:
            problems.append(f"{name} is not usable ({error}): {field.metadata['help']}")
    if problems:
        raise SettingsError(problems)
    return cls(**values)


@cache
def read(cls: type[T]) -> T:
    """The settings of this process; read once. Ends the process with status 2 when some are missing."""
    require(cls)
    return parse(cls, os.environ)


def require(*classes: type[Any]) -> None:
    """End the process with status 2, naming all that is missing for any of these; the first thing a process does."""
    problems: list[str] = []
    for cls in classes:
        try:
            parse(cls, os.environ)
        except SettingsError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    if problems:
        sys.stderr.write("Propel cannot start, settings are missing or wrong:\n")
        sys.stderr.writelines(f"  {problem}\n" for problem in problems)
        raise SystemExit(2)


@dataclass(frozen=True)
class DatabaseSettings:
    """Any process that keeps data."""

    url: DatabaseUrl = setting(
        "DATABASE_URL", help="postgresql://user:password@host/database of this service", secret=True
    )
    pool_size: int = setting("DATABASE_POOL_SIZE", default=12, help="connections kept by one process")


@dataclass(frozen=True)
class BrokerSettings:
    """Workers, relays and consumers: the only processes that speak AMQP."""

    url: str = setting("AMQP_URL", help="amqp://user:password@host/propel of this service", secret=True)


@dataclass(frozen=True)
class ProgramSettings:
    """What the whole programme shares."""

    zone: ZoneInfo = setting(
        "PROGRAM_TIMEZONE",
        default=ZoneInfo("UTC"),
        help="IANA zone in which a day, week or month of the programme begins",
    )


@dataclass(frozen=True)
class LogSettings:
    """How much a process says."""

    level: str = setting("LOG_LEVEL", default="INFO", help="DEBUG, INFO, WARNING or ERROR")


@dataclass(frozen=True)
class MetricsSettings:
    """Processes without a web door of their own."""

    port: int = setting("METRICS_PORT", default=0, help="port of /metrics, /healthz and /readyz; 0 turns it off")
    host: str = setting("METRICS_HOST", default="127.0.0.1", help="address that port listens on")
