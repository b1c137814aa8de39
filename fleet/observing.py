"""What a request leaves behind: one log line, one measurement, and one span where traces are kept."""

import time

from flask import Response, g, request

from fleet import logs, metrics, tracing

log = logs.get(__name__)

PROBES = ("/healthz", "/readyz", "/metrics")


def begin() -> None:
    """A request has come, and has its id: start its clock, and go on with the trace that the gateway hands on."""
    g.started = time.perf_counter()
    parent = request.headers.get("traceparent")
    g.span = None
    if tracing.enabled() and request.path not in PROBES:
        what: dict[str, str | int] = {"http.request.method": request.method, "http.route": _route()}
        g.span = tracing.begin(f"{request.method} {_route()}", "server", parent, what)
    logs.traceparent.set(g.span.traceparent if g.span else parent)


def end(response: Response) -> None:
    """The request is answered."""
    if request.path in PROBES:
        return
    elapsed = time.perf_counter() - g.started
    metrics.requests.labels(_route(), request.method, response.status_code).observe(elapsed)
    member = g.get("caller")
    log.info(
        "request_answered",
        route=_route(),
        method=request.method,
        status=response.status_code,
        ms=round(elapsed * 1000, 1),
        member_id=str(member.member_id) if member else None,
    )
    if g.span:
        failed = "status" if response.status_code >= 500 else None
        g.span.end(failed, {"http.response.status_code": response.status_code})


def _route() -> str:
    """The rule that matched, never the path: ids would make a series of each request, and paths can hold anything."""
    return request.url_rule.rule if request.url_rule else "unknown"
