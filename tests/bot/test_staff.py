"""What staff do from Discord, through the real client: each command sends what it says, as the one who gave it."""

from typing import Any

import pytest

from fleet import database
from fleet.contracts import points, rewards, users
from fleet.messages import new_id, now
from services.bot import privacy
from services.bot.people import derived_id
from tests.bot.conftest import until
from tests.bot.test_cards import claim, entry, set_up
from tests.bot.test_notices import hear
from tests.bot.test_shop import Typing, labels, words

FORBIDDEN = {"status": 403, "title": "You may not do this", "detail": "This is for admins. Link your account."}


class Staff:
    """Somebody who holds the server's staff role, a member, and what both see."""

    def __init__(self, discord: Any, services: Any) -> None:
        self.discord, self.services = discord, services
        self.boss, self.ada = discord.user("Boss", staff=True), discord.user("Ada")
        set_up(discord)
        self.me, self.her = derived_id(self.boss), derived_id(self.ada)

    def slash(
        self, command: str, type_: str, /, answer: Any = None, problem: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """What was asked, and what was seen when it was answered."""
        used = self.discord.call("POST", "/local/commands", {"user": self.boss, "name": command, "options": options})[
            "id"
        ]
        asked = self.services.asked(type_)
        self.services.answer(asked, answer, problem)
        seen = until(
            lambda: [one for one in self.discord.items(user=self.boss, after=used) if one["interaction"] == used]
        )
        shown = seen[-1]
        assert shown["ephemeral_to"] == self.boss, "nobody else reads what staff are told"
        return asked.data, shown

    def typed(self, line: str, type_: str, answer: Any) -> Any:
        """What was asked by a typed line; its answer comes by direct message."""
        written = self.discord.write(self.boss, line)
        asked = self.services.asked(type_)
        self.services.answer(asked, answer)
        until(lambda: [one for one in self.discord.items(user=self.boss, after=written, channel="dm") if one["embeds"]])
        in_public = [one for one in self.discord.items(user=self.ada, after=written) if one["author"] != self.boss]
        assert "Ada" not in str([words(one) for one in in_public if one["channel"] != "dm"])
        return asked.data

    def refused(self, line: str) -> str:
        """What is said to a line that cannot be understood; nothing is asked."""
        written = self.discord.write(self.boss, line)
        return words(self.discord.next(self.boss, written))


@pytest.fixture
def staff(discord, start, services) -> Staff:
    start()
    return Staff(discord, services)


ADJUSTED = points.AdjustmentOutcome("applied", new_id(), 50, 150, 150)
STATE = users.MemberState(new_id(), "Ada", "active", 1)
TRAIL = users.AuditRecord(
    new_id(), "suspended", "Ada", "Boss", now(), [users.AuditChange("status", "active", "suspended")], "spam"
)
LOGGED = points.LoggedEntry(new_id(), "Ada", "award", "Resource share", 10, now(), "Boss")
FIGURES = points.ProgrammeFigures(
    5, 3, 4, 900, 50, 100, 800, 70, 9, 3, 1, [points.ActivityFigure("Resource share", 4, 40)]
)


def test_corrections_are_made_by_who_gives_the_command(staff):
    adjust = "points.adjust_points.v1"
    asked, shown = staff.slash("addpoints", adjust, ADJUSTED, member=staff.ada, points=50, reason="Helped out")
    assert asked == points.AdjustPoints(staff.me, staff.her, 50, "Helped out")
    assert "150 points available" in words(shown)
    asked, _ = staff.slash("removepoints", adjust, ADJUSTED, member=staff.ada, points=20, reason="Counted twice")
    assert asked == points.AdjustPoints(staff.me, staff.her, -20, "Counted twice")
    asked = staff.typed(f"!addpoints <@{staff.ada}> 1,000 for the talk", adjust, ADJUSTED)
    assert asked == points.AdjustPoints(staff.me, staff.her, 1000, "for the talk"), "how much one may, points decides"
    given = {"member": staff.ada, "points": 30, "course": "Azure *Basics*", "note": "Well done"}
    asked, _ = staff.slash("verifycourse", adjust, ADJUSTED, **given)
    assert asked == points.AdjustPoints(staff.me, staff.her, 30, "Course verified: Azure *Basics*. Well done")
    asked = staff.typed(f"!verifycourse <@{staff.ada}> 30 Azure Basics note: Well done", adjust, ADJUSTED)
    assert asked.reason == "Course verified: Azure Basics. Well done"
    _, shown = staff.slash("addpoints", adjust, problem=FORBIDDEN, member=staff.ada, points=5, reason="x")
    assert "This is for admins" in words(shown)


def test_what_is_not_said_rightly_is_not_sent(staff, outbox):
    for line, said in {
        f"!addpoints <@{staff.ada}>": "Tell me the points",
        f"!addpoints <@{staff.ada}> 5": "Tell me the reason",
        f"!addpoints <@{staff.ada}> many thanks": "whole number",
        f"!addpoints <@{staff.ada}> -5 for nothing": "whole number",
        f"!addpoints <@{staff.ada}> 0 for nothing": "whole number",
        f"!addpoints <@{staff.ada}> ٣ for nothing": "whole number",
        f"!addpoints <@{staff.ada}> {10**15} for nothing": "whole number",
        "!addpoints somebody 5 thanks": "I do not know whom you mean",
        "!approve zzzz": "I do not know that submission",
        "!reject 12345678 no": "I do not know that submission",
        "!reject 12345678": "Tell me the reason",
        "!approve 12345678 2001": "whole number from 0 to 2,000",
        "!set_stock some Mug": "whole number",
        "!set_stock 5": "Tell me the reward",
        "!edit_reward Mug": "Say what is to change",
        "!edit_reward Mug points:": "Say what points is to be",
        "!edit_reward Mug points: lots": "whole number",
        "!add_reward 10": "Tell me the name",
        "!topusers 26": "whole number from 1 to 25",
    }.items():
        assert said in staff.refused(line), line
    sent = {message.type for message in outbox()}
    assert sent <= {"users.register_member.v1", "points.get_activity_values.v1", "points.log_activity.v1"}


def test_members_are_warned_and_suspended_by_who_gives_the_command(staff):
    asked, shown = staff.slash("warn", "users.warn_member.v1", STATE, member=staff.ada, reason="Be kind")
    assert asked == users.WarnMember(staff.me, staff.her, "Be kind", staff_attested=True)
    assert "was warned" in words(shown)
    asked, _ = staff.slash("suspenduser", "users.suspend_member.v1", STATE, member=staff.ada, minutes=90, reason="Spam")
    assert asked == users.SuspendMember(staff.me, staff.her, "Spam", 90), "the staff role counts for nothing here"
    asked = staff.typed(f"!suspenduser <@{staff.ada}> 0 until we talk", "users.suspend_member.v1", STATE)
    assert asked == users.SuspendMember(staff.me, staff.her, "until we talk", None)
    asked, _ = staff.slash("unsuspenduser", "users.unsuspend_member.v1", STATE, member=staff.ada)
    assert asked == users.UnsuspendMember(staff.me, staff.her)
    asked, _ = staff.slash("clearwarnings", "users.clear_warnings.v1", STATE, member=staff.ada)
    assert asked == users.ClearWarnings(staff.me, staff.her)
    _, shown = staff.slash("unsuspenduser", "users.unsuspend_member.v1", problem=FORBIDDEN, member=staff.ada)
    assert "This is for admins" in words(shown)
    robot = staff.discord.user("Robot", bot=True)
    assert "Bots are no members" in staff.refused(f"!warn <@{robot}> beeping")


def test_who_does_not_hold_the_role_is_not_vouched_for(staff):
    staff.boss = staff.ada
    asked, _ = staff.slash("warn", "users.warn_member.v1", problem=FORBIDDEN, member=staff.ada, reason="Be kind")
    assert (asked.actor_member_id, asked.staff_attested) == (staff.her, False)
    asked, _ = staff.slash("pending", "points.get_submissions.v1", problem=FORBIDDEN)
    assert asked.staff_attested is False
    asked, _ = staff.slash("adminreport", "points.get_queue_report.v1", problem=FORBIDDEN)
    assert asked.staff_attested is False


def test_the_queue_is_listed_and_decided_by_short_id(staff):
    received = claim(staff.her)
    hear(received, source="points")
    staff.services.answer(staff.services.asked("points.get_submissions.v1"), entry(received))
    waiting = points.Submissions(entry(received).items, 1, "more")
    asked, shown = staff.slash("pending", "points.get_submissions.v1", waiting, kind="resource_share")
    assert (asked.member_id, asked.queue, asked.staff_attested, asked.activity) == (
        staff.me,
        True,
        True,
        "resource_share",
    )
    short = received.submission_id.hex[-8:]
    assert short in words(shown)
    assert labels(shown) == ["Previous", "Next"]
    staff.discord.click(staff.boss, shown, "Next")
    asked = staff.services.asked("points.get_submissions.v1").data
    assert (asked.cursor, asked.queue, asked.staff_attested, asked.activity) == ("more", True, True, "resource_share")

    outcome = points.SubmissionOutcome(
        received.submission_id, staff.her, "resource_share", "Resource Share", "approved", 7, "none"
    )
    decide = "points.decide_submission.v1"
    asked, shown = staff.slash("approve", decide, outcome, id=short, points=7, note="Good")
    assert asked == points.DecideSubmission(received.submission_id, "approve", staff.me, 7, "Good", True)
    assert "approved" in words(shown)
    asked, _ = staff.slash("reject", decide, outcome, id=str(received.submission_id), reason="No link")
    assert asked == points.DecideSubmission(received.submission_id, "reject", staff.me, None, "No link", True)
    asked = staff.discord.write(staff.boss, f"!approve {short} note: as promised")
    asked = staff.services.asked(decide).data
    assert (asked.points, asked.note) == (None, "as promised")
    late = {"status": 409, "title": "The submission was decided before", "detail": "It was rejected."}
    _, shown = staff.slash("approve", decide, problem=late, id=short)
    assert "It was rejected" in words(shown)


def test_what_happened_is_read_page_by_page(staff):
    log = points.ActivityLog([LOGGED], "the next")
    asked, shown = staff.slash("activitylog", "points.get_activity_log.v1", log, hours=48, member=staff.ada)
    assert asked == points.GetActivityLog(staff.me, staff.her, 48, 10)
    assert "Resource share" in words(shown)
    staff.discord.click(staff.boss, shown, "Next")
    asked = staff.services.asked("points.get_activity_log.v1").data
    assert asked == points.GetActivityLog(staff.me, staff.her, 48, 10, "the next"), "of the same member and time"
    trail = users.AuditTrail([TRAIL], "the next")
    asked, shown = staff.slash("audit", "users.get_audit_trail.v1", trail)
    assert asked == users.GetAuditTrail(staff.me, None, 24, 10)
    assert "active → suspended" in words(shown)
    staff.discord.click(staff.boss, shown, "Next")
    asked = staff.services.asked("users.get_audit_trail.v1").data
    assert asked == users.GetAuditTrail(staff.me, None, 24, 10, "the next")
    asked = staff.typed(f"!audit <@{staff.ada}>", "users.get_audit_trail.v1", trail)
    assert (asked.hours, asked.member_id) == (24, staff.her), "what is left out does not swallow what comes next"
    for name, type_ in (("activitylog", "points.get_activity_log.v1"), ("audit", "users.get_audit_trail.v1")):
        _, shown = staff.slash(name, type_, problem=FORBIDDEN)
        assert "This is for admins" in words(shown)


def test_figures_and_reports_are_for_who_asks(staff):
    asked, shown = staff.slash("stats", "points.get_programme.v1", FIGURES)
    assert asked == points.GetProgramme(staff.me)
    assert "Members could still claim 800" in words(shown)
    _, shown = staff.slash("stats", "points.get_programme.v1", problem=FORBIDDEN)
    assert "This is for admins" in words(shown)
    report = points.QueueReport(12, [points.QueueFigure("resource_share", "Resource share", 12, now())])
    asked, shown = staff.slash("adminreport", "points.get_queue_report.v1", report)
    assert asked == points.GetQueueReport(staff.me, staff_attested=True)
    assert "12 waiting" in words(shown)
    places = [points.Place(number, f"Member {number}", 90 - number, 90 - number, False) for number in range(1, 26)]
    asked, shown = staff.slash(
        "topusers", "points.get_leaderboard.v1", points.Leaderboard("weekly", places, 40), number=25, period="weekly"
    )
    assert (asked.limit, asked.period, asked.cursor) == (25, "weekly", None)
    assert "Member 25" in words(shown)
    used = staff.discord.slash(staff.boss, "adminhelp")
    shown = staff.discord.next(staff.boss, used)
    assert "/addpoints member points reason" in words(shown)


def test_somebody_is_registered_as_the_one_they_are(staff):
    asked, shown = staff.slash(
        "registeruser", "users.enrol_member.v1", users.Enrolled(staff.her, "Ada", created=True), member=staff.ada
    )
    assert (asked.actor_member_id, asked.member_id, asked.discord_id) == (staff.me, staff.her, staff.ada)
    assert "is a member now" in words(shown)
    with database.transaction() as session:
        privacy.forget(session, [staff.her])
    used = staff.discord.slash(staff.boss, "registeruser", member=staff.ada)
    assert "asked to be forgotten" in words(staff.discord.next(staff.boss, used))
    assert staff.services.recorded("users.enrol_member.v1") == []


def test_a_welcome_is_sent_by_staff_alone_and_closed_doors_are_told(staff):
    def welcomes() -> int:
        found = staff.discord.items(user=staff.ada, channel="dm")
        return sum("Welcome to Propel" in words(item) for item in found)

    until(lambda: welcomes() == 1)
    used = staff.discord.slash(staff.boss, "sendwelcome", member=staff.ada)
    assert "has got the welcome" in words(staff.discord.next(staff.boss, used))
    assert welcomes() == 2
    other = staff.discord.user("Ben")
    used = staff.discord.slash(other, "sendwelcome", member=staff.ada)
    assert "Only this server's staff" in words(staff.discord.next(other, used))
    assert welcomes() == 2
    staff.discord.call("POST", f"/local/users/{staff.ada}", {"dms_open": False})
    used = staff.discord.slash(staff.boss, "sendwelcome", member=staff.ada)
    assert "takes no direct messages" in words(staff.discord.next(staff.boss, used))


def reward(name: str, **changes: Any) -> rewards.CatalogueEntry:
    known = {
        "points_required": 80,
        "category": "merchandise",
        "can_redeem": False,
        "points_missing": 80,
        "is_active": True,
    }
    return rewards.CatalogueEntry(new_id(), name, **(known | changes))


MUG = rewards.IncentiveOutcome(new_id(), "Mug", 80, "merchandise", True, 2, 25)


def test_the_catalogue_is_kept_from_discord(staff):
    old = reward("Old mug", is_active=False, stock=0)
    found = rewards.Catalogue([reward("Mug", stock=25, tier=2), old], 0, 0, "more")
    asked, shown = staff.slash("rewards", "rewards.get_catalogue.v1", found)
    assert (asked.member_id, asked.retired) == (staff.me, True)
    assert "retired" in words(shown)
    staff.discord.click(staff.boss, shown, "Next")
    asked = staff.services.asked("rewards.get_catalogue.v1").data
    assert (asked.cursor, asked.retired) == ("more", True)

    given = {"points": 80, "name": "Mug", "stock": "25", "category": "merchandise", "tier": 2, "limit": 1, "level": 100}
    asked, shown = staff.slash("add_reward", "rewards.add_incentive.v1", MUG, **given)
    assert asked == rewards.AddIncentive(
        staff.me, asked.reference, "Mug", 80, 25, "merchandise", tier=2, per_member_limit=1, min_lifetime_points=100
    )
    assert "is in the shop" in words(shown)
    line = "!add_reward 80 Large mug stock: 5 description: Blue, and large sponsor: Acme"
    asked = staff.typed(line, "rewards.add_incentive.v1", MUG)
    assert (asked.name, asked.points_required, asked.stock) == ("Large mug", 80, 5)
    assert (asked.description, asked.sponsor) == ("Blue, and large", "Acme")
    asked, _ = staff.slash("add_reward", "rewards.add_incentive.v1", MUG, points=1, name="Badge")
    assert asked.stock is None, "unlimited when nothing is said"

    chosen = str(old.incentive_id)
    asked, _ = staff.slash("edit_reward", "rewards.edit_incentive.v1", MUG, reward=chosen, points=90, active="yes")
    assert asked == rewards.EditIncentive(staff.me, old.incentive_id, points_required=90, is_active=True)
    asked, _ = staff.slash("set_stock", "rewards.set_stock.v1", MUG, reward=chosen, stock="unlimited")
    assert asked == rewards.SetStock(staff.me, old.incentive_id, None)
    asked, _ = staff.slash("retire_reward", "rewards.retire_incentive.v1", MUG, reward=chosen, note="Broken")
    assert asked == rewards.RetireIncentive(staff.me, old.incentive_id, "Broken")
    _, shown = staff.slash("retire_reward", "rewards.retire_incentive.v1", problem=FORBIDDEN, reward=chosen)
    assert "This is for admins" in words(shown)


def test_a_reward_is_meant_by_its_name_when_only_one_can_be(staff):
    mug, mugs, old = reward("Mug"), reward("Mug, large"), reward("Mug", is_active=False)

    def name_it(line: str, *found: Any, problem: Any = None) -> str:
        written = staff.discord.write(staff.boss, line)
        asked = staff.services.asked("rewards.get_catalogue.v1")
        assert asked.data.retired, "admins name retired ones too"
        staff.services.answer(asked, None if problem else rewards.Catalogue(list(found), 0, 0), problem)
        return written

    name_it("!set_stock 7 mug", mugs, mug, old)
    asked = staff.services.asked("rewards.set_stock.v1").data
    assert asked == rewards.SetStock(staff.me, mug.incentive_id, 7), "the whole name, and the one in the shop"
    name_it("!edit_reward large points: 70", mugs)
    asked = staff.services.asked("rewards.edit_incentive.v1").data
    assert (asked.incentive_id, asked.points_required) == (mugs.incentive_id, 70)
    for line, found, said in (
        ("!retire_reward m", [mug, mugs], "Which one do you mean"),
        ("!retire_reward teapot", [], "There is no reward called"),
    ):
        assert said in words(staff.discord.next(staff.boss, name_it(line, *found)))
    written = name_it("!retire_reward Mug", problem=FORBIDDEN)
    assert "This is for admins" in words(staff.discord.next(staff.boss, written))
    assert staff.services.recorded("rewards.retire_incentive.v1") == []


def test_choices_are_offered_to_staff_too(staff):
    typing = Typing(staff.discord, staff.boss, "retire_reward", "reward", "mug")
    asked = staff.services.asked("rewards.get_catalogue.v1")
    assert (asked.data.member_id, asked.data.retired) == (staff.me, True)
    old = reward("Mug", is_active=False)
    staff.services.answer(asked, rewards.Catalogue([old], 0, 0))
    assert typing.result() == [{"name": "Mug (80 points, retired)", "value": str(old.incentive_id)}]
    nothing = Typing(staff.discord, staff.ada, "retire_reward", "reward", "mug")
    staff.services.answer(staff.services.asked("rewards.get_catalogue.v1"), problem=FORBIDDEN)
    assert nothing.result() == [], "what was offered to an admin is not offered to others"


def test_a_redemption_is_decided_on_its_card(staff):
    redeemed = rewards.RewardRedeemed(new_id(), staff.her, new_id(), 80, now())
    hear(redeemed, source="rewards")

    def row(status: Any) -> rewards.RedemptionEntry:
        return rewards.RedemptionEntry(
            redeemed.redemption_id, staff.her, "Ada", redeemed.reward_id, "Mug", "merchandise", 80, status, now()
        )

    staff.services.answer(staff.services.asked("rewards.get_redemption.v1"), row("pending"))
    cards = until(lambda: [one for one in staff.discord.items(user=staff.boss, channel="staff") if one["components"]])
    assert labels(cards[0]) == ["Approve", "Reject"]
    pressed = staff.discord.click(staff.boss, cards[0], "Approve")
    asked = staff.services.asked("rewards.decide_redemption.v1")
    assert asked.data == rewards.DecideRedemption(staff.me, redeemed.redemption_id, "approve")
    staff.services.answer(asked, problem=FORBIDDEN)
    assert "This is for admins" in words(staff.discord.next(staff.boss, pressed))
    pressed = staff.discord.click(staff.boss, cards[0], "Reject")
    form = until(lambda: staff.discord.call("GET", f"/local/interactions/{pressed}").get("modal"))
    body = {"user": staff.boss, "custom_id": form["custom_id"], "fields": {"note": "Out of mugs"}}
    staff.discord.call("POST", "/local/modals", body)
    asked = staff.services.asked("rewards.decide_redemption.v1")
    assert asked.data == rewards.DecideRedemption(staff.me, redeemed.redemption_id, "reject", "Out of mugs")
    decided = rewards.RedemptionDecided(
        redeemed.redemption_id, staff.her, redeemed.reward_id, 80, "rejected", now(), now()
    )
    hear(decided, source="rewards")
    for_the_card = until(
        lambda: [one for one in staff.services.recorded("rewards.get_redemption.v1") if one.data.staff_channel]
    )
    staff.services.answer(for_the_card[-1], row("rejected"))
    until(
        lambda: labels(next(one for one in staff.discord.items(user=staff.boss) if one["id"] == cards[0]["id"])) == []
    )


def test_the_help_is_leafed_through_by_its_buttons(staff):
    used = staff.discord.slash(staff.ada, "help")
    shown = staff.discord.next(staff.ada, used)
    assert "Page 1 of" in words(shown)
    assert "/addpoints" not in words(shown), "what staff can do is in adminhelp"
    assert labels(shown) == ["Previous", "Next"]
    staff.discord.click(staff.ada, shown, "Next")
    until(
        lambda: (
            "Page 2 of" in words(next(one for one in staff.discord.items(user=staff.ada) if one["id"] == shown["id"]))
        )
    )
