"""The main job: what students do in Discord becomes points that everybody sees, through every door."""

import statistics
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.e2e.conftest import Fleet, eventually


def available(answer: dict) -> int:
    """The points that /points shows first."""
    return int(answer["embeds"][0]["title"].split()[0].replace(",", ""))


def text_of(answer: dict) -> str:
    parts = [answer["content"]]
    for embed in answer["embeds"]:
        parts += [embed.get("title", ""), embed.get("description", ""), embed.get("footer", {}).get("text", "")]
        parts += [f"{field['name']}: {field['value']}" for field in embed.get("fields", [])]
    return "\n".join(parts)


def test_a_message_becomes_points_and_points_shows_them(fleet: Fleet):
    delays = []
    for number in range(15):
        user = fleet.discord.join(f"Talker {number}")
        started = time.perf_counter()
        fleet.discord.say(user, "good morning")
        eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "5 points")  # noqa: B023
        delays.append(time.perf_counter() - started)
    print(f"\nFIGURES message_to_points_median_s={statistics.median(delays):.3f} max_s={max(delays):.3f}")


def test_who_joins_gets_one_welcome(fleet: Fleet):
    user = fleet.discord.join("Ada Lovelace 🎩")
    first = eventually(lambda: fleet.discord.seen(user, user, 1, channel="dm"), "a welcome DM")
    assert "Welcome" in text_of(first[0])
    fleet.discord.say(user, "hello")
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "5 points")
    assert len(fleet.discord.seen(user, user, 0, channel="dm")) == 1


def test_who_closed_their_dms_is_registered_all_the_same(fleet: Fleet):
    user = fleet.discord.join(joins=False)
    requests.post(f"{fleet.discord.url}/local/users/{user}", json={"dms_open": False}, timeout=5)
    requests.post(f"{fleet.discord.url}/local/users/{user}", json={"joins": True}, timeout=5)
    fleet.discord.say(user, "hello")
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "5 points")


def test_only_the_first_message_of_a_day_earns(fleet: Fleet):
    user = fleet.discord.join()
    today = datetime.now(UTC)
    for days in (0, 2, 1, 1, 0):
        at = (today - timedelta(days=days)).isoformat()
        fleet.discord.say(user, "again", at=at)
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 15, "three days, 15 points")
    assert "3 days in a row" in text_of(fleet.discord.ask(user, "streak"))
    assert text_of(fleet.discord.ask(user, "pointshistory")).count("+5") == 3


def test_a_reaction_to_somebody_elses_message_earns_once_an_hour(fleet: Fleet):
    author, fan = fleet.discord.join(), fleet.discord.join()
    messages = [fleet.discord.say(author, f"news {number}") for number in range(3)]
    own = fleet.discord.say(fan, "mine")
    eventually(lambda: available(fleet.discord.ask(fan, "points")) == 5, "the message")
    fleet.discord.call("reactions", user=fan, message=own, emoji="👍")
    for message in messages:
        fleet.discord.call("reactions", user=fan, message=message, emoji="🎉")
    eventually(lambda: available(fleet.discord.ask(fan, "points")) == 7, "one reaction")
    # A later message of another day is applied behind whatever the reactions caused, so nothing more is coming.
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    fleet.discord.say(fan, "late", at=yesterday)
    eventually(lambda: available(fleet.discord.ask(fan, "points")) == 12, "nothing but the other message")


def test_bots_and_direct_messages_earn_nothing(fleet: Fleet):
    robot, person = fleet.discord.join(bot=True), fleet.discord.join()
    fleet.discord.say(robot, "beep")
    fleet.discord.say(person, "psst", channel="dm")
    fleet.discord.say(person, "hello", at=(datetime.now(UTC) - timedelta(days=3)).isoformat())
    eventually(lambda: available(fleet.discord.ask(person, "points")) == 5, "the public message only")


@pytest.mark.parametrize(
    "name", ["points", "pointshistory", "pointvalues", "leaderboard", "rank", "streak", "help", "ping"]
)
def test_every_command_answers_by_slash_and_typed(fleet: Fleet, name: str):
    user = fleet.discord.join()
    slash = fleet.discord.ask(user, name)
    assert slash["ephemeral_to"] == user or name in ("leaderboard", "rank", "ping", "help", "pointvalues")
    assert text_of(slash).strip()
    typed = fleet.discord.ask_typed(user, f"!{name}")
    assert any(text_of(answer).strip() for answer in typed), f"!{name} is answered"
    private = fleet.discord.ask_typed(user, f"!{name}", channel="dm")
    assert private


def test_unknown_words_after_an_exclamation_mark_are_ignored(fleet: Fleet):
    user = fleet.discord.join()
    message = fleet.discord.say(user, "!wow what a day")
    answer = fleet.discord.ask(user, "ping")
    said = [item for item in fleet.discord.seen(user, message, 0) if item["author"] != user and item["channel"] != "dm"]
    assert [item["id"] for item in said] == [answer["id"]]


def test_the_leaderboard_is_the_same_in_discord_and_by_rest(fleet: Fleet):
    names = {fleet.discord.join(name): name for name in ("Grace (´・ω・)", "محمد", "*bold* _move_ @everyone")}
    for user in names:
        for days in range(4):
            fleet.discord.say(user, "x", at=(datetime.now(UTC) - timedelta(days=days)).isoformat())
    token = fleet.token("admin")

    def board() -> dict[str, int]:
        found, cursor = {}, None
        while True:
            page = fleet.request(
                "GET", "/api/leaderboard/", token, params={"limit": 100} | ({"cursor": cursor} if cursor else {})
            )
            assert page.status_code == 200
            found |= {item["display_name"]: item["total_points"] for item in page.json()["items"]}
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return found

    eventually(lambda: all(board().get(name) == 20 for name in names.values()), "all three with 20 points by REST")
    shown = text_of(fleet.discord.ask(next(iter(names)), "leaderboard"))
    assert "20 points" in shown
    assert "محمد" in shown
    assert "*bold* _move_" not in shown, "names are escaped, or they would format the list"


def test_an_admin_awards_by_rest_and_the_member_sees_it_in_discord(fleet: Fleet):
    user = fleet.discord.join("Marie C.")
    fleet.discord.say(user, "hello")
    eventually(lambda: available(fleet.discord.ask(user, "points")) == 5, "registered and 5 points")
    token = fleet.token("admin")
    member = fleet.register()
    path = f"/api/users/{member['user']['id']}/add_points/"
    body, key = {"activity_type": "peer_mentor", "details": "six weeks"}, {"Idempotency-Key": "one"}

    def award() -> requests.Response:
        return fleet.request("POST", path, token, json=body, headers=dict(key))

    eventually(lambda: award().status_code in (200, 201), "points has heard of the new member")
    again = award()
    assert (again.status_code, again.json()["total_points"]) == (200, 250)
    own = member["tokens"]["access"]
    balance = fleet.request("GET", "/api/points/balance", own).json()
    assert balance == {"available": 250, "reserved": 0, "redeemed": 0, "lifetime": 250}
    log = fleet.request("GET", "/api/points-logs/", own).json()["items"]
    assert [(row["activity"], row["points"], row["details"]) for row in log] == [("peer_mentor", 250, "six weeks")]


def test_the_dashboard_names_the_next_reward_of_the_shop_as_it_was_installed_and_as_it_changes(fleet: Fleet):
    member, admin = fleet.register(), fleet.token("admin")
    own = member["tokens"]["access"]

    def next_unlock() -> dict:
        answer = fleet.request("GET", "/api/dashboard/stats/", own)
        assert answer.status_code == 200, answer.text
        return answer.json()["next_unlock"]

    cheapest = fleet.request("GET", "/api/incentives/", own, params={"limit": 1}).json()["items"][0]
    found = eventually(next_unlock, "the catalogue has reached points")
    price = cheapest["points_required"]
    assert found == {"incentive_id": cheapest["id"], "points_required": price, "points_missing": price}
    body = {"name": "A sticker", "description": "small", "points_required": 1, "category": "merchandise", "stock": 5}
    made = fleet.request("POST", "/api/incentives/", admin, json=body)
    assert made.status_code == 201, made.text
    eventually(lambda: next_unlock()["incentive_id"] == made.json()["id"], "the new reward is the nearest")
    retired = fleet.request("PATCH", f"/api/incentives/{made.json()['id']}/", admin, json={"is_active": False})
    assert retired.status_code == 200, retired.text
    eventually(lambda: next_unlock()["incentive_id"] == cheapest["id"], "and is not, once it is retired")


def test_health_tells_the_state_of_each_part(fleet: Fleet):
    health = fleet.request("GET", "/health/").json()
    assert health["status"] == "ok"
    assert {"users", "points", "points-consumer", "points-relay", "bot-client"} <= set(health["parts"])


def test_a_request_id_goes_through_and_unknown_paths_are_problems(fleet: Fleet):
    answer = fleet.request("GET", "/api/nothing/", headers={"X-Request-ID": "abcdefgh-12345678"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.headers["X-Request-ID"] == "abcdefgh-12345678"
    refused = fleet.request("GET", "/api/points/balance/")
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
