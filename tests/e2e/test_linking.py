"""A whole link: from a message in Discord to one member on the web and in Discord, and apart again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_main_job import available, text_of

PASSWORD = "correct horse battery"


def button(answer: dict[str, Any], label: str) -> str:
    found = {one["label"]: one["custom_id"] for row in answer["components"] for one in row["components"]}
    return found[label]


def talk(fleet: Fleet, user: str, days: int) -> None:
    at = datetime.now(UTC) - timedelta(days=days)
    fleet.discord.say(user, "hello", at=at.isoformat())


def of(fleet: Fleet, token: str) -> int:
    return int(fleet.request("GET", "/api/points/balance", token).json()["available"])


def link(fleet: Fleet, token: str, user: str) -> None:
    """As a member does it: a code on the web, /link in Discord, yes there, yes here."""
    code = fleet.request("POST", "/api/link/start", token).json()["code"]
    offer = fleet.discord.ask(user, "link", code=code)
    fleet.discord.call("clicks", user=user, message=offer["id"], custom_id=button(offer, "Yes, link it"))

    def waiting() -> dict[str, Any] | None:
        pending = fleet.request("GET", "/api/link/status", token).json()["pending"]
        return pending["claimed_by"] if pending["confirmed_in_discord"] else None

    shown = eventually(waiting, "Discord has confirmed")
    assert fleet.request("GET", "/api/link/status", token).json()["linked"] is False
    body = {"discord_username": shown["discord_username"]}
    answer = fleet.request("POST", "/api/link/confirm", token, json=body)
    assert (answer.status_code, answer.json()["linked"], answer.json()["discord_id"]) == (200, True, user)


def test_two_accounts_become_one_and_part_again(fleet: Fleet):
    user = fleet.discord.join("Lina")
    for days in (9, 8):
        talk(fleet, user, days)
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 10, "two days in Discord")
    first, second = fleet.register(), fleet.register()
    token, other = first["tokens"]["access"], second["tokens"]["access"]
    name = first["user"]["username"]

    link(fleet, token, user)
    eventually(lambda: of(fleet, token) == 10, "what Discord has earned is on the web")
    talk(fleet, user, 7)
    eventually(lambda: of(fleet, token) == 15, "what Discord earns goes on to the web")
    assert available(fleet.discord.ask(user, "points")) == 15
    eventually(lambda: name in text_of(fleet.discord.ask(user, "whoami")), "whoami names the web account")
    log = fleet.request("GET", "/api/points-logs/", token).json()["items"]
    assert [row["points"] for row in log] == [5, 5, 5]
    admin = fleet.token("admin")

    def board() -> list[int]:
        items = fleet.request("GET", "/api/leaderboard/", admin, params={"limit": 100}).json()["items"]
        return [item["total_points"] for item in items if item["display_name"] in (name, "Lina")]

    eventually(lambda: board() == [15], "one person on the board")

    requests.post(f"{fleet.discord.url}/local/users/{user}", json={"leaves": True}, timeout=5)
    assert fleet.request("GET", "/api/link/status", token).json()["linked"] is True, "leaving is not unlinking"
    requests.post(f"{fleet.discord.url}/local/users/{user}", json={"joins": True}, timeout=5)
    talk(fleet, user, 6)
    eventually(lambda: of(fleet, token) == 20, "coming back restores everything")

    answer = fleet.request("DELETE", "/api/link", token, json={"password": "not the password"})
    assert answer.status_code == 422
    answer = fleet.request("DELETE", "/api/link", token, json={"password": PASSWORD})
    assert (answer.status_code, answer.json()["linked"]) == (200, False)
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 0, "Discord begins anew")
    talk(fleet, user, 5)
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "and earns for itself")
    assert of(fleet, token) == 20

    link(fleet, other, user)
    eventually(lambda: of(fleet, other) == 5, "the second account gets what was earned since")
    talk(fleet, user, 4)
    eventually(lambda: of(fleet, other) == 10, "and what is earned from now on")
    assert of(fleet, token) == 20

    subjects = [path.read_text() for path in (fleet.run / "mail").glob("*.eml")]
    mine = [mail for mail in subjects if first["user"]["email"] in mail]
    for subject in ("A Discord account was linked", "Your Discord account was unlinked"):
        assert any(f"Subject: {subject}" in mail for mail in mine), subject


def test_a_code_in_a_public_channel_is_taken_down_and_links_nobody(fleet: Fleet):
    user, thief = fleet.discord.join("Careless"), fleet.discord.join("Thief")
    token = fleet.register()["tokens"]["access"]
    code = fleet.request("POST", "/api/link/start", token).json()["code"]
    fleet.discord.say(user, f"!link {code}")
    eventually(
        lambda: any("cancelled" in text_of(item) for item in fleet.discord.seen(thief, thief, 0)), "why it is cancelled"
    )
    assert code not in str(fleet.discord.seen(thief, thief, 0))
    eventually(
        lambda: fleet.request("GET", "/api/link/status", token).json()["pending"] is None,
        "users has cancelled the code",
    )
    assert "not valid" in text_of(fleet.discord.ask(thief, "link", code=code))
