"""Consent, onboarding, the state of the Discord link, and on which days a member was active."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from fleet.database import transaction
from fleet.messages import now
from services.users import onboarding
from tests.answers import pointers, refused
from tests.users.conftest import PASSWORD

PATHS = {"consent": "POST", "complete_onboarding": "POST", "discord_verification": "GET"}


@pytest.fixture
def ada(register):
    return {"Authorization": f"Bearer {register('ada')['tokens']['access']}"}


def column(name: str):
    with transaction() as session:
        return session.execute(text(f"SELECT {name} FROM members")).scalar_one()


@pytest.mark.parametrize("path", PATHS)
def test_all_need_a_token_and_an_approved_account(path, client, register):
    send = {"method": PATHS[path], "json": {"media_consent": True}}
    refused(client.open(f"/api/users/{path}/", **send), 401)
    tokens = register("acme", role="company")["tokens"]
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    refused(client.open(f"/api/users/{path}/", headers=headers, **send), 403, "awaiting-approval")


def test_consent_is_given_with_time_and_address_and_withdrawn(client, ada, row_count):
    headers = ada | {"X-Real-IP": "2001:db8::7"}
    given = client.post("/api/users/consent/", headers=headers, json={"media_consent": True})
    assert given.json["media_consent"] is True
    assert abs(datetime.fromisoformat(given.json["media_consent_at"]) - now()) < timedelta(minutes=1)
    assert column("media_consent_from") == "2001:db8::7"
    assert client.get("/api/users/profile/", headers=ada).json["media_consent"] is True
    again = client.post("/api/users/consent/", headers=ada, json={"media_consent": True})
    assert again.json == given.json
    withdrawn = client.post("/api/users/consent/", headers=ada, json={"media_consent": False})
    assert withdrawn.json == {"media_consent": False, "media_consent_at": None}
    assert column("media_consent_from") is None
    assert row_count("audit_entries") == 2
    # The address is personal: it is in the part of the trail that an erasure deletes.
    assert row_count("audit_entries", "audit_entries::text LIKE '%2001:db8%'") == 0


@pytest.mark.parametrize("address", ["", "x", "1.2.3.4, 5.6.7.8", "999.1.1.1", "<script>"])
def test_a_header_that_is_no_address_is_not_kept(address, client, ada):
    headers = ada | {"X-Real-IP": address}
    assert client.post("/api/users/consent/", headers=headers, json={"media_consent": True}).status_code == 200
    assert column("media_consent_from") in (None, "127.0.0.1")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/media_consent"),
        ({"media_consent": "yes"}, "/media_consent"),
        ({"media_consent": 1}, "/media_consent"),
        ({"media_consent": None}, "/media_consent"),
        ({"media_consent": True, "at": "x"}, "/at"),
        ([], "/"),
    ],
)
def test_consent_is_true_or_false(body, pointer, client, ada):
    assert pointers(client.post("/api/users/consent/", headers=ada, json=body)) == [pointer]


def test_onboarding_is_completed_once(client, ada):
    first = client.post("/api/users/complete_onboarding/", headers=ada)
    assert (first.status_code, first.json["onboarding_completed"]) == (200, True)
    assert client.post("/api/users/complete_onboarding/", headers=ada).json == first.json
    assert client.get("/api/users/profile/", headers=ada).json["onboarding_completed"] is True


def test_the_state_of_the_discord_link(client, ada, register):
    nothing = {"discord_linked": False, "discord_verified": False, "discord_id": None, "discord_username": None}
    path = "/api/users/discord_verification/"
    assert client.get(path, headers=ada).json == nothing | {"verification_required": False}
    tokens = register("bob", discord_data={"discord_username": "bobby"})["tokens"]
    bob = {"Authorization": f"Bearer {tokens['access']}"}
    assert client.get(path, headers=bob).json == nothing | {
        "discord_username": "bobby",
        "verification_required": True,
    }
    with transaction() as session:
        session.execute(text("UPDATE members SET discord_id = '77' WHERE username = 'bob'"))
    assert client.get(path, headers=bob).json == {
        "discord_linked": True,
        "discord_verified": True,
        "discord_id": "77",
        "discord_username": "bobby",
        "verification_required": False,
    }


class TestActivity:
    @pytest.mark.parametrize("way", ["request", "login", "refresh"])
    def test_a_request_a_sign_in_and_a_renewal_are_activity(self, way, register, client, post):
        tokens = register("ada")["tokens"]
        assert column("last_activity_at") is None
        if way == "request":
            client.get("/api/users/profile/", headers={"Authorization": f"Bearer {tokens['access']}"})
        elif way == "login":
            post("login", username="ada", password=PASSWORD)
        else:
            post("refresh", refresh=tokens["refresh"])
        assert now() - column("last_activity_at") < timedelta(minutes=1)

    def test_the_first_of_a_day_counts(self, register):
        register("ada")
        member = column("id")
        noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
        moments = [noon, noon + timedelta(hours=1), noon + timedelta(hours=11), noon + timedelta(hours=12)]
        with transaction() as session:
            session.execute(text("UPDATE members SET last_activity_at = NULL"))
            assert [onboarding.was_active(session, member, at) for at in moments] == [True, False, False, True]
            assert onboarding.was_active(session, member, noon) is False

    def test_a_wrong_password_is_none(self, register, post):
        register("ada")
        with transaction() as session:
            session.execute(text("UPDATE members SET last_activity_at = NULL"))
        refused(post("login", username="ada", password="wrong"), 401)
        assert column("last_activity_at") is None

    def test_a_note_that_cannot_be_made_spoils_no_answer(self, register, client, monkeypatch):
        def away(*_arguments):
            raise OperationalError("", {}, Exception())

        headers = {"Authorization": f"Bearer {register('ada')['tokens']['access']}"}
        monkeypatch.setattr(onboarding, "was_active", away)
        assert client.get("/api/users/profile/", headers=headers).status_code == 200
