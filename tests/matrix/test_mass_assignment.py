"""Nobody sets what is not theirs to set by naming it: every column of every table is sent to every door that writes."""

import copy
import importlib

import pytest
from sqlalchemy import text

from fleet import migrate
from fleet.database import transaction
from tests.answers import pointers
from tests.apps import WEB, routes
from tests.conftest import SERVICES
from tests.matrix import row_of
from tests.matrix.test_bad_input import TARGET, actor

CLAIMS = {
    "role",
    "roles",
    "is_admin",
    "is_staff",
    "total_points",
    "points",
    "discord_id",
    "security_version",
    "id",
    "sv",
}


def columns() -> set[str]:
    """The names of all columns of all services."""
    for service in SERVICES:
        importlib.import_module(f"services.{service}.models")
    tables = [
        table for service in SERVICES for found in migrate.metadata_of(service) for table in found.tables.values()
    ]
    return {str(column.name) for table in tables for column in table.columns}


def named(schema) -> set[str]:
    return {field.data_key or name for name, field in schema.fields.items()}


@pytest.mark.parametrize("service", WEB)
def test_a_field_that_is_not_asked_for_is_refused_by_name_and_nothing_changes(service, door):
    entrance, names = door(service), columns() | CLAIMS
    assert len(names) > 80
    before, sent = entrance.contents(), 0
    for route in routes(entrance.app):
        if route.operation.body is None or route.is_signed:
            continue
        schema = route.operation.body()
        # At the top of the body, and in every object within it.
        inside = [(name, field.schema) for name, field in schema.fields.items() if hasattr(field, "schema")]
        for place, wanted in [("", named(schema)), *((name, named(inner)) for name, inner in inside)]:
            body = copy.deepcopy(row_of(route).body())
            target = body if place == "" else body.setdefault(place, {})
            if not isinstance(target, dict):
                continue
            target |= dict.fromkeys(names - wanted, 1)
            path = route.path(user_id=entrance.people[TARGET])
            answer = entrance.ask(actor(route), route.method, path, json=body)
            prefix = f"/{place}/" if place else "/"
            refused_names = {pointer for pointer in pointers(answer) if pointer.startswith(prefix)}
            missing = {prefix + name for name in names - wanted} - refused_names
            assert not missing, f"{route.method} {route.rule} takes {sorted(missing)}"
            sent += 1
    assert sent
    assert entrance.contents() == before


@pytest.mark.parametrize("service", WEB)
def test_a_route_without_a_body_reads_none(service, door):
    """What is sent along all the same is not looked at: nothing of a member changes but what the route is for."""
    entrance = door(service)
    claims = dict.fromkeys(columns() | CLAIMS, 1) | {"role": "admin", "status": "active", "track": "tech"}

    def standing() -> list:
        with transaction() as session:
            if service != "users":
                return list(session.execute(text("SELECT * FROM auth_state ORDER BY member_id")))
            columns = (
                "id, role, status, username, email, email_verified_at, discord_id, track, security_version, warnings"
            )
            return list(session.execute(text(f"SELECT {columns} FROM members ORDER BY id")))

    before = standing()
    for route in routes(entrance.app):
        if route.writes and route.operation.body is None:
            entrance.ask(actor(route), route.method, route.path(), json=claims, query_string={"role": "admin"})
    assert standing() == before
