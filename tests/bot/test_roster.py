"""Who is in the server now, and who can say so."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from fleet import database
from fleet.contracts.bot import LookForMember
from fleet.messages import envelope_for
from fleet.problems import Unavailable
from services.bot import people, roster
from services.bot.cogs.roll_call import RollCall
from services.bot.people import Person
from services.bot.subscriptions import subscriptions
from tests.bot.conftest import until

ASHA, BEN = Person("101", "asha.k", "Asha"), Person("102", "ben", "Ben")


@pytest.fixture(autouse=True)
def bot(bot_database):
    """This process is the bot."""


def change(**changes):
    with database.transaction() as session:
        roster.change(session, {person.discord_id: person for person in changes.pop("here", ())})
        roster.change(session, dict.fromkeys(changes.pop("gone", ())))


def confirm(complete=True):
    with database.transaction() as session:
        roster.confirm(session, complete=complete)


def present(name):
    """What users is answered."""
    question = envelope_for(LookForMember(name), source="users")
    with database.transaction() as session:
        return subscriptions.handlers["bot.look_for_member.v1"](session, question).present


def current():
    with database.transaction() as session:
        return session.execute(text("SELECT confirmed_at IS NOT NULL FROM roster_state")).scalar()


class TestNames:
    def test_who_is_here_is_found_however_the_name_is_written(self):
        change(here=[ASHA, BEN])
        confirm()
        for name in ("asha.k", "ASHA.K", "@asha.k", "  asha.k ", "asha.k#0", "asha.k#0000", "ａsha.k"):
            assert present(name) is True
        for name in ("asha", "asha.k#1234", "asha.k2", "%", "", "#0", "101", "Asha", "a" * 40, "\x00", "\ud800"):
            assert present(name) is False

    def test_who_went_is_not(self):
        change(here=[ASHA, BEN])
        change(gone=["101"])
        confirm()
        assert (present("asha.k"), present("ben")) == (False, True)

    def test_a_new_name_replaces_the_old_one(self):
        change(here=[ASHA])
        change(here=[Person("101", "asha.l", "Asha")])
        confirm()
        assert (present("asha.k"), present("asha.l")) == (False, True)

    def test_two_of_one_name_are_two(self):
        """Old accounts could share a name; one of them going takes nothing from the other."""
        change(here=[ASHA, Person("103", "asha.k", "Another")])
        change(gone=["103"])
        confirm()
        assert present("asha.k") is True

    def test_whoever_is_not_on_the_list_is_taken_off(self):
        change(here=[ASHA, BEN])
        confirm()
        with database.transaction() as session:
            roster.keep_only(session, {"102", "999"})
        assert (present("asha.k"), present("ben")) == (False, True)
        with database.transaction() as session:
            roster.keep_only(session, set())
        assert present("ben") is False

    def test_the_roster_tells_no_name_and_no_id(self, row_count):
        change(here=[ASHA, BEN])
        assert row_count("roster") == 2
        for secret in ("asha", "ben", "101"):
            assert row_count("roster", "position(CAST(:it AS bytea) IN person_key || name_key) > 0", it=secret) == 0


class TestWhoCanSay:
    def test_nobody_before_the_roll_was_called(self):
        with pytest.raises(Unavailable):
            present("asha.k")

    def test_nobody_while_it_is_being_called(self):
        change(here=[ASHA])
        confirm()
        confirm(complete=False)
        with pytest.raises(Unavailable):
            present("asha.k")

    def test_nobody_when_the_client_has_been_silent(self):
        change(here=[ASHA])
        confirm()
        for age, right in ((25, True), (31, None)):
            with database.transaction() as session:
                session.execute(
                    text("UPDATE roster_state SET confirmed_at = now() - :age"), {"age": timedelta(seconds=age)}
                )
            if right:
                assert present("asha.k") is True
            else:
                with pytest.raises(Unavailable):
                    present("asha.k")


class TestMembers:
    def test_being_on_the_list_makes_nobody_a_member(self, outbox, row_count):
        change(here=[ASHA, BEN])
        assert outbox() == []
        assert row_count("people") == 0

    def test_the_name_of_a_member_is_brought_up_to_date(self, outbox):
        with database.transaction() as session:
            people.see(session, [ASHA], in_guild=True)
        change(here=[Person("101", "asha.l", "Asha L."), BEN])
        names = [(told.data.discord_username, told.data.display_name) for told in outbox()]
        assert names == [("asha.k", "Asha"), ("asha.l", "Asha L.")]

    def test_a_large_list_is_written_and_read(self, row_count):
        crowd = [Person(str(number), f"user{number}", "x") for number in range(3000)]
        change(here=crowd)
        confirm()
        assert present("user2999") is True
        with database.transaction() as session:
            roster.keep_only(session, {str(number) for number in range(0, 3000, 2)})
        assert row_count("roster") == 1500


class Guild:
    """A server whose list is fetched a person at a time; `meanwhile` happens after the first."""

    def __init__(self, listed, meanwhile=lambda: None):
        self.listed, self.meanwhile = listed, meanwhile

    async def fetch_members(self, limit):
        assert limit is None
        for number, person in enumerate(self.listed):
            yield SimpleNamespace(
                id=int(person.discord_id), name=person.username, display_name=person.display_name, bot=person.is_bot
            )
            if number == 0:
                self.meanwhile()


class TestTheRoll:
    """The list is as old as its fetching: what was told since then counts."""

    def call(self, listed, meanwhile=lambda cog: None):
        async def run():
            guild = Guild(listed, lambda: meanwhile(cog))
            connection = SimpleNamespace(parsers={"GUILD_MEMBER_UPDATE": None})
            cog = RollCall(SimpleNamespace(_connection=connection, guilds=[guild]))
            cog._connected = True
            await cog._call_roll()
            await cog._write()
            return cog

        return asyncio.run(run())

    def test_the_list_replaces_what_was_there(self):
        change(here=[Person("103", "long.gone", "x")])
        self.call([ASHA, BEN, Person("104", "robot", "Robot", is_bot=True)])
        found = [present(name) for name in ("asha.k", "ben", "long.gone", "robot")]
        assert found == [True, True, False, False]

    def test_who_goes_while_it_is_fetched_is_gone(self):
        self.call([ASHA, BEN], lambda cog: cog._note("102", None))
        assert (present("asha.k"), present("ben")) == (True, False)

    def test_who_comes_and_who_is_renamed_meanwhile_is_here_so(self):
        def meanwhile(cog):
            cog._note("103", Person("103", "new", "New"))
            cog._note("102", Person("102", "ben.now", "Ben"))

        self.call([ASHA, BEN], meanwhile)
        assert [present(name) for name in ("new", "ben.now", "ben")] == [True, True, False]

    def test_who_is_listed_twice_over_is_here_once(self, row_count):
        self.call([ASHA, BEN, ASHA])
        assert row_count("roster") == 2

    def test_a_new_session_meanwhile_calls_for_another_roll(self):
        cog = self.call([ASHA], lambda cog: cog._call())
        assert cog._called.is_set()
        with pytest.raises(Unavailable):
            present("asha.k")


class TestTheClient:
    """The real client between local Discord and the database."""

    def test_everybody_is_known_who_was_there_before_it(self, discord, start, services, row_count):
        discord.user("Old Timer")
        discord.user("A Bot", bot=True)
        discord.user("Elsewhere", joins=False)
        start()
        until(current)
        assert present("old timer") is True
        assert (present("a bot"), present("elsewhere")) == (False, False)
        assert services.recorded("users.register_member.v1") == []

    def test_who_comes_goes_and_is_renamed_is_followed(self, discord, start):
        start()
        until(current)
        asha = discord.user("Asha")
        until(lambda: present("Asha"))
        discord.call("POST", f"/local/users/{asha}", {"username": "asha.of.the.hill"})
        until(lambda: present("asha.of.the.hill") and not present("Asha"))
        discord.call("POST", f"/local/users/{asha}", {"leaves": True})
        until(lambda: not present("asha.of.the.hill"))

    def test_what_happened_while_it_was_away_is_made_good(self, discord, start):
        gone, stays = discord.user("Gone"), discord.user("Stays")
        first = start()
        until(current)
        assert present("gone")
        assert first.stop()[0] == 0
        discord.call("POST", f"/local/users/{gone}", {"leaves": True})
        discord.call("POST", f"/local/users/{stays}", {"username": "renamed"})
        discord.user("New")
        start()
        until(lambda: present_or_not("new"))
        assert (present("gone"), present("stays"), present("renamed")) == (False, False, True)

    def test_a_lost_session_is_made_good(self, discord, start):
        gone = discord.user("Gone")
        start()
        until(lambda: present_or_not("gone"))
        discord.call("POST", "/local/drop", {"resumable": False})
        discord.call("POST", f"/local/users/{gone}", {"leaves": True})
        discord.user("New")
        until(lambda: present_or_not("new") and present_or_not("gone") is False)

    def test_a_name_that_changes_is_told_of_members_only(self, discord, start, services):
        start()
        until(current)
        asha = discord.user("Asha")
        until(lambda: services.recorded("users.register_member.v1"))
        discord.call("POST", f"/local/users/{asha}", {"name": "Asha of the Hill"})
        until(lambda: len(services.recorded("users.register_member.v1")) == 2)
        assert services.recorded("users.register_member.v1")[-1].data.display_name == "Asha of the Hill"


def present_or_not(name):
    """None while nobody can say."""
    try:
        return present(name)
    except Unavailable:
        return None
