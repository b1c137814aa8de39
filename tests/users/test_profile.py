"""A member's own profile: what they see, what they may change, and what the others learn."""

import pytest
from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import new_id
from services.users import accounts
from services.users.app import create_app
from services.users.models import Member
from tests.answers import pointers, refused

EDITABLE = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "university": "ETH",
    "company": "Engines",
    "major": "Mathematics",
    "graduation_year": 2028,
    "track": "consulting",
}
READ_ONLY = {
    "id": "01a00000-0000-7000-8000-000000000000",
    "username": "eve",
    "email": "eve@example.org",
    "email_verified": True,
    "display_name": "Eve",
    "role": "admin",
    "status": "active",
    "discord_id": "7",
    "discord_username": "eve",
    "discord_verified": True,
    "media_consent": True,
    "onboarding_completed": True,
    "created_at": "2020-01-01T00:00:00Z",
    "password": "correct horse battery 2",
    "password_hash": "x",
    "security_version": 0,
    "version": 0,
    "points": 1000,
    "total_points": 1000,
    "is_admin": True,
    "preferences": {},
    "nonsense": 1,
}


@pytest.fixture
def ada(register):
    """Headers of a new member."""
    return {"Authorization": f"Bearer {register('ada')['tokens']['access']}"}


def whole_row() -> str:
    with transaction() as session:
        return session.execute(text("SELECT (to_jsonb(m) - 'last_activity_at')::text FROM members m")).scalar_one()


def test_a_profile_is_the_bare_user_object(register, client):
    made = register("ada")
    for path in ("/api/users/profile/", "/api/users/profile"):
        answer = client.get(path, headers={"Authorization": f"Bearer {made['tokens']['access']}"})
        assert (answer.status_code, answer.json) == (200, made["user"])
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_nobody_has_a_profile_without_a_token(method, client):
    refused(client.open("/api/users/profile/", method=method, json={"first_name": "Ada"}), 401, "unauthorized")


def test_a_token_of_nobody_finds_nothing(keys):
    client = create_app(keys=keys).test_client()
    refused(client.get("/api/users/profile/", headers=keys.bearer(new_id())), 404)
    refused(client.patch("/api/users/profile/", headers=keys.bearer(new_id()), json={"major": "x"}), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_all_editable_fields_change_and_the_others_learn(method, client, ada, told):
    answer = client.open("/api/users/profile/", method=method, headers=ada, json=EDITABLE)
    assert answer.status_code == 200
    assert {name: answer.json[name] for name in EDITABLE} == EDITABLE
    assert client.get("/api/users/profile/", headers=ada).json == answer.json
    updates = told("users.user_updated.v1")
    assert [(event.sequence, event.data.display_name, event.data.track) for event in updates] == [
        (1, "ada", None),
        (2, "Ada", "consulting"),
    ]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_one_field_may_change_alone(method, client, ada):
    client.patch("/api/users/profile/", headers=ada, json=EDITABLE)
    answer = client.open("/api/users/profile/", method=method, headers=ada, json={"university": None})
    assert {name: answer.json[name] for name in EDITABLE} == EDITABLE | {"university": None}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_field_that_is_not_theirs_is_refused_and_nothing_changes(method, client, ada, row_count):
    before = whole_row()
    for name, value in READ_ONLY.items():
        answer = client.open("/api/users/profile/", method=method, headers=ada, json={"major": "Art", name: value})
        assert pointers(answer) == [f"/{name}"]
    assert whole_row() == before
    assert row_count("outbox") == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/"),
        ([], "/"),
        ("x", "/"),
        ({"first_name": None}, "/first_name"),
        ({"first_name": "x" * 101}, "/first_name"),
        ({"last_name": "a\u0008"}, "/last_name"),
        ({"graduation_year": "2027"}, "/graduation_year"),
        ({"graduation_year": False}, "/graduation_year"),
        ({"graduation_year": 2**40}, "/graduation_year"),
        ({"track": "wizardry"}, "/track"),
        ({"track": ["tech"]}, "/track"),
    ],
)
def test_a_wrong_value_is_named(body, pointer, client, ada, row_count):
    assert pointers(client.patch("/api/users/profile/", headers=ada, json=body)) == [pointer]
    assert row_count("members", "version = 1") == 1


@pytest.mark.parametrize(
    ("choice", "first", "last", "shown"),
    [
        (None, "Ada", "Lovelace", "Ada"),
        (None, "", "", "ada"),
        (None, "", "Lovelace", "ada"),
        ("first_name_only", "Ada", "Lovelace", "Ada"),
        ("first_last_initial", "Ada", "Lovelace", "Ada L."),
        ("first_last_initial", "Ada", "", "Ada"),
        ("first_last_initial", "", "Lovelace", "ada"),
        ("username", "Ada", "Lovelace", "ada"),
        ("pseudonym", "Ada", "Lovelace", "Member 2b3c4d"),
    ],
)
def test_a_member_is_shown_by_the_name_of_their_choice(choice, first, last, shown):
    preferences = {"privacy_settings": {"display_name_preference": choice}} if choice else {}
    id_ = new_id().hex[:-6] + "2b3c4d"
    member = Member(id=id_, username="ada", first_name=first, last_name=last, preferences=preferences)
    assert accounts.display_name(member) == shown


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ({"discord_display_name": "Ada 🌱", "discord_username": "ada1"}, "Ada 🌱"),
        ({"discord_display_name": "", "discord_username": "ada1"}, "ada1"),
        ({}, "Member"),
        ({"username": "web", "discord_display_name": "Ada 🌱"}, "web"),
    ],
)
def test_a_discord_born_member_is_shown_by_their_discord_name(names, shown):
    assert accounts.display_name(Member(id=new_id(), first_name="", preferences={}, **names)) == shown


def test_a_preference_reaches_the_others(register, client, ada, told):
    with transaction() as session:
        member = session.query(Member).one()
        member.preferences = {
            "privacy_settings": {"show_in_leaderboard": False, "display_name_preference": "first_last_initial"}
        }
    client.patch("/api/users/profile/", headers=ada, json={"first_name": "Ada", "last_name": "Lovelace"})
    newest = told("users.user_updated.v1")[-1].data
    assert (newest.display_name, newest.show_in_leaderboard) == ("Ada L.", False)
