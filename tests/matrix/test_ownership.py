"""What belongs to somebody else cannot be told from what does not exist: same status, same words, for every id.

For a new service add its makers: for each kind of id in its paths a thing that belongs to COMPANY.
"""

import io
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from fleet.database import transaction
from fleet.dead_letters import Dead, dead_letters, keep
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


def incentive(door: Any) -> str:
    words = {"name": "Mine alone", "points_required": 50, "stock": 5, "is_active": True}
    return made(door, "admin", "/api/incentives/", json=words)["id"]


def redemption(door: Any) -> str:
    # Nobody answers for points here, so it stays what it is: asked for.
    return made(door, COMPANY, "/api/rewards/redeem/", json={"reward_id": incentive(door)})["id"]


def letter(door: Any) -> str:
    # An admin's to look at: whom it concerns makes no difference.
    body = f'{{"member_id": "{of_company(door)}"}}'.encode()
    with transaction() as session:
        keep(session, Dead(f"{door.service}.commands", "m1", "points.log_activity.v1", "bot", "failed 6 times", body))
        return str(session.scalar(select(dead_letters.c.id)))


# Ids of what every member may look at.
EVERYBODYS = ("incentive_id",)
MAKERS: dict[str, dict[str, Callable[[Any], str]]] = {
    "users": {"user_id": of_company, "letter_id": letter},
    "points": {
        "user_id": of_company,
        "submission_id": submission,
        "log_id": award,
        "evidence_id": evidence,
        "checkin_id": checkin,
        "adjustment_id": adjustment,
        "letter_id": letter,
    },
    "rewards": {"redemption_id": redemption, "letter_id": letter},
}


@pytest.mark.parametrize("service", MAKERS)
def test_anothers_and_nothing_are_answered_alike(service, door):
    entrance = door(service)
    things = {name: make(entrance) for name, make in MAKERS[service].items()}
    before, looked = entrance.contents(), set()
    for route in routes(entrance.app):
        wanted = [name for name in things if "{" + name + "}" in route.rule]
        if "_id}" in route.rule and not any("{" + name + "}" in route.rule for name in EVERYBODYS):
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
