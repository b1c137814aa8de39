"""Defects that known bots of this kind have, each as a test that it is not here: of what stands behind the commands."""

import ast
import importlib
import pkgutil

import pytest

import services.bot.cogs
from deploy.local.fleet import Fleet
from deploy.local.layout import Ports
from fleet.contracts import points, reviews
from fleet.messages import new_id, now
from services.bot import cogs
from services.bot.commands import registry
from services.bot.people import derived_id
from tests.bot.conftest import until
from tests.bot.test_cards import claim, entry
from tests.bot.test_notices import hear
from tests.bot.test_shop import words
from tests.bot.test_staff import FORBIDDEN, Staff
from tests.conftest import ROOT

BOT = ROOT / "services" / "bot"


@pytest.fixture
def staff(discord, start, services) -> Staff:
    start()
    return Staff(discord, services)


def named_in(path) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}


def test_d39_no_command_pays_by_itself():
    """Theirs paid for every !resume. Here what earns by itself is told by who sees it happen, and counted by points."""
    paying = {path.name for path in BOT.rglob("*.py") if "LogActivity" in named_in(path)}
    assert paying == {"earning.py", "tool_actions.py"}


STATE = reviews.ReviewState(new_id(), "matched", "tech", "engineer", "mondays", now(), professional_name="Grace")
GRACE = reviews.ProfessionalEntry(new_id(), "Grace", "CTO", "Initech", ["tech"], True, False, 0, 0, 3)


@pytest.mark.parametrize(
    ("command", "type_", "answer", "options", "shown"),
    [
        ("review_status", "reviews.get_review.v1", STATE, {}, "Grace"),
        ("list_professionals", "reviews.get_professionals.v1", reviews.Professionals([GRACE]), {}, "Grace"),
        (
            "add_professional",
            "reviews.add_professional.v1",
            GRACE,
            {"name": "Grace", "email": "grace@example.org", "timezone": "UTC"},
            "Grace",
        ),
        ("match_review", "reviews.match_review.v1", STATE, {"professional": "Grace"}, "Grace"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
def test_d58_what_is_said_of_reviews_comes_from_reviews(staff, command, type_, answer, options, shown):
    """Theirs made up the answers, and told a student of a match that was none."""
    if command == "match_review":
        options = options | {"member": staff.ada}
    _, seen = staff.slash(command, type_, answer, **options)
    assert shown in words(seen)
    if command != "review_status":
        _, refused = staff.slash(command, type_, problem=FORBIDDEN, **options)
        assert "This is for admins" in words(refused)
        assert shown not in words(refused)


def test_d65_every_module_of_commands_is_there_under_its_name_and_none_is_loaded_twice():
    """Theirs reloaded modules by the names of classes. Here new code is a new process."""
    names = {module.name for module in pkgutil.iter_modules(services.bot.cogs.__path__)}
    source = (BOT / "cogs" / "__init__.py").read_text(encoding="utf-8")
    for name in names:
        assert importlib.import_module(f"services.bot.cogs.{name}")
        assert name in source, f"{name} is not named in cogs/__init__.py"
    assert "reloadcogs" not in registry
    assert cogs is services.bot.cogs


def test_d70_what_is_handed_in_by_direct_message_is_seen_by_staff_as_it_was_written(staff):
    """Theirs was stored where no admin looked, and its description became a name."""
    line = "!resource https://example.org/it Notes on pointers, all of them"
    staff.discord.write(staff.ada, line, channel="dm")
    asked = staff.services.asked("points.submit.v1")
    assert (asked.data.url, asked.data.description) == ("https://example.org/it", "Notes on pointers, all of them")
    assert asked.data.member_id == derived_id(staff.ada)
    staff.services.answer(asked, points.SubmissionOutcome(new_id(), staff.her, "x", "Resource", "pending", 10, "none"))
    received = claim(staff.her)
    hear(received, source="points")
    staff.services.answer(
        staff.services.asked("points.get_submissions.v1"), entry(received, description="Notes on pointers")
    )
    cards = until(
        lambda: [
            one for one in staff.discord.items(user=staff.boss, channel="staff") if "Notes on pointers" in words(one)
        ]
    )
    assert len(cards) == 1


def test_d73_the_bot_knows_its_own_database_and_no_other():
    """Theirs wrote into the backend's tables."""
    for process in Fleet(Ports(gateway=8080, base=17000)).processes():
        if process.name not in ("bot-client", "bot-worker", "bot-web"):
            continue
        known = [value for value in process.environment.values() if value.startswith("postgresql://")]
        assert [address.rpartition("/")[2] for address in known] == ["bot"]
        assert ("AMQP_URL" in process.environment) == (process.name == "bot-worker")
