"""Cards in the staff channel, what staff press on them, and what members hand in: each decided and made once."""

import signal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from fleet import database
from fleet.contracts import points, users
from fleet.messages import new_id, now
from services.bot import guilds
from services.bot.cogs.approvals import amount_of
from services.bot.people import derived_id
from services.bot.refusals import Usage
from tests.bot.conftest import until
from tests.bot.test_notices import ALL, hear


def set_up(discord: Any, **more: str) -> dict[str, Any]:
    """The server's staff channel and role, as `/setup` writes them."""
    world = discord.call("GET", "/local/state")
    changes = {"staff_channel_id": world["channels"]["staff"], "staff_role_id": world["roles"]["Staff"]} | more
    with database.transaction() as session:
        guilds.set_up(session, world["guild_id"], "1", changes)
    return world


def claim(member_id: UUID) -> points.SubmissionReceived:
    return points.SubmissionReceived(new_id(), member_id, "resource_share", "content", 10, 1, now())


def entry(received: points.SubmissionReceived, **changes: Any) -> points.Submissions:
    known = {
        "submission_id": received.submission_id,
        "member_id": received.member_id,
        "display_name": "Asha",
        "activity": "resource_share",
        "name": "Resource Share",
        "status": "pending",
        "points": 10,
        "description": "Slides *with* notes",
        "url": None,
        "evidence": "none",
        "evidence_name": None,
        "submitted_at": received.submitted_at,
    }
    return points.Submissions([points.SubmissionEntry(**(known | changes))], 1)


def cards(discord: Any, user: str) -> list[dict[str, Any]]:
    return [item for item in discord.items(user=user, channel="staff") if item["embeds"]]


def labels(item: dict[str, Any]) -> list[str]:
    return [button["label"] for row in item["components"] for button in row["components"]]


@pytest.fixture
def waiting(discord, start, services):
    """Somebody handed something in, and its card is in the staff channel."""
    start()
    boss, asha = discord.user("Boss", staff=True), discord.user("Asha")
    set_up(discord)
    member_id = derived_id(asha)
    hear(users.ContactChanged(member_id, "UTC", "en", ALL, ALL, discord_id=asha))
    received = claim(member_id)
    envelope = hear(received, source="points")
    hear(envelope)
    services.answer(services.asked("points.get_submissions.v1"), entry(received))
    (card,) = until(lambda: cards(discord, boss))
    return boss, asha, received, card


def test_a_submission_gets_one_card_and_a_press_decides_and_the_card_says_so(waiting, discord, services):
    boss, asha, received, card = waiting
    assert labels(card) == ["Approve (+10)", "Reject", "Other points"]
    assert r"Slides \*with\* notes" in str(card["embeds"]).replace("\\\\", "\\")
    assert f"<@{asha}>" in str(card["embeds"])
    clicked = discord.click(boss, card, "Approve (+10)")
    asked = services.asked("points.decide_submission.v1")
    assert (asked.data.submission_id, asked.data.decision, asked.data.points) == (
        received.submission_id,
        "approve",
        None,
    )
    assert (asked.data.actor_member_id, asked.data.staff_attested) == (derived_id(boss), True)
    outcome = points.SubmissionOutcome(
        received.submission_id, received.member_id, "resource_share", "Resource Share", "approved", 10, "none"
    )
    services.answer(asked, outcome)
    assert discord.next(boss, clicked)["ephemeral_to"] == boss
    decided = points.SubmissionDecided(
        received.submission_id, received.member_id, "resource_share", "approved", derived_id(boss), now(), 10, new_id()
    )
    hear(decided, source="points")
    asked = until(lambda: [each for each in services.recorded("points.get_submissions.v1") if each.data.queue])[0]
    answered = entry(received, status="approved", decided_at=now())
    services.answer(asked, answered)
    until(lambda: labels(next(item for item in cards(discord, boss) if item["id"] == card["id"])) == [])
    edited = next(item for item in cards(discord, boss) if item["ephemeral_to"] is None)
    assert edited["id"] == card["id"]
    assert "approved" in edited["embeds"][0]["title"]


def test_buttons_work_after_the_bot_was_killed(discord, start, services):
    first = start()
    boss, asha = discord.user("Boss", staff=True), discord.user("Asha")
    set_up(discord)
    received = claim(derived_id(asha))
    hear(received, source="points")
    services.answer(services.asked("points.get_submissions.v1"), entry(received))
    (card,) = until(lambda: cards(discord, boss))
    first.stop(signal.SIGKILL)
    start()
    assert len(cards(discord, boss)) == 1
    discord.click(boss, card, "Approve (+10)")
    assert services.asked("points.decide_submission.v1").data.submission_id == received.submission_id


def test_who_does_not_hold_the_staff_role_is_not_vouched_for(waiting, discord, services):
    boss, _, _, card = waiting
    set_up(discord, staff_role_id="123")
    discord.click(boss, card, "Approve (+10)")
    assert services.asked("points.decide_submission.v1").data.staff_attested is False


def test_rejecting_asks_why_and_other_points_how_many(waiting, discord, services):
    boss, _, received, card = waiting
    opened = discord.click(boss, card, "Reject")
    form = until(lambda: discord.call("GET", f"/local/interactions/{opened}").get("modal"))
    discord.call("POST", "/local/modals", {"user": boss, "custom_id": form["custom_id"], "fields": {"note": "no link"}})
    asked = services.asked("points.decide_submission.v1")
    assert (asked.data.decision, asked.data.note) == ("reject", "no link")
    opened = discord.click(boss, card, "Other points")
    form = until(lambda: discord.call("GET", f"/local/interactions/{opened}").get("modal"))
    assert "10" in str(form), "what the rule promised stands there already"
    fields = {"points": "1000", "note": ""}
    discord.call("POST", "/local/modals", {"user": boss, "custom_id": form["custom_id"], "fields": fields})
    asked = services.asked("points.decide_submission.v1")
    assert (asked.data.submission_id, asked.data.points) == (received.submission_id, 1000)


@pytest.mark.parametrize("typed", ["", "-1", "2001", "ten", "1.5", "٣"])
def test_what_is_no_number_of_points_is_refused(typed):
    with pytest.raises(Usage):
        amount_of(typed)


def test_decided_on_the_web_before_it_was_shown_there_is_no_card(discord, start, services):
    boss, asha = discord.user("Boss", staff=True), discord.user("Asha")
    set_up(discord)
    received = claim(derived_id(asha))
    decided = points.SubmissionDecided(
        received.submission_id, received.member_id, "resource_share", "rejected", uuid4(), now()
    )
    hear(decided, source="points")
    hear(received, source="points")
    start()
    # Something later that is shown proves that the earlier one was looked at and left out.
    later = claim(derived_id(asha))
    hear(later, source="points")
    services.answer(services.asked("points.get_submissions.v1"), entry(later, name="Later"))
    until(lambda: cards(discord, boss))
    assert ["Later" in str(card["embeds"]) for card in cards(discord, boss)] == [True]


def test_setting_a_server_up_is_for_those_who_manage_it(discord, start, row_count):
    start()
    boss, asha = discord.user("Boss", staff=True), discord.user("Asha")
    world = discord.call("GET", "/local/state")
    channels = world["channels"]
    options = {"staff_channel": channels["staff"], "announcement_channel": channels["announcements"]}
    called = discord.slash(asha, "setup", **options)
    assert "Only who may manage this server" in str(discord.next(asha, called))
    assert row_count("guild_settings") == 0
    called = discord.slash(boss, "setup", **options, staff_role=world["roles"]["Staff"])
    until(lambda: f"<#{channels['staff']}>" in str([item["embeds"] for item in discord.items(user=boss, after=called)]))
    with database.transaction() as session:
        row = session.execute(text("SELECT * FROM guild_settings")).one()
    assert (row.staff_channel_id, row.announcement_channel_id, row.staff_role_id) == (
        channels["staff"],
        channels["announcements"],
        world["roles"]["Staff"],
    )


def test_what_is_handed_in_by_slash_or_typed_is_one_claim_each(discord, start, services):
    start()
    asha = discord.user("Asha")
    called = discord.slash(asha, "resource", description="Slides of the talk on queues")
    asked = services.asked("points.submit.v1")
    assert (asked.data.activity, asked.data.description) == ("resource_share", "Slides of the talk on queues")
    assert asked.data.member_id == derived_id(asha)
    outcome = points.SubmissionOutcome(
        new_id(), derived_id(asha), "resource_share", "Resource Share", "pending", 10, "none"
    )
    services.answer(asked, outcome)
    assert discord.next(asha, called)["ephemeral_to"] == asha
    typed = discord.write(asha, "!resource Notes on consensus, with exercises")
    asked = services.asked("points.submit.v1")
    assert (asked.data.description, asked.data.reference) == (
        "Notes on consensus, with exercises",
        f"discord:{typed}",
    )


def test_a_check_in_code_and_the_list_of_ones_submissions(discord, start, services):
    start()
    asha = discord.user("Asha")
    called = discord.slash(asha, "checkin", code=" ABCD-EFGH ")
    asked = services.asked("points.redeem_checkin.v1")
    assert asked.data.code == "ABCD-EFGH"
    services.answer(asked, points.CheckinOutcome(True, "event_attendance", "Event Attendance", "Fair", 15, 20))
    assert "Fair" in str(discord.next(asha, called))
    called = discord.slash(asha, "submissions")
    received = claim(derived_id(asha))
    services.answer(services.asked("points.get_submissions.v1"), entry(received))
    shown = str(discord.next(asha, called))
    assert received.submission_id.hex[-8:] in shown
    called = discord.slash(asha, "withdraw", id=str(received.submission_id))
    assert services.asked("points.withdraw_submission.v1").data.submission_id == received.submission_id
    called = discord.slash(asha, "withdraw", id="nonsense")
    assert "I do not know that submission" in str(discord.next(asha, called))
