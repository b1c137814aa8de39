"""The bot's client or worker is killed at any moment of what people do in Discord: everything is done exactly once.

Each round somebody hands something in, staff approve it, and a reward is redeemed; a process is killed at a random moment of
each. BOT_KILLS= says how many rounds, 1 by default (34 are over a hundred kills and take half an hour: the supervisor waits
longer each time before it starts a process again).
"""

import os
import random
import signal
import threading
import time
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.conftest import SEED
from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_kill import is_back

ROUNDS = int(os.environ.get("BOT_KILLS") or 1)
PARTS = ("bot-client", "bot-worker")
# What a deferred answer, an approval or a notice takes when nothing is in the way, and a little more.
LONGEST_S = 1.2


class Kill:
    """Kills a part of the fleet after `after` seconds; `over()` waits until it runs again."""

    def __init__(self, fleet: Fleet, part: str, after: float) -> None:
        self.fleet, self.part = fleet, part
        self.pid = int(fleet.status()[part]["pid"])
        self._thread = threading.Thread(target=self._run, args=(after,))
        self._thread.start()

    def _run(self, after: float) -> None:
        time.sleep(after)
        os.kill(self.pid, signal.SIGKILL)

    def over(self) -> None:
        self._thread.join()
        eventually(lambda: is_back(self.fleet, self.part, self.pid), f"{self.part} is back", 60)


def interaction(fleet: Fleet, id_: str) -> dict[str, Any]:
    return fleet.discord.get(f"interactions/{id_}")


def answers_to(fleet: Fleet, user: str, id_: str) -> list[dict[str, Any]]:
    return [item for item in fleet.discord.seen(user, id_, 0) if item["interaction"] == id_]


def submissions_of(fleet: Fleet, admin: str, words: str) -> list[dict[str, Any]]:
    found = fleet.request("GET", "/api/submissions/", admin, params={"limit": 100})
    assert found.status_code == 200, found.text
    return [item for item in found.json()["items"] if item["description"] == words]


def direct(fleet: Fleet, user: str, title: str) -> list[dict[str, Any]]:
    """Notices of this title that a person has got."""
    items = fleet.discord.seen(user, user, 0, channel="dm")
    return [item for item in items if any(title in embed.get("title", "") for embed in item["embeds"])]


def card_about(fleet: Fleet, boss: str, words: str) -> list[dict[str, Any]]:
    items = fleet.discord.seen(boss, boss, 0, channel="staff")
    return [item for item in items if item["ephemeral_to"] is None and words in str(item["embeds"])]


@pytest.fixture
def boss(fleet: Fleet) -> str:
    """Staff, in a server that is set up."""
    user = fleet.discord.join("Boss", staff=True, manager=True)
    world = fleet.discord.state()
    fleet.discord.ask(user, "setup", staff_channel=world["channels"]["staff"], staff_role=world["roles"]["Staff"])
    return user


@pytest.fixture
def reward(fleet: Fleet) -> str:
    """The name of something that costs as much as one submission is worth."""
    name = f"Souvenir of {SEED}"
    body = {"name": name, "description": "", "points_required": 10, "category": "digital", "stock": None}
    made = fleet.request("POST", "/api/incentives/", fleet.token("admin"), json=body)
    assert made.status_code == 201, made.text
    return name


@pytest.mark.timeout(240 + 90 * ROUNDS)
def test_killed_at_any_moment_of_a_submission_an_approval_and_a_redeem_each_is_done_once(
    fleet: Fleet, boss: str, reward: str
):
    chance = random.Random(SEED)
    print(f"SEED={SEED}")
    done = {"submitted": 0, "not taken": 0, "approved": 0, "redeemed": 0}
    for number in range(ROUNDS):
        # A token lives for a quarter of an hour, and many rounds take longer.
        admin = fleet.token("admin")
        words, user = f"Round {number} of {SEED} about pointers", fleet.discord.join(f"Killed {number}")
        link = f"https://example.org/{SEED}/{number}"
        kill = Kill(fleet, chance.choice(PARTS), chance.uniform(0, LONGEST_S))
        time.sleep(chance.uniform(0, 0.3))
        asked = fleet.discord.call("commands", user=user, name="resource", options={"link": link, "description": words})
        kill.over()
        submission = handed_in(fleet, admin, user, asked["id"], words)
        if submission is None:
            done["not taken"] += 1
            continue
        done["submitted"] += 1
        card = eventually(lambda: card_about(fleet, boss, words), "a card in the staff channel", 60)  # noqa: B023
        kill = Kill(fleet, chance.choice(PARTS), chance.uniform(0, LONGEST_S))
        time.sleep(chance.uniform(0, 0.3))
        press(fleet, boss, card[0])
        kill.over()
        done["approved"] += approved(fleet, admin, boss, user, words)
        kill = Kill(fleet, chance.choice(PARTS), chance.uniform(0, LONGEST_S))
        done["redeemed"] += redeemed(fleet, admin, user, reward, kill)
    print(f"FIGURES {ROUNDS} rounds, each with up to three kills: {done}")
    assert done["submitted"] == done["approved"] == done["redeemed"]


def handed_in(fleet: Fleet, admin: str, user: str, asked: str, words: str) -> dict[str, Any] | None:
    """The one submission that came of the command; None when Discord told its user that the bot did not take it."""
    if interaction(fleet, asked)["answered"] is None:
        # Discord says "the application did not respond": nothing is promised, and trying again is right.
        assert submissions_of(fleet, admin, words) == []
        return None
    found = eventually(lambda: submissions_of(fleet, admin, words), "what was taken is handed in", 60)
    assert len(found) == 1
    eventually(lambda: [a for a in answers_to(fleet, user, asked) if a["embeds"]], "the deferred answer is edited", 60)
    assert len(answers_to(fleet, user, asked)) == 1
    return found[0]


def press(fleet: Fleet, boss: str, card: dict[str, Any]) -> None:
    """Press Approve, and again while the bot was away: a person would."""
    taken(fleet, boss, card, "Approve")


def taken(fleet: Fleet, user: str, message: dict[str, Any], label: str) -> None:
    """Press a button until the bot has taken it."""
    custom_id = fleet.discord.button(message, label)

    def once() -> bool:
        made = fleet.discord.call("clicks", user=user, message=message["id"], custom_id=custom_id)["id"]
        deadline = time.monotonic() + 3.2
        while interaction(fleet, made)["answered"] is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    eventually(once, "the press was taken", 60)


def approved(fleet: Fleet, admin: str, boss: str, user: str, words: str) -> int:
    """Once, with one award, one notice and a card that says so."""

    def is_decided() -> bool:
        return [item["status"] for item in submissions_of(fleet, admin, words)] == ["approved"]

    eventually(is_decided, "it is approved", 60)
    eventually(lambda: direct(fleet, user, "Approved"), "its member was told", 60)
    edited = eventually(
        lambda: [card for card in card_about(fleet, boss, words) if "approved" in card["embeds"][0]["title"]],
        "the card says so",
        60,
    )
    assert len(edited) == len(card_about(fleet, boss, words)) == 1
    (submission,) = submissions_of(fleet, admin, words)
    log = fleet.request("GET", "/api/points-logs/", admin, params={"user": submission["member_id"], "limit": 100})
    assert log.status_code == 200, log.text
    awards = [row for row in log.json()["items"] if row["activity"] == "resource_share"]
    assert len(awards) == 1
    assert len(direct(fleet, user, "Approved")) == 1, "nobody is told twice"
    return 1


def redeemed(fleet: Fleet, admin: str, user: str, reward: str, kill: Kill) -> int:
    """Asked for, said yes to, and again while the bot was away: one redemption, and one price reserved."""
    question: dict[str, Any] = {}

    def ask() -> bool:
        asked = fleet.discord.call("commands", user=user, name="redeem", options={"reward": reward})["id"]
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            found = [item for item in answers_to(fleet, user, asked) if item["components"]]
            if found:
                question.update(found[0])
                return True
            time.sleep(0.05)
        return False

    eventually(ask, "the question before spending", 90)
    taken(fleet, user, question, "Yes, spend")
    kill.over()
    namespace = UUID((fleet.run / "secrets" / "member_namespace").read_text().strip())
    member = str(uuid5(namespace, user))

    def mine() -> list[dict[str, Any]]:
        found = fleet.request("GET", "/api/redemptions/", admin, params={"member": member})
        assert found.status_code == 200, found.text
        return found.json()["items"]

    eventually(lambda: [each["status"] for each in mine()] == ["pending"], "it is asked for, once", 90)
    balance = fleet.request("GET", "/api/points/balance/", admin, params={"user": member}).json()
    assert (balance["available"], balance["reserved"]) == (0, 10)

    def told() -> list[dict[str, Any]]:
        """By the question, which has become the answer, or by a message when its interaction was over."""
        items = fleet.discord.seen(user, user, 0)
        return [item for item in items if "Asked for" in str(item["embeds"]) and reward in str(item["embeds"])]

    eventually(told, "the answer has come", 90)
    assert len(told()) == 1
    return 1
