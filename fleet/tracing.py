"""Traces: what one request or one command caused, over all services, as W3C `traceparent` says and OpenTelemetry shows.

`logs.traceparent` is where the present work stands in its trace; messages carry it, and rows of those who wait. With
OTEL_EXPORTER_OTLP_ENDPOINT set, `span(...)` begins a span there and stands in for it until it ends. Without it nothing of
OpenTelemetry is imported, and a trace that somebody else began is only handed on.

Names and attributes hold types, routes and ids of messages: no names of people, no text.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import Token
from dataclasses import dataclass
from typing import Any, Literal

from fleet import logs
from fleet.problems import Problem
from fleet.settings import read, setting

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int]

EXPORT_TIMEOUT_S = 3
_OFF: AbstractContextManager[None] = nullcontext()


@dataclass(frozen=True)
class TracingSettings:
    """Where traces go."""

    endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT", default="", help="collector of traces (OTLP over HTTP); empty: no traces"
    )


class _Tracer:
    """OpenTelemetry, as far as we use it."""

    def __init__(self, endpoint: str, service: str, process: str) -> None:
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._kinds, self._failed = SpanKind, lambda why: Status(StatusCode.ERROR, why)
        self._propagator, self._nothing = TraceContextTextMapPropagator(), Context
        self.provider = TracerProvider(
            resource=Resource.create(
                {"service.name": service, "service.namespace": "propel", "propel.process": process}
            )
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
        self.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
        self._tracer = self.provider.get_tracer("propel")

    def begin(
        self, name: str, kind: Kind, parent: str | None, attributes: Attributes | None, at: int | None = None
    ) -> Any:
        """A span under `parent`, or the first of a new trace when that is none or not readable."""
        carrier = {"traceparent": parent} if parent else {}
        return self._tracer.start_span(
            name,
            context=self._propagator.extract(carrier, self._nothing()),
            kind=self._kinds[kind.upper()],
            attributes=attributes,
            start_time=at,
        )

    def fail(self, span: Any, why: str) -> None:
        """Mark a span as failed."""
        span.set_status(self._failed(why))


_tracer: _Tracer | None = None


def start(service: str, process: str) -> None:
    """Export the spans of this process, when the settings say where to; once, and after the process has forked."""
    global _tracer
    endpoint = read(TracingSettings).endpoint
    if endpoint and _tracer is None:
        # It repeats its whole traceback for every batch while the collector is away.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        _tracer = _Tracer(endpoint, service, process)


def stop() -> None:
    """Send what is left, and trace no more."""
    global _tracer
    if _tracer is not None:
        _tracer.provider.shutdown()
        _tracer = None


def enabled() -> bool:
    """True when spans are exported."""
    return _tracer is not None


class Span:
    """A span that somebody ends by hand, where work does not begin and end in one block."""

    def __init__(
        self, tracer: _Tracer, name: str, kind: Kind, parent: str | None, attributes: Attributes | None
    ) -> None:
        self._tracer = tracer
        self._span = tracer.begin(name, kind, parent, attributes)

    @property
    def traceparent(self) -> str:
        """Where what it causes stands."""
        found = self._span.get_span_context()
        return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    def end(self, failure: str | None = None, attributes: Attributes | None = None) -> None:
        """End it; `failure` says in a word what was wrong."""
        self._span.set_attributes(attributes or {})
        if failure is not None:
            self._tracer.fail(self._span, failure)
        self._span.end()


def begin(name: str, kind: Kind, parent: str | None = None, attributes: Attributes | None = None) -> Span | None:
    """Begin a span that `end()` ends; None when there are no traces."""
    return None if _tracer is None else Span(_tracer, name, kind, parent, attributes)


def span(
    name: str, kind: Kind = "internal", *, parent: str | None = None, attributes: Attributes | None = None
) -> AbstractContextManager[Any]:
    """A span around a block, under `parent` or what is being done already; what is recorded inside goes on from it.

    A refusal (`Problem`) is an outcome like others, any other exception a failure.
    """
    if _tracer is None:
        return _OFF if parent is None else _under(parent)
    return _spanned(name, kind, parent or logs.traceparent.get(), attributes)


@contextmanager
def _under(parent: str) -> Iterator[None]:
    token = logs.traceparent.set(parent)
    try:
        yield
    finally:
        logs.traceparent.reset(token)


@contextmanager
def _spanned(name: str, kind: Kind, parent: str | None, attributes: Attributes | None) -> Iterator[None]:
    assert _tracer is not None
    opened = Span(_tracer, name, kind, parent, attributes)
    token: Token[str | None] = logs.traceparent.set(opened.traceparent)
    failure, said = None, None
    try:
        yield
    except Problem as problem:
        said = {"propel.problem": problem.slug}
        raise
    except BaseException as error:
        # Not its words: they may hold what somebody wrote.
        failure = type(error).__name__
        raise
    finally:
        logs.traceparent.reset(token)
        opened.end(failure, said)


def note(name: str, kind: Kind, parent: str | None, seconds: float, attributes: Attributes) -> None:
    """A span that ends now and began `seconds` ago, for work done for many at once."""
    if _tracer is not None:
        began = time.time_ns() - int(seconds * 1e9)
        _tracer.begin(name, kind, parent, attributes, began).end()
