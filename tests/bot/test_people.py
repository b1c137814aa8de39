"""Registration and welcome."""

from fleet import database
from services.bot import people
from services.bot.people import Person, clean, derived_id

ASHA = Person("101", "asha", "Asha")


def see(*seen, in_guild=True):
    with database.transaction() as session:
        return people.see(session, seen, in_guild=in_guild)


def owed():
    with database.transaction() as session:
        return people.owed_welcomes(session)


def join(person):
    with database.transaction() as session:
        people.see(session, [person], in_guild=True)
        people.joined(session, [person.discord_id])


def test_a_person_is_registered_at_first_sight_and_never_again(bot_database, outbox):
    assert see(ASHA) == see(ASHA) == see(ASHA, in_guild=False) == {"101": derived_id("101")}
    (command,) = outbox()
    assert command.type == "users.register_member.v1"
    assert command.subject == str(derived_id("101"))
    assert (command.data.discord_id, command.data.discord_username, command.data.display_name) == (
        "101",
        "asha",
        "Asha",
    )


def test_a_changed_name_is_told(bot_database, outbox):
    see(ASHA)
    see(Person("101", "asha", "Asha of the Hill"))
    assert [found.data.display_name for found in outbox()] == ["Asha", "Asha of the Hill"]


def test_a_member_id_is_kept_even_when_it_is_not_the_derived_one(bot_database):
    see(ASHA)
    other = derived_id("999")
    with database.transaction() as session:
        session.get(people.SeenPerson, "101").member_id = other
    assert see(Person("101", "asha", "Renamed")) == {"101": other}
    with database.transaction() as session:
        assert people.member_id(session, "101") == other
        assert people.member_id(session, "never seen") == derived_id("never seen")


def test_a_person_is_welcomed_once_in_their_life(bot_database):
    join(ASHA)
    assert owed() == ["101"]
    with database.transaction() as session:
        people.welcomed(session, "101")
        people.left(session, "101")
    join(ASHA)
    assert owed() == []


def test_who_left_before_the_welcome_gets_it_on_coming_back(bot_database):
    join(ASHA)
    with database.transaction() as session:
        people.left(session, "101")
    assert owed() == []
    join(ASHA)
    assert owed() == ["101"]


def test_who_was_here_before_the_bot_is_not_welcomed(bot_database):
    see(ASHA)
    assert owed() == []


def test_people_are_found_by_id_and_by_exact_name_only(bot_database):
    see(ASHA, Person("102", "ben", "Same"), Person("103", "cem", "same"))
    with database.transaction() as session:
        found = {words: people.find(session, words) for words in ("101", "@ASHA", "Same", "ash", "%", "nobody")}
    assert found == {"101": ASHA, "@ASHA": ASHA, "Same": None, "ash": None, "%": None, "nobody": None}


def test_names_that_no_database_takes_are_cleaned(bot_database, outbox):
    see(Person("101", clean("a\x00b"), clean("half \ud83d emoji")))
    assert (outbox()[0].data.discord_username, outbox()[0].data.display_name) == ("ab", "half ? emoji")


def test_two_who_see_a_new_person_at_once_do_not_collide(bot_database):
    """The person has two unique keys; waiting at one of them must not mean failing at the other."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from sqlalchemy import text

    from fleet.database import transaction
    from services.bot import people
    from services.bot.people import Person

    threads, rounds = 6, 60
    together = threading.Barrier(threads)

    def see() -> None:
        for number in range(rounds):
            together.wait(30)
            with transaction() as session:
                people.see(session, [Person(str(10_000 + number), f"u{number}", "New")], in_guild=True)

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(see) for _ in range(threads)]:
            future.result()
    with transaction() as session:
        told = session.scalar(text("SELECT count(*) FROM outbox WHERE routing_key = 'users.register_member.v1'"))
    assert told == rounds
