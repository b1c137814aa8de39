"""Another bot at POST /api/bot/, through the gateway and the whole fleet: every action does what it says, for who may."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from fleet.messages import now
from tests.bot.test_tools import TABLE, headers
from tests.e2e.conftest import Fleet, eventually
from tests.e2e.shopping import Boss, make_boss


class Tool:
    """Another program that knows the secret."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet, self.used = fleet, set()
        self.secret = (fleet.run / "secrets/bot_shared_secret").read_text().strip()

    def send(self, action: str, /, key: str | None = None, **payload: Any) -> requests.Response:
        """Ask for an action; `key` is the Idempotency-Key."""
        self.used.add(action)
        body = json.dumps({"action": action, **payload}).encode()
        signed = headers(body, self.secret) | ({"Idempotency-Key": key} if key else {})
        return self.fleet.request("POST", "/api/bot/", data=body, headers=signed)

    def __call__(self, action: str, /, **payload: Any) -> dict[str, Any]:
        """What the action is answered with, when it succeeds."""
        answer = self.send(action, **payload)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def refused(self, status: int, action: str, /, **payload: Any) -> dict[str, Any]:
        """The problem it is answered with."""
        answer = self.send(action, **payload)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        return answer.json()


@pytest.fixture(scope="module")
def tool(fleet: Fleet) -> Tool:
    return Tool(fleet)


@pytest.fixture(scope="module")
def boss(fleet: Fleet) -> Boss:
    return make_boss(fleet)


@pytest.fixture
def ada(tool: Tool) -> str:
    """Somebody in Discord whom nobody but the tool has spoken of."""
    discord_id = str(10**17 + uuid4().int % 10**17)
    made = tool("upsert-user", discord_id=discord_id, username=f"ada{discord_id}")
    assert made["created"] is True
    assert tool("upsert-user", discord_id=discord_id)["user_id"] == made["user_id"]
    return discord_id


def points_of(tool: Tool, discord_id: str) -> int:
    return tool("summary", discord_id=discord_id)["total_points"]


def test_what_is_earned_counts_once_and_shows(tool: Tool, ada: str):
    key = uuid4().hex
    first = tool("add-activity", key=key, discord_id=ada, activity_type="discord_activity")
    assert (first["total_points"], first["message"]) == (5, "5 points for discord_activity.")
    assert tool("add-activity", key=key, discord_id=ada, activity_type="discord_activity") == first
    again = tool("add-activity", discord_id=ada, activity_type="discord_activity")
    assert (again["total_points"], again["already_earned_today"]) == (5, True)
    shown = tool("summary", discord_id=ada)
    assert (shown["total_points"], len(shown["recent_logs"])) == (5, 1)
    assert tool("get-streak", discord_id=ada)["current_streak"] == 1
    assert tool.refused(404, "add-activity", discord_id=ada, activity_type="sleeping")
    assert tool.refused(404, "summary", discord_id="999999999999999999")


def test_boards_name_who_earned(tool: Tool, boss: Boss, ada: str):
    tool("admin-adjust", actor_discord_id=boss.user, discord_id=ada, delta_points=400, reason="to be first")
    board = eventually(lambda: _with(tool("leaderboard", page_size=100), "results", ada), "on the board")
    assert board["results"][0]["position"] == 1
    assert [each["total_points"] for each in board["results"] if each["discord_id"] == ada] == [400]
    last = tool("leaderboard", page=50, page_size=100)
    assert last["page"] == last["total_pages"]
    submission = tool(
        "submit",
        discord_id=ada,
        activity_type="peer_mentor",
        description="I sat down with two students and went through their code for a long hour",
        url=f"https://example.org/{uuid4().hex}",
    )
    tool("approve", actor_discord_id=boss.user, submission_id=submission["submission_id"])
    found = tool("leaderboard-category", category="engagement", limit=100)
    mine = [each for each in found["leaderboard"] if each["discord_id"] == ada]
    assert [(each["points"], each["activities"]) for each in mine] == [(250, 1)]
    top = tool("top-contributors", period="30days", limit=100)
    assert [each["points"] for each in top["contributors"] if each["discord_id"] == ada] == [650]
    assert tool.refused(422, "leaderboard-category", category="sleeping")


def _with(page: dict[str, Any], name: str, discord_id: str) -> dict[str, Any] | None:
    return page if any(each["discord_id"] == discord_id for each in page[name]) else None


def test_submissions_are_decided_once_by_who_may(tool: Tool, boss: Boss, ada: str):
    words = {"activity_type": "resource_share", "description": "a long enough text on what I shared with everybody"}
    key = uuid4().hex
    made = tool("submit", key=key, discord_id=ada, url=f"https://example.org/{key}", **words)
    again = tool("submit", key=key, discord_id=ada, url=f"https://example.org/{key}", **words)
    assert again == made
    waiting = tool("pending", actor_discord_id=boss.user, activity_type="resource_share", limit=25)
    assert made["submission_id"] in [each["id"] for each in waiting["submissions"]]
    tool.refused(403, "pending", actor_discord_id=ada)
    tool.refused(403, "approve", actor_discord_id=ada, submission_id=made["submission_id"])
    done = tool("approve", actor_discord_id=boss.user, submission_id=made["submission_id"], points=7, notes="Well done")
    assert (done["points_awarded"], done["discord_id"]) == (7, ada)
    assert points_of(tool, ada) == 7
    tool.refused(409, "reject", actor_discord_id=boss.user, submission_id=made["submission_id"], reason="too late")
    other = tool("submit", discord_id=ada, url=f"https://example.org/{uuid4().hex}", **words)
    tool("reject", actor_discord_id=boss.user, submission_id=other["submission_id"], reason="seen before")
    assert points_of(tool, ada) == 7
    assert tool.refused(422, "submit", discord_id=ada, activity_type="resource_share", description="short")


def test_points_are_corrected_by_admins_alone(tool: Tool, boss: Boss, ada: str):
    key = uuid4().hex
    order = {"actor_discord_id": boss.user, "discord_id": ada, "delta_points": 40, "reason": "a prize"}
    done = tool("admin-adjust", key=key, **order)
    assert (done["total_points"], done["delta_applied"], done["status"]) == (40, 40, "applied")
    assert tool("admin-adjust", key=key, **order) == done
    assert points_of(tool, ada) == 40
    tool.refused(403, "admin-adjust", **order | {"actor_discord_id": ada})
    tool.refused(409, "admin-adjust", **order | {"delta_points": 501})
    tool.refused(409, "admin-adjust", **order | {"delta_points": -41})
    log = tool("activitylog", actor_discord_id=boss.user, limit=25)
    assert (ada, 40) in [(each["discord_id"], each["points"]) for each in log["items"]]
    tool.refused(403, "activitylog", actor_discord_id=ada)


def test_a_suspended_member_earns_nothing(tool: Tool, boss: Boss, ada: str):
    order = {"actor_discord_id": boss.user, "discord_id": ada}
    eventually(lambda: tool.send("clear-warnings", **order).status_code == 200, "users knows them")
    assert tool("suspend-user", duration_minutes=5, reason="test", **order)["suspended"] is True
    deed = {"discord_id": ada, "activity_type": "discord_activity"}
    eventually(lambda: "suspended" in tool.send("add-activity", **deed).text, "points knows it")
    assert tool.refused(409, "add-activity", **deed)["title"] == "The account is suspended"
    tool.refused(403, "unsuspend-user", actor_discord_id=ada, discord_id=ada)
    assert tool("unsuspend-user", **order) == {"unsuspended": True}
    eventually(lambda: tool.send("add-activity", **deed).status_code == 200, "points knows that too")
    assert tool("clear-warnings", **order) == {"cleared": True}
    found = tool("audit-logs", actor_discord_id=boss.user, limit=25)
    assert "test" in [each["reason"] for each in found["logs"]]
    tool.refused(403, "audit-logs", actor_discord_id=ada)


def test_the_shop_is_kept_and_used(tool: Tool, boss: Boss, ada: str):
    name, key = f"Mug {uuid4().hex[:8]}", uuid4().hex
    words = {"actor_discord_id": boss.user, "name": name, "points_required": 30, "stock_available": 2}
    made = tool("create-incentive", key=key, **words)
    assert tool("create-incentive", key=key, **words)["incentive_id"] == made["incentive_id"]
    tool.refused(403, "create-incentive", **words | {"actor_discord_id": ada})
    mine = {"actor_discord_id": boss.user, "incentive_id": made["incentive_id"]}
    assert tool("update-incentive", points_required=20, **mine)["name"] == name
    assert tool("update-incentive-stock", stock_count=1, **mine)["new_stock"] == 1
    tool("admin-adjust", actor_discord_id=boss.user, discord_id=ada, delta_points=50, reason="for the shop")
    wish = {"discord_id": ada, "incentive_id": made["incentive_id"]}
    tool.refused(409, "redeem", expected_points=30, **wish)
    key = uuid4().hex
    done = tool("redeem", key=key, **wish)
    assert done["remaining_points"] == 30
    assert tool("redeem", key=key, **wish) == done
    assert points_of(tool, ada) == 30
    tool.refused(409, "redeem", **wish)
    shop = tool("list-incentives", discord_id=ada)
    while name not in [each["name"] for each in shop["incentives"]]:
        shop = tool("list-incentives", discord_id=ada, cursor=shop["next_cursor"])
    entry = next(each for each in shop["incentives"] if each["name"] == name)
    assert (entry["stock_available"], entry["can_redeem"], entry["points_required"]) == (0, False, 20)


def test_a_link_is_claimed_and_confirmed_from_both_sides(fleet: Fleet, tool: Tool, ada: str):
    account = fleet.register()
    token = account["tokens"]["access"]
    username = f"ada{ada}"
    started = fleet.request("POST", "/api/link/start/", token)
    assert started.status_code == 200, started.text
    offer = tool("link", discord_id=ada, discord_username=username, code=started.json()["code"])
    assert offer["linked"] is False
    # Enough to know one's own account, not to learn another's.
    assert account["user"]["username"].startswith(offer["web_account"].rstrip("…"))
    state = tool("link", discord_id=ada, link_id=offer["link_id"])
    assert (state["linked"], state["state"]) == (False, "waiting_for_web")
    shown = fleet.request("GET", "/api/link/status/", token).json()
    assert shown["pending"]["claimed_by"]["discord_username"] == username
    confirmed = fleet.request("POST", "/api/link/confirm/", token, json={"discord_username": username})
    assert (confirmed.status_code, confirmed.json()["discord_id"]) == (200, ada)
    tool.refused(409, "link", discord_id=ada, code="AAAA2222")


def test_a_code_that_is_none_links_nothing(tool: Tool, ada: str):
    tool.refused(422, "link", discord_id=ada, code="AAAA2222")
    tool.refused(409, "link", discord_id=ada, link_id=str(uuid4()))


def test_a_review_goes_from_the_request_to_a_session(fleet: Fleet, tool: Tool, boss: Boss, ada: str):
    assert tool("review-status", discord_id=ada)["has_request"] is False
    tool.refused(404, "review-status", discord_id="999999999999999999")
    admin = {"actor_discord_id": boss.user}
    eventually(lambda: tool.send("review-stats", **admin).status_code == 200, "reviews knows the admin")
    name = f"Grace {uuid4().hex[:8]}"
    made = tool(
        "add-professional",
        name=name,
        email=f"{uuid4().hex[:10]}@reviewers.example.org",
        time_zone="UTC",
        specialties=["Technology"],
        availability="every day 8am-9pm",
        **admin,
    )
    tool.refused(403, "add-professional", actor_discord_id=ada, name=name, email="x@example.org")
    listed = tool("list-professionals", limit=25, **admin)
    assert made["professional_id"] in [each["id"] for each in listed["professionals"]]
    options = {"industry": "Technology", "role": "QA", "level": "any", "times": "every day 9-17", "timezone": "UTC"}
    ada = fleet.discord.join()
    read_back = fleet.discord.ask(ada, "resume", **options)
    fleet.discord.press(ada, read_back, "Yes")
    waiting = tool("pending-reviews", limit=25, **admin)
    assert ada in [each["discord_id"] for each in waiting["pending_requests"]]
    found = tool("suggest-matches", discord_id=ada, **admin)
    assert found["total_matches"] >= 1
    matched = tool("match-review", discord_id=ada, professional_name=name, **admin)
    assert (matched["status"], matched["professional"]) == ("matched", name)
    at = (now() + timedelta(days=3)).replace(hour=12, minute=0, second=0, microsecond=0).isoformat()
    booked = tool("schedule-session", discord_id=ada, scheduled_time=at, professional_name=name, **admin)
    assert booked["status"] == "scheduled"
    state = tool("review-status", discord_id=ada)
    assert (state["has_request"], state["professional"]) == (True, name)
    tool.refused(409, "match-review", discord_id=ada, professional_name=name, **admin)
    assert tool("review-stats", **admin)["sessions"]["scheduled"] >= 1


def test_all_actions_were_used(tool: Tool):
    """The last of this file; run it with the others."""
    if len(tool.used) > 1:
        assert sorted(set(TABLE) - tool.used) == []
