"""A member is forgotten: closed at once, everywhere by message, counted once, and brought back by nothing but a command."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from fleet.contracts import by_type
from fleet.contracts.users import RegisterMember
from fleet.database import transaction
from fleet.messages import now
from fleet.problems import Problem
from services.users import accounts, erasures, holders
from tests.answers import pointers, refused
from tests.users.conftest import PASSWORD
from tests.users.holding import asked, database_text, forget, let_time_pass, show, work
from tests.users.links import Browser, Person, hear, link

PROFILE = "/api/users/profile/"
SECRETS = {
    "username": "quillmaster",
    "first_name": "Zaphiraline",
    "last_name": "Quillfeatherton",
    "email": "zaphira@planted.example.org",
    "university": "Univ of Krellport",
    "company": "Brontolamp Works",
    "major": "Applied Xenolinguistics",
    "discord_id": "1043210000000007777",
    "discord_username": "zaphdiscord",
    "discord_display_name": "Zaphdiscord",
    "suspension_reason": "planted reason of the suspension",
    "warning_reason": "planted reason of the warning",
    "admin_note": "planted unlink reason",
}


@pytest.fixture
def ada(app) -> Browser:
    return Browser(app, "ada")


@pytest.fixture
def root(app) -> Browser:
    return Browser(app, "root", role="admin")


def erase(browser: Browser, password: str = PASSWORD) -> Any:
    return browser.send("DELETE", PROFILE, json={"password": password})


def erase_for(root: Browser, member_id: Any, **body: Any) -> Any:
    return root.send("POST", f"/api/users/{member_id}/erase/", json={"confirm": True} | body)


def everybody_forgets() -> None:
    for service in holders.HOLDERS:
        forget(service)


def state(app: Any, receipt: str) -> dict[str, Any]:
    answer = app.test_client().get(f"/api/users/erasures/{receipt}/")
    assert answer.status_code == 200, answer.text
    return answer.json


def eventually_refused(browser: Browser) -> None:
    """Within two seconds the token is worth nothing."""
    deadline = time.monotonic() + 2
    while browser.send("GET", PROFILE).status_code != 401:
        assert time.monotonic() < deadline


@pytest.fixture
def planted(app, post, root) -> Browser:
    """A member of whom something is in every table of users."""
    made = post(
        "register",
        username=SECRETS["username"],
        email=SECRETS["email"],
        password=PASSWORD,
        **{name: SECRETS[name] for name in ("first_name", "last_name", "university", "company", "major")},
    ).json
    browser = Browser(app, SECRETS["username"], member_id=UUID(made["user"]["id"]))
    for _ in range(2):
        link(browser, Person(SECRETS["discord_id"], SECRETS["discord_username"]))
        body = {"reason": SECRETS["admin_note"]}
        assert root.send("POST", f"/api/users/{browser.id}/unlink_discord/", json=body).status_code == 200
    link(browser, Person(SECRETS["discord_id"], SECRETS["discord_username"]))
    for action, reason in (("warn", "warning_reason"), ("suspend", "suspension_reason")):
        root.send("POST", f"/api/users/{browser.id}/{action}/", json={"reason": SECRETS[reason]})
    root.send("POST", f"/api/users/{browser.id}/unsuspend/")
    browser = browser.again()
    browser.send("POST", "/api/users/consent/", json={"media_consent": True})
    post("reset_password", email=SECRETS["email"])
    browser.send("GET", "/api/users/export/")
    show("points", {"notes": ["planted reason of the suspension"]}, "more")
    return browser


class TestForgetting:
    def test_no_word_is_left_in_any_table(self, planted, app):
        before = database_text()
        assert [name for name, word in SECRETS.items() if word not in before] == []
        answer = erase(planted)
        assert answer.status_code == 202
        left = [name for name, word in SECRETS.items() if word in database_text()]
        assert left == ["email"], "the address, for the last letter"
        everybody_forgets()
        let_time_pass("DELETE FROM mail_queue")
        work()
        found = database_text().lower()
        assert [name for name, word in SECRETS.items() if word.lower() in found] == []
        assert state(app, answer.json["receipt"])["state"] == "erased"

    def test_every_id_is_asked_for_under_one_pseudonym(self, planted):
        erase(planted)
        for service in holders.HOLDERS:
            [command] = asked(service, "erase")
            assert command.data.member_ids == [planted.id, Person(SECRETS["discord_id"]).id]
            assert command.data.pseudonym not in command.data.member_ids

    def test_the_audit_trail_follows_the_pseudonym(self, planted, root, row_count):
        entries = row_count("audit_entries", "member_id = :id", id=planted.id)
        pseudonym = erase_for(root, planted.id).json["pseudonym"]
        assert row_count("audit_entries", "member_id = :id OR actor_id = :id", id=planted.id) == 0
        trail = root.send("GET", f"/api/users/{pseudonym}/audit/").json["items"]
        assert len(trail) == entries + 1
        assert (trail[0]["action"], trail[0]["actor_id"], trail[0]["after"]) == (
            "erased",
            str(root.id),
            {"status": "erased"},
        )
        assert {entry["reason"] for entry in trail} == {None}
        refused(root.send("GET", f"/api/users/{planted.id}/audit/"), 404)

    def test_the_service_itself_cannot_move_any_other_entry(self, ada, root, row_count):
        root.send("POST", f"/api/users/{ada.id}/warn/", json={"reason": "x"})
        with pytest.raises(ProgrammingError), transaction() as session:
            session.execute(text("UPDATE audit_entries SET member_id = gen_random_uuid()"))
        with transaction() as session:
            session.execute(text("SELECT audit_under_pseudonym(gen_random_uuid())"))
        assert row_count("audit_entries", "member_id = :id AND actor_id = :root", id=ada.id, root=root.id) == 1

    def test_what_others_know_of_a_link_that_was_loses_the_name(self, ada, root, row_count):
        """The Discord account was linked to Ada; then it is its own again, and that one is erased."""
        zoe = Person("77889911", "zoe-of-discord")
        link(ada, zoe)
        assert ada.unlink().status_code == 200
        assert erase_for(root, zoe.id).status_code == 202
        everybody_forgets()
        let_time_pass("DELETE FROM mail_queue")
        assert "77889911" not in database_text()
        assert "zoe-of-discord" not in database_text()
        assert ada.send("GET", PROFILE).status_code == 200

    def test_a_new_account_may_take_the_name_and_the_address(self, post, register, client):
        made = register("ada")
        headers = {"Authorization": f"Bearer {made['tokens']['access']}"}
        body = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
        assert post("register", **body).status_code == 409
        assert client.delete(PROFILE, headers=headers, json={"password": PASSWORD}).status_code == 202
        assert post("register", **body).status_code == 201

    def test_numbers_that_order_events_go_on(self, ada, told, row_count):
        erase(ada)
        assert row_count("members", "id = :id AND status = 'erased' AND version = 2", id=ada.id) == 1
        [state_changed] = told("users.auth_state_changed.v1")
        assert (state_changed.data.status, state_changed.data.security_version) == ("erased", 2)


class TestClosing:
    def test_the_account_is_closed_at_once(self, app, post, ada):
        erase(ada)
        eventually_refused(ada)
        refused(post("login", username="ada", password=PASSWORD), 401)
        refused(post("refresh", refresh=ada.tokens["refresh"]), 401)
        assert post("reset_password", email="ada@example.org").status_code == 202
        work()
        with transaction() as session:
            assert session.scalar(text("SELECT count(*) FROM mail_queue")) == 0

    def test_a_wrong_password_changes_nothing_and_is_counted(self, ada, monkeypatch, row_count):
        monkeypatch.setenv("USERS_LOGIN_FAILURES", "2")
        for _ in range(2):
            assert pointers(erase(ada, "wrong")) == ["/password"]
        assert refused(erase(ada, "wrong"), 429)
        assert refused(erase(ada), 429), "the right one does not matter then"
        assert row_count("erasures") == 0
        assert ada.send("GET", PROFILE).status_code == 200

    @pytest.mark.parametrize("body", [None, {}, {"password": ""}, {"password": 7}, {"password": "x", "more": 1}, []])
    def test_bad_input_changes_nothing(self, ada, body, row_count):
        answer = ada.send("DELETE", PROFILE, json=body)
        assert answer.status_code in (400, 415, 422)
        refused(answer, answer.status_code)
        assert row_count("erasures") == 0

    def test_without_a_password_one_has_to_be_chosen_first(self, ada, row_count):
        let_time_pass("UPDATE members SET password_hash = NULL")
        body = refused(erase(ada), 409, "no-password")
        assert "reset_password" in body["detail"]
        assert row_count("erasures") == 0

    def test_a_password_that_was_changed_meanwhile_does_not_count(self, ada):
        with pytest.raises(Problem), transaction() as session:
            erasures.erase_own(session, ada.id, "the hash of before")

    def test_of_many_at_once_one_erases(self, ada, row_count):
        with ThreadPoolExecutor(8) as pool:
            statuses = sorted(answer.status_code for answer in pool.map(lambda _: erase(ada), range(8)))
        assert statuses[0] == 202
        assert set(statuses[1:]) <= {401, 404}
        assert row_count("erasures") == 1
        assert [len(asked(service, "erase")) for service in holders.HOLDERS] == [1] * len(holders.HOLDERS)


class TestByAdmin:
    def test_somebody_known_by_discord_only(self, root, app, row_count):
        zoe = Person("42", "zoe")
        zoe.seen()
        answer = erase_for(root, zoe.id)
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/api/users/erasures/{answer.json['receipt']}/"
        assert asked("bot", "erase")[0].data.member_ids == [zoe.id]
        everybody_forgets()
        assert state(app, answer.json["receipt"])["state"] == "erased", "there is no letter to wait for"

    def test_only_admins_and_not_themselves(self, ada, root, row_count):
        refused(erase_for(ada, root.id), 403)
        refused(erase_for(root, root.id), 403)
        refused(erase_for(root, uuid4()), 404)
        assert pointers(erase_for(root, ada.id, confirm=False)) == ["/confirm"]
        assert row_count("erasures") == 0

    def test_one_admin_always_remains(self, app, root):
        assert refused(erase(root), 409, "last-admin")
        other = Browser(app, "other", role="admin")
        with ThreadPoolExecutor(2) as pool:
            statuses = sorted(answer.status_code for answer in pool.map(erase, (root, other)))
        assert statuses == [202, 409]

    def test_twice_is_once(self, ada, root, row_count):
        assert erase_for(root, ada.id).status_code == 202
        refused(erase_for(root, ada.id), 404)
        assert row_count("erasures") == 1


class TestAnswers:
    def test_each_answer_is_counted_once(self, app, ada, told, row_count):
        receipt = erase(ada).json["receipt"]
        for _ in range(3):
            forget("points", rows=7)
        assert state(app, receipt)["services"] == {"points": "erased", "bot": "waiting"}
        assert told("users.user_erased.v1") == []
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: forget("bot"), range(4)))
        assert len(told("users.user_erased.v1")) == 1
        assert row_count("erasure_tasks", "service = 'points' AND rows = 7") == 1
        assert row_count("answers") == 0

    def test_the_last_two_answers_at_once_complete_it(self, ada, told):
        erase(ada)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(forget, holders.HOLDERS))
        [event] = told("users.user_erased.v1")
        assert (event.data.member_id, event.subject) == (ada.id, str(ada.id))

    def test_who_does_not_answer_is_asked_again_more_and_more_rarely(self, ada, row_count):
        erase(ada)
        forget("bot")
        work()
        assert len(asked("points", "erase")) == 1
        pauses = []
        for asks in range(2, 10):
            let_time_pass("UPDATE erasure_tasks SET due_at = now() WHERE answered_at IS NULL")
            work()
            assert len(asked("points", "erase")) == asks
            with transaction() as session:
                wait = text("SELECT extract(epoch FROM due_at - now()) FROM erasure_tasks WHERE service = 'points'")
                pauses.append(round(session.execute(wait).scalar_one()))
        assert len(asked("bot", "erase")) == 1, "who has answered is left alone"
        assert pauses == sorted(pauses)
        assert pauses[0] < pauses[-1] == 3600
        commands = asked("points", "erase")
        assert len({(command.data.erasure_id, command.data.pseudonym) for command in commands}) == 1
        forget("points", which=0)
        work()
        assert row_count("erasures", "answered_at IS NOT NULL") == 1, "an answer to any of them will do"

    def test_it_can_be_asked_for_once_more_after_a_restore(self, ada, told):
        erase(ada)
        everybody_forgets()
        with transaction() as session:
            assert erasures.replay(session) == len(holders.HOLDERS)
        work()
        assert len(asked("points", "erase")) == 2
        everybody_forgets()
        assert len(told("users.user_erased.v1")) == 1


class TestLetter:
    def letters(self) -> list[Any]:
        with transaction() as session:
            return list(session.execute(text("SELECT id, recipient, subject FROM mail_queue")))

    def test_it_goes_out_when_all_is_done_and_the_address_with_it(self, app, ada, row_count):
        receipt = erase(ada).json["receipt"]
        assert self.letters() == []
        forget("points")
        assert self.letters() == []
        forget("bot")
        [letter] = self.letters()
        assert (letter.recipient, letter.subject) == ("ada@example.org", "Your account is erased")
        assert row_count("erasures", "letter_to IS NULL") == 1
        work()
        assert state(app, receipt)["state"] == "erasing", "as long as the letter waits"
        let_time_pass("DELETE FROM mail_queue")
        work()
        found = state(app, receipt)
        assert (found["state"], found["services"]) == ("erased", dict.fromkeys(holders.HOLDERS, "erased"))
        assert found["finished_at"].endswith("Z")
        assert "ada" not in str(found)

    @pytest.mark.parametrize(
        "fate",
        ["UPDATE mail_queue SET failed_at = now()", "UPDATE erasures SET answered_at = now() - interval '8 days'"],
    )
    def test_one_that_nobody_takes_does_not_keep_the_address(self, app, ada, fate):
        receipt = erase(ada).json["receipt"]
        everybody_forgets()
        let_time_pass(fate)
        work()
        assert self.letters() == []
        assert state(app, receipt)["state"] == "erased"
        assert "ada@example.org" not in database_text()

    def test_letters_that_waited_are_not_sent_any_more(self, register, app):
        made = register("ada")
        assert len(self.letters()) == 1
        headers = {"Authorization": f"Bearer {made['tokens']['access']}"}
        app.test_client().delete(PROFILE, headers=headers, json={"password": PASSWORD})
        assert self.letters() == []

    def test_an_unknown_receipt_is_none(self, client):
        refused(client.get("/api/users/erasures/nothing/"), 404)


class TestComingBack:
    def back(self, person: Person) -> UUID:
        """They use a command: the bot gives them a random id."""
        fresh = uuid4()
        hear(RegisterMember(fresh, person.discord_id, person.name, person.name, now(), derived_id=person.id))
        return fresh

    @pytest.mark.parametrize("linked", [True, False])
    def test_being_seen_brings_nobody_back(self, ada, root, linked, row_count, told):
        zoe = Person("42", "zoe")
        if linked:
            link(ada, zoe)
            assert erase(ada).status_code == 202
        else:
            zoe.seen()
            erase_for(root, zoe.id)
        before = len(told())
        assert isinstance(zoe.seen(), Problem)
        assert len(told()) == before
        assert row_count("members", "discord_id IS NOT NULL") == 0
        assert row_count("members", "id = :id AND status = 'erased'", id=zoe.id) == 1

    def test_a_sighting_that_crosses_the_erasure_brings_nobody_back(self, ada, row_count):
        """Fails without the row that keeps the id taken: the sighting waits for the erasure and then finds the way free."""
        zoe = Person("42", "zoe")
        link(ada, zoe)
        begun, seen = threading.Event(), threading.Thread(target=zoe.seen)
        with transaction() as session:
            stored = accounts.get(session, ada.id).password_hash
            erasures.erase_own(session, ada.id, stored)
            seen.start()
            begun.wait(0.3)
            assert seen.is_alive(), "it waits for the erasure"
        seen.join()
        assert row_count("members", "discord_id IS NOT NULL") == 0

    def test_a_command_makes_a_new_member_and_the_derived_id_leads_there_when_all_is_forgotten(
        self, ada, told, row_count
    ):
        zoe = Person("42", "zoe")
        link(ada, zoe)
        erase(ada)
        forget("points")
        fresh = self.back(zoe)
        assert row_count("members", "id = :id AND discord_id = '42' AND status = 'active'", id=fresh) == 1
        assert len(told("users.accounts_merged.v1")) == 1, "the bot still has to forget what the derived id leads to"
        forget("bot")
        merged = told("users.accounts_merged.v1")[-1]
        assert (merged.data.old_id, merged.data.new_id, merged.data.link_version) == (zoe.id, fresh, 2)

    def test_who_comes_back_later_is_told_at_once_and_once(self, ada, told):
        zoe = Person("42", "zoe")
        link(ada, zoe)
        erase(ada)
        everybody_forgets()
        fresh = self.back(zoe)
        for _ in range(2):
            hear(RegisterMember(fresh, zoe.discord_id, "zoe", "zoe", now(), derived_id=zoe.id))
        assert [event.data.new_id for event in told("users.accounts_merged.v1")] == [ada.id, fresh]

    def test_again_and_again(self, root, told):
        zoe = Person("42", "zoe")
        zoe.seen()
        erase_for(root, zoe.id)
        everybody_forgets()
        for round_ in range(1, 4):
            fresh = self.back(zoe)
            merged = told("users.accounts_merged.v1")[-1].data
            assert (merged.old_id, merged.new_id, merged.link_version) == (zoe.id, fresh, round_)
            assert erase_for(root, fresh).status_code == 202
            assert set(asked("points", "erase")[-1].data.member_ids) == {fresh, zoe.id}
            everybody_forgets()

    def test_who_came_back_can_link_and_unlink_like_anybody(self, app, root, row_count):
        zoe = Person("42", "zoe")
        zoe.seen()
        erase_for(root, zoe.id)
        everybody_forgets()
        fresh = self.back(zoe)
        berta = Browser(app, "berta")
        zoe.id = fresh
        link(berta, zoe)
        assert row_count("members", "id = :id AND discord_id = '42'", id=berta.id) == 1
        assert berta.unlink().status_code == 200
        assert row_count("members", "id = :id AND discord_id = '42'", id=fresh) == 1


class TestRaces:
    def test_a_link_and_an_erasure_at_once_leave_one_truth(self, app, row_count):
        for number in range(6):
            web, person = Browser(app, f"web{number}"), Person(f"9{number}", f"person{number}")
            person.seen()
            offer = person.claim(web.start()).offer
            web.confirm(person.name)
            with ThreadPoolExecutor(2) as pool:
                erasing = pool.submit(erase, web)
                pool.submit(person.confirm, offer.link_id).result()
                status = erasing.result().status_code
            assert status in (202, 409)
            if status == 202:
                ids = asked("points", "erase")[-1].data.member_ids
                linked = row_count("members", "discord_id = :d AND status = 'active'", d=person.discord_id) == 0
                assert ids == ([web.id, person.id] if linked else [web.id])
        assert row_count("discord_links l JOIN members m ON m.id = l.member_id", "m.status = 'erased'") == 0

    def test_a_part_of_an_export_that_comes_after_the_erasure_is_not_kept(self, ada):
        ada.send("GET", "/api/users/export/")
        erase(ada)
        show("points", {"transfers": [{"text": "planted-too-late"}]}, "more")
        assert "planted-too-late" not in database_text()
        assert len(asked("points", "export")) == 1


def test_the_public_event_says_nothing_about_the_person(planted, told):
    erase(planted)
    everybody_forgets()
    [event] = told("users.user_erased.v1")
    assert set(event.data.__dataclass_fields__) == {"member_id", "erased_at"}
    assert event.data.member_id == planted.id


def test_every_service_that_can_forget_is_asked_to():
    """And asked to show: a service joins by its name in HOLDERS."""
    for action in ("erase_member", "export_member"):
        able = {contract.owner for type_, contract in by_type.items() if type_.endswith(f".{action}.v1")}
        assert able == set(holders.HOLDERS)
