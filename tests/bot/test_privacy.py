"""What the bot holds on a person, shown and forgotten; and the person ignored until they use a command."""

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from fleet import asking, database
from fleet.contracts import bot
from fleet.contracts.points import Attachment, GetStanding
from fleet.contracts.users import ContactChanged, Notifications
from fleet.messages import Envelope, Reply, envelope_for, new_id, now
from services.bot import answers, contacts, earning, notices, people, pictures, privacy, review_drafts
from services.bot.answers import Door
from services.bot.earning import Liked, Sightings
from services.bot.people import Person, derived_id
from services.bot.subscriptions import subscriptions
from tests.bot.conftest import until

ASHA = Person("1043210000000007777", "asha-of-discord", "Asha of the Hill")
BEN = Person("102", "ben", "Ben")
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
PLANTED = (
    ASHA.discord_id,
    ASHA.username,
    ASHA.display_name,
    "planted-token",
    "planted argument",
    "planted answer",
    "planted industry",
)


def handle(message):
    envelope = envelope_for(message, source="users")
    with database.transaction() as session:
        return subscriptions.handlers[envelope.type](session, envelope)


def export(*member_ids):
    part = handle(bot.ExportMember(new_id(), list(member_ids)))
    assert part.next_cursor is None
    return json.loads(part.rows)


def erase(*member_ids):
    return handle(bot.EraseMember(new_id(), list(member_ids), uuid.uuid4())).rows


def see(person=ASHA, **words):
    with database.transaction() as session:
        return people.see(session, [person], in_guild=True, **words)


def ask(person=ASHA, token="planted-token", argument="planted argument"):
    """A question of theirs waits for its answer."""
    door = Door(person.discord_id, token=token, channel_id="5")
    with database.transaction() as session:
        me = people.member_id(session, person.discord_id)
        words = {"words": argument}
        return answers.expect(session, GetStanding(me), subject=me, presenter="points", arguments=words, door=door)


def arrives(message_id):
    reply = Reply(str(message_id), {"note": "planted answer"}, None)
    with database.transaction() as session:
        asking.keep_reply(session, Envelope(uuid.uuid4(), "points", "bot.answered.v1", None, now(), reply))


def write(*persons, commanded=()):
    seen = Sightings(
        people={person.discord_id: person for person in persons},
        commanded={person.discord_id for person in commanded},
        messages={(person.discord_id, NOON.date()): NOON for person in persons},
        likes=[Liked(person.discord_id, "7", NOON) for person in persons],
    )
    with database.transaction() as session:
        return earning.write_down(session, seen)


def database_text():
    with database.transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        found = [row for name in names for row in session.scalars(text(f'SELECT t::text FROM "{name}" AS t')).all()]
    return "\n".join(found)


def drained():
    """What was recorded goes out."""
    with database.transaction() as session:
        session.execute(text("DELETE FROM outbox"))


@pytest.fixture
def planted(bot_database):
    write(ASHA, BEN)
    with database.transaction() as session:
        people.joined(session, [ASHA.discord_id])
    with database.transaction() as session:
        member_id, wishes = derived_id(ASHA.discord_id), Notifications(True, True, True)
        told = ContactChanged(member_id, "UTC", "en", wishes, wishes, discord_id=ASHA.discord_id)
        contacts.remember(session, told, 1)
        contacts.found_closed(session, ASHA.discord_id)
        notices.add(session, new_id(), notices.to_member(member_id), "linked", {"account": ASHA.discord_id})
        file = Attachment("https://cdn.example.org/planted.png", "planted.png", 9, "image/png")
        pictures.keep(session, "discord:1", member_id, file)
        wish = review_drafts.Wish("planted industry", "role", "entry", "weekdays", "UTC")
        review_drafts.keep(session, new_id(), ASHA.discord_id, wish)
    arrives(ask())
    ask(BEN, "ben-token", "argument of Ben")
    drained()
    return derived_id(ASHA.discord_id)


def test_every_row_of_the_person_is_shown_and_none_of_another(planted):
    found = export(planted)
    assert {name: len(rows) for name, rows in found.items()} == {
        "people": 1,
        "message_days": 1,
        "reaction_hours": 1,
        "pending_answers": 1,
        "contacts": 1,
        "closed_doors": 1,
        "notices": 1,
        "review_drafts": 1,
        "handed_in_pictures": 1,
    }
    assert (found["people"][0]["discord_id"], found["people"][0]["display_name"]) == (
        ASHA.discord_id,
        ASHA.display_name,
    )
    shown = json.dumps(found)
    assert BEN.username not in shown
    assert str(derived_id("102")) not in shown
    assert "planted-token" not in shown, "with it somebody could answer in the bot's name"


def test_every_table_is_shown_or_it_is_said_why_not(bot_database):
    """A new table must be shown and forgotten, or be named here."""
    of_nobody = {
        "alembic_version",
        "answers",  # emptied with the question
        "auth_state",
        "dead_letters",  # repeat what others hold; what names somebody who is forgotten goes
        "forgotten_people",  # ids that mean nobody
        "idempotency_keys",
        "inbox",
        "listing_pages",  # cursors under random names
        "outbox",
        "roster",  # keyed hashes of Discord's own member list, kept for everybody who is in the server
        "roster_state",
        "guild_settings",  # of servers
        "tool_nonces",
        "tool_commands",  # of programs
        "known_activities",
    }
    with database.transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    selects = " ".join(section.select for section in privacy.SECTIONS)
    assert [name for name in names if name not in of_nobody and f"FROM {name} " not in selects] == []


def test_no_word_is_left_in_any_table(planted):
    before = database_text()
    assert [word for word in PLANTED if word not in before] == []
    assert erase(planted, uuid.uuid4()) == 9
    found = database_text()
    assert [word for word in PLANTED if word in found] == []
    assert BEN.username in found


def test_an_answer_that_comes_after_the_erasure_is_not_kept(planted):
    late = ask()
    erase(planted)
    arrives(late)
    assert "planted answer" not in database_text()


def test_twice_is_once(planted):
    erase(planted)
    once = database_text()
    assert erase(planted) == 0
    assert database_text() == once


def test_who_was_erased_is_ignored(planted, outbox, row_count):
    erase(planted)
    assert see() == {}
    assert write(ASHA) == {}
    with database.transaction() as session:
        people.joined(session, [ASHA.discord_id])
        assert people.owed_welcomes(session) == []
        assert people.find(session, ASHA.username) is None
    assert outbox() == []
    assert row_count("people") == 1


def test_others_in_the_same_batch_are_not(planted, outbox):
    erase(planted)
    drained()
    cem = Person("103", "cem", "Cem")
    assert set(write(ASHA, cem)) == {"103"}
    assert {command.subject for command in outbox()} == {str(derived_id("103"))}


def test_a_command_is_a_new_beginning_under_a_random_id(planted, outbox, row_count):
    erase(planted)
    fresh = see(by_command=[ASHA.discord_id])[ASHA.discord_id]
    assert fresh != planted
    (command,) = outbox()
    assert (command.data.member_id, command.data.derived_id, command.data.discord_id) == (
        fresh,
        planted,
        ASHA.discord_id,
    )
    # From now on they are like anybody.
    write(ASHA, commanded=[ASHA])
    assert see(Person(ASHA.discord_id, "renamed", "Renamed")) == {ASHA.discord_id: fresh}
    told = outbox()[1:]
    assert {message.subject for message in told} == {str(fresh)}
    assert [message.data.derived_id for message in told if message.type == "users.register_member.v1"] == [None]
    assert [message.data.activity for message in told if message.type == "points.log_activity.v1"] == [
        "discord_activity",
        "like_interaction",
    ]


def test_an_erasure_that_is_asked_for_once_more_leaves_who_came_back(planted):
    erase(planted)
    fresh = see(by_command=[ASHA.discord_id])[ASHA.discord_id]
    assert erase(planted) == 0
    assert see() == {ASHA.discord_id: fresh}
    assert erase(fresh, planted) == 1
    assert see() == {}
    assert see(by_command=[ASHA.discord_id])[ASHA.discord_id] not in (fresh, planted)


def test_two_commands_at_once_are_one_beginning(planted, outbox):
    erase(planted)
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: see(by_command=[ASHA.discord_id])[ASHA.discord_id], range(8)))
    assert len(set(ids)) == 1
    assert len(outbox()) == 1


def test_whose_id_is_asked_for_by_others_has_none(planted):
    """Or `/rank` would show what is kept under the pseudonym."""
    erase(planted)
    with database.transaction() as session:
        assert people.member_id(session, ASHA.discord_id) != planted


def test_a_sighting_that_crosses_the_erasure_writes_no_name_down(planted):
    """Fails without the lock that both take: the row is gone, and the sighting puts a new one in its place."""
    seen = threading.Thread(target=lambda: see(Person(ASHA.discord_id, "renamed", "Renamed")))
    with database.transaction() as session:
        privacy.forget(session, [planted])
        seen.start()
        seen.join(0.3)
        assert seen.is_alive(), "it waits for the erasure"
    seen.join()
    assert "renamed" not in database_text()


def test_a_real_client_ignores_messages_and_takes_a_command(discord, start, services, bot_database):
    start()
    asha = discord.user("Asha")
    discord.write(asha, "hello", at=(now() - timedelta(days=2)).isoformat())
    services.asked("points.log_activity.v1")
    erase(derived_id(asha))
    drained()
    ben = discord.user("Ben")
    message = discord.write(asha, "still here", at=(now() - timedelta(days=1)).isoformat())
    discord.react(asha, discord.write(ben, "news"))
    discord.react(ben, message)
    # What Ben did is told, and came after it.
    until(lambda: len(services.recorded("points.log_activity.v1")) == 2)
    assert {deed.subject for deed in services.recorded("points.log_activity.v1")} == {str(derived_id(ben))}
    discord.slash(asha, "points")
    asked = services.asked("points.get_standing.v1")
    assert asked.data.member_id != derived_id(asha)
    registered = [command.data for command in services.recorded("users.register_member.v1") if command.data.derived_id]
    assert [(data.member_id, data.derived_id) for data in registered] == [(asked.data.member_id, derived_id(asha))]
    discord.write(asha, "today")
    until(lambda: str(asked.data.member_id) in {deed.subject for deed in services.recorded("points.log_activity.v1")})
