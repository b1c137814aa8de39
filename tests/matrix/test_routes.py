"""Every route of every service is called as everybody: what the table says is what happens."""

from dataclasses import replace

import pytest

from fleet.problems import TYPE_BASE
from fleet.web import INTEGRATOR, SIGNED
from tests.answers import refused
from tests.apps import WEB, routes
from tests.matrix import IDENTITIES, row_of

AWAITING = TYPE_BASE + "awaiting-approval"


@pytest.mark.parametrize("service", WEB)
def test_everybody_gets_what_the_matrix_says(service, door):
    entrance = door(service)
    wrong = []
    for route in routes(entrance.app):
        row = row_of(route)
        statuses = []
        for who in IDENTITIES:
            words = {"json": {} if row.template is None else row.body()} if route.writes else {}
            answer = entrance.ask(who, route.method, route.path(), **words)
            statuses.append(answer.status_code)
            if answer.is_streamed:
                answer.close()
            if answer.status_code >= 400:
                refused(answer, answer.status_code)
            by_token = not route.is_open and route.operation.who not in (INTEGRATOR, SIGNED)
            if who == "applicant" and by_token and not route.operation.while_awaiting:
                assert answer.json["type"] == AWAITING, f"{route.method} {route.rule}"
        if tuple(statuses) != row.expected:
            wrong.append(str(replace(row, expected=tuple(statuses))))
    assert not wrong, "this is what happens now; where it should, these are the rows:\n" + "\n".join(wrong)


@pytest.mark.parametrize("service", WEB)
def test_who_may_not_is_told_nothing_else(service, door):
    """Rights come before the body, the parameters and the existence of what an id names."""
    entrance = door(service)
    for route in routes(entrance.app):
        row = row_of(route)
        for who, status in zip(IDENTITIES, row.expected, strict=True):
            if status not in (401, 403) or route.is_open:
                continue
            for words in ({}, {"data": b"{", "content_type": "text/plain"}, {"query_string": "limit=x&nonsense=1"}):
                assert entrance.ask(who, route.method, route.path(), **words).status_code == status
