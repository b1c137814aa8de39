"""`Idempotency-Key`: the same request twice has one effect and one answer.

The key's row, the effect and the stored answer commit together. A second call that arrives while the first is under way
waits at the primary key until the first has committed, then answers from its row. A refusal rolls everything back, the
key too, so it may be tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from flask import Response, g, request
from sqlalchemy import Column, DateTime, Integer, LargeBinary, Table, Text, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet.database import fleet_metadata, transaction
from fleet.prepared import Call, Statement, run
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


_TAKE = Statement(
    "idempotency_take",
    "INSERT INTO idempotency_keys (scope, key, request_hash) VALUES (:scope, :key, :fingerprint)",
    scope="text",
    key="text",
    fingerprint="bytea",
)
_TRY = Statement(
    "idempotency_try",
    "INSERT INTO idempotency_keys (scope, key, request_hash) VALUES (:scope, :key, :fingerprint)"
    " ON CONFLICT DO NOTHING RETURNING key",
    scope="text",
    key="text",
    fingerprint="bytea",
)
_ANSWERED = Statement(
    "idempotency_answered",
    "UPDATE idempotency_keys SET status = :status, body = :body WHERE scope = :scope AND key = :key",
    scope="text",
    key="text",
    status="integer",
    body="bytea",
)


@dataclass(frozen=True)
class Key:
    """The caller's key for this request. `key` None: none was sent, and nothing is remembered."""

    scope: str
    key: str | None
    fingerprint: bytes

    def taking(self) -> tuple[Call, ...]:
        """What takes the key, for statements of the same round trip; it fails when the key was used before."""
        return () if self.key is None else (_TAKE(scope=self.scope, key=self.key, fingerprint=self.fingerprint),)

    def answered(self, body: bytes, status: int) -> tuple[Call, ...]:
        """What keeps the answer, for statements of the same round trip."""
        return () if self.key is None else (_ANSWERED(scope=self.scope, key=self.key, status=status, body=body),)

    def try_to_take(self, session: Session) -> bool:
        """Take the key, and wait for a call under way; False when it was used before."""
        return bool(run(session, _TRY(scope=self.scope, key=self.key, fingerprint=self.fingerprint)))

    def first_answer(self, session: Session, repeat_status: int | None) -> Response:
        """The answer the key was given first; raises KeyReused when this is another request."""
        first = session.execute(select(keys).where(keys.c.scope == self.scope, keys.c.key == self.key)).one()
        if first.request_hash != self.fingerprint:
            raise KeyReused("Send a new key with a new request, or the same body with the same key.")
        repeated = _response(first.body, repeat_status or first.status)
        repeated.headers["Idempotent-Replayed"] = "true"
        return repeated


def presented() -> Key:
    """The key of this request; Unreadable when it is empty, longer than 255 characters or not printable ASCII."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable()):
        raise Unreadable("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    scope = f"{g.caller.member_id} {request.method} {request.path.rstrip('/')}"
    return Key(scope, key, sha256(request.get_data()).digest() if key is not None else b"")


def once(
    session: Session, make: Callable[[], tuple[dict[str, Any], int]], *, repeat_status: int | None = None
) -> Response:
    """Answer with what `make` returns (body, status), or, for a key that was used before, with what it returned then.

    Keys belong to the caller and the route. `repeat_status` replaces the status of a repeated answer where the contract
    of the route says so. Raises KeyReused when the body differs from the one the key came with first.
    """
    key = presented()
    if key.key is not None and not key.try_to_take(session):
        return key.first_answer(session, repeat_status)
    body, status = make()
    stored = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    if answered := key.answered(stored, status):
        run(session, *answered)
    return _response(stored, status)


def once_in_passing(make: Callable[[Session, Key], tuple[bytes, int]], *, repeat_status: int | None = None) -> Response:
    """As `once`, for the hot path: `make` runs `key.taking()` with its first statements and `key.answered()` with its
    last ones, so that the key costs no round trip of its own. It is given a session of its own transaction."""
    key = presented()
    try:
        with transaction() as session:
            return _response(*make(session, key))
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != keys.primary_key.name:
            raise
    with transaction() as session:
        return key.first_answer(session, repeat_status)


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="application/json")
