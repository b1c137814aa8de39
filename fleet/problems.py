"""Problems: answers that say no (RFC 9457). A `Problem` is an answer; anything else raised is a fault.

Domain modules declare theirs at the top of the file that raises them:

    class InsufficientPoints(Problem):
        status, slug, title = 409, "insufficient-points", "Not enough points"
"""

from typing import Any

TYPE_BASE = "https://propel.example/problems/"


class Problem(Exception):
    """A refusal with its HTTP status, a stable slug, a title, a sentence for this case, and extra fields."""

    status = 400
    slug = "bad-request"
    title = "The request cannot be carried out"

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extras = extras
        self.headers: dict[str, str] = {}

    def to_dict(self) -> dict[str, Any]:
        """The members of the problem+json body that do not depend on the request."""
        return {
            "type": TYPE_BASE + self.slug,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.extras,
        }


class Unreadable(Problem):
    """The body or a header cannot be read at all."""

    status, slug, title = 400, "unreadable", "The request cannot be read"


class Unauthorized(Problem):
    """No token, or one that is not valid (any more)."""

    status, slug, title = 401, "unauthorized", "Sign in first"

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail, **extras)
        self.headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(Problem):
    """Signed in, but not entitled."""

    status, slug, title = 403, "forbidden", "You may not do this"


class NotFound(Problem):
    """Nothing here, or nothing that the caller may know of."""

    status, slug, title = 404, "not-found", "Not found"


class InvalidFields(Problem):
    """Fields or parameters that are wrong; `errors` names each by JSON pointer."""

    status, slug, title = 422, "invalid-fields", "Some fields are not valid"

    def __init__(self, errors: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{error['pointer']}: {error['detail']}" for error in errors), errors=errors)


class TooManyRequests(Problem):
    """A rate is exhausted; `retry_after` is in whole seconds."""

    status, slug, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.headers = {"Retry-After": str(retry_after)}


class Unavailable(Problem):
    """A part that is needed does not answer at the moment."""

    status, slug, title = 503, "unavailable", "Not available at the moment"

    def __init__(self, detail: str = "", **extras: Any) -> None:
        super().__init__(detail, **extras)
        self.headers = {"Retry-After": "1"}


def invalid(pointer: str, detail: str) -> InvalidFields:
    """The problem of one wrong field, named by JSON pointer (`/points`)."""
    return InvalidFields([{"pointer": pointer, "detail": detail}])
