"""`Idempotency-Key`: the same request twice has one effect and one answer.

The key's row, the effect and the stored answer commit together. A second call that arrives while the first is under way
waits at the primary key until the first has committed, then answers from its row. A refusal rolls everything back, the
key too, so it may be tried again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

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


_TRY = Statement(
    "idempotency_try",
    "INSERT INTO idempotency_keys (scope, key, request_hash) VALUES (:scope, :key, :fingerprint)"
    " ON CONFLICT DO NOTHING RETURNING key",
    scope="text",
    key="text",
    fingerprint="bytea",
)
_KEEP = Statement(
    "idempotency_keep",
    "INSERT INTO idempotency_keys (scope, key, request_hash, status, body)"
    " VALUES (:scope, :key, :fingerprint, :status, :body)",
    scope="text",
    key="text",
    fingerprint="bytea",
    status="integer",
    body="bytea",
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

    def keeping(self, body: bytes, status: int) -> tuple[Call, ...]:
        """What takes the key and keeps its answer; waits for a call under way, and fails when the key was used before."""
        values = {"scope": self.scope, "key": self.key, "fingerprint": self.fingerprint}
        return () if self.key is None else (_KEEP(**values, status=status, body=body),)

    def try_to_take(self, session: Session) -> bool:
        """Take the key, and wait for a call under way; False when it was used before."""
        return bool(run(session, _TRY(scope=self.scope, key=self.key, fingerprint=self.fingerprint)))

    def first_use(self, session: Session) -> Any:
        """The key's row, None when it was never used; raises KeyReused when it was for another request."""
        first = session.execute(select(keys).where(keys.c.scope == self.scope, keys.c.key == self.key)).first()
        if first is not None and first.request_hash != self.fingerprint:
            raise KeyReused("Send a new key with a new request, or the same body with the same key.")
        return first

    def first_answer(self, session: Session, repeat_status: int | None) -> Response | None:
        """The answer the key was given first, None while it has none; raises KeyReused when this is another request."""
        first = self.first_use(session)
        if first is None:
            return None
        repeated = _response(first.body, repeat_status or first.status)
        repeated.headers["Idempotent-Replayed"] = "true"
        return repeated


def key_given() -> str | None:
    """The Idempotency-Key of this request; Unreadable when it is empty, longer than 255 characters or not printable ASCII."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable()):
        raise Unreadable("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return key


def presented() -> Key:
    """The key of this request and its caller. Raises Unreadable."""
    key = key_given()
    if key is None:
        return Key("", None, b"")
    return Key(f"{g.caller.member_id} {request.method} {_route()}", key, sha256(request.get_data()).digest())


def once(
    session: Session, make: Callable[[], tuple[dict[str, Any], int]], *, repeat_status: int | None = None
) -> Response:
    """Answer with what `make` returns (body, status), or, for a key that was used before, with what it returned then.

    Keys belong to the caller and to the route with its arguments: however its path was spelled (a slash at the end, the
    case of an id), it is the same route. `repeat_status` replaces the status of a repeated answer where the contract
    of the route says so. Raises KeyReused when the body differs from the one the key came with first.
    """
    key = presented()
    if key.key is not None and not key.try_to_take(session):
        repeated = key.first_answer(session, repeat_status)
        assert repeated is not None, "taken, and committed with its answer"
        return repeated
    body, status = make()
    stored = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    if key.key is not None:
        run(session, _ANSWERED(scope=key.scope, key=key.key, status=status, body=stored))
    return _response(stored, status)


def once_in_passing(make: Callable[[Session, Key], tuple[bytes, int]], *, repeat_status: int | None = None) -> Response:
    """As `once`, for the hot path: `make` runs `key.keeping(...)` together with its last statement, so that the key costs
    neither a round trip nor a second version of its row. It is given the session of a transaction of its own.

    That the key was used before shows only then, as a violation of its primary key; or not at all, when the repeated call
    is refused for what is so by now. In both cases nothing of it was done, and the first answer is the answer.
    """
    key = presented()
    try:
        with transaction() as session:
            return _response(*make(session, key))
    except (IntegrityError, Problem) as error:
        orig = getattr(error, "orig", None)
        if orig is not None and orig.diag.constraint_name != keys.primary_key.name:
            raise
        with transaction() as session:
            repeated = key.first_answer(session, repeat_status) if key.key is not None else None
        if repeated is None:
            raise
        return repeated


def named(session: Session, make: Callable[[], UUID]) -> tuple[UUID, bool]:
    """The row that `make` makes, or, for a key that was used before, the row that it named then; and whether it was.

    For what another service has to answer: the key commits with the row, and the caller of this is answered, now and at
    every repetition, from the row's present state. Raises KeyReused.
    """
    key = presented()
    if key.key is None:
        return make(), False
    if not key.try_to_take(session):
        first = key.first_use(session)
        assert first is not None, "taken, and committed with the row that it names"
        return UUID(bytes=bytes(first.body)), True
    row_id = make()
    run(session, _ANSWERED(scope=key.scope, key=key.key, status=202, body=row_id.bytes))
    return row_id, False


def _route() -> str:
    """The route of this request with its arguments as they were read, so that every spelling of the path is the same."""
    assert request.url_rule is not None
    return " ".join([request.url_rule.rule, *(str(value) for value in (request.view_args or {}).values())])


def _response(body: bytes, status: int) -> Response:
    return Response(body, status, content_type="application/json")
