"""What tests of HTTP doors say of answers."""

from typing import Any
from urllib.parse import unquote

from werkzeug.test import TestResponse

from fleet.problems import TYPE_BASE


def refused(answer: TestResponse, status: int, slug: str | None = None) -> dict[str, Any]:
    """The answer is a complete problem of this status (and slug); returns its body."""
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    body: dict[str, Any] = answer.get_json(force=True)
    assert body["type"].startswith(TYPE_BASE)
    assert slug is None or body["type"] == TYPE_BASE + slug
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"].rstrip("/") == unquote(answer.request.path).rstrip("/")
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body


def pointers(answer: TestResponse) -> list[str]:
    """The fields that a 422 names."""
    return [error["pointer"] for error in refused(answer, 422, "invalid-fields")["errors"]]


def alike(answer: TestResponse) -> tuple[Any, ...]:
    """All of a refusal that does not belong to this one request: two of the same kind must not differ in it."""
    body = answer.get_json(force=True)
    headers = {name: value for name, value in answer.headers if name not in ("X-Request-ID", "Content-Length")}
    return answer.status_code, headers, {k: v for k, v in body.items() if k not in ("request_id", "instance")}
