"""What staff do from Discord, from end to end: who may, what comes of it, and what the member is told."""

import pytest

from services.points.corrections import DISCORD_PER_COMMAND, DISCORD_PER_DAY
from tests.e2e.conftest import Fleet, eventually
from tests.e2e.shopping import Boss, becomes, direct, labels, make_boss, offered, press, shown, student, use
from tests.e2e.test_main_job import available, text_of

ADMINS_ONLY = "account with role admin"
# Each staff command as somebody might use it, and what somebody without the right reads; {member} is another person.
REFUSED = {
    "addpoints": ({"member": "{member}", "points": 5, "reason": "x"}, ADMINS_ONLY),
    "removepoints": ({"member": "{member}", "points": 5, "reason": "x"}, ADMINS_ONLY),
    "verifycourse": ({"member": "{member}", "points": 5, "course": "x"}, ADMINS_ONLY),
    "pending": ({}, "Only admins and the server's staff"),
    "adminreport": ({}, "Only admins and the server's staff"),
    "suspenduser": ({"member": "{member}", "minutes": 5, "reason": "x"}, "needs the role admin"),
    "unsuspenduser": ({"member": "{member}"}, "needs the role admin"),
    "warn": ({"member": "{member}", "reason": "x"}, "needs the role admin"),
    "clearwarnings": ({"member": "{member}"}, "needs the role admin"),
    "activitylog": ({}, ADMINS_ONLY),
    "audit": ({}, ADMINS_ONLY),
    "stats": ({}, ADMINS_ONLY),
    "registeruser": ({"member": "{member}"}, "needs the role admin"),
    "sendwelcome": ({"member": "{member}"}, "Only this server's staff"),
    "rewards": ({}, ADMINS_ONLY),
    "add_reward": ({"points": 5, "name": "Mine"}, ADMINS_ONLY),
    "edit_reward": ({"reward": "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f", "points": 5}, ADMINS_ONLY),
    "set_stock": ({"reward": "0199b3f1-5f4e-7c3a-9d1e-3a4b5c6d7e8f", "stock": "5"}, ADMINS_ONLY),
    "retire_reward": ({"reward": "sticker"}, ADMINS_ONLY),
}
# What a holder of the staff role may do without an admin's account.
OF_STAFF = ("pending", "adminreport", "warn", "sendwelcome")


@pytest.mark.parametrize("holds_role", [False, True], ids=["a member", "staff"])
def test_who_may_not_is_told_so_and_nothing_happens(holds_role, fleet: Fleet, boss: Boss):
    nobody = fleet.discord.join("Nobody", staff=holds_role)
    victim = student(fleet, boss, "Victim", 20)
    for name, (options, said) in REFUSED.items():
        if holds_role and name in OF_STAFF:
            continue
        given = {key: victim if value == "{member}" else value for key, value in options.items()}
        answer = use(fleet, nobody, name, **given)
        assert said in shown(answer), f"/{name}: {shown(answer)}"
        assert answer["ephemeral_to"] == nobody
    assert available(use(fleet, victim, "points")) == 20
    assert "Good" in text_of(use(fleet, victim, "points"))
    assert offered(fleet, nobody, "retire_reward", "reward", "") == {}


def test_corrections_within_what_one_may_move(fleet: Fleet):
    boss = make_boss(fleet)
    ada = fleet.discord.join("Ada C")
    told = use(fleet, boss.user, "addpoints", member=ada, points=500, reason="The *talk*")
    assert "500 points available" in shown(told)
    direct(fleet, ada, "The *talk*")
    assert "480 points available" in shown(use(fleet, boss.user, "removepoints", member=ada, points=20, reason="typo"))
    assert "at most 500 points" in shown(use(fleet, boss.user, "addpoints", member=ada, points=501, reason="x"))
    assert "cannot be taken" in shown(use(fleet, boss.user, "removepoints", member=ada, points=490, reason="x"))
    assert "own points" in shown(use(fleet, boss.user, "addpoints", member=boss.user, points=5, reason="x"))
    told = use(fleet, boss.user, "verifycourse", member=ada, points=30, course="Azure Basics", note="Well done")
    assert "510 points available" in shown(told)
    direct(fleet, ada, "Course verified: Azure Basics")
    assert "Course verified: Azure Basics" in shown(use(fleet, ada, "receipt"))
    left = DISCORD_PER_DAY - 500 - 20 - 30
    while left >= DISCORD_PER_COMMAND:
        assert "available" in shown(use(fleet, boss.user, "addpoints", member=ada, points=500, reason="x"))
        left -= 500
    refused = shown(use(fleet, boss.user, "addpoints", member=ada, points=left + 1, reason="x"))
    assert "at most 5000 points a day" in refused
    assert "available" in shown(use(fleet, boss.user, "addpoints", member=ada, points=left, reason="x"))
    assert "at most 5000 points a day" in shown(use(fleet, boss.user, "removepoints", member=ada, points=1, reason="x"))


def test_the_queue_is_worked_through_without_the_cards(fleet: Fleet, boss: Boss):
    ben = fleet.discord.join("Ben Q")
    staff = fleet.discord.join("Helper", staff=True)
    for number in range(3):
        use(fleet, ben, "resource", description=f"Slides number {number} of my talk")
    told = eventually(
        lambda: page if "number 2" in shown(page := use(fleet, staff, "pending", kind="resource_share")) else None,
        "all three wait",
    )
    assert "Resource" in shown(use(fleet, staff, "adminreport"))
    lines = shown(told).splitlines()
    ids = [line.split("`")[1] for line in lines if "Ben Q" in line]
    assert len(ids) == 3
    assert "approved" in shown(use(fleet, staff, "approve", id=ids[0], points=7, note="Nice"))
    direct(fleet, ben, "Approved: +7 points")
    assert "7 points" in text_of(use(fleet, ben, "points"))
    assert "rejected" in shown(use(fleet, staff, "reject", id=ids[1], reason="No link in it"))
    direct(fleet, ben, "No link in it")
    assert "decided before" in shown(use(fleet, boss.user, "approve", id=ids[1]))
    assert "Only admins and the server's staff" in shown(use(fleet, ben, "approve", id=ids[2]))
    use(fleet, staff, "resource", description="Something of my own, with a link")
    mine = eventually(
        lambda: [line for line in shown(use(fleet, staff, "pending")).splitlines() if "Helper" in line],
        "their own waits",
    )
    assert "own" in shown(use(fleet, staff, "approve", id=mine[0].split("`")[1]))


def test_members_are_warned_suspended_and_come_back(fleet: Fleet, boss: Boss):
    cleo = student(fleet, boss, "Cleo W", 40)
    staff = fleet.discord.join("Moderator", staff=True)
    assert "was warned" in shown(use(fleet, staff, "warn", member=cleo, reason="Be kind, please"))
    direct(fleet, cleo, "Be kind, please")
    assert "has no warnings" in shown(use(fleet, boss.user, "clearwarnings", member=cleo))
    assert "is suspended" in shown(use(fleet, boss.user, "suspenduser", member=cleo, minutes=30, reason="spam"))
    direct(fleet, cleo, "You are suspended")
    eventually(lambda: "Suspended" in text_of(use(fleet, cleo, "points")), "they earn nothing")
    refused = shown(use(fleet, boss.user, "addpoints", member=cleo, points=5, reason="x"))
    assert "suspended" in refused
    assert "not suspended any more" in shown(use(fleet, boss.user, "unsuspenduser", member=cleo))
    direct(fleet, cleo, "Welcome back")
    assert "The account is active" in shown(use(fleet, boss.user, "unsuspenduser", member=cleo))
    assert "Nobody moderates themselves" in shown(use(fleet, boss.user, "warn", member=boss.user, reason="x"))
    trail = shown(use(fleet, boss.user, "audit", member=cleo))
    for said in ("warned", "warnings cleared", "suspended", "unsuspended", "Moderator", "Be kind, please"):
        assert said in trail, trail


def test_what_happened_and_how_it_goes_is_read_by_admins(fleet: Fleet, boss: Boss):
    dan = student(fleet, boss, "Dan L", 15)
    log = use(fleet, boss.user, "activitylog", member=dan, hours=1)
    assert "Dan L" in shown(log)
    assert "+15" in shown(log)
    for number in range(11):
        use(fleet, boss.user, "addpoints", member=dan, points=1, reason=f"number {number}")
    everything = use(fleet, boss.user, "activitylog", member=dan)
    press(fleet, boss.user, everything, "Next")
    assert "+15" in shown(becomes(fleet, boss.user, everything, "Page 2"))
    figures = shown(use(fleet, boss.user, "stats"))
    assert "Members could still claim" in figures
    assert "Top members" in shown(use(fleet, boss.user, "topusers", number=5, period="weekly"))
    assert "/addpoints" in text_of(use(fleet, boss.user, "adminhelp"))
    assert "Up since" in text_of(use(fleet, dan, "status"))


def test_people_are_registered_and_welcomed(fleet: Fleet, boss: Boss):
    eve = fleet.discord.join("Eve R", joins=False)
    fleet.discord.change(eve, joins=True)
    told = shown(use(fleet, boss.user, "registeruser", member=eve))
    assert "Registered" in told
    assert "was a member already" in shown(use(fleet, boss.user, "registeruser", member=eve))

    def welcomes() -> int:
        return sum("Welcome to Propel" in text_of(one) for one in fleet.discord.seen(eve, eve, 0, channel="dm"))

    eventually(lambda: welcomes() == 1, "the welcome of joining")
    assert "has got the welcome" in shown(use(fleet, boss.user, "sendwelcome", member=eve))
    assert welcomes() == 2
    fleet.discord.change(eve, dms_open=False)
    assert "takes no direct messages" in shown(use(fleet, boss.user, "sendwelcome", member=eve))


def test_the_catalogue_is_kept_from_discord(fleet: Fleet, boss: Boss):
    given = {"points": 35, "name": "Discord mug", "stock": "3", "category": "merchandise", "description": "Blue"}
    assert "is in the shop" in shown(use(fleet, boss.user, "add_reward", **given))
    refused = shown(use(fleet, boss.user, "add_reward", points=35, name="discord MUG"))
    assert "name" in refused.lower()
    choices = offered(fleet, boss.user, "edit_reward", "reward", "discord mug")
    assert list(choices) == ["Discord mug (35 points)"]
    mug = choices["Discord mug (35 points)"]
    told = shown(use(fleet, boss.user, "edit_reward", reward=mug, points=40, tier=2))
    assert "40 points" in told
    assert "unlimited" in shown(use(fleet, boss.user, "set_stock", reward="discord mug", stock="unlimited"))
    said = fleet.discord.ask_typed(boss.user, "!set_stock 4 Discord mug")
    assert "direct message" in text_of(said[-1])
    direct(fleet, boss.user, "4 left")
    assert "is out of the shop" in shown(use(fleet, boss.user, "retire_reward", reward=mug, note="Broken"))
    ada = student(fleet, boss, "Ada K", 100)
    assert "not in the shop" in shown(use(fleet, ada, "redeem", reward=mug))
    found, page = "", use(fleet, boss.user, "rewards")
    for number in range(2, 12):
        found += shown(page)
        if labels(page)[-1:] != ["Next"] or page["components"][-1]["components"][-1]["disabled"]:
            break
        press(fleet, boss.user, page, "Next")
        page = becomes(fleet, boss.user, page, f"Page {number}")
    assert "⚪ retired **Discord mug**" in found
    assert "is changed" in shown(use(fleet, boss.user, "edit_reward", reward=mug, active="yes"))
    assert "Spend 40 points" in shown(use(fleet, ada, "redeem", reward="Discord mug"))
    history = fleet.request("GET", f"/api/incentives/{mug}/history/", boss.token).json()["items"]
    assert len({row["actor_id"] for row in history}) == 1, "every change is the admin's own"
