"""Structured logs: one JSON object a line, from our code and from libraries alike.

An event is a constant in snake_case past tense with its data as fields: `log.info("message_applied", type=...)`.
Log ids, never objects; no personal data and no message text.
"""

import json
import logging
import sys
from contextvars import ContextVar
from typing import Any

import orjson
import structlog

from fleet.settings import LogSettings, read

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
causation_id: ContextVar[str | None] = ContextVar("causation_id", default=None)
traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)

_CONTEXT = {"request_id": request_id, "correlation_id": correlation_id}


def _add_context(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for name, variable in _CONTEXT.items():
        value = variable.get()
        if value is not None:
            event.setdefault(name, value)
    if trace := traceparent.get():
        event.setdefault("trace_id", trace[3:35])
    return event


def _to_json(event: Any, **_options: Any) -> str:
    """What JSON does not know, as a library may log it, goes out as text; a line is never lost over what it says."""
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # Half of a surrogate pair, or a number of more than 64 bits.
        return json.dumps(event, default=str)


class _Line:
    """Writes finished lines to what is standard output now, each at once."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = self.msg

    def msg(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def configure(service: str, process: str) -> None:
    """Send everything this process logs to standard output as JSON that names `service` and `process`."""
    shared: list[structlog.typing.Processor] = [
        _add_context,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]

    def name_process(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, "process": process, **event}

    level = read(LogSettings).level.upper()
    # Our own lines do not take the way through the standard library: every request writes one.
    structlog.configure(
        processors=[
            structlog.stdlib.add_logger_name,
            *shared,
            name_process,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=_Line,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.JSONRenderer(serializer=_to_json),
            ],
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # pika reports each step of every reconnection at INFO; the relay and the consumer say it once, in our words.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def get(name: str) -> Any:
    """The logger of a module: `log = logs.get(__name__)`."""
    return structlog.get_logger(name)
