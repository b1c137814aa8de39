"""API keys of integrators: shown once, kept as a hash, with scopes and an end.

A key is `propel_<prefix>_<secret>`. The prefix names it in lists and logs; the secret has 256 random bits, so a plain hash
keeps it as well as a slow one would, and costs nothing at every request.
"""

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from fleet.messages import new_id, now
from fleet.paging import decode_cursor, page
from fleet.problems import Forbidden, NotFound, Unauthorized, invalid
from services.integrations.models import ApiKey

READ, REPLAY = "events:read", "events:replay"
SCOPES = (READ, REPLAY)
_FORM = re.compile(r"propel_([a-z0-9]{10})_([A-Za-z0-9_-]{43})")
# Written down at most so often: a key that is used all the time would be one row that everybody waits for.
USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Made:
    """A new key; `token` is shown this once and never again."""

    key: ApiKey
    token: str


def make(
    session: Session,
    name: str,
    scopes: Sequence[str],
    created_by: UUID,
    *,
    expires_at: datetime | None = None,
    integrator: str | None = None,
) -> Made:
    """Make a key. Raises InvalidFields for an end that is over, and for a replay scope without an integrator."""
    if expires_at is not None and expires_at <= now():
        raise invalid("/expires_at", "must lie ahead")
    if REPLAY in scopes and integrator is None:
        raise invalid("/integrator", "name the integrator whose queue events are replayed to")
    prefix = "".join(secrets.choice("abcdefghijkmnpqrstuvwxyz23456789") for _ in range(10))
    token = f"propel_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        id=new_id(),
        name=name,
        prefix=prefix,
        hash=sha256(token.encode()).digest(),
        scopes=sorted(set(scopes)),
        integrator=integrator,
        created_by=created_by,
        created_at=now(),
        expires_at=expires_at,
    )
    session.add(key)
    session.flush()
    return Made(key, token)


def authenticate(session: Session, token: str) -> ApiKey:
    """The key behind a token; raises Unauthorized for one that is unknown, over or revoked."""
    form = _FORM.fullmatch(token)
    key = session.scalar(select(ApiKey).where(ApiKey.prefix == form[1])) if form else None
    if key is None or not hmac.compare_digest(bytes(key.hash), sha256(token.encode()).digest()):
        raise Unauthorized("The API key is missing or unknown. Send it as Authorization: Bearer propel_...")
    if key.revoked_at is not None:
        raise Unauthorized("The API key was revoked. Ask an admin of Propel for a new one.")
    if key.expires_at is not None and key.expires_at <= now():
        raise Unauthorized("The API key has ended. Ask an admin of Propel for a new one.")
    stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < now() - USED_EVERY)
    session.execute(update(ApiKey).where(ApiKey.id == key.id, stale).values(last_used_at=now()))
    return key


def require(key: ApiKey, scope: str) -> None:
    """Raise Forbidden unless the key has the scope."""
    if scope not in key.scopes:
        raise Forbidden(f"The API key has not the scope {scope}. Ask an admin of Propel for one that has.")


def listed(session: Session, limit: int, cursor: str | None) -> tuple[list[ApiKey], str | None]:
    """Keys, newest first."""
    rows = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit + 1)
    if after := decode_cursor(cursor, UUID):
        rows = rows.where(ApiKey.id < after[0])
    return page(session.scalars(rows).all(), limit, lambda key: (key.id,))


def revoke(session: Session, key_id: UUID) -> ApiKey:
    """End a key at once; ending it again changes nothing. Raises NotFound."""
    key = session.get(ApiKey, key_id, with_for_update=True)
    if key is None:
        raise NotFound("There is no such key.")
    key.revoked_at = key.revoked_at or now()
    session.flush()
    return key
