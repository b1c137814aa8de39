"""The real nextcord client as a process, between local Discord and the bot's database; the test is everybody else."""

import signal
import time
from datetime import UTC, datetime

from sqlalchemy import text

from fleet import database
from fleet.contracts import points
from services.bot.people import derived_id
from tests.bot.conftest import until

STANDING = points.Standing(available=120, reserved=0, redeemed=0, lifetime=150, rank=4)
SECRET_WORDS = "wombat-7431-perambulator"


def place(rank, name):
    return points.Place(rank, name, 10, 10, False)


def everything_kept():
    """All rows of all the bot's tables, as text."""
    with database.transaction() as session:
        names = session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        return " ".join(str(session.execute(text(f'SELECT t.* FROM "{name}" t')).all()) for name in names)


def test_a_slash_command_is_answered_for_its_caller_alone(discord, start, services, row_count):
    start()
    asha = discord.user("Asha")
    called = discord.slash(asha, "points")
    asked = services.asked("points.get_standing.v1")
    assert asked.data.member_id == derived_id(asha)
    services.answer(asked, STANDING)
    item = discord.next(asha, called)
    assert item["embeds"][0]["title"] == "120 points available"
    assert item["ephemeral_to"] == asha
    until(lambda: row_count("pending_answers") == row_count("answers") == 0)


def test_a_typed_command_is_short_in_the_channel_and_full_in_a_direct_message(discord, start, services):
    start()
    asha, ben = discord.user("Asha"), discord.user("Ben")
    called = discord.write(asha, "!points")
    services.answer(services.asked("points.get_standing.v1"), STANDING)
    until(lambda: [item for item in discord.items(user=asha, after=called) if item["reply_to"] == called])
    # The welcome comes in its own time, on a busy machine after both.
    seen = discord.items(user=asha, after=called)
    direct, public = [item for item in seen if "Welcome to Propel" not in str(item["embeds"])]
    assert (direct["channel"], direct["embeds"][0]["title"]) == ("dm", "120 points available")
    assert (public["channel"], public["reply_to"]) == ("general", called)
    assert "**120 points**" in public["content"]
    assert "#4" not in str(discord.items(user=ben, after=called))


def test_closed_direct_messages_are_explained_in_the_channel(discord, start, services):
    start()
    asha = discord.user("Asha")
    discord.call("POST", f"/local/users/{asha}", {"dms_open": False})
    called = discord.write(asha, "!points")
    services.answer(services.asked("points.get_standing.v1"), STANDING)
    item = discord.next(asha, called)
    assert "Privacy Settings" in item["content"]
    assert "120" not in str(item)


def test_a_question_nobody_answers_is_told_so_in_time(discord, start, services):
    start()
    asha = discord.user("Asha")
    began = time.monotonic()
    called = discord.slash(asha, "streak")
    item = discord.next(asha, called)
    assert 3.0 < time.monotonic() - began < 6.0
    assert "Nothing was changed" in item["embeds"][0]["description"]


def test_an_answer_arrives_although_the_client_was_killed_in_between(discord, start, services):
    first = start()
    asha = discord.user("Asha")
    called = discord.slash(asha, "points")
    asked = services.asked("points.get_standing.v1")
    first.stop(signal.SIGKILL)
    services.answer(asked, STANDING)
    start()
    assert discord.next(asha, called)["embeds"][0]["title"] == "120 points available"


def test_lists_are_leafed_through_also_after_a_restart(discord, start, services):
    first = start()
    asha = discord.user("Asha")
    long_cursor = "c" * 300
    called = discord.slash(asha, "leaderboard", period="weekly")
    page = points.Leaderboard("weekly", [place(1, "First")], 2, next_cursor=long_cursor)
    services.answer(services.asked("points.get_leaderboard.v1"), page)
    item = discord.next(asha, called)
    assert first.stop()[0] == 0
    start()
    clicked = discord.click(asha, item, "Next")
    asked = services.asked("points.get_leaderboard.v1")
    assert (asked.data.cursor, asked.data.period) == (long_cursor, "weekly")
    services.answer(asked, points.Leaderboard("weekly", [place(11, "Eleventh")], 2))
    second = discord.next(asha, clicked)
    assert second["id"] == item["id"]
    assert "Eleventh" in second["embeds"][0]["description"]
    assert "Page 2" in second["embeds"][0]["footer"]["text"]
    clicked = discord.click(asha, second, "Previous")
    assert services.asked("points.get_leaderboard.v1").data.cursor is None


def test_messages_and_reactions_are_told_and_their_text_is_kept_nowhere(discord, start, services):
    client = start()
    asha, ben = discord.user("Asha"), discord.user("Ben")
    message = discord.write(asha, SECRET_WORDS, at="2025-12-03T12:00:00Z")
    discord.write(asha, SECRET_WORDS, at="2025-12-03T13:00:00Z")
    discord.write(asha, SECRET_WORDS, channel="dm")
    discord.react(asha, message)
    discord.react(ben, message)
    until(lambda: len(services.recorded("points.log_activity.v1")) == 2)
    time.sleep(0.3)
    found = {
        (deed.data.activity, deed.data.member_id): deed.data for deed in services.recorded("points.log_activity.v1")
    }
    assert set(found) == {("discord_activity", derived_id(asha)), ("like_interaction", derived_id(ben))}
    written = found["discord_activity", derived_id(asha)]
    assert written.occurred_at == datetime(2025, 12, 3, 12, tzinfo=UTC)
    assert written.reference == f"discord_activity:{derived_id(asha)}:2025-12-03"
    assert found["like_interaction", derived_id(ben)].reference == f"like_interaction:{message}:{derived_id(ben)}"
    assert SECRET_WORDS not in everything_kept()
    code, logged = client.stop()
    assert code == 0
    assert SECRET_WORDS not in logged


def test_who_joins_is_registered_and_welcomed_once(discord, start, services):
    client = start()
    asha = discord.user("Asha")
    until(lambda: [item for item in discord.items(user=asha) if item["channel"] == "dm"])
    (registered,) = services.recorded("users.register_member.v1")
    assert (registered.data.discord_id, registered.data.display_name) == (asha, "Asha")
    assert client.stop()[0] == 0
    start()
    time.sleep(0.5)
    assert len([item for item in discord.items(user=asha) if item["channel"] == "dm"]) == 1


def test_no_token_of_an_interaction_is_logged(discord, start, services):
    client = start(LOG_LEVEL="DEBUG")
    asha = discord.user("Asha")
    called = discord.slash(asha, "points")
    asked = services.asked("points.get_standing.v1")
    with database.transaction() as session:
        token = session.execute(text("SELECT token FROM pending_answers")).scalar_one()
    services.answer(asked, STANDING)
    discord.next(asha, called)
    _, logged = client.stop()
    assert len(token) > 20
    assert token not in logged


def test_a_second_client_stands_by_until_the_first_is_gone(discord, start):
    first = start()
    second = start(wait=False)
    time.sleep(1.5)
    assert not second.ready
    first.stop(signal.SIGKILL)
    until(lambda: second.ready)
    assert second.stop()[0] == 0


def test_the_client_ends_in_order_within_five_seconds_with_all_it_saw(discord, start, services):
    client = start()
    first, *others = [discord.user(f"Person {number}", joins=True) for number in range(30)]
    until(lambda: len(services.recorded("users.register_member.v1")) == 30)
    with database.transaction() as session:
        # The database takes nothing for a while, so that the end comes while something is still gathered.
        session.execute(text("LOCK TABLE message_days IN ACCESS EXCLUSIVE MODE"))
        discord.write(first, "hello")
        time.sleep(0.3)
        for person in others:
            discord.write(person, "hello")
        time.sleep(0.3)
        began = time.monotonic()
        client.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    code, _ = client.stop()
    assert (code, time.monotonic() - began < 5) == (0, True)
    assert len(services.recorded("points.log_activity.v1")) == 30


def test_a_dropped_connection_loses_no_message(discord, start, services):
    start()
    asha = discord.user("Asha")
    discord.call("POST", "/local/drop", {})
    discord.write(asha, "hello")
    until(lambda: services.recorded("points.log_activity.v1"))


def test_all_commands_are_rolled_out_and_help_and_ping_need_nobody(discord, start):
    start()
    names = {command["name"] for command in discord.call("GET", "/local/commands")["items"]}
    assert names >= {
        "points",
        "pointshistory",
        "pointvalues",
        "leaderboard",
        "rank",
        "streak",
        "help",
        "ping",
        "welcome",
    }
    asha = discord.user("Asha")
    assert "Pong" in discord.next(asha, discord.slash(asha, "ping"))["content"]
    assert "leaderboard [period]" in str(discord.next(asha, discord.slash(asha, "help"))["embeds"])


def test_an_outage_of_the_database_costs_no_first_message(discord, start, services, postgres):
    if not postgres.controllable:
        return
    client = start()
    asha = discord.user("Asha")
    until(lambda: services.recorded("users.register_member.v1"))
    postgres.stop()
    discord.write(asha, "hello")
    called = discord.slash(asha, "points")
    assert "Nothing was changed" in str(discord.next(asha, called)["embeds"])
    postgres.start()
    # This process looks into the same database, and its connections are of the time before.
    database.engine().dispose()
    until(lambda: services.recorded("points.log_activity.v1"))
    assert client.ready


def test_killed_before_discord_knows_that_a_command_was_taken_it_is_answered_all_the_same(
    discord, start, services, row_count
):
    """Discord does not take the first word just now; what was asked is written down by then, and nothing is lost."""
    client = start()
    asha = discord.user("Asha")
    discord.call("POST", "/local/limits", {"route": "/callback", "next": 100, "retry_after": 30})
    called = discord.slash(asha, "points")
    until(lambda: row_count("pending_answers") == 1)
    assert discord.call("GET", f"/local/interactions/{called}")["answered"] is None
    client.stop(signal.SIGKILL)
    discord.call("POST", "/local/limits", {"route": "/callback", "next": 0})
    services.answer(services.asked("points.get_standing.v1"), STANDING)
    start()
    answered = until(lambda: [item for item in discord.items(user=asha) if "120 points" in str(item["embeds"])])
    assert [item["channel"] for item in answered] == ["dm"], "the interaction is over: it is told directly"


def test_an_answer_that_is_quicker_than_the_first_word_waits_for_it(discord, start, services, row_count):
    """Fails when the answer is not held back: it would be said to an interaction that Discord does not know as taken."""
    start()
    asha = discord.user("Asha")
    discord.call("POST", "/local/limits", {"route": "/callback", "next": 1, "retry_after": 1})
    called = discord.slash(asha, "points")
    services.answer(services.asked("points.get_standing.v1"), STANDING)
    item = discord.next(asha, called)
    assert (item["interaction"], item["embeds"][0]["title"]) == (called, "120 points available")
    assert row_count("notices") == 0
