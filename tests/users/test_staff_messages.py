"""What staff do to members from Discord: users decides by the role of whoever acts, and writes down who it was."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.contracts import by_type, users
from fleet.database import transaction
from fleet.messages import Reply, envelope_for, new_id, now, read_answer, to_json
from fleet.problems import Forbidden, InvalidFields, NotFound, Problem
from services.users import accounts, moderation
from tests.users.conftest import PASSWORD
from tests.users.links import Browser, Person, hear, link


def ask(message):
    """The answer of users as the bot reads it; a Problem is raised."""
    answer = hear(message)
    if isinstance(answer, Problem):
        raise answer
    type_ = envelope_for(message, source="bot").type
    assert by_type[type_].senders == ("bot",)
    assert read_answer(type_, Reply("x", to_json(answer))) == answer
    return answer


@pytest.fixture
def people():
    """Ada, a member, and Boss, who is an admin through a linked account."""
    ada, boss = Person("101", "ada"), Person("102", "boss")
    ada.seen()
    boss.seen()
    with transaction() as session:
        account, _ = accounts.ensure_account(session, "root", "root@example.org", PASSWORD, "admin")
        root = account.id
    return ada, boss, root


@pytest.fixture
def linked(app, people):
    ada, boss, root = people
    link(Browser(app, "root", "admin", root), boss)
    return ada, boss, root


COMMANDS = {
    "suspend": lambda actor, whom: users.SuspendMember(actor, whom, "spam", 60),
    "unsuspend": users.UnsuspendMember,
    "warn": lambda actor, whom: users.WarnMember(actor, whom, "be kind"),
    "clear": users.ClearWarnings,
    "enrol": lambda actor, whom: users.EnrolMember(actor, whom, "101", "ada", "Ada", now()),
    "audit": users.GetAuditTrail,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_only_admins_whoever_they_say_they_are(command, people, row_count):
    ada, boss, _ = people
    before = row_count("outbox"), row_count("audit_entries")
    for nobody in (boss.id, new_id(), ada.id):
        with pytest.raises(Forbidden):
            ask(COMMANDS[command](nobody, ada.id))
    assert (row_count("outbox"), row_count("audit_entries")) == before


def test_a_linked_admin_acts_under_their_own_account(linked, told):
    ada, boss, root = linked
    state = ask(users.SuspendMember(boss.id, ada.id, "spam", 60))
    assert (state.status, state.warnings) == ("suspended", 0)
    assert timedelta(minutes=59) < state.suspended_until - now() < timedelta(minutes=61)
    assert told("users.user_suspended.v1")[-1].data.member_id == ada.id
    with pytest.raises(Problem) as refused:
        ask(users.UnsuspendMember(boss.id, new_id()))
    assert refused.value.slug == "not-found"
    assert ask(users.UnsuspendMember(boss.id, ada.id)).status == "active"
    with pytest.raises(Problem) as refused:
        ask(users.UnsuspendMember(boss.id, ada.id))
    assert refused.value.slug == "not-suspended"
    assert ask(users.SuspendMember(boss.id, ada.id, "until we talk")).suspended_until is None
    with transaction() as session:
        actors = session.execute(
            text("SELECT DISTINCT actor_id FROM audit_entries WHERE member_id = :id"), {"id": ada.id}
        )
        assert actors.scalars().all() == [root]


def test_nobody_acts_once_their_role_is_gone(linked):
    ada, boss, root = linked
    with transaction() as session:
        other, _ = accounts.ensure_account(session, "other", "other@example.org", PASSWORD, "admin")
        moderation.change(session, other.id, root, {"role": "student"})
    with pytest.raises(Forbidden):
        ask(users.ClearWarnings(boss.id, ada.id))


def test_what_is_not_right_is_refused_and_changes_nothing(linked, row_count):
    ada, boss, root = linked
    before = row_count("outbox"), row_count("audit_entries")
    for wrong in (
        users.SuspendMember(boss.id, ada.id, " ", 60),
        users.SuspendMember(boss.id, ada.id, "spam", 0),
        users.SuspendMember(boss.id, ada.id, "spam", -5),
        users.SuspendMember(boss.id, ada.id, "x" * 5000, 60),
        users.WarnMember(boss.id, ada.id, ""),
        users.GetAuditTrail(boss.id, None, 0),
        users.GetAuditTrail(boss.id, None, 10**6),
    ):
        with pytest.raises(InvalidFields):
            ask(wrong)
    for themselves in (users.SuspendMember(boss.id, boss.id, "me", 5), users.WarnMember(boss.id, root, "me")):
        with pytest.raises(Forbidden):
            ask(themselves)
    assert (row_count("outbox"), row_count("audit_entries")) == before


class TestWarnings:
    def test_staff_for_whom_the_bot_vouches_may_warn_and_the_member_is_told(self, people, told):
        ada, boss, _ = people
        state = ask(users.WarnMember(boss.id, ada.id, "Be kind *please*", staff_attested=True))
        assert (state.warnings, state.status) == (1, "active")
        (event,) = told("users.member_warned.v1")
        assert (event.data.member_id, event.data.warnings) == (ada.id, 1)
        assert "please" not in str(to_json(event.data)), "the reason is asked for, and is in no event"
        found = ask(users.GetWarning(ada.id, event.data.warning_id))
        assert found.reason == "Be kind *please*"
        with pytest.raises(NotFound):
            ask(users.GetWarning(boss.id, event.data.warning_id))

    def test_attested_or_not_nobody_warns_themselves_or_while_suspended(self, linked):
        ada, boss, _ = linked
        with pytest.raises(Forbidden):
            ask(users.WarnMember(ada.id, ada.id, "me", staff_attested=True))
        with pytest.raises(Forbidden):
            ask(users.WarnMember(new_id(), ada.id, "x", staff_attested=True))
        ask(users.SuspendMember(boss.id, ada.id, "spam", 60))
        ben = Person("103", "ben")
        ben.seen()
        with pytest.raises(Forbidden):
            ask(users.WarnMember(ada.id, ben.id, "x", staff_attested=True))

    def test_they_are_taken_back_by_admins_alone(self, linked):
        ada, boss, _ = linked
        for _ in range(3):
            ask(users.WarnMember(boss.id, ada.id, "x"))
        assert ask(users.ClearWarnings(boss.id, ada.id)).warnings == 0


class TestEnrolling:
    def test_a_person_becomes_the_member_they_would_have_been(self, linked, told):
        _, boss, _ = linked
        new = Person("104", "cleo")
        made = ask(users.EnrolMember(boss.id, new.id, "104", "cleo", "Cleo", now()))
        assert (made.member_id, made.display_name, made.created, made.web_account) == (new.id, "Cleo", True, None)
        assert told("users.user_registered.v1")[-1].data.member_id == new.id
        again = ask(users.EnrolMember(boss.id, new.id, "104", "cleo", "Cleo", now()))
        assert (again.member_id, again.created) == (new.id, False)

    def test_who_is_linked_is_found_by_their_web_account(self, linked):
        _, boss, root = linked
        found = ask(users.EnrolMember(boss.id, boss.id, "102", "boss", "Boss", now()))
        assert (found.member_id, found.created, found.web_account) == (root, False, "root")


class TestAudit:
    def test_it_says_who_did_what_to_whom_and_hides_what_is_personal(self, linked):
        ada, boss, root = linked
        ask(users.WarnMember(boss.id, ada.id, "be kind"))
        with transaction() as session:
            moderation.change(session, root, ada.id, {"first_name": "Planted", "track": "tech"})
        changed, warned = ask(users.GetAuditTrail(boss.id, ada.id)).items
        assert (warned.action, warned.about, warned.by, warned.reason) == ("warned", "Planted", "root", "be kind")
        assert warned.changes == [users.AuditChange("warnings", "0", "1")]
        assert changed.changes == [users.AuditChange("track", None, "tech"), users.AuditChange("first_name")]
        assert "Planted" not in str(to_json(changed)["changes"])

    def test_it_is_read_page_by_page_and_as_far_back_as_one_wants(self, linked):
        ada, boss, _ = linked
        for number in range(5):
            ask(users.WarnMember(boss.id, ada.id, f"number {number}"))
        first = ask(users.GetAuditTrail(boss.id, ada.id, limit=3))
        second = ask(users.GetAuditTrail(boss.id, ada.id, limit=3, cursor=first.next_cursor))
        assert [record.reason for record in (*first.items, *second.items)] == [
            f"number {number}" for number in (4, 3, 2, 1, 0)
        ]
        assert second.next_cursor is None
        everybody = ask(users.GetAuditTrail(boss.id, limit=25))
        assert {record.action for record in everybody.items} == {"warned", "discord_linked"}

    def test_what_is_older_is_left_out(self, linked):
        ada, boss, root = linked
        old = new_id().int - (3 * 3600 * 1000 << 80)
        with transaction() as session:
            session.execute(
                text(
                    "INSERT INTO audit_entries (id, member_id, actor_id, action, before, after)"
                    " VALUES (CAST(:id AS uuid), :member, :actor, 'warned', '{}', '{}')"
                ),
                {"id": str(UUID(int=old)), "member": ada.id, "actor": root},
            )
        assert ask(users.GetAuditTrail(boss.id, ada.id, hours=2)).items == []
        assert len(ask(users.GetAuditTrail(boss.id, ada.id, hours=4)).items) == 1
