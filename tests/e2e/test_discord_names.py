"""The question about a Discord name, through gateway, users, relay, broker, the bot's worker, and back."""

from tests.e2e.conftest import Fleet, eventually


def valid(fleet: Fleet, name: str, path: str = "/api/validate-discord-user/") -> bool:
    answer = fleet.request("POST", path, json={"discord_username": name})
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"valid", "message"}
    return answer.json()["valid"]


def test_a_member_who_never_spoke_is_found_until_they_leave(fleet: Fleet):
    silent = fleet.discord.join("Silent Sam")
    eventually(lambda: valid(fleet, "@silent sam"), "found by the name alone")
    assert valid(fleet, "Silent Sam", "/api/validate-discord-user")
    assert not valid(fleet, "Silent Samuel")
    answer = fleet.request("POST", "/api/validate-discord-user/", json={"discord_username": "Silent Sam"})
    assert silent not in answer.text
    fleet.discord.change(silent, leaves=True)
    eventually(lambda: not valid(fleet, "Silent Sam"), "gone with the member")
