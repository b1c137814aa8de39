"""Spending points in Discord: from the shop to the member's last word, and every way in which it can be refused."""

from tests.e2e.conftest import Fleet, eventually
from tests.e2e.shopping import (
    Boss,
    answered,
    becomes,
    direct,
    labels,
    offered,
    press,
    reward,
    student,
    use,
)
from tests.e2e.test_main_job import available, text_of


def question(fleet: Fleet, user: str, incentive: str):
    return use(fleet, user, "redeem", reward=incentive)


def history(fleet: Fleet, user: str) -> str:
    return text_of(use(fleet, user, "redemptions"))


def test_a_reward_is_found_asked_about_bought_once_and_approved(fleet: Fleet, boss: Boss):
    pack = reward(fleet, boss, "Zebra sticker pack", 60, category="merchandise")
    ada = student(fleet, boss, "Ada", 100)
    choices = offered(fleet, ada, "redeem", "reward", "zebra st")
    assert choices == {"Zebra sticker pack (60 points)": pack}
    shown = question(fleet, ada, pack)
    assert shown["ephemeral_to"] == ada
    assert available(use(fleet, ada, "points")) == 100, "asking costs nothing"
    for _ in range(3):
        press(fleet, ada, shown, "Yes, spend 60 points")
    done = becomes(fleet, ada, shown, "Asked for: Zebra sticker pack")
    assert "40 points left" in text_of(done)
    assert available(use(fleet, ada, "points")) == 40
    mine = use(fleet, ada, "redemptions")
    assert text_of(mine).count("Zebra sticker pack") == 1, "three presses are one redemption"

    def card():
        seen = fleet.discord.seen(boss.user, ada, 0, channel="staff")
        return next((one for one in seen if "Zebra sticker pack" in text_of(one) and one["components"]), None)

    waiting = eventually(card, "a card in the staff channel")
    assert labels(waiting) == ["Approve", "Reject"]
    staff = fleet.discord.join("Only staff", staff=True)
    refused = answered(fleet, staff, press(fleet, staff, waiting, "Approve"))
    assert "Link your Discord account to an account with role admin" in text_of(refused)
    decided = answered(fleet, boss.user, press(fleet, boss.user, waiting, "Approve"))
    assert "approved" in text_of(decided)
    direct(fleet, ada, "Your reward is approved")
    eventually(lambda: "approved" in history(fleet, ada), "the history says so")
    eventually(card_is_done(fleet, boss, waiting), "the card has no buttons any more")
    press(fleet, ada, mine, "Cancel Zebra sticker pack")
    assert "approved" in text_of(becomes(fleet, ada, mine, "approved")), "too late to take it back"
    assert available(use(fleet, ada, "points")) == 40
    why = text_of(use(fleet, ada, "receipt"))
    assert "−60" in why
    assert "Reserved for a reward" in why
    assert "+100" in text_of(use(fleet, ada, "receipt", n=2))
    assert "no such entry" in text_of(use(fleet, ada, "receipt", n=3))


def card_is_done(fleet: Fleet, boss: Boss, card):
    def look() -> bool:
        seen = fleet.discord.seen(boss.user, boss.user, 0, channel="staff")
        return any(one["id"] == card["id"] and not one["components"] for one in seen)

    return look


def test_what_was_asked_for_can_be_taken_back(fleet: Fleet, boss: Boss):
    mug = reward(fleet, boss, "Quiet mug", 30, stock=1)
    ben = student(fleet, boss, "Ben", 50)
    shown = question(fleet, ben, mug)
    press(fleet, ben, shown, "Yes, spend 30 points")
    becomes(fleet, ben, shown, "Asked for")
    mine = use(fleet, ben, "redemptions")
    assert labels(mine) == ["Cancel Quiet mug"]
    press(fleet, ben, mine, "Cancel Quiet mug")
    becomes(fleet, ben, mine, "cancelled")
    eventually(lambda: available(use(fleet, ben, "points")) == 50, "the points are back")
    assert labels(use(fleet, ben, "redemptions")) == []
    again = question(fleet, ben, mug)
    assert "Spend 30 points" in text_of(again), "the item is back too"
    press(fleet, ben, again, "No")
    becomes(fleet, ben, again, "Nothing was spent")
    assert available(use(fleet, ben, "points")) == 50


def test_every_refusal_says_what_to_do_and_spends_nothing(fleet: Fleet, boss: Boss):
    cleo = student(fleet, boss, "Cleo", 100)
    dear = reward(fleet, boss, "Dear thing", 500)
    scarce = reward(fleet, boss, "Scarce thing", 10, stock=1)
    moving = reward(fleet, boss, "Moving thing", 20)
    once = reward(fleet, boss, "Once thing", 10, per_member_limit=1)
    level = reward(fleet, boss, "Level thing", 10, min_lifetime_points=5000)
    assert "400 points more" in text_of(question(fleet, cleo, dear))
    assert "5,000 points in all" in text_of(question(fleet, cleo, level))
    assert "no such reward" in text_of(question(fleet, cleo, "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f")).lower()
    assert "There is no reward called" in text_of(question(fleet, cleo, "teapot of gold"))
    assert "Which one" in text_of(question(fleet, cleo, "thing"))

    asked = question(fleet, cleo, scarce)
    assert "has a new stock" in text_of(use(fleet, boss.user, "set_stock", stock="0", reward=scarce))
    press(fleet, cleo, asked, "Yes, spend 10 points")
    becomes(fleet, cleo, asked, "out of stock")

    asked = question(fleet, cleo, moving)
    assert "is changed" in text_of(use(fleet, boss.user, "edit_reward", reward=moving, points=90))
    press(fleet, cleo, asked, "Yes, spend 20 points")
    becomes(fleet, cleo, asked, "costs 90 points now")

    asked, second = question(fleet, cleo, once), question(fleet, cleo, once)
    press(fleet, cleo, asked, "Yes, spend 10 points")
    becomes(fleet, cleo, asked, "Asked for")
    press(fleet, cleo, second, "Yes, spend 10 points")
    becomes(fleet, cleo, second, "as many of this reward as one may have")

    asked = question(fleet, cleo, moving)
    shown = use(fleet, boss.user, "suspenduser", member=cleo, minutes=60, reason="spam")
    assert "is suspended" in text_of(shown)
    eventually(lambda: "suspended" in text_of(question(fleet, cleo, moving)), "the shop knows")
    press(fleet, cleo, asked, "Yes, spend 90 points")
    becomes(fleet, cleo, asked, "suspended")
    assert "Suspended" in text_of(use(fleet, cleo, "points"))
    assert available(use(fleet, cleo, "points")) == 90, "only what was really asked for is reserved"
    direct(fleet, cleo, "You are suspended")


def test_the_shop_is_paged_and_says_what_each_lacks(fleet: Fleet, boss: Boss):
    dan = student(fleet, boss, "Dan", 45)
    first = use(fleet, dan, "shop")
    assert "you can have it" in text_of(first)
    assert labels(first)[-2:] == ["Previous", "Next"]
    press(fleet, dan, first, "Next")
    second = becomes(fleet, dan, first, "Page 2")
    assert "more" in text_of(second)
    press(fleet, dan, second, "Previous")
    becomes(fleet, dan, second, "Page 1")
    services = text_of(use(fleet, dan, "shop", category="services"))
    assert "The shop: services" in services
    fitting = next(label for label in labels(use(fleet, dan, "shop")) if label.startswith("Redeem "))
    third = use(fleet, dan, "shop")
    press(fleet, dan, third, fitting)
    becomes(fleet, dan, third, "Spend ")


def test_typed_in_a_channel_nothing_private_is_seen_there(fleet: Fleet, boss: Boss):
    reward(fleet, boss, "Typed thing", 20)
    eve, other = student(fleet, boss, "Eve", 30), fleet.discord.join("Onlooker")
    for line in (
        "!shop",
        "!redeem typed thing",
        "!redemptions",
        "!milestones",
        "!receipt",
        "!privacy",
        "!notifications",
    ):
        said = fleet.discord.ask_typed(eve, line)
        assert all("direct message" in text_of(one) for one in said), line
    seen = [one for one in fleet.discord.seen(other, other, 0) if one["channel"] == "general"]
    assert "Typed thing" not in " ".join(text_of(one) for one in seen if one["author"] != eve)
    asked = direct(fleet, eve, "Spend 20 points on Typed thing?")
    press(fleet, eve, asked, "Yes, spend 20 points")
    becomes(fleet, eve, asked, "Asked for: Typed thing")


def test_milestones_are_told_once_and_listed(fleet: Fleet, boss: Boss):
    reward(fleet, boss, "Near thing", 2000)
    far = student(fleet, boss, "Fay", 40)
    shown = text_of(use(fleet, far, "milestones"))
    assert "Unlocked:" in shown
    assert "Next:" in shown
    assert "to go" in shown


def test_preferences_hold_on_the_board_and_for_notices(fleet: Fleet, boss: Boss):
    gus = student(fleet, boss, "Gustav Shy", 300)

    def board() -> str:
        return text_of(use(fleet, gus, "leaderboard"))

    eventually(lambda: "Gustav Shy" in board(), "they are on the board")
    assert "not shown on the leaderboard" in text_of(use(fleet, gus, "privacy", change="hide"))
    eventually(lambda: "Gustav Shy" not in board(), "they are not shown any more")
    assert "You are **#" in board(), "their own rank is theirs to see"
    shown = text_of(use(fleet, gus, "privacy", change="show", time_zone="Europe/Berlin"))
    assert "You are shown" in shown
    assert "Europe/Berlin" in shown
    use(fleet, gus, "privacy", change="pseudonym")
    eventually(lambda: "Member " in board() and "Gustav" not in board(), "by another name")
    refused = text_of(use(fleet, gus, "privacy", time_zone="Nowhere/Land"))
    assert "not quite right" in refused
    shown = text_of(use(fleet, gus, "notifications", about="new_activities", turn="off"))
    assert "🔕 off: Points and submissions" in shown
    shown = text_of(use(fleet, gus, "notifications"))
    assert "🔕 off: Points and submissions" in shown


def test_what_is_rejected_on_its_card_comes_back_with_the_reason_and_an_address_is_for_staff(fleet: Fleet, boss: Boss):
    hat = reward(fleet, boss, "Felt hat", 30)
    eve = student(fleet, boss, "Eve", 50)
    asked = question(fleet, eve, hat)
    form = fleet.discord.form(eve, asked, "Yes, with delivery details")
    sent = fleet.discord.submit(eve, asked, form, details="Hill Road 7")
    assert "Asked for: Felt hat" in text_of(sent)
    found = fleet.request("GET", "/api/redemptions/", boss.token, params={"reward": hat}).json()["items"]
    assert ["Hill Road 7" in str(each["delivery_details"]) for each in found if each["reward_id"] == hat] == [True]

    def card():
        seen = fleet.discord.seen(boss.user, eve, 0, channel="staff")
        return next((one for one in seen if "Felt hat" in text_of(one) and one["components"]), None)

    waiting = eventually(card, "a card in the staff channel")
    assert "Hill Road" not in text_of(waiting)
    why = fleet.discord.form(boss.user, waiting, "Reject")
    fleet.discord.call("modals", user=boss.user, custom_id=why["custom_id"], fields={"note": "Sold out at the hatter"})
    told = direct(fleet, eve, "Your redemption was not approved")
    assert "Sold out at the hatter" in text_of(told)
    eventually(lambda: available(use(fleet, eve, "points")) == 50, "the points are back")
    eventually(card_is_done(fleet, boss, waiting), "the card has no buttons any more")
