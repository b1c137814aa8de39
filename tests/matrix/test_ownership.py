"""What belongs to somebody else cannot be told from what does not exist: same status, same words, for every id.

For a new service add its makers: for each kind of id in its paths a thing that belongs to COMPANY.
"""

import io
from collections.abc import Callable
from typing import Any

import pytest

from tests.answers import alike
from tests.apps import SOME_ID, routes
from tests.matrix import row_of

COMPANY = "company"
OTHERS = ("student", "university", "suspended")
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + bytes(32)


def of_company(door: Any) -> str:
    return str(door.people[COMPANY])


def made(door: Any, who: str, path: str, **words: Any) -> Any:
    answer = door.ask(who, "POST", path, **words)
    assert answer.status_code in (201, 202), answer.text
    return answer.json


def submission(door: Any) -> str:
    words = {"activity_type": "resource_share", "description": "a long enough text on what I shared with all"}
    return made(door, COMPANY, "/api/submissions/", json=words | {"url": "https://example.org/mine"})["id"]


def award(door: Any) -> str:
    path = f"/api/users/{of_company(door)}/add_points/"
    return made(door, "admin", path, json={"activity_type": "peer_mentor"})["points_log"]["id"]


def evidence(door: Any) -> str:
    return made(door, COMPANY, "/api/evidence/", data={"file": (io.BytesIO(PNG), "mine.png")})["id"]


def checkin(door: Any) -> str:
    row = next(row_of(route) for route in routes(door.app) if (route.method, route.rule) == ("POST", "/api/checkins/"))
    return made(door, "admin", "/api/checkins/", json=row.body())["id"]


def adjustment(door: Any) -> str:
    words = {"user_id": of_company(door), "points": 1500, "reason": "test"}
    return made(door, "admin", "/api/points/adjust/", json=words)["adjustment"]["id"]


MAKERS: dict[str, dict[str, Callable[[Any], str]]] = {
    "users": {"user_id": of_company},
    "points": {
        "user_id": of_company,
        "submission_id": submission,
        "log_id": award,
        "evidence_id": evidence,
        "checkin_id": checkin,
        "adjustment_id": adjustment,
    },
}


@pytest.mark.parametrize("service", MAKERS)
def test_anothers_and_nothing_are_answered_alike(service, door):
    entrance = door(service)
    things = {name: make(entrance) for name, make in MAKERS[service].items()}
    before, looked = entrance.contents(), set()
    for route in routes(entrance.app):
        wanted = [name for name in things if "{" + name + "}" in route.rule]
        if "_id}" in route.rule:
            assert wanted, f"{route.rule}: say in MAKERS how to make what its id names"
        for name in wanted:
            looked.add(name)
            for who in OTHERS:
                answers = []
                for id_ in (things[name], SOME_ID):
                    words = {"json": row_of(route).body()} if route.operation.body else {}
                    answers.append(entrance.ask(who, route.method, route.path(**{name: id_}), **words))
                assert alike(answers[0]) == alike(answers[1]), f"{who} {route.method} {route.rule}"
                assert answers[0].status_code in (403, 404)
                assert things[name] not in answers[0].json["detail"]
    assert looked == set(things)
    assert entrance.contents() == before


@pytest.mark.parametrize("service", MAKERS)
def test_the_things_of_the_test_above_are_there(service, door):
    """Without this it would hold for things that were never made: their owner, or an admin, reads them."""
    entrance = door(service)
    for name, make in MAKERS[service].items():
        id_ = make(entrance)
        for route in routes(entrance.app):
            if "{" + name + "}" in route.rule and route.method == "GET":
                for who in {COMPANY if route.operation.who != ("admin",) else "admin", "admin"}:
                    answer = entrance.ask(who, "GET", route.path(**{name: id_}))
                    assert answer.status_code == 200, f"{who} {route.rule}: {answer.text}"
