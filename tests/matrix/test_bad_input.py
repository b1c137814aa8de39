"""Whatever is sent to whichever door: an answer that says what is wrong, never a fault, and what is refused changes nothing.

HOSTILE=0 sends every value of the catalogue into every field; by default a few, chosen by SEED.
"""

import copy
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from fleet.web import INTEGRATOR
from tests.answers import refused
from tests.apps import WEB, Route, routes
from tests.matrix import IDENTITIES, hostile, row_of

HOSTILE = int(os.environ.get("HOSTILE", "6"))
# Who acts, in the order of preference; the last kind is acted upon, so that its token may end.
ACTORS = ("student", "admin", "company", "anonymous")
TARGET = "university"


def actor(route: Route) -> str:
    """Somebody whom the route lets in."""
    if route.is_open or route.is_signed:
        return "anonymous"
    if route.operation.who is INTEGRATOR:
        return "integrator"
    expected = dict(zip(IDENTITIES, row_of(route).expected, strict=True))
    return next(who for who in ACTORS if expected[who] not in (401, 403))


def some(values: list[Any]) -> list[Any]:
    return values if HOSTILE == 0 else random.sample(values, min(HOSTILE, len(values)))


def places(body: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every field of a body, also of those within."""
    for name, value in body.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def with_value(body: Any, path: tuple[str, ...], value: Any) -> Any:
    changed = copy.deepcopy(body)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


class Visitor:
    """Sends requests to a service and collects what was not as it should be."""

    def __init__(self, door: Any) -> None:
        self.door, self.wrong, self.refusals = door, [], []

    def send(self, route: Route, what: str, path: str | None = None, **words: Any) -> int:
        """Send once; a refusal is kept, to be sent again and shown to change nothing."""
        who = actor(route)
        path = path or route.path(user_id=self.door.people[TARGET])
        answer = self.door.ask(who, route.method, path, **words)
        if answer.status_code >= 500 and answer.status_code != 503:
            self.wrong.append(f"{route.method} {route.rule} {what}: {answer.status_code}")
        elif answer.status_code == 503:
            # Nobody answers for the neighbours here; that they were asked is written down.
            refused(answer, 503)
        elif answer.status_code >= 400:
            refused(answer, answer.status_code)
            self.refusals.append((who, route.method, path, words))
        return int(answer.status_code)

    def again(self) -> None:
        """All that was refused is refused once more, and all tables are what they were."""
        before = self.door.contents()
        accepted = [
            f"{method} {path[:80]} {str(words)[:200]}"
            for who, method, path, words in self.refusals
            if self.door.ask(who, method, path, **words).status_code < 400
        ]
        after = self.door.contents()
        assert {name for name in after if after[name] != before[name]} == set()
        assert accepted == []


@pytest.fixture
def visit(door: Any, request: pytest.FixtureRequest) -> Iterator[Visitor]:
    visitor = Visitor(door(request.param))
    yield visitor
    assert visitor.wrong == []
    assert visitor.refusals
    visitor.again()


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_what_is_no_body(visit):
    for route in routes(visit.door.app):
        if route.operation.body is None or route.is_signed:
            continue
        for content_type, body in some(hostile.UNREADABLE):
            status = visit.send(route, str(body[:30]), data=body, content_type=content_type)
            assert status in (400, 413, 415, 422), f"{route.method} {route.rule} takes {body[:30]!r}: {status}"


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_any_value_in_any_field(visit):
    for route in routes(visit.door.app):
        body = row_of(route).body()
        if body is None:
            continue
        inside = list(places(body))
        missing = [(field.data_key or name,) for name, field in route.operation.body().fields.items()]
        for path in inside + [path for path in missing if path not in inside]:
            for value in some(hostile.VALUES):
                visit.send(
                    route, f"{path} {hostile.name_of(value)}", json=with_value(row_of(route).body(), path, value)
                )


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_a_field_that_is_left_out(visit):
    for route in routes(visit.door.app):
        for path in places(row_of(route).body() or {}):
            body = row_of(route).body()
            inner = body
            for name in path[:-1]:
                inner = inner[name]
            del inner[path[-1]]
            visit.send(route, f"without {path}", json=body)


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_any_value_in_any_parameter(visit):
    for route in routes(visit.door.app):
        if route.operation.query is None:
            continue
        fields = [field.data_key or name for name, field in route.operation.query().fields.items()]
        for name in fields:
            for value in some(hostile.VALUES):
                visit.send(route, f"{name}={hostile.name_of(value)}", query_string={name: str(value)[:5000]})
            visit.send(route, f"{name} twice", query_string=f"{name}=1&{name}=2")
            visit.send(route, f"{name}[]", query_string=f"{name}[]=1")


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_what_is_no_id_in_a_path(visit):
    for route in routes(visit.door.app):
        if "{" not in route.rule:
            continue
        for part in hostile.PATHS:
            path = route.rule[: route.rule.index("{")] + part + route.rule[route.rule.index("}") + 1 :]
            if "{" not in path.replace(part, ""):
                words = {"json": row_of(route).body()} if route.operation.body else {}
                status = visit.send(route, part[:30], path=path, **words)
                # Who has no token is told of no path whether it exists.
                assert status in (404, 405, 403, 422, *([401] if route.is_open else [])), (
                    f"{route.method} {path[:90]}: {status}"
                )


@pytest.mark.parametrize("visit", WEB, indirect=True)
def test_methods_that_a_route_does_not_have(visit):
    rules: dict[str, set[str]] = {}
    for route in routes(visit.door.app):
        rules.setdefault(route.rule, set()).add(route.method)
    for route in routes(visit.door.app):
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"} - rules[route.rule]:
            answer = visit.door.ask("admin", method, route.path(), headers={"X-HTTP-Method-Override": route.method})
            refused(answer, 405)
            visit.refusals.append(("admin", method, route.path(), {}))
