"""`Idempotency-Key`: the same request twice has one effect and one answer.

The key's row, the effect and the stored answer commit together. A second call that arrives while the first is under way
waits at the primary key until the first has committed, then answers from its row. A refusal rolls everything back, the
key too, so it may be tried again.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, g, request
from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.database import fleet_metadata
from fleet.problems import Problem, Unreadable

keys = Table(
    "idempotency_keys",
    fleet_metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", Integer),
    Column("body", LargeBinary),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


class KeyReused(Problem):
    """The key came with another body before."""

    status, slug, title = 422, "idempotency-key-reused", "This Idempotency-Key was used for another request"


def presented() -> str | None:
    """The caller's key; Unreadable when it is empty, longer than 255 characters or not printable ASCII."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Unreadable("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return key


def once(
    session: Session, make: Callable[[], tuple[dict[str, Any], int]], *, repeat_status: int | None = None
) -> Response:
    """Answer with what `make` returns (body, status), or, for a key that was used before, with what it returned then.

    Keys belong to the caller and to the route with its arguments: however its path was spelled (a slash at the end, the
    case of an id), it is the same route. `repeat_status` replaces the status of a repeated answer where the contract
    of the route says so. Raises KeyReused when the body differs from the one the key came with first.
    """
    key = presented()
    if key is None:
        body, status = make()
        return _response(orjson.dumps(body), status)
    scope = f"{g.caller.member_id} {request.method} {_route()}"
    fingerprint = hashlib.sha256(request.get_data()).digest()
    row = insert(keys).values(scope=scope, key=key, request_hash=fingerprint)
    taken = session.scalar(row.on_conflict_do_nothing().returning(keys.c.key))
    where = (keys.c.scope == scope) & (keys.c.key == key)
    if taken is None:
        first = session.execute(select(keys).where(where)).one()
        if first.request_hash != fingerprint:
            raise KeyReused("Send a new key with a new request, or the same body with the same key.")
        repeated = _response(first.body, repeat_status or first.status)
        repeated.headers["Idempotent-Replayed"] = "true"
        return repeated
    body, status = make()
    stored = orjson.dumps(body)
    session.execute(update(keys).where(where).values(status=status, body=stored))
    return _response(stored, status)


def _route() -> str:
    """The path of this request in its one form: the route's rule with the arguments as they were read."""
    assert request.url_rule is not None
    built = request.url_rule.build(request.view_args or {}, append_unknown=False)
    assert built is not None
    return built[1].rstrip("/")


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="application/json")
