"""All commands there are, against the table of what there is to be."""

import pytest

import services.bot.cogs  # noqa: F401  declares the commands
from services.bot import submitting
from services.bot.commands import STAFF, registry
from services.bot.notice_models import KnownActivity

MEMBERS = [
    "points",
    "pointshistory",
    "pointvalues",
    "rank",
    "leaderboard",
    "streak",
    "milestones",
    "receipt",
    "whoami",
    "event",
    "resource",
    "linkedin",
    "joblead",
    "thoughtfulreply",
    "resumefeedback",
    "studygroup",
    "walkthrough",
    "mockinterview",
    "teachshare",
    "peermentor",
    "minievent",
    "referral",
    "exclusive",
    "workshop",
    "checkin",
    "submissions",
    "withdraw",
    "resume",
    "review_status",
    "cancelreview",
    "shop",
    "redeem",
    "redemptions",
    "link",
    "unlink",
    "privacy",
    "notifications",
    "help",
    "welcome",
    "ping",
    "status",
]
STAFFS = [
    "addpoints",
    "removepoints",
    "registeruser",
    "sendwelcome",
    "add_professional",
    "list_professionals",
    "match_review",
    "suggest_matches",
    "schedule_session",
    "review_stats",
    "pending_reviews",
    "pending",
    "approve",
    "reject",
    "suspenduser",
    "unsuspenduser",
    "warn",
    "clearwarnings",
    "activitylog",
    "audit",
    "stats",
    "topusers",
    "add_reward",
    "edit_reward",
    "set_stock",
    "retire_reward",
    "rewards",
    "verifycourse",
    "adminreport",
    "adminhelp",
    "setup",
]
# What must be given, what may be; of the commands whose table names them.
OPTIONS = {
    "rank": "[member]",
    "leaderboard": "[period]",
    "receipt": "[n]",
    "checkin": "code",
    "withdraw": "id",
    "shop": "[category]",
    "redeem": "reward",
}


@pytest.fixture(autouse=True)
def all_declared():
    """As a client that has heard nothing of points yet begins."""
    submitting.declare([])
    yield
    submitting.withdraw()


def test_there_are_the_commands_of_the_table_and_no_others():
    wanted = {*MEMBERS, *STAFFS}
    assert sorted(registry) == sorted(wanted)


def test_each_is_in_the_help_of_those_it_is_for():
    for name, found in registry.items():
        assert (found.group == STAFF) == (name in STAFFS), name


def test_they_take_what_the_table_says():
    for name, usage in OPTIONS.items():
        assert registry[name].usage == f"{name} {usage}"


def test_however_many_ways_to_earn_there_are_discord_has_room_for_the_commands():
    many = [
        KnownActivity(
            code=f"way_{number}",
            name="x",
            points=1,
            rule="",
            requires_approval=True,
            evidence="text",
            min_description=0,
        )
        for number in range(200)
    ]
    submitting.declare(many)
    assert len(registry) == 100
    assert {*MEMBERS, *STAFFS} - {*submitting.NAMES.values()} <= registry.keys(), "the others come first"
