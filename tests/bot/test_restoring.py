"""The bot after users was restored: whom it saw meanwhile becomes a member again."""

from datetime import timedelta

from fleet.contracts.users import RegisterMember
from fleet.database import transaction
from fleet.messages import now
from services.bot import people, privacy
from services.bot.models import SeenPerson
from tests.told_anew import told_anew


def see(name: str, **words) -> None:
    with transaction() as session:
        people.see(session, [people.Person("100000000000000007", name, name.title())], in_guild=True, **words)


def test_whom_it_saw_since_then_is_told_as_they_were_seen(bot_database):
    see("zoe")
    with transaction() as session:
        row = session.get_one(SeenPerson, "100000000000000007")
    [told] = told_anew("bot")
    expected = RegisterMember(row.member_id, row.discord_id, "zoe", "Zoe", row.updated_at)
    assert told.data == expected
    assert told_anew("bot", now() + timedelta(seconds=1)) == []


def test_who_came_back_after_being_forgotten_is_told_with_the_id_of_before(bot_database):
    see("zoe")
    derived = people.derived_id("100000000000000007")
    with transaction() as session:
        privacy.forget(session, [derived])
    see("zoe", by_command=["100000000000000007"])
    [told] = told_anew("bot")
    assert told.data.derived_id == derived != told.data.member_id
