"""`Idempotency-Key`: the same request twice has one effect and one answer.

The key's row, the effect and the stored answer commit together. A second call that arrives while the first is under way
waits at the primary key until the first has committed, then answers from its row. A refusal rolls everything back, the
key too, so it may be tried again.
"""

import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

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
    first = _take(session, key)
    if first is not None:
        repeated = _response(first.body, repeat_status or first.status)
        repeated.headers["Idempotent-Replayed"] = "true"
        return repeated
    body, status = make()
    stored = orjson.dumps(body)
    _fill(session, key, stored, status)
    return _response(stored, status)


def named(session: Session, make: Callable[[], UUID]) -> tuple[UUID, bool]:
    """The row that `make` makes, or, for a key that was used before, the row that it named then; and whether it was.

    For what another service has to answer: the key commits with the row, and the caller of this is answered, now and at
    every repetition, from the row's present state. Raises KeyReused.
    """
    key = presented()
    if key is None:
        return make(), False
    first = _take(session, key)
    if first is not None:
        return UUID(bytes=bytes(first.body)), True
    row_id = make()
    _fill(session, key, row_id.bytes, 202)
    return row_id, False


def _where(key: str) -> Any:
    return (keys.c.scope == _scope()) & (keys.c.key == key)


def _scope() -> str:
    """Keys belong to the caller and the route."""
    return f"{g.caller.member_id} {request.method} {_route()}"


def _take(session: Session, key: str) -> Any:
    """None when the key is new and now taken, else the row of its first use; waits for one that is under way."""
    fingerprint = hashlib.sha256(request.get_data()).digest()
    row = insert(keys).values(scope=_scope(), key=key, request_hash=fingerprint)
    if session.scalar(row.on_conflict_do_nothing().returning(keys.c.key)) is not None:
        return None
    first = session.execute(select(keys).where(_where(key))).one()
    if first.request_hash != fingerprint:
        raise KeyReused("Send a new key with a new request, or the same body with the same key.")
    return first


def _fill(session: Session, key: str, body: bytes, status: int) -> None:
    session.execute(update(keys).where(_where(key)).values(status=status, body=body))


def _route() -> str:
    """The path of this request in its one form: the route's rule with the arguments as they were read."""
    assert request.url_rule is not None
    built = request.url_rule.build(request.view_args or {}, append_unknown=False)
    assert built is not None
    return built[1].rstrip("/")


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="application/json")
