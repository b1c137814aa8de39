"""What people of the end-to-end tests do in the shop and as staff: a boss who is an admin with a linked account, buttons,
choices, forms, and waiting for what comes."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_linking import PASSWORD, link
from tests.e2e.test_main_job import text_of


@dataclass(frozen=True)
class Boss:
    """An admin: their Discord account, which holds the staff role, and the name of their linked web account."""

    user: str
    username: str
    token: str


def make_boss(fleet: Fleet) -> Boss:
    """Registered, made an admin, linked, and the server set up by them."""
    made = fleet.register()["user"]
    path = f"/api/users/{made['id']}/"
    assert fleet.request("PATCH", path, fleet.token("admin"), json={"role": "admin"}).status_code == 200
    body = {"username": made["username"], "password": PASSWORD}
    token = fleet.request("POST", "/api/users/login/", json=body).json()["tokens"]["access"]
    user = fleet.discord.join("Boss", staff=True)
    link(fleet, token, user)
    state = fleet.discord.state()
    told = use(
        fleet,
        user,
        "setup",
        staff_channel=state["channels"]["staff"],
        announcement_channel=state["channels"]["announcements"],
        staff_role=state["roles"]["Staff"],
    )
    assert state["channels"]["staff"] in text_of(told)
    # The services learn of the link and of the role by events: the last of them is known when this is answered.
    eventually(lambda: "Members" in text_of(use(fleet, user, "stats")), "points knows the admin")
    eventually(lambda: "Catalogue" in text_of(use(fleet, user, "rewards")), "rewards knows the admin")
    return Boss(user, made["username"], token)


def use(fleet: Fleet, user: str, command: str, /, **options: Any) -> dict[str, Any]:
    """A slash command and its last answer, once it is no more than "Received"."""
    used = fleet.discord.call("commands", user=user, name=command, options=options)["id"]
    return answered(fleet, user, used)


def answered(fleet: Fleet, user: str, interaction: str) -> dict[str, Any]:
    """What the bot says to an interaction, in private."""

    def look() -> dict[str, Any] | None:
        found = [item for item in fleet.discord.seen(user, interaction, 0.5) if item["interaction"] == interaction]
        said = [item for item in found if text_of(item).strip() and "safely noted" not in text_of(item)]
        return said[-1] if said else None

    return eventually(look, "an answer")


def shown(item: dict[str, Any]) -> str:
    """What is read, without the signs that keep foreign words from being formatted."""
    return text_of(item).replace("\\", "")


def press(fleet: Fleet, user: str, item: dict[str, Any], label: str) -> str:
    """The id of the press of a button."""
    buttons = [button for row in item["components"] for button in row["components"]]
    custom_id = next(button["custom_id"] for button in buttons if button["label"] == label)
    return fleet.discord.call("clicks", user=user, message=item["id"], custom_id=custom_id)["id"]


def becomes(fleet: Fleet, user: str, item: dict[str, Any], words: str) -> dict[str, Any]:
    """The message once it says these words: an answer to a press replaces it."""

    def look() -> dict[str, Any] | None:
        seen = fleet.discord.seen(user, user, 0)
        return next((one for one in seen if one["id"] == item["id"] and words in text_of(one)), None)

    return eventually(look, f"the message says {words!r}")


def labels(item: dict[str, Any]) -> list[str]:
    return [button["label"] for row in item["components"] for button in row["components"]]


def offered(fleet: Fleet, user: str, command: str, option: str, typed: str) -> dict[str, str]:
    """The choices for an option, value by name."""
    return {choice["name"]: choice["value"] for choice in fleet.discord.suggested(user, command, option, typed)}


def reward(fleet: Fleet, boss: Boss, name: str, points: int, **more: Any) -> str:
    """The id of a new reward, made over the web."""
    body = {"name": name, "points_required": points, "stock": 5} | more
    answer = fleet.request("POST", "/api/incentives/", boss.token, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def student(fleet: Fleet, boss: Boss, name: str, points: int) -> str:
    """Somebody in the server with points."""
    user = fleet.discord.join(name)
    if points:
        told = use(fleet, boss.user, "addpoints", member=user, points=points, reason="to begin with")
        assert f"{points:,} points available" in shown(told), shown(told)
        eventually(lambda: f"You have {points:,} point" in text_of(use(fleet, user, "shop")), "the shop knows")
    return user


def direct(fleet: Fleet, user: str, words: str) -> dict[str, Any]:
    """The direct message that shows these words, once it is there."""

    def look() -> dict[str, Any] | None:
        seen = fleet.discord.seen(user, user, 0, channel="dm")
        return next((one for one in seen if words in shown(one)), None)

    return eventually(look, f"a direct message that says {words!r}")
