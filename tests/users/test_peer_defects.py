"""How accounts were taken over, and linking broke, in other products of this kind: each recipe as a test, by its number
in the list of such defects. None of them may work here."""

import random

import pytest
from sqlalchemy import text

from fleet.contracts.users import LinkClaim
from fleet.database import transaction
from fleet.messages import new_id
from tests.answers import pointers, refused
from tests.users.conftest import PASSWORD
from tests.users.links import Browser, Person, link, slug

VICTIM = Person("1043210000000000077", "victim")


@pytest.fixture
def ada(app) -> Browser:
    return Browser(app, "ada")


@pytest.fixture
def mallory(app) -> Browser:
    return Browser(app, "mallory")


def stored(name: str) -> dict:
    with transaction() as session:
        found = session.execute(text("SELECT * FROM members WHERE username = :name"), {"name": name})
        # When somebody was active last is noted by itself.
        return {name: value for name, value in found.mappings().one().items() if name != "last_activity_at"}


def test_d10_nobody_registers_as_admin(client, row_count):
    body = {"username": "mallory", "email": "m@example.org", "password": PASSWORD, "role": "admin"}
    assert pointers(client.post("/api/users/register/", json=body)) == ["/role"]
    assert row_count("members") == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/users/", None),
        ("GET", "/api/users/{id}/", None),
        ("PATCH", "/api/users/{id}/", {"role": "admin"}),
        ("PATCH", "/api/users/{id}/", {"discord_id": "666"}),
        ("PATCH", "/api/users/{id}/", {"email": "m@example.org"}),
        ("PUT", "/api/users/{id}/", {"username": "x"}),
        ("DELETE", "/api/users/{id}/", {}),
        ("POST", "/api/users/", {"username": "eve", "password": PASSWORD, "role": "admin"}),
        ("POST", "/api/users/{id}/unlink_discord/", {"reason": "mine"}),
    ],
)
def test_d11_a_student_reads_and_writes_no_other_member(method, path, body, ada, mallory, row_count):
    before = stored("ada")
    answer = mallory.send(method, path.format(id=ada.id), json=body)
    assert answer.status_code in (403, 404, 405)
    assert "ada@example.org" not in answer.text
    assert (stored("ada"), row_count("members")) == (before, 2)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_d14_a_password_in_the_profile_is_refused_and_the_account_still_opens(method, ada, post):
    before = stored("ada")["password_hash"]
    assert pointers(ada.send(method, "/api/users/profile/", json={"password": "in the clear"})) == ["/password"]
    assert stored("ada")["password_hash"] == before
    assert post("login", username="ada", password=PASSWORD).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_d15_the_profile_sets_no_right_and_no_identity(method, ada):
    before = stored("ada")
    for field in ("role", "discord_id", "onboarding_completed", "status", "id", "discord_verified"):
        body = {"first_name": "Ada", field: "admin" if field == "role" else "1"}
        assert pointers(ada.send(method, "/api/users/profile/", json=body)) == [f"/{field}"]
    assert stored("ada") == before


def test_d46_the_normal_path_leaves_one_member_and_the_bot_goes_on(ada, row_count):
    """Join, register, link: two rows with one Discord id, and every later action of the bot failed."""
    VICTIM.seen()
    link(ada, VICTIM)
    assert row_count("members", "discord_id = :id", id=VICTIM.discord_id) == 1
    assert VICTIM.seen() is None
    assert VICTIM.identity().web_account == "ada"


def test_d47_somebody_elses_discord_id_in_the_profile_disables_nobody(ada, mallory):
    VICTIM.seen()
    link(ada, VICTIM)
    for method, path in (("PUT", "/api/users/profile/"), ("PATCH", "/api/users/profile/")):
        assert pointers(mallory.send(method, path, json={"discord_id": VICTIM.discord_id})) == ["/discord_id"]
    body = {"discord_username": "victim", "discord_id": VICTIM.discord_id}
    assert pointers(mallory.send("POST", "/api/link/confirm", json=body)) == ["/discord_id"]
    assert VICTIM.identity().web_account == "ada"


def test_d48_a_registered_name_reserves_nothing_and_nothing_is_linked_without_the_name_shown(app, register, client):
    """The check was skipped when either side gave no name; and a name that anybody may type proves nothing."""
    made = register("mallory", discord_data={"discord_username": "victim"})
    assert made["user"]["discord_verified"] is False
    VICTIM.seen()
    assert VICTIM.identity().web_account is None
    mallory = Browser(app, "mallory2")
    claimed = VICTIM.claim(mallory.start())
    VICTIM.confirm(claimed.offer.link_id)
    assert pointers(mallory.send("POST", "/api/link/confirm", json={})) == ["/discord_username"]
    refused(mallory.confirm("somebody"), 409, "other-discord-name")
    assert mallory.status()["linked"] is False


class TestD49:
    """Predictable six digits in the clear, without a limit of tries; whoever typed a valid code first had the account."""

    def test_codes_do_not_come_from_a_generator_that_can_be_seeded(self, ada):
        random.seed(49)
        first = ada.start()
        random.seed(49)
        assert ada.start() != first
        assert len(first) == 8

    def test_typing_a_strangers_code_first_takes_nothing(self, ada):
        thief = Person("666", "thief")
        claimed = thief.claim(ada.start())
        thief.confirm(claimed.offer.link_id)
        assert ada.status()["linked"] is False
        assert ada.status()["pending"]["claimed_by"]["discord_username"] == "thief"
        ada.confirm("thief", accept=False)
        assert slug(thief.confirm(claimed.offer.link_id)) == "nothing-to-confirm"

    def test_a_code_given_to_a_victim_binds_nothing_without_their_own_yes(self, mallory):
        """ "Who was told to type this for 100 points: the victim's Discord account would have earned for the thief."""
        VICTIM.seen()
        claimed = VICTIM.claim(mallory.start())
        assert claimed.offer.web_account == "ma…", "the victim sees whose account it is"
        mallory.confirm("victim")
        assert VICTIM.identity().web_account is None
        VICTIM.confirm(claimed.offer.link_id, accept=False)
        refused(mallory.confirm("victim"), 409, "nothing-to-confirm")

    def test_used_codes_stay_used_and_do_not_collide(self, ada, mallory):
        code = ada.start()
        claimed = VICTIM.claim(code)
        VICTIM.confirm(claimed.offer.link_id)
        ada.confirm("victim")
        assert Person("8").claim(code) == LinkClaim()
        assert Person("8").claim(mallory.start()).offer

    def test_a_code_typed_in_public_is_worth_nothing(self, ada):
        code = ada.start()
        VICTIM.cancel(code)
        assert Person("666").claim(code) == LinkClaim()


def test_d50_a_user_name_that_somebody_has_breaks_no_registration_and_names_are_brought_up_to_date(ada, row_count):
    """Registering a person of the same name failed, and a person once known was never updated."""
    people = [Person("1", "ada"), Person("2", "ada")]
    for person in people:
        assert person.seen() is None
    assert row_count("members") == 3
    people[0].name = "ada lovelace"
    people[0].seen()
    assert row_count("members", "discord_username = 'ada lovelace' AND id = :id", id=people[0].id) == 1
    assert slug(Person("3").confirm(new_id())) == "nothing-to-confirm", "who was never seen gets a clear answer"
