"""Changing the ways to earn: who may, what is refused, and that every version of a rule is kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from fleet.database import transaction
from fleet.messages import new_id
from fleet.problems import NotFound
from services.points import activity_admin
from tests.answers import pointers, refused

RULE = {"code": "test_hackathon", "name": "Hackathon", "category": "events", "points": 40}


@pytest.fixture
def add(call, kind):
    """`add(points=5)` as an admin; the fixture `kind` takes the type away afterwards."""

    def post(role: str = "admin", **words):
        headers = words.pop("headers", {})
        return call("POST", "/api/activities/", role=role, json=RULE | words, headers=headers)

    return post


@pytest.fixture
def change(call):
    def patch(code: str, role: str = "admin", /, **words):
        return call("PATCH", f"/api/activities/{code}/", role=role, json=words)

    return patch


def versions(code: str) -> list[tuple]:
    with transaction() as session:
        kept = text("SELECT version, points, is_active FROM activity_type_versions WHERE code = :code ORDER BY version")
        return [tuple(row) for row in session.execute(kept, {"code": code})]


def test_a_new_type_is_listed_at_once_with_its_rule_in_words(add, client):
    made = add(evidence="text", min_description=20, cap={"count": 3, "period": "week"}, cooldown_seconds=3600)
    assert made.status_code == 201
    assert made.json["rule"] == (
        "staff approve it; with a description; at least 20 characters; up to 3 times a week; again after 1 hour"
    )
    assert made.json["is_active"] is True
    assert made.json["version"] == 1
    shown = client.get("/api/activities/test_hackathon/").json
    assert shown == {name: value for name, value in made.json.items() if name != "is_active"}
    assert versions("test_hackathon") == [(1, 40, True)]


def test_what_is_left_out_has_plain_values(add):
    made = add().json
    assert (made["evidence"], made["evidence_once"], made["cap"], made["cooldown_seconds"]) == ("none", "none", None, 0)
    assert made["requires_approval"] is True


def test_a_code_names_one_type_for_ever(add, change):
    add()
    refused(add(), 409, "code-taken")
    change("test_hackathon", is_active=False)
    refused(add(), 409, "code-taken")
    refused(add(code="peer_mentor"), 409, "code-taken")


def test_a_change_makes_a_version_and_nothing_makes_none(add, change):
    add()
    assert change("test_hackathon", points=50).json["version"] == 2
    assert change("test_hackathon", points=50).json["version"] == 2
    assert change("test_hackathon").json["version"] == 2
    off = change("test_hackathon", is_active=False).json
    assert (off["version"], off["is_active"]) == (3, False)
    assert versions("test_hackathon") == [(1, 40, True), (2, 50, True), (3, 50, False)]


def test_a_type_can_be_switched_off_and_on(add, change, client):
    add()
    change("test_hackathon", is_active=False)
    refused(client.get("/api/activities/test_hackathon/"), 404)
    change("test_hackathon", is_active=True)
    assert client.get("/api/activities/test_hackathon/").status_code == 200


def test_every_version_says_what_it_said(add, change):
    add(cap={"count": 1, "period": "day"})
    change("test_hackathon", points=70, cap=None)
    with transaction() as session:
        first, second = (activity_admin.as_of(session, "test_hackathon", version) for version in (1, 2))
        assert (first.points, first.cap_count, first.cap_period, first.version) == (40, 1, "day", 1)
        assert (second.points, second.cap_count, second.version) == (70, None, 2)
        assert first not in session
        with pytest.raises(NotFound):
            activity_admin.as_of(session, "test_hackathon", 3)


def test_a_rule_changed_by_hand_is_kept_with_the_next_change(add, change):
    add()
    with transaction() as session:
        session.execute(text("UPDATE activity_types SET points = 41, version = 2 WHERE code = 'test_hackathon'"))
    change("test_hackathon", points=42)
    assert versions("test_hackathon") == [(1, 40, True), (2, 41, True), (3, 42, True)]


@pytest.mark.parametrize(
    "statement", ["UPDATE activity_type_versions SET points = 1", "DELETE FROM activity_type_versions"]
)
def test_the_service_itself_cannot_change_what_was(statement, add):
    add()
    with pytest.raises(ProgrammingError, match="permission denied"), transaction() as session:
        session.execute(text(statement))


def test_changes_at_once_make_a_version_each(add, change):
    """The row lock is the guard: without it two changes both make version 2."""
    add()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda worth: change("test_hackathon", points=worth), range(100, 120)))
    assert sorted(answer.json["version"] for answer in answers) == list(range(2, 22))
    assert len(versions("test_hackathon")) == 21


def test_the_same_key_adds_once(call, kind):
    boss, headers = new_id(), {"Idempotency-Key": "once"}
    first, second = (call("POST", "/api/activities/", boss, "admin", json=RULE, headers=headers) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json


@pytest.mark.parametrize("role", ["student", "company", "university"])
def test_only_admins_change_the_ways_to_earn(role, add, change):
    refused(add(role), 403, "forbidden")
    refused(change("peer_mentor", role, points=1), 403, "forbidden")


def test_nothing_known_is_not_found(change):
    for code in ("no_such_type", "%00", "a" * 500):
        refused(change(code, points=1), 404)


WRONG = [
    *[({"points": value}, "/points") for value in (0, -1, 2001, 1.5, "5", True, None, 2**31)],
    *[({"code": value}, "/code") for value in ("", "A", "a", "9a", "a-b", "a b", "a\n", "é" * 3, "x" * 65, None, 5)],
    *[({"name": value}, "/name") for value in ("", "   ", "x" * 121, "a\u0007", None, 5)],
    *[({"category": value}, "/category") for value in ("sport", "", None)],
    *[({"evidence": value}, "/evidence") for value in ("photo", None)],
    *[({"requires_approval": value}, "/requires_approval") for value in (1, "true", None)],
    *[({"is_active": value}, "/is_active") for value in (0, "no")],
    *[({"min_description": value}, "/min_description") for value in (-1, 1001, 1.0)],
    *[({"cooldown_seconds": value}, "/cooldown_seconds") for value in (-1, 2**31, "60")],
    ({"cap": {"count": 0, "period": "day"}}, "/cap/count"),
    ({"cap": {"count": 1}}, "/cap/period"),
    ({"cap": {"count": 1, "period": "year"}}, "/cap/period"),
    ({"cap": 3}, "/cap"),
    ({"version": 7}, "/version"),
    ({"rule": "as I like"}, "/rule"),
]


@pytest.mark.parametrize(("words", "pointer"), WRONG)
def test_a_wrong_field_is_named(words, pointer, add, row_count):
    assert set(pointers(add(**words))) == {pointer}
    assert row_count("activity_types") == 19


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"requires_approval": False, "evidence": "text"}, "/evidence"),
        ({"requires_approval": False, "min_description": 5}, "/min_description"),
        ({"evidence_once": "everyone"}, "/evidence_once"),
        ({"evidence": "text", "evidence_once": "member"}, "/evidence_once"),
    ],
)
def test_a_rule_that_contradicts_itself_is_refused(words, pointer, add, change):
    assert pointers(add(**words)) == [pointer]
    add()
    assert pointers(change("test_hackathon", **words)) == [pointer]
    assert versions("test_hackathon") == [(1, 40, True)]


def test_a_code_is_never_changed(add, change):
    add()
    assert pointers(change("test_hackathon", code="test_other")) == ["/code"]


def test_who_changed_what_is_kept(call, kind, row_count):
    boss = new_id()
    call("POST", "/api/activities/", boss, "admin", json=RULE)
    call("PATCH", "/api/activities/test_hackathon/", boss, "admin", json={"points": 41})
    assert row_count("activity_type_versions", "changed_by = :boss", boss=boss) == 2
