"""The problems (RFC 9457) that the gateway itself answers with, as data, and as nginx's configuration.

Slugs are those of `fleet/problems.py` where a service gives the same answer. Sentences may not hold ' or \\ or $ or ",
which would mean something to nginx or to JSON.
"""

from dataclasses import dataclass

TYPE_BASE = "https://propel.example/problems/"


@dataclass(frozen=True)
class Problem:
    """A refusal; `causes` are nginx's own codes that lead to it, where they are not just the status."""

    status: int
    slug: str
    title: str
    detail: str
    causes: tuple[int, ...] = ()


PROBLEMS = (
    Problem(
        400, "unreadable", "The request cannot be read", "This is not HTTP as the standard has it: mend the client."
    ),
    Problem(
        400,
        "https-required",
        "This port speaks HTTPS",
        "The request came without TLS: use an address that starts with https.",
        (497,),
    ),
    Problem(
        403,
        "forbidden",
        "You may not do this",
        "Pages of this origin may not call the API. Whoever runs Propel can allow the origin with CORS_ORIGINS.",
    ),
    Problem(404, "not-found", "Not found", "There is nothing under this path. /api/docs/ lists what there is."),
    Problem(405, "method-not-allowed", "Method not allowed", "Use one of the methods in the Allow header."),
    Problem(411, "length-required", "The length is missing", "Send the length of the body in Content-Length."),
    Problem(
        413,
        "content-too-large",
        "The body is too large",
        "Send at most 1 MiB, or one file of at most 8 MB to /api/evidence/ or /api/resumes/.",
    ),
    Problem(
        414, "uri-too-long", "The address is too long", "Keep path and query under 8 kB: long values belong in a body."
    ),
    Problem(
        415,
        "unsupported-media-type",
        "The body has the wrong form",
        "Compressed bodies are not accepted: send it without Content-Encoding.",
    ),
    Problem(
        429,
        "too-many-requests",
        "Too many requests",
        "Wait for the number of seconds in the Retry-After header, then send fewer requests a second.",
    ),
    Problem(
        431,
        "request-header-fields-too-large",
        "The headers are too large",
        "Keep each header under 8 kB and all together under 32 kB.",
        (494,),
    ),
    Problem(
        500, "internal-error", "Something went wrong", "This is our fault. Quote the request_id when you report it."
    ),
    Problem(
        501, "not-implemented", "Not implemented", "Send the body as it is or chunked: no other Transfer-Encoding."
    ),
    Problem(
        502,
        "bad-gateway",
        "A part of Propel does not answer",
        "Try again in a moment. A request that changes something should carry an Idempotency-Key."
        " /health/ shows which part it is.",
    ),
    Problem(
        503,
        "unavailable",
        "Not available at the moment",
        "Try again in a moment. /health/ shows the state of each part.",
    ),
    Problem(
        504,
        "gateway-timeout",
        "A part of Propel takes too long",
        "Look first whether it was done after all. A repeated request should carry the same Idempotency-Key.",
    ),
    Problem(505, "http-version-not-supported", "HTTP version not supported", "Use HTTP/1.1 or HTTP/2."),
)
ABSENT = Problem(
    503,
    "not-installed",
    "Not part of this installation yet",
    "This path belongs to a service that does not run here. /health/ shows which do.",
)


def answer(problem: Problem) -> str:
    """The directives that answer with `problem` from any location."""
    spoken = f"{problem.title}{problem.detail}"
    if set(spoken) & set("'\\$\""):
        raise ValueError(f"{problem.slug}: the sentence holds a character that nginx or JSON would read")
    body = (
        f'{{"type":"{TYPE_BASE}{problem.slug}","title":"{problem.title}","status":{problem.status},'
        f'"detail":"{problem.detail}","instance":"$instance","request_id":"$request_ref"}}'
    )
    return f"default_type application/problem+json;\nreturn {problem.status} '{body}';\n"


def configuration() -> str:
    """The server's error pages: a location for each problem, and which code of nginx leads there."""
    lines = ["# Written by gateway/problems.py."]
    for problem in PROBLEMS:
        place = f"/_problem/{problem.slug}"
        for cause in problem.causes or (problem.status,):
            # The status is said again, so that nginx does not first ask (100 Continue) for a body nobody wants.
            lines.append(f"error_page {cause} ={problem.status} {place};")
        # Not a named location: nginx cannot go to one before it has read a path (400, 414).
        lines += [f"location = {place} {{", "internal;", answer(problem).rstrip(), "}"]
    return "\n".join(lines) + "\n"
