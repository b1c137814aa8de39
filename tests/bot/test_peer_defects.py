"""Defects that known bots of this kind have, each as a test that it is not here: of the commands and buttons."""

import ast
import inspect

import pytest

import services.bot.cogs  # noqa: F401  declares the commands
from fleet.contracts import by_type, points, rewards
from fleet.messages import new_id, now
from services.bot import cards, catalogue_presenters, staff_presenters, submitting
from services.bot.cogs.approvals import amount_of, filled_in, points_form
from services.bot.commands import registry, typed_options
from services.bot.notice_models import KnownActivity
from services.bot.people import derived_id
from tests.bot.conftest import until
from tests.bot.test_cards import claim, entry
from tests.bot.test_notices import hear
from tests.bot.test_shop import words
from tests.bot.test_staff import FORBIDDEN, MUG, Staff, reward
from tests.conftest import ROOT

BOT = ROOT / "services" / "bot"


@pytest.fixture
def staff(discord, start, services) -> Staff:
    start()
    return Staff(discord, services)


def test_d26_the_catalogue_is_kept_as_the_member_who_gives_the_command(staff):
    """Their bot called with its own secret and the Discord id, and was refused."""
    asked, _ = staff.slash("retire_reward", "rewards.retire_incentive.v1", MUG, reward=str(new_id()))
    assert asked.actor_member_id == staff.me
    _, shown = staff.slash("rewards", "rewards.get_catalogue.v1", problem=FORBIDDEN)
    assert "This is for admins" in words(shown), "and a refusal is told as one"


def test_d27_a_reward_is_added_once_however_often_it_is_told(staff):
    asked, _ = staff.slash("add_reward", "rewards.add_incentive.v1", MUG, points=80, name="Mug")
    again, _ = staff.slash("add_reward", "rewards.add_incentive.v1", MUG, points=80, name="Mug")
    assert asked.reference
    assert again.reference != asked.reference, "each command is a wish of its own, named by its interaction"


def test_d37_an_approval_is_worth_what_the_rule_promises(staff):
    """Theirs told the full amount and awarded another."""
    received = claim(staff.her)
    hear(received, source="points")
    staff.services.answer(staff.services.asked("points.get_submissions.v1"), entry(received, points=1000))
    outcome = points.SubmissionOutcome(received.submission_id, staff.her, "x", "Workshop", "approved", 1000, "none")
    asked, shown = staff.slash("approve", "points.decide_submission.v1", outcome, id=received.submission_id.hex[-8:])
    assert asked.points is None, "the bot has no numbers of its own"
    assert "1,000 points" in words(shown), "what is told is what was awarded"


def test_d38_the_form_holds_every_number_of_points_that_there_is():
    """Theirs had room for three digits and 1000 in it."""
    for promised in (0, 5, 1000, 2000):
        (amount, _note) = [row["components"][0] for row in points_form(new_id(), promised)["components"]]
        assert len(amount["value"]) <= amount["max_length"]
        assert amount_of(amount["value"]) == promised
    sent = {"components": [{"components": [{"custom_id": "points", "value": "1000"}]}]}
    assert amount_of(filled_in(sent)["points"]) == 1000
    assert typed_options(registry["approve"], "12345678 2000")["points"] == 2000


def test_d63_every_message_a_command_sends_is_declared_and_answered():
    """Theirs asked for actions that no backend had."""
    sources = [path.read_text(encoding="utf-8") for path in (BOT / "cogs").glob("*.py")]
    sources.append((BOT / "staff_listings.py").read_text(encoding="utf-8"))
    names = {node.id for text in sources for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    sent = [contract for contract in by_type.values() if contract.message.__name__ in names and contract.senders]
    assert len(sent) > 25
    for contract in sent:
        assert "bot" in contract.senders, contract.type
        handlers = ROOT / "services" / contract.owner
        handled = any(
            f".{contract.message.__name__})" in text or f"({contract.message.__name__})" in text
            for path in handlers.glob("*subscriptions.py")
            for text in [path.read_text(encoding="utf-8")]
        )
        assert handled, f"{contract.type} has no handler in {contract.owner}"


def test_d64_nothing_imports_the_program_a_second_time():
    for path in BOT.rglob("*.py"):
        imported = [
            node.module or ""
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        ]
        assert not [name for name in imported if name.endswith("__main__")], path


def test_d66_a_rank_is_one_question_for_one_row(staff):
    board = points.Leaderboard("all_time", [], 5000, me=points.OwnPlace(4321, 7, 7, [], []))
    asked, shown = staff.slash("rank", "points.get_leaderboard.v1", board)
    assert (asked.limit, asked.cursor) == (1, None)
    assert "4,321" in words(shown)
    assert staff.services.recorded("points.get_leaderboard.v1") == []


def test_d67_long_lists_are_pages_and_nobody_is_looked_up_one_by_one():
    for show in (staff_presenters.show_top, staff_presenters.show_activity_log, staff_presenters.show_audit):
        assert not inspect.iscoroutinefunction(show), "a presenter cannot ask Discord anything"
    places = [points.Place(number, "N" * 60, 10**9, 10**9, False) for number in range(1, 26)]
    shown = staff_presenters.show_top(points.Leaderboard("all_time", places, 25), {}).card.payload()
    assert shown["embeds"][0]["description"].count("\n") == 24
    many = [reward("R" * 120, sponsor="S" * 120) for _ in range(10)]
    page = catalogue_presenters.show_catalogue(rewards.Catalogue(many, 0, 0, "more"), {"listing": "x"})
    (embed,) = page.card.payload()["embeds"]
    assert embed["description"].count("\n") == 9, "ten whole lines"
    assert len(embed["description"]) <= cards.DESCRIPTION
    assert page.next_cursor == "more"


def test_d68_a_slow_service_loses_nobody_their_answer(staff):
    """Theirs let the interaction run out while the backend worked."""
    given = {"member": staff.ada, "points": 5, "reason": "x"}
    used = staff.discord.call("POST", "/local/commands", {"user": staff.boss, "name": "addpoints", "options": given})[
        "id"
    ]
    asked = staff.services.asked("points.adjust_points.v1")

    def said(wanted: str) -> bool:
        seen = [one for one in staff.discord.items(user=staff.boss, after=used) if one["interaction"] == used]
        return any(wanted in words(one) for one in seen)

    until(lambda: said("safely noted"))
    staff.services.answer(asked, points.AdjustmentOutcome("applied", new_id(), 5, 5, 5))
    until(lambda: said("5 points available"))


def test_d69_a_report_is_told_to_who_asks_and_posted_nowhere(staff):
    """Theirs guessed a channel by its name."""
    before = {item["id"] for item in staff.discord.items(user=staff.ada)}
    report = points.QueueReport(1, [points.QueueFigure("x", "Planted kind", 1, now())])
    staff.slash("adminreport", "points.get_queue_report.v1", report)
    others = [item for item in staff.discord.items(user=staff.ada) if item["id"] not in before]
    assert "Planted kind" not in str(others)


def test_d71_one_number_is_told_for_each_way_to_earn():
    """Theirs had three defaults for each, in three places."""
    row = KnownActivity(
        code="external_workshop",
        name="External workshop",
        points=1000,
        rule="",
        requires_approval=True,
        evidence="text",
        min_description=45,
    )
    try:
        submitting.declare([row])
        assert "1,000 points" in registry["workshop"].description
    finally:
        submitting.withdraw()


def test_d74_commands_work_in_direct_messages(staff):
    """Theirs asked a server that is not there for its name."""
    for line, type_, answer in (
        ("!shop", "rewards.get_catalogue.v1", rewards.Catalogue([], 0, 0)),
        ("!milestones", "rewards.get_milestones.v1", rewards.Milestones(0, 0, [], 0, [])),
        ("!stats", "points.get_programme.v1", None),
        ("!pending", "points.get_submissions.v1", points.Submissions([], 0)),
    ):
        written = staff.discord.write(staff.boss, line, channel="dm")
        asked = staff.services.asked(type_)
        if type_ == "points.get_submissions.v1":
            assert asked.data.staff_attested is False, "outside the server nobody holds a role of it"
            assert asked.data.member_id == derived_id(staff.boss)
        staff.services.answer(asked, answer, None if answer is not None else FORBIDDEN)
        until(lambda: [one for one in staff.discord.items(user=staff.boss, after=written) if one["embeds"]])  # noqa: B023
    written = staff.discord.write(staff.boss, "!setup", channel="dm")
    until(
        lambda: (
            "Use this in the server" in str([words(one) for one in staff.discord.items(user=staff.boss, after=written)])
        )
    )
