"""A collector of traces as OpenTelemetry's exporters know it: OTLP over HTTP, kept in memory."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Seen:
    """A span as it arrived."""

    trace: str
    id: str
    parent: str
    name: str
    kind: str
    service: str
    process: str
    text: str
    failed: bool


class Collector:
    """Takes spans on a port of its own until `stop`."""

    def __init__(self) -> None:
        self._spans: dict[str, Seen] = {}
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces", self.path
                collector.take(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None:
                """Quietly."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            about = {each.key: each.value.string_value for each in group.resource.attributes}
            for spans in group.scope_spans:
                for span in spans.spans:
                    seen = Seen(
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.name,
                        span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                        about.get("service.name", ""),
                        about.get("propel.process", ""),
                        str(span),
                        span.status.code == span.status.STATUS_CODE_ERROR,
                    )
                    with self._lock:
                        self._spans[seen.id] = seen

    def spans(self) -> list[Seen]:
        with self._lock:
            return list(self._spans.values())

    def line(self, span: Seen) -> list[Seen]:
        """The span and what it came from, from the beginning of its trace on; ends where a parent has not arrived."""
        with self._lock:
            found = [span]
            while found[0].parent in self._spans:
                found.insert(0, self._spans[found[0].parent])
            return found

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
