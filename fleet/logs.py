"""Structured logs: one JSON object a line, from our code and from libraries alike.

An event is a constant in snake_case past tense with its data as fields: `log.info("message_applied", type=...)`.
Log ids, never objects; no personal data and no message text.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any

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
    return event


def configure(service: str, process: str) -> None:
    """Send everything this process logs to standard output as JSON that names `service` and `process`."""
    shared: list[structlog.typing.Processor] = [
        _add_context,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]

    def name_process(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, "process": process, **event}

    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(read(LogSettings).level.upper())
    # pika reports each step of every reconnection at INFO; the relay and the consumer say it once, in our words.
    logging.getLogger("pika").setLevel(logging.CRITICAL)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: `log = logs.get(__name__)`."""
    return structlog.stdlib.get_logger(name)
