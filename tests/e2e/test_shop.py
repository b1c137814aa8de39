"""Spending points in Discord: the shop, the question before anything is spent, and what becomes of a redemption."""

from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.test_main_job import available, text_of


class Shopper:
    """Somebody in Discord with as many points as a test gives them."""

    def __init__(self, fleet: Fleet, points: int) -> None:
        self.fleet, self.admin = fleet, fleet.token("admin")
        self.user = fleet.discord.join()
        fleet.discord.say(self.user, "hello")
        namespace = UUID((fleet.run / "secrets" / "member_namespace").read_text().strip())
        self.id = str(uuid5(namespace, self.user))
        eventually(lambda: self.points() == 5, "5 points for the message")
        if points > 5:
            self.earn(points - 5)

    def earn(self, points: int) -> None:
        body = {"activity_type": "peer_mentor", "points": points}
        given = self.fleet.request("POST", f"/api/users/{self.id}/add_points/", self.admin, json=body)
        assert given.status_code == 201, given.text

    def points(self) -> int:
        return available(self.ask("points"))

    def ask(self, name: str, /, **options: Any) -> dict[str, Any]:
        return self.fleet.discord.ask(self.user, name, **options)

    def click(self, message: dict[str, Any], label: str) -> dict[str, Any]:
        """Press the button whose label begins so; what is shown in its place, or beside it."""
        return self.fleet.discord.press(self.user, message, label)


def labels(message: dict[str, Any]) -> list[str]:
    return [button["label"] for row in message["components"] for button in row["components"]]


@pytest.fixture
def reward(fleet: Fleet):
    """`reward(30, stock=1)` is a new reward in the shop: its id and its name, which nothing else is called."""
    admin, made = fleet.token("admin"), []

    def make(price: int, **words: Any) -> tuple[str, str]:
        name = words.pop("name", f"Thing {uuid4().hex[:10]}")
        body = {"name": name, "points_required": price, "category": "digital", "description": "A *thing*", **words}
        answer = fleet.request("POST", "/api/incentives/", admin, json={"stock": 5, **body})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["id"])
        return made[-1], name

    yield make
    for each in made:
        fleet.request("POST", f"/api/incentives/{each}/retire/", admin, json={"note": "the test is over"})


def known_to_the_shop(shopper: Shopper, points: int) -> None:
    """Rewards hears of points by events: the shop shows them a moment after /points does."""
    eventually(lambda: f"You have {points:,} point" in text_of(shopper.ask("shop")), "the shop knows the points")


def test_the_shop_is_cheapest_first_and_says_what_each_reward_lacks(fleet: Fleet, reward):
    shopper = Shopper(fleet, 25)
    _, near = reward(20)
    _, far = reward(27)
    _, gone = reward(21, stock=0)
    _, high = reward(22, min_lifetime_points=4000)
    known_to_the_shop(shopper, 25)
    shown = shopper.ask("shop", category="digital")
    assert shown["ephemeral_to"] == shopper.user
    text = text_of(shown)
    lines = text.splitlines()
    for name, lacks in (
        (far, "you need 2 points more"),
        (gone, "out of stock"),
        (high, "who have earned 4,000 points"),
    ):
        assert lacks in lines[next(at for at, line in enumerate(lines) if name in line) + 1]
    assert text.index(near) < text.index(gone) < text.index(high) < text.index(far)
    assert f"Redeem {near}" in labels(shown)
    assert f"Redeem {far}" not in labels(shown)
    everything = shopper.ask("shop")
    assert "Next" in labels(everything), "the catalogue is longer than a page"
    second = shopper.click(everything, "Next")
    assert "Page 2" in text_of(second)
    typed = fleet.discord.ask_typed(shopper.user, "!shop digital", channel="dm")
    assert near in text_of(typed[-1])
    in_public = fleet.discord.ask_typed(shopper.user, "!shop digital")
    assert near not in text_of(in_public[-1]), "what somebody can afford is nobody else's business"
    assert "You can say" in text_of(fleet.discord.ask_typed(shopper.user, "!shop cars", channel="dm")[-1])


def test_points_are_spent_after_a_question_and_once_however_often_it_is_answered(fleet: Fleet, reward):
    shopper = Shopper(fleet, 70)
    _, name = reward(30)
    known_to_the_shop(shopper, 70)
    question = shopper.ask("redeem", reward=name)
    assert (question["ephemeral_to"], labels(question)) == (
        shopper.user,
        ["Yes, spend 30 points", "Yes, with delivery details", "No"],
    )
    assert f"Spend 30 points on {name}?" in text_of(question)
    assert shopper.points() == 70, "a question spends nothing"
    yes = fleet.discord.button(question, "Yes")
    first, second = (
        fleet.discord.call("clicks", user=shopper.user, message=question["id"], custom_id=yes)["id"] for _ in range(2)
    )
    assert first != second
    asked = eventually(lambda: asked_for(fleet, shopper, question), "the answer")
    assert "30 points are reserved. You have 40 points left" in text_of(asked)
    eventually(lambda: shopper.points() == 40, "30 points are reserved")
    own = shopper.ask("redemptions")
    assert text_of(own).count(name) == 1, "pressed twice, asked for once"
    assert "waits for the staff" in text_of(own)

    # The staff approve, and the member is told.
    [waiting] = redemptions(fleet, shopper.admin, shopper.id)
    done = fleet.request("POST", f"/api/redemptions/{waiting['id']}/approve/", shopper.admin, json={"note": "Enjoy"})
    assert done.status_code == 200, done.text
    notices = eventually(
        lambda: [
            item
            for item in fleet.discord.seen(shopper.user, question["id"], 0, channel="dm")
            if "Your reward is approved" in text_of(item)
        ],
        "a direct message",
    )
    assert name in text_of(notices[0])
    assert "approved" in text_of(shopper.ask("redemptions"))


def asked_for(fleet: Fleet, shopper: Shopper, question: dict[str, Any]) -> dict[str, Any] | None:
    """The question, once it has become the answer."""
    now = [item for item in fleet.discord.seen(shopper.user, shopper.user, 0) if item["id"] == question["id"]]
    return now[0] if now and "Asked for" in text_of(now[0]) else None


def redemptions(fleet: Fleet, admin: str, member_id: str) -> list[dict[str, Any]]:
    found = fleet.request("GET", "/api/redemptions/", admin, params={"member": member_id})
    assert found.status_code == 200, found.text
    return found.json()["items"]


def test_not_now_spends_nothing_and_what_waits_can_be_taken_back(fleet: Fleet, reward):
    shopper = Shopper(fleet, 50)
    _, name = reward(20)
    known_to_the_shop(shopper, 50)
    left = shopper.click(shopper.ask("redeem", reward=name), "No")
    assert "Nothing was spent" in text_of(left)
    assert labels(left) == []
    assert redemptions(fleet, shopper.admin, shopper.id) == []
    shopper.click(shopper.ask("redeem", reward=name), "Yes")
    eventually(lambda: shopper.points() == 30, "20 points are reserved")
    own = eventually(lambda: taken_back_by(shopper, name), "the redemption waits")
    back = shopper.click(own, "Cancel")
    assert "cancelled" in text_of(back)
    eventually(lambda: shopper.points() == 50, "the points are back")
    assert "cancelled" in text_of(shopper.ask("redemptions"))
    assert labels(back) == [], "there is nothing left to take back"


def taken_back_by(shopper: Shopper, name: str) -> dict[str, Any] | None:
    own = shopper.ask("redemptions")
    return own if f"Cancel {name}" in labels(own) else None


def test_what_cannot_be_had_is_refused_with_its_reason(fleet: Fleet, reward):
    shopper = Shopper(fleet, 20)
    _, dear = reward(500)
    _, last = reward(10, stock=1)
    known_to_the_shop(shopper, 20)
    refused = shopper.ask("redeem", reward=dear)
    assert "you need 480 points more" in text_of(refused)
    assert labels(refused) == []
    assert "There is no reward called" in text_of(shopper.ask("redeem", reward="no such thing at all"))
    assert "Tell me the reward too" in text_of(fleet.discord.ask_typed(shopper.user, "!redeem", channel="dm")[-1])
    # Somebody else takes the last one while the question is open.
    question = shopper.ask("redeem", reward=last)
    other = Shopper(fleet, 20)
    known_to_the_shop(other, 20)
    other.click(other.ask("redeem", reward=last), "Yes")
    eventually(lambda: other.points() == 10, "the other one has it")
    said = shopper.click(question, "Yes")
    assert "Asked for" not in text_of(said)
    assert shopper.points() == 20, "nothing was spent"


def test_several_rewards_of_a_name_are_offered_and_suggestions_name_them_while_one_types(fleet: Fleet, reward):
    shopper = Shopper(fleet, 60)
    mark = uuid4().hex[:8]
    small, _ = reward(15, name=f"Mug {mark} small")
    large, _ = reward(40, name=f"Mug {mark} large")
    dear, _ = reward(90, name=f"Mug {mark} huge")
    known_to_the_shop(shopper, 60)
    which = shopper.ask("redeem", reward=f"mug {mark}")
    assert "Which one do you mean" in text_of(which)
    assert all(f"Mug {mark} {size}" in text_of(which) for size in ("small", "large", "huge"))
    question = shopper.ask("redeem", reward=f"mug {mark} LARGE")
    assert f"Spend 40 points on Mug {mark} large?" in text_of(question)
    offered = fleet.discord.suggested(shopper.user, "redeem", "reward", f"MUG {mark}")
    assert [choice["value"] for choice in offered] == [small, large, dear]
    assert offered[2]["name"] == f"Mug {mark} huge (90 points)"
    chosen = shopper.ask("redeem", reward=offered[0]["value"])
    assert f"Spend 15 points on Mug {mark} small?" in text_of(chosen)


def test_what_costs_something_else_than_was_shown_is_not_spent(fleet: Fleet, reward):
    shopper = Shopper(fleet, 60)
    reward_id, name = reward(20)
    known_to_the_shop(shopper, 60)
    question = shopper.ask("redeem", reward=name)
    dearer = fleet.request("PATCH", f"/api/incentives/{reward_id}/", shopper.admin, json={"points_required": 25})
    assert dearer.status_code == 200, dearer.text
    said = shopper.click(question, "Yes, spend")
    assert "costs 25 points now" in text_of(said)
    assert shopper.points() == 60


def test_an_address_goes_with_a_wish_and_is_for_the_staff(fleet: Fleet, reward):
    shopper = Shopper(fleet, 60)
    _, name = reward(20)
    known_to_the_shop(shopper, 60)
    question = shopper.ask("redeem", reward=name)
    form = fleet.discord.form(shopper.user, question, "Yes, with delivery details")
    asked = fleet.discord.submit(shopper.user, question, form, details="Hill Road 7")
    assert f"Asked for: {name}" in text_of(asked)
    [made] = redemptions(fleet, shopper.admin, shopper.id)
    assert "Hill Road 7" in str(made["delivery_details"])


def test_milestones_are_what_was_reached_and_what_comes_next(fleet: Fleet, reward):
    shopper = Shopper(fleet, 40)
    _, reached = reward(12)
    _, ahead = reward(43)
    known_to_the_shop(shopper, 40)
    shopper.earn(1)
    shown = eventually(lambda: with_reached(shopper, reached), "it is unlocked")
    assert ahead in text_of(shown)


def with_reached(shopper: Shopper, name: str) -> dict[str, Any] | None:
    shown = shopper.ask("milestones")
    return shown if name in text_of(shown) else None


def test_staff_decide_redemptions_on_their_card_and_only_admins_may(fleet: Fleet, reward):
    from tests.e2e.test_reviews import Person

    helper = fleet.discord.join("Helper", staff=True, manager=True)
    world = fleet.discord.state()
    fleet.discord.ask(helper, "setup", staff_channel=world["channels"]["staff"], staff_role=world["roles"]["Staff"])
    boss = Person(fleet, "Chief", "admin")
    shopper = Shopper(fleet, 60)
    _, first = reward(20)
    _, second = reward(21)
    known_to_the_shop(shopper, 60)
    for name in (first, second):
        shopper.click(shopper.ask("redeem", reward=name), "Yes")
    card = eventually(lambda: staff_card(fleet, helper, first), "a card in the staff channel")
    assert labels(card) == ["Approve", "Reject"]
    pressed = fleet.discord.press(helper, card, "Approve")
    assert "are for admins" in text_of(pressed), "the staff role decides submissions, no redemptions"
    eventually(lambda: "approved" in text_of(fleet.discord.press(boss.user, card, "Approve")), "rewards knows the role")
    eventually(lambda: "approved" in text_of(staff_card(fleet, helper, first)), "the card says so")
    assert labels(staff_card(fleet, helper, first)) == []

    other = eventually(lambda: staff_card(fleet, helper, second), "a card for the second one")
    form = fleet.discord.form(boss.user, other, "Reject")
    fleet.discord.call(
        "modals", user=boss.user, custom_id=form["custom_id"], fields={"note": "Sold out at the printer"}
    )
    told = eventually(lambda: direct(fleet, shopper.user, "not approved"), "the member is told")
    assert "Sold out at the printer" in text_of(told[0])
    eventually(lambda: shopper.points() == 40, "the points of the second are back")


def staff_card(fleet: Fleet, who: str, name: str) -> dict[str, Any] | None:
    items = fleet.discord.seen(who, who, 0, channel="staff")
    found = [item for item in items if item["ephemeral_to"] is None and name in text_of(item)]
    return found[0] if found else None


def direct(fleet: Fleet, user: str, title: str) -> list[dict[str, Any]]:
    return [item for item in fleet.discord.seen(user, user, 0, channel="dm") if title in text_of(item)]
