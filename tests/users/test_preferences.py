"""A member's preferences: defaults, strict keys, and who learns of a change."""

import copy
from uuid import UUID

import pytest

from fleet.contracts import users
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from fleet.problems import InvalidFields, NotFound
from services.users.accounts import display_name
from services.users.models import Member
from services.users.preferences import DEFAULTS, complete, merged
from services.users.subscriptions import subscriptions
from tests.answers import pointers, refused

PATH = "/api/user-preferences/"
AS_DELIVERED = {
    "email_notifications": {"new_activities": True, "reward_updates": True, "leaderboard_changes": False},
    "discord_notifications": {"new_activities": True, "reward_updates": True, "leaderboard_changes": False},
    "privacy_settings": {"show_in_leaderboard": True, "display_name_preference": "first_name_only"},
    "display_preferences": {"time_zone": "UTC", "locale": "en"},
}
OTHERS = {
    "email_notifications": {"new_activities": False, "reward_updates": False, "leaderboard_changes": True},
    "discord_notifications": {"new_activities": False, "reward_updates": False, "leaderboard_changes": True},
    "privacy_settings": {"show_in_leaderboard": False, "display_name_preference": "pseudonym"},
    "display_preferences": {"time_zone": "Europe/Zurich", "locale": "de-CH"},
}


@pytest.fixture
def ada(register):
    return {"Authorization": f"Bearer {register('ada', first_name='Ada')['tokens']['access']}"}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_they_need_a_token(method, client):
    refused(client.open(PATH, method=method, json={}), 401)


def test_an_applicant_has_none_yet(register, client):
    tokens = register("acme", role="company")["tokens"]
    refused(client.get(PATH, headers={"Authorization": f"Bearer {tokens['access']}"}), 403, "awaiting-approval")


def test_everything_has_a_default(client, ada):
    assert client.get(PATH, headers=ada).json == AS_DELIVERED == DEFAULTS


def test_defaults_are_not_changed_by_those_who_choose(client, ada):
    before = copy.deepcopy(DEFAULTS)
    client.put(PATH, headers=ada, json=OTHERS)
    assert before == DEFAULTS


def test_put_replaces_all_and_patch_only_what_it_names(client, ada):
    assert client.put(PATH, headers=ada, json=OTHERS).json == OTHERS
    assert client.get(PATH, headers=ada).json == OTHERS
    patched = client.patch(PATH, headers=ada, json={"privacy_settings": {"show_in_leaderboard": True}}).json
    assert patched == OTHERS | {"privacy_settings": OTHERS["privacy_settings"] | {"show_in_leaderboard": True}}
    put = client.put(PATH, headers=ada, json={"display_preferences": {"locale": "fr"}}).json
    assert put == AS_DELIVERED | {"display_preferences": {"time_zone": "UTC", "locale": "fr"}}


def test_who_shows_names_learns_of_privacy_and_who_sends_notices_of_the_rest(client, ada, told):
    client.patch(PATH, headers=ada, json={"privacy_settings": OTHERS["privacy_settings"]})
    updated = told("users.user_updated.v1")[-1]
    assert (updated.sequence, updated.data.show_in_leaderboard) == (2, False)
    assert updated.data.display_name.startswith("Member ")
    assert told("users.contact_changed.v1") == []
    client.patch(PATH, headers=ada, json={"display_preferences": OTHERS["display_preferences"]})
    client.patch(PATH, headers=ada, json={"email_notifications": OTHERS["email_notifications"]})
    contacts = told("users.contact_changed.v1")
    assert [event.sequence for event in contacts] == [3, 4]
    newest = contacts[-1].data
    assert (newest.time_zone, newest.locale) == ("Europe/Zurich", "de-CH")
    assert (newest.email_notifications.leaderboard_changes, newest.discord_notifications.leaderboard_changes) == (
        True,
        False,
    )
    assert (newest.email, newest.discord_id) == (None, None)
    assert len(told("users.user_updated.v1")) == 2


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_does_not_change_is_no_news(method, client, ada, told):
    before = len(told())
    assert client.open(PATH, method=method, headers=ada, json=AS_DELIVERED).json == AS_DELIVERED
    assert len(told()) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], "/"),
        ("x", "/"),
        ({"sms_notifications": {}}, "/sms_notifications"),
        ({"email_notifications": {"digest": True}}, "/email_notifications/digest"),
        ({"email_notifications": None}, "/email_notifications"),
        ({"email_notifications": True}, "/email_notifications"),
        ({"email_notifications": {"new_activities": "yes"}}, "/email_notifications/new_activities"),
        ({"email_notifications": {"new_activities": 1}}, "/email_notifications/new_activities"),
        ({"discord_notifications": {"reward_updates": None}}, "/discord_notifications/reward_updates"),
        ({"privacy_settings": {"display_name_preference": "king"}}, "/privacy_settings/display_name_preference"),
        ({"privacy_settings": {"show_in_leaderboard": 0}}, "/privacy_settings/show_in_leaderboard"),
        ({"display_preferences": {"time_zone": "Europe/Atlantis"}}, "/display_preferences/time_zone"),
        ({"display_preferences": {"time_zone": "../../etc/passwd"}}, "/display_preferences/time_zone"),
        ({"display_preferences": {"time_zone": ["UTC"]}}, "/display_preferences/time_zone"),
        ({"display_preferences": {"locale": "english\n"}}, "/display_preferences/locale"),
        ({"display_preferences": {"locale": ""}}, "/display_preferences/locale"),
        ({"display_preferences": {"theme": "dark"}}, "/display_preferences/theme"),
    ],
)
def test_a_wrong_key_or_value_is_named_and_nothing_changes(method, body, pointer, client, ada, row_count):
    assert pointers(client.open(PATH, method=method, headers=ada, json=body)) == [pointer]
    assert row_count("members", "preferences = '{}'") == 1


def test_an_empty_patch_is_refused(client, ada):
    assert pointers(client.patch(PATH, headers=ada, json={})) == ["/"]


def test_a_key_that_comes_later_has_its_default_for_those_who_chose_before():
    chosen = {"privacy_settings": {"display_name_preference": "username"}}
    assert complete(chosen)["privacy_settings"] == {
        "show_in_leaderboard": True,
        "display_name_preference": "username",
    }
    assert merged(chosen, {})["email_notifications"] == AS_DELIVERED["email_notifications"]
    assert display_name(Member(username="ada", first_name="Ada", preferences=chosen)) == "ada"


class TestByDiscord:
    """The bot asks and changes for a member: the same preferences, under the same rules."""

    @pytest.fixture
    def hear(self):
        def send(message):
            envelope = envelope_for(message, source="bot")
            with transaction() as session:
                return subscriptions.handlers[envelope.type](session, envelope)

        return send

    @pytest.fixture
    def born(self, hear):
        member_id = new_id()
        hear(users.RegisterMember(member_id, "101", "ada", "Ada L", now()))
        return member_id

    def test_they_are_the_ones_of_the_web(self, hear, register, client):
        made = register("ada", first_name="Ada")
        headers = {"Authorization": f"Bearer {made['tokens']['access']}"}
        found = hear(
            users.ChangePreferences(UUID(made["user"]["id"]), show_in_leaderboard=False, time_zone="Europe/Zurich")
        )
        assert (found.show_in_leaderboard, found.time_zone, found.shown_as, found.has_email) == (
            False,
            "Europe/Zurich",
            "Ada",
            False,
        )
        shown = client.get(PATH, headers=headers).json
        assert shown["privacy_settings"] == {"show_in_leaderboard": False, "display_name_preference": "first_name_only"}
        assert shown["display_preferences"] == {"time_zone": "Europe/Zurich", "locale": "en"}

    def test_who_was_born_in_discord_has_them_too_and_others_are_told(self, hear, born, told):
        assert hear(users.GetPreferences(born)).shown_as == "Ada L"
        before = len(told())
        off = users.ToldChanges(reward_updates=False)
        found = hear(users.ChangePreferences(born, discord_notifications=off, display_name_preference="pseudonym"))
        assert found.discord_notifications == users.Told(True, False, False)
        assert found.email_notifications == users.Told(True, True, False), "the other channel is as it was"
        assert found.shown_as.startswith("Member ")
        kinds = [event.type for event in told()[before:]]
        assert kinds == ["users.user_updated.v1", "users.contact_changed.v1"]

    def test_what_cannot_be_is_refused_and_changes_nothing(self, hear, born, told):
        before = len(told())
        for wrong in ({}, {"time_zone": "Europe/Nowhere"}, {"email_notifications": users.ToldChanges()}):
            with pytest.raises(InvalidFields):
                hear(users.ChangePreferences(born, **wrong))
        with pytest.raises(NotFound):
            hear(users.ChangePreferences(new_id(), show_in_leaderboard=False))
        assert len(told()) == before
        assert hear(users.GetPreferences(born)).time_zone == "UTC"
