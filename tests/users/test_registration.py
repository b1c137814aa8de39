"""Registration: who may become a member on the web, under which name, and what is told of it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests.answers import pointers, refused
from tests.users.conftest import PASSWORD

ADA = {"username": "Ada.Lovelace", "email": "ada@example.org", "password": PASSWORD}
NOT_ASKED_FOR = [
    "id",
    "status",
    "security_version",
    "version",
    "email_verified_at",
    "password_hash",
    "discord_id",
    "created_at",
    "username_key",
    "is_admin",
    "is_staff",
    "total_points",
    "points",
    "preferences",
    "suspended_until",
]


def test_an_account_needs_a_name_an_address_and_a_password(post):
    answer = post("register", **ADA)
    assert answer.status_code == 201
    assert set(answer.json) == {"user", "tokens", "discord_verification_required"}
    assert answer.json["discord_verification_required"] is False
    user = answer.json["user"]
    assert UUID(user.pop("id"))
    assert user.pop("created_at").endswith("Z")
    assert user == {
        "username": "Ada.Lovelace",
        "email": "ada@example.org",
        "email_verified": False,
        "first_name": "",
        "last_name": "",
        "display_name": "Ada.Lovelace",
        "role": "student",
        "status": "active",
        "track": None,
        "university": None,
        "company": None,
        "major": None,
        "graduation_year": None,
        "discord_id": None,
        "discord_username": None,
        "discord_verified": False,
        "media_consent": False,
        "onboarding_completed": False,
    }
    assert set(answer.json["tokens"]) == {"access", "refresh"}


def test_every_optional_field_is_kept(post, client):
    optional = {
        "first_name": "Ada",
        "last_name": "Lovelace 👩‍💻",
        "university": "Universität Zürich",
        "company": "Analytical Engines",
        "major": "Mathematics",
        "graduation_year": 2027,
        "track": "tech",
    }
    answer = post("register", **ADA, **optional, role="student", discord_data={"discord_username": "ada#1"})
    assert answer.status_code == 201
    assert answer.json["discord_verification_required"] is True
    bearer = {"Authorization": f"Bearer {answer.json['tokens']['access']}"}
    user = client.get("/api/users/profile/", headers=bearer).json
    assert user == answer.json["user"]
    assert {name: user[name] for name in optional} == optional
    assert (user["display_name"], user["discord_username"]) == ("Ada", "ada#1")
    # A name that somebody typed proves nothing.
    assert (user["discord_id"], user["discord_verified"]) == (None, False)


def test_the_others_learn_of_it(register, told):
    made = register("ada", first_name="Ada", track="finance", university="ETH", graduation_year=2030)
    registered, updated = told()
    assert (registered.type, registered.sequence, registered.data.origin) == ("users.user_registered.v1", 1, "web")
    assert (updated.type, updated.sequence, updated.data.display_name) == ("users.user_updated.v1", 1, "Ada")
    assert (updated.data.track, updated.data.university, updated.data.graduation_year) == ("finance", "ETH", 2030)
    assert updated.data.show_in_leaderboard is True
    assert {event.subject for event in (registered, updated)} == {made["user"]["id"]}


@pytest.mark.parametrize("role", ["company", "university"])
def test_companies_and_universities_await_approval(role, register, told):
    assert register("acme", role=role)["user"]["status"] == "awaiting_approval"
    assert told("users.user_updated.v1")[0].data.status == "awaiting_approval"


@pytest.mark.parametrize("role", ["admin", "Admin", "staff", "", None, 1, ["student"]])
def test_nobody_makes_themselves_an_admin(role, post, row_count):
    assert pointers(post("register", **ADA, role=role)) == ["/role"]
    assert row_count("members") == 0


@pytest.mark.parametrize(
    "password",
    [
        "short-pw1",
        "",
        "password123",
        "PassWord123",
        "ｐａｓｓｗｏｒｄ１２３",
        "1234567890",
        "aaaaaaaaaaaaaa",
        "abababababab",
        "ada.lovelace",
        " ADA.Lovelace ",
        "x1y2" * 51,
    ],
)
def test_a_weak_password_is_refused(password, post, row_count):
    assert pointers(post("register", **ADA | {"password": password})) == ["/password"]
    assert row_count("members") == row_count("outbox") == 0


def test_a_password_is_kept_as_argon2id_only(register):
    from sqlalchemy import text

    from fleet.database import transaction

    register("ada")
    with transaction() as session:
        row = session.execute(text("SELECT m::text AS whole, password_hash FROM members m")).one()
    assert row.password_hash.startswith("$argon2id$")
    assert PASSWORD not in row.whole


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"email": "other@example.org"}, "username-taken"),
        ({"email": "other@example.org", "username": "ADA.LOVELACE"}, "username-taken"),
        ({"email": "other@example.org", "username": "ａｄａ.ｌｏｖｅｌａｃｅ"}, "username-taken"),
        ({"username": "other"}, "email-taken"),
        ({"username": "other", "email": "ADA@Example.ORG"}, "email-taken"),
    ],
)
def test_a_name_or_address_is_taken_whatever_its_case_and_form(changes, slug, post, row_count):
    assert post("register", **ADA).status_code == 201
    refused(post("register", **ADA | changes), 409, slug)
    assert row_count("members") == row_count("refresh_families") == 1


def test_names_are_compared_by_casefold_not_by_lower_case(post):
    assert post("register", **ADA | {"username": "Straße"}).status_code == 201
    refused(post("register", **ADA | {"username": "STRASSE", "email": "o@example.org"}), 409, "username-taken")


def test_a_taken_name_frees_nothing_and_breaks_nothing(post, register):
    register("ada")
    refused(post("register", **ADA | {"username": "ada", "email": "b@example.org"}), 409)
    register("b", email="b@example.org", username="bob")


HOSTILE = {
    "too short": "ab",
    "too long": "a" * 33,
    "empty": "",
    "blank": "    ",
    "a space": "ada lovelace",
    "a zero-width space": "ada\u200b",
    "a zero-width joiner": "a\u200dda",
    "a byte order mark": "\ufeffada",
    "right-to-left override": "\u202eada",
    "a soft hyphen": "ad\u00ada",
    "a variation selector": "ada\ufe0f",
    "a Hangul filler": "\u3164\u3164\u3164",
    "a half-width filler": "ada\uffa0",
    "two directions": "adaאבג",
    "stacked marks": "a\u0300\u0301\u0302\u0303da",
    "a bell": "ada\u0007",
    "a newline at the end": "ada\n",
    "a carriage return": "ada\r\nSet-Cookie: x",
    "an address": "ada@example.org",
    "markup": "<script>",
    "SQL": "' OR 1=1 --",
    "a mention": "@everyone",
    "a template": "{{7*7}}",
    "an emoji": "ada😀",
    "a path": "../../ada",
    "a number": 12345,
    "true": True,
    "nothing": None,
    "a list": ["ada"],
    "an object": {"$ne": 1},
}


def test_a_hostile_name_is_refused(post, row_count):
    answers = {what: post("register", **ADA | {"username": name}) for what, name in HOSTILE.items()}
    assert {what: pointers(answer) for what, answer in answers.items()} == {key: ["/username"] for key in HOSTILE}
    assert row_count("members") == 0


@pytest.mark.parametrize("text", ["ada\\u0000", "ada\\ud800", "\\udc00ada"])
def test_a_name_that_cannot_be_stored_is_refused(text, client):
    body = f'{{"username": "{text}", "email": "ada@example.org", "password": "{PASSWORD}"}}'
    refused(client.post("/api/users/register/", data=body, content_type="application/json"), 400, "unreadable")


@pytest.mark.parametrize("name", ["abc", "a" * 32, "Ада", "אדה", "أحمد", "小林さん", "a.b-c_9", "Zoë"])
def test_names_of_all_scripts_are_welcome(name, post):
    answer = post("register", **ADA | {"username": name})
    assert (answer.status_code, answer.json.get("user", {}).get("username")) == (201, name)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@",
        "@example.org",
        "ada@example",
        "a b@example.org",
        "ada@exa\nmple.org",
        None,
        5,
        "ada@example.org\r\nBcc: all@example.org",
        f"{'a' * 64}@{'b' * 200}.org",
        "ada@@example.org",
    ],
)
def test_what_is_no_address_is_refused(address, post):
    assert set(pointers(post("register", **ADA | {"email": address}))) == {"/email"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("graduation_year", "2027"),
        ("graduation_year", True),
        ("graduation_year", 2027.0),
        ("graduation_year", 1899),
        ("graduation_year", 2101),
        ("track", "wizardry"),
        ("first_name", "x" * 101),
        ("last_name", 7),
        ("major", "a\u0000b".replace("\u0000", "\u0001")),
        ("discord_data", "ada#1"),
        ("discord_data", {}),
        ("discord_data", {"discord_username": "ada", "discord_id": "5"}),
    ],
)
def test_an_optional_field_that_is_wrong_is_named(field, value, post, row_count):
    found = pointers(post("register", **ADA, **{field: value}))
    assert len(found) == 1
    assert found[0].startswith(f"/{field}")
    assert row_count("members") == 0


def test_nothing_else_can_be_assigned(post, row_count):
    answers = {name: pointers(post("register", **ADA, **{name: 1})) for name in NOT_ASKED_FOR}
    assert answers == {name: [f"/{name}"] for name in NOT_ASKED_FOR}
    assert row_count("members") == 0


def test_all_wrong_fields_are_named_at_once(post):
    assert sorted(pointers(post("register", username="x", email="y"))) == ["/email", "/password", "/username"]


@pytest.mark.parametrize("distinct", ["email", "username"])
def test_ten_at_once_who_want_one_name_make_one_member(distinct, post, row_count):
    def attempt(number: int) -> int:
        own = {"email": f"ada{number}@example.org"} if distinct == "email" else {"username": f"ada{number}"}
        answer = post("register", **ADA | own)
        if answer.status_code == 409:
            refused(answer, 409, "username-taken" if distinct == "email" else "email-taken")
        return answer.status_code

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(attempt, range(10))) == [201] + [409] * 9
    assert row_count("members") == row_count("refresh_families") == 1
    assert row_count("outbox") == 2
