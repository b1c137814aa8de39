"""The HTTP door of API keys: made, listed and revoked by admins; and the look at the key that an integrator shows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, g, request

from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Unauthorized
from fleet.web import ADMIN, Answer, PageQuery, operation
from services.integrations import keys, schemas
from services.integrations.models import ApiKey

keys_api = Blueprint("keys_api", __name__)


def authenticate() -> None:
    """Let the integrator of this request in; raises Unauthorized unless one valid API key is shown."""
    given = request.headers.getlist("Authorization")
    kind, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if kind.lower() != "bearer":
        raise Unauthorized("Send one API key, as Authorization: Bearer propel_...")
    with transaction() as session:
        g.key = keys.authenticate(session, token.strip())


def key() -> ApiKey:
    """The API key of this request; only in routes of integrators."""
    found: ApiKey = g.key
    return found


@keys_api.get("/api/keys/")
@operation(who=ADMIN, query=PageQuery, answers={200: schemas.Keys})
def list_keys(query: dict[str, Any]) -> Answer:
    """API keys, newest first: what each may do, and when it was used last. Their secrets are known to nobody."""
    with transaction() as session:
        rows, following = keys.listed(session, query["limit"], query["cursor"])
        return {"items": [schemas.Key().dump(row) for row in rows], "next_cursor": following}


@keys_api.post("/api/keys/")
@operation(who=ADMIN, body=schemas.NewKey, answers={201: schemas.MadeKey})
def make_key(body: dict[str, Any]) -> Answer:
    """Make an API key. `key` is shown this once: give it to the integrator."""
    expires_at: datetime | None = body["expires_at"]
    with transaction() as session:
        made = keys.make(
            session,
            body["name"],
            body["scopes"],
            caller().member_id,
            expires_at=expires_at,
            integrator=body["integrator"],
        )
        return {**schemas.Key().dump(made.key), "key": made.token}, 201


@keys_api.post("/api/keys/<uuid:key_id>/revoke/")
@operation(who=ADMIN, answers={200: schemas.Key})
def revoke_key(key_id: UUID) -> Answer:
    """End an API key at once."""
    with transaction() as session:
        return dict(schemas.Key().dump(keys.revoke(session, key_id)))
