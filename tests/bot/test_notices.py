"""What the bot says by itself: each thing once, to whom it concerns alone, whatever is closed, repeated or killed."""

import os
import random
import signal
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from fleet import database
from fleet.contracts import points, rewards, users
from fleet.messages import Envelope, envelope_for, new_id, now
from services.bot import guilds, notices
from services.bot.notice_models import Notice
from services.bot.people import derived_id
from services.bot.subscriptions import subscriptions
from tests.bot.conftest import until
from tests.conftest import SEED
from tests.locks import until_it_waits

KILLS = int(os.environ.get("NOTICE_KILLS") or 3)
ALL = users.Notifications(True, True, True)
NONE = users.Notifications(False, False, False)


def hear(event: Any, sequence: int = 1, source: str = "users", id: UUID | None = None) -> Envelope[Any]:
    """The worker's part: an event arrives (and, with its envelope given again, arrives once more)."""
    envelope = envelope_for(event, source=source, sequence=sequence) if not isinstance(event, Envelope) else event
    with database.transaction() as session:
        subscriptions.handlers[envelope.type](session, envelope)
    return envelope


def known(discord: Any, name: str, wishes: users.Notifications = ALL) -> tuple[str, UUID]:
    """Somebody in the server, and users' word of how they may be reached."""
    discord_id = discord.user(name)
    member_id = derived_id(discord_id)
    hear(users.ContactChanged(member_id, "UTC", "en", ALL, wishes, discord_id=discord_id))
    return discord_id, member_id


def titles(discord: Any, user: str, channel: str = "dm") -> list[str]:
    found = [item for item in discord.items(user=user) if item["channel"] == channel]
    said = [embed.get("title", "") for item in found for embed in item["embeds"]]
    return [title for title in said if "Welcome to Propel" not in title]


def state_of(kind: str) -> str:
    with database.transaction() as session:
        return session.execute(text("SELECT state FROM notices WHERE kind = :kind"), {"kind": kind}).scalar_one()


def award(member_id: UUID, worth: int) -> points.ActivityLogged:
    return points.ActivityLogged(member_id, new_id(), "peer_mentor", "engagement", worth, 1, now(), worth, worth)


DECIDED = (new_id(), new_id(), 80, now())


def redemption(member_id: UUID, status: str) -> Any:
    redemption_id, reward_id, spent, at = DECIDED
    kind = rewards.RedemptionFulfilled if status in ("shipped", "delivered") else rewards.RedemptionDecided
    return kind(redemption_id, member_id, reward_id, spent, status, at, at)


# What happens, and what the member reads of it. Where words are asked of their owner, the owner says no more than that
# they are not to be had: the notice then says what it can.
KINDS = {
    "award": (lambda m: award(m, 300), "+300 points"),
    "linked": (lambda m: users.DiscordLinked(uuid4(), m, 1), "Your accounts are linked"),
    "unlinked": (lambda m: users.DiscordUnlinked(uuid4(), m, 2), "Your accounts are not linked any more"),
    "suspended": (lambda m: users.UserSuspended(m, now(), now() + timedelta(days=1)), "You are suspended"),
    "warned": (lambda m: users.MemberWarned(m, new_id(), 1, now()), "You have a warning from the staff"),
    "adjusted": (
        lambda m: points.PointsAdjusted(m, new_id(), "adjustment", -20, now(), 5, 5),
        "−20 by the staff",
    ),
    "reinstated": (lambda m: users.UserReinstated(m, now()), "Welcome back"),
    "approved": (lambda m: redemption(m, "approved"), "Your reward is approved"),
    "rejected": (lambda m: redemption(m, "rejected"), "Your redemption was not approved"),
    "shipped": (lambda m: redemption(m, "shipped"), "Your reward is on its way"),
    "unlocked": (lambda m: rewards.IncentiveUnlocked(m, new_id(), 80, now()), "You have unlocked a reward"),
}
ASKED = {"approved": "rewards.get_redemption.v1", "rejected": "rewards.get_redemption.v1"}
ASKED |= {"warned": "users.get_warning.v1", "adjusted": "points.get_receipt.v1"}
ASKED |= {"shipped": "rewards.get_redemption.v1", "unlocked": "rewards.get_catalogue.v1"}
NOTHING = {"type": "about:blank", "title": "Not found", "status": 404, "detail": "There is no such thing."}


def test_everything_that_concerns_a_member_is_told_to_them_once(discord, start, services):
    """Each event comes twice, as the broker may bring it."""
    start()
    asha, member_id = known(discord, "Asha")
    ben = discord.user("Ben")
    for name, (event, title) in KINDS.items():
        hear(hear(event(member_id)))
        if name in ASKED:
            services.answer(services.asked(ASKED[name]), problem=NOTHING)
        until(lambda title=title: title in titles(discord, asha))
    assert sorted(titles(discord, asha)) == sorted(title for _, title in KINDS.values())
    assert titles(discord, ben) == []


@pytest.mark.parametrize("kind", ["award", "approved", "unlocked"])
def test_what_somebody_does_not_want_is_not_told(discord, start, kind):
    start()
    asha, member_id = known(discord, "Asha", NONE)
    hear(KINDS[kind][0](member_id))
    hear(KINDS["suspended"][0](member_id))
    until(lambda: titles(discord, asha))
    assert titles(discord, asha) == ["You are suspended"], "what concerns the account itself is told all the same"


def test_a_small_award_is_no_news(discord, start, services, row_count):
    _, member_id = known(discord, "Asha")
    hear(award(member_id, 5))
    assert row_count("notices") == 0


def test_the_owners_words_are_in_it_and_kept_nowhere(discord, start, services):
    start()
    asha, member_id = known(discord, "Asha")
    hear(redemption(member_id, "rejected"))
    asked = services.asked("rewards.get_redemption.v1")
    assert (asked.data.redemption_id, asked.data.member_id) == (DECIDED[0], member_id)
    entry = rewards.RedemptionEntry(
        **described(rewards.RedemptionEntry)
        | {"redemption_id": DECIDED[0], "name": "Mug *large*", "note": "planted words of staff", "status": "rejected"}
    )
    services.answer(asked, entry)
    until(lambda: titles(discord, asha))
    shown = str(discord.items(user=asha))
    assert "planted words of staff" in shown
    assert r"Mug \\*large\\*" in shown, "their markdown stays text"
    until(lambda: state_of("redemption_decided") == "told")
    with database.transaction() as session:
        kept = session.execute(text("SELECT n::text FROM notices n UNION ALL SELECT a::text FROM answers a")).scalars()
        assert "planted words" not in " ".join(kept)


def described(cls: type) -> dict[str, Any]:
    """A value for every field that has no default."""
    from dataclasses import MISSING, fields

    samples = {"UUID": new_id(), "str": "x", "int": 1, "datetime": now(), "bool": True}
    return {
        each.name: samples.get(getattr(each.type, "__name__", str(each.type)), "other")
        for each in fields(cls)
        if each.default is MISSING and each.default_factory is MISSING
    }


def test_d72_what_happens_while_the_bot_is_off_is_told_when_it_is_back(discord, start):
    asha, member_id = known(discord, "Asha")
    hear(KINDS["linked"][0](member_id))
    start()
    until(lambda: titles(discord, asha) == ["Your accounts are linked"])


def test_killed_at_any_moment_it_tells_everything_and_nothing_twice(discord, start):
    """NOTICE_KILLS= for more. Discord drops the second message of a nonce, so what was said before a kill stays once."""
    chance = random.Random(SEED)
    asha, member_id = known(discord, "Asha")
    said = 0
    for _ in range(KILLS):
        client = start()
        for _ in range(6):
            said += 1
            hear(award(member_id, 1000 + said))
        enough = chance.randint(0, 6)
        until(lambda before=said - 6, enough=enough: len(titles(discord, asha)) >= before + enough)
        client.stop(signal.SIGKILL)
    start()
    expected = sorted(f"+{1000 + number:,} points" for number in range(1, said + 1))
    until(lambda: len(set(titles(discord, asha))) == said, 30)
    assert sorted(titles(discord, asha)) == expected


def test_who_takes_no_direct_messages_is_mentioned_and_reads_it_alone(discord, start, row_count):
    start()
    asha, member_id = known(discord, "Asha")
    ben = discord.user("Ben")
    discord.write(asha, "hello")
    until(lambda: row_count("people", "in_guild") > 0)
    world = discord.call("GET", "/local/state")
    with database.transaction() as session:
        guilds.set_up(session, world["guild_id"], asha, {"announcement_channel_id": world["channels"]["general"]})
    discord.call("POST", f"/local/users/{asha}", {"dms_open": False})
    hear(KINDS["suspended"][0](member_id))
    mention = until(
        lambda: [one for one in discord.items(user=ben, channel="general") if f"<@{asha}>" in one["content"]]
    )
    assert "suspended" not in str(mention[0])
    assert until(lambda: state_of("suspended") == "mentioned")
    clicked = discord.click(ben, mention[0], "Show it to me")
    assert "suspended" not in str(discord.next(ben, clicked)).lower()
    clicked = discord.click(asha, mention[0], "Show it to me")
    shown = discord.next(asha, clicked)
    assert shown["ephemeral_to"] == asha
    assert shown["embeds"][0]["title"] == "You are suspended"
    assert row_count("closed_doors") == 1


def test_a_notice_ends_after_a_week(discord, start):
    asha, member_id = known(discord, "Asha")
    hear(KINDS["linked"][0](member_id))
    with database.transaction() as session:
        session.execute(text("UPDATE notices SET expires_at = now()"))
    start()
    until(lambda: state_of("linked") == "dropped")
    assert titles(discord, asha) == []


def test_a_change_that_overtakes_its_own_telling_is_told(bot_database):
    """What is said of an old version does not settle the new one."""
    with database.transaction() as session:
        notices.add(session, new_id(), notices.STAFF, "submission_card", {"a": 1})
    with database.transaction() as session:
        (job,) = notices.due(session)
        assert notices.begin(session, job)
        row = session.get_one(Notice, job.id)
        notices.change_card(session, row.event_id, "submission_card", None, {"ended": {}})
    with database.transaction() as session:
        assert not notices.begin(session, job)
        notices.said(session, job, "1", "2")
    assert state_of("submission_card") == "due"


def test_words_that_come_too_late_or_for_somebody_forgotten_are_not_kept(discord, services, row_count):
    """What was asked of the owner passes through the bot: whoever waits no longer leaves none of it behind."""
    entry = rewards.RedemptionEntry(
        **described(rewards.RedemptionEntry)
        | {"redemption_id": DECIDED[0], "name": "Mug", "note": "planted words", "status": "rejected"}
    )
    _, member_id = known(discord, "Asha")

    def asked() -> Envelope[Any]:
        with database.transaction() as session:
            (job,) = notices.due(session)
            notices.ask(session, job, rewards.GetRedemption(redemption_id=DECIDED[0], member_id=member_id))
        return services.asked("rewards.get_redemption.v1")

    hear(redemption(member_id, "rejected"))
    first = asked()
    with database.transaction() as session:
        session.execute(text("UPDATE notices SET asked_at = now() - interval '1 minute'"))
        (job,) = notices.due(session)
        notices.postpone(session, job, 0)
    services.answer(first, entry)
    second = asked()
    services.answer(second, entry)
    with database.transaction() as session:
        (job,) = notices.due(session)
        assert "planted words" in str(job.answer)
        notices.forget(session, [member_id], [])
        notices.ask(session, job, rewards.GetRedemption(redemption_id=DECIDED[0], member_id=member_id))
    services.answer(services.asked("rewards.get_redemption.v1"), entry)
    assert row_count("answers") == 3
    assert row_count("answers", "body::text LIKE '%planted%'") == 0
    assert row_count("notices") == 0


@pytest.mark.parametrize("meanwhile", ["change", "forget"])
def test_words_that_are_being_asked_for_while_the_notice_changes_or_goes_are_not_kept(
    bot_database, services, row_count, meanwhile
):
    """The question is recorded but not committed when the notice changes under it: its answer has nowhere to go."""
    subject, member_id = new_id(), new_id()
    data = {"redemption_id": str(subject), "requested_at": now().isoformat()}
    with database.transaction() as session:
        notices.add(session, subject, notices.STAFF, "redemption_card", data, member_id=member_id)

    def change() -> None:
        with database.transaction() as session:
            if meanwhile == "forget":
                notices.forget(session, [member_id], [])
            else:
                notices.change_card(session, subject, "redemption_card", member_id, {})

    changing = threading.Thread(target=change)
    with database.transaction() as session:
        (job,) = notices.due(session)
        notices.ask(session, job, rewards.GetRedemption(redemption_id=subject, staff_channel=True))
        changing.start()
        until_it_waits()
    changing.join(30)
    entry = rewards.RedemptionEntry(**described(rewards.RedemptionEntry) | {"note": "planted words", "name": "Mug"})
    services.answer(services.asked("rewards.get_redemption.v1"), entry)
    assert row_count("answers") == 1
    assert row_count("answers", "body::text LIKE '%planted%'") == 0
