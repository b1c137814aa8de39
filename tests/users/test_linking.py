"""What a link and its end change: whose the Discord account is, what the others are told, and what stays true in any race."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fleet.contracts.users import Identity, LinkClaim, LinkConfirmation
from fleet.database import transaction
from fleet.messages import new_id, now
from services.users import accounts, linking, moderation, onboarding
from tests.answers import pointers, refused
from tests.conftest import SEED
from tests.locks import until_it_waits
from tests.users.conftest import PASSWORD
from tests.users.links import Browser, Person, link, slug

LINKS = ("users.discord_linked.v1", "users.accounts_merged.v1", "users.discord_unlinked.v1")


@pytest.fixture
def web(app) -> Callable[..., Browser]:
    return lambda name="ada", **words: Browser(app, name, **words)


@pytest.fixture
def ada(web) -> Browser:
    return web()


@pytest.fixture
def zoe() -> Person:
    person = Person("1043210000000000001", "zoe")
    person.seen()
    return person


@pytest.fixture
def root(app) -> Browser:
    return Browser(app, "root", role="admin")


def run(statement: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(text(statement), values)


def row(table: str, where: str, **values: Any) -> Any:
    with transaction() as session:
        return session.execute(text(f"SELECT * FROM {table} WHERE {where}"), values).one()


def mails(name: str = "ada") -> list[Any]:
    with transaction() as session:
        found = text("SELECT subject, text_body, html_body FROM mail_queue WHERE recipient = :to ORDER BY id")
        return list(session.execute(found, {"to": f"{name}@example.org"}))


def trail(root: Browser, member_id: Any) -> list[dict[str, Any]]:
    return root.send("GET", f"/api/users/{member_id}/audit/").json["items"]


class TestLinking:
    def test_the_discord_account_moves_and_its_born_member_is_gone(self, ada, zoe, row_count):
        link(ada, zoe)
        assert row_count("members") == 1
        found = row("members", "id = :id", id=ada.id)
        names = (found.discord_id, found.discord_username, found.discord_display_name, found.username)
        assert names == (zoe.discord_id, "zoe", "Zoe", "ada")
        user = ada.send("GET", "/api/users/profile/").json
        assert (user["discord_id"], user["discord_verified"]) == (zoe.discord_id, True)

    def test_the_others_are_told_in_the_same_commit(self, ada, zoe, told):
        before = len(told())
        link(ada, zoe)
        events = told()[before:]
        assert [event.type for event in events] == [
            "users.contact_changed.v1",
            "users.contact_changed.v1",
            "users.discord_linked.v1",
            "users.accounts_merged.v1",
        ]
        gone, kept, linked, merged = events
        assert (gone.data.member_id, gone.data.discord_id, gone.sequence) == (zoe.id, None, 2)
        assert (kept.data.member_id, kept.data.discord_id, kept.sequence) == (ada.id, zoe.discord_id, 2)
        assert (linked.data.member_id, linked.data.discord_born_id, linked.data.link_version) == (ada.id, zoe.id, 1)
        assert (merged.data.old_id, merged.data.new_id, merged.data.link_version) == (zoe.id, ada.id, 1)
        assert {linked.subject, kept.subject} == {str(ada.id)}
        assert {merged.subject, gone.subject} == {str(zoe.id)}

    def test_the_owner_gets_mail(self, ada, zoe):
        link(ada, zoe)
        [mail] = mails()
        assert mail.subject == "A Discord account was linked"
        assert "zoe" in mail.text_body
        assert "unlink it at" in mail.text_body

    def test_a_name_made_of_markup_is_harmless_in_the_mail(self, ada):
        link(ada, Person("9", "<b>$site\nBcc: eve@example.org"))
        [mail] = mails()
        assert "&lt;b&gt;$site" in mail.html_body
        assert "\nBcc" not in mail.text_body

    def test_it_is_audited(self, ada, zoe, root):
        link(ada, zoe)
        [entry] = trail(root, ada.id)
        assert (entry["action"], entry["actor_id"]) == ("discord_linked", str(ada.id))
        assert entry["after"]["discord_id"] == zoe.discord_id
        assert entry["after"]["discord_born_id"] == str(zoe.id)
        assert entry["before"]["discord_id"] is None

    def test_warnings_go_along(self, ada, zoe):
        run("UPDATE members SET warnings = 2 WHERE id = :id", id=zoe.id)
        run("UPDATE members SET warnings = 1 WHERE id = :id", id=ada.id)
        link(ada, zoe)
        assert row("members", "id = :id", id=ada.id).warnings == 3

    def test_a_role_given_in_discord_does_not_travel(self, ada, zoe):
        run("UPDATE members SET role = 'admin' WHERE id = :id", id=zoe.id)
        claimed = zoe.claim(ada.start())
        ada.confirm("zoe")
        assert slug(zoe.confirm(claimed.offer.link_id)) == "role-in-discord"
        assert ada.send("GET", "/api/users/profile/").json["role"] == "student"
        assert ada.status()["linked"] is False

    @pytest.mark.parametrize("role", ["student", "company", "university", "admin"])
    def test_the_role_of_the_web_account_stays(self, role, web, zoe):
        browser = web("someone", role=role)
        link(browser, zoe)
        assert row("members", "id = :id", id=browser.id).role == role

    def test_the_bot_may_go_on_seeing_the_person(self, ada, zoe, told, row_count):
        link(ada, zoe)
        for name in ("zoe", "zoe the great"):
            zoe.name = name
            zoe.seen()
        assert row_count("members") == 1
        assert row("members", "id = :id", id=ada.id).discord_username == "zoe the great"
        assert told("users.user_updated.v1")[-1].data.display_name == "ada"

    def test_what_still_carries_the_old_id_lands_on_the_web_member(self, ada, zoe, root):
        link(ada, zoe)
        path = f"/api/users/{zoe.id}/warn/"
        assert root.send("POST", path, json={"reason": "spam"}).json["id"] == str(ada.id)
        assert row("members", "id = :id", id=ada.id).warnings == 1
        assert root.send("GET", f"/api/users/{zoe.id}/").json["username"] == "ada"

    def test_an_admin_moderates_not_even_their_discord_account(self, root, zoe):
        link(root, zoe)
        for action, body in (("warn", {"reason": "x"}), ("suspend", {"reason": "x"}), ("clear_warnings", {})):
            refused(root.send("POST", f"/api/users/{zoe.id}/{action}/", json=body), 403, "forbidden")

    def test_who_am_i(self, ada, zoe):
        assert zoe.identity() == Identity("Zoe", "student", "active")
        link(ada, zoe)
        found = zoe.identity()
        assert (found.display_name, found.web_account, found.role) == ("ada", "ada", "student")
        assert found.linked_at <= now()
        assert slug(Person("404").identity()) == "not-found"

    def test_a_hundred_accounts_want_one_discord_account_and_one_gets_it(self, web, zoe, row_count, told):
        browsers = [web(f"member{number}") for number in range(100)]
        offers = []
        for browser in browsers:
            run("DELETE FROM rate_windows")
            offers.append(zoe.claim(browser.start()).offer)
            assert browser.confirm("zoe").status_code == 200
        with ThreadPoolExecutor(100) as pool:
            outcomes = list(pool.map(lambda offer: zoe.confirm(offer.link_id), offers))
        assert outcomes.count(LinkConfirmation("linked")) == 1
        refusals = [slug(outcome) for outcome in outcomes if outcome != LinkConfirmation("linked")]
        assert refusals == ["discord-already-linked"] * 99
        assert row_count("members", "discord_id = :id", id=zoe.discord_id) == 1
        assert len(told("users.accounts_merged.v1")) == 1

    def test_two_members_never_have_one_discord_account(self, ada, web):
        run("UPDATE members SET discord_id = '5' WHERE id = :id", id=ada.id)
        with pytest.raises(IntegrityError, match="uq_members_discord_id"):
            run("UPDATE members SET discord_id = '5' WHERE id = :id", id=web("ben").id)

    def test_two_born_members_never_lead_to_one_web_member(self, ada):
        for number in range(2):
            statement = "INSERT INTO discord_links (born_id, member_id, linked_at) VALUES (:id, :member, now())"
            if number:
                with pytest.raises(IntegrityError, match="uq_discord_links_member_id"):
                    run(statement, id=new_id(), member=ada.id)
            else:
                run(statement, id=new_id(), member=ada.id)


class TestUnlinking:
    def test_the_discord_born_member_exists_again_with_nothing(self, ada, zoe, told, row_count):
        run("UPDATE members SET warnings = 1 WHERE id = :id", id=zoe.id)
        link(ada, zoe)
        before = len(told())
        answer = ada.unlink()
        expected = {"linked": False, "discord_id": None, "discord_username": None, "pending": None}
        assert (answer.status_code, answer.json) == (200, expected)
        born = row("members", "id = :id", id=zoe.id)
        assert (born.discord_id, born.discord_username, born.username) == (zoe.discord_id, "zoe", None)
        assert (born.role, born.status, born.warnings) == ("student", "active", 0)
        events = told()[before:]
        assert [(event.type, event.data.member_id) for event in events] == [
            ("users.contact_changed.v1", ada.id),
            ("users.user_updated.v1", zoe.id),
            ("users.contact_changed.v1", zoe.id),
            ("users.discord_unlinked.v1", ada.id),
        ]
        assert (events[3].data.discord_born_id, events[3].data.link_version) == (zoe.id, 2)
        assert (events[0].data.discord_id, events[2].data.discord_id) == (None, zoe.discord_id)

    def test_no_event_of_the_new_beginning_is_older_than_one_of_before(self, ada, zoe, told):
        for name in ("zoe b", "zoe c", "zoe"):
            zoe.name = name
            zoe.seen()
        for _ in range(3):
            link(ada, zoe)
            assert ada.unlink().status_code == 200
        for member_id in (ada.id, zoe.id):
            for kind in ("users.contact_changed.v1", "users.user_updated.v1"):
                found = [event.sequence for event in told(kind) if event.data.member_id == member_id]
                assert found == sorted(set(found))
        versions = [event.data.link_version for event in told() if event.type in LINKS]
        assert versions == [1, 1, 2, 3, 3, 4, 5, 5, 6]

    def test_a_suspension_after_it_is_newer_than_one_of_before(self, ada, zoe, root, told):
        for action, body in (("suspend", {"reason": "spam"}), ("unsuspend", {})):
            assert root.send("POST", f"/api/users/{zoe.id}/{action}/", json=body).status_code == 200
        link(ada, zoe)
        ada.unlink()
        root.send("POST", f"/api/users/{zoe.id}/suspend/", json={"reason": "again"})
        states = [event.data for event in told("users.auth_state_changed.v1") if event.data.member_id == zoe.id]
        assert [state.security_version for state in states] == sorted({state.security_version for state in states})
        assert row("auth_state", "member_id = :id", id=zoe.id).status == "suspended"

    def test_the_bot_goes_on_with_the_born_member(self, ada, zoe, row_count):
        link(ada, zoe)
        ada.unlink()
        zoe.name = "zoe again"
        zoe.seen()
        assert row("members", "discord_id = :id", id=zoe.discord_id).id == zoe.id
        assert row("members", "id = :id", id=zoe.id).discord_username == "zoe again"
        assert row_count("members") == 2

    def test_it_can_be_linked_to_another_account_and_back(self, ada, zoe, web, told):
        ben = web("ben")
        for browser in (ada, ben, ada):
            link(browser, zoe)
            assert browser.unlink().status_code == 200
        merged = [(event.data.new_id, event.data.link_version) for event in told("users.accounts_merged.v1")]
        assert merged == [(ada.id, 1), (ben.id, 3), (ada.id, 5)]

    def test_the_web_account_can_have_another_discord_account(self, ada, zoe, told):
        link(ada, zoe)
        ada.unlink()
        link(ada, yan := Person("7", "yan"))
        assert row("members", "id = :id", id=ada.id).discord_id == "7"
        assert [event.data.old_id for event in told("users.accounts_merged.v1")] == [zoe.id, yan.id]

    def test_the_owner_gets_mail_and_it_is_audited(self, ada, zoe, root):
        link(ada, zoe)
        ada.unlink()
        assert mails()[1].subject == "Your Discord account was unlinked"
        assert "by you" in mails()[1].text_body
        entry = trail(root, ada.id)[0]
        assert (entry["action"], entry["actor_id"]) == ("discord_unlinked", str(ada.id))
        assert (entry["before"]["discord_id"], entry["after"]["discord_id"]) == (zoe.discord_id, None)

    def test_a_wrong_password_unlinks_nothing_and_is_counted(self, ada, zoe):
        link(ada, zoe)
        for _ in range(10):
            assert pointers(ada.unlink("wrong horse battery")) == ["/password"]
        refusal = ada.unlink()
        assert refused(refusal, 429)["retry_after"] == int(refusal.headers["Retry-After"])
        assert ada.status()["linked"] is True

    def test_who_is_not_linked_unlinks_nothing(self, ada):
        refused(ada.unlink(), 409, "not-linked")

    def test_unlinking_twice_at_once_is_done_once(self, ada, zoe, told):
        link(ada, zoe)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: ada.unlink(), range(4)))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert len(told("users.discord_unlinked.v1")) == 1

    def test_a_suspension_is_not_left_behind_by_unlinking(self, ada, zoe, root):
        link(ada, zoe)
        root.send("POST", f"/api/users/{ada.id}/suspend/", json={"reason": "spam"})
        refused(ada.again().unlink(), 409, "suspended")
        path = f"/api/users/{ada.id}/unlink_discord/"
        assert root.send("POST", path, json={"reason": "not theirs"}).status_code == 200

    def test_a_password_that_was_changed_meanwhile_unlinks_nothing(self, ada, zoe):
        from fleet.problems import InvalidFields

        link(ada, zoe)
        with pytest.raises(InvalidFields), transaction() as session:
            linking.unlink_own(session, ada.id, "the hash of before")
        assert ada.status()["linked"] is True

    def test_what_is_wrong_with_the_body_is_named(self, ada, zoe):
        link(ada, zoe)
        wrong: list[tuple[Any, str]] = [
            ({}, "/password"),
            ({"password": None}, "/password"),
            ({"password": ""}, "/password"),
            ({"password": "x" * 1001}, "/password"),
            ({"password": 12}, "/password"),
            ({"password": PASSWORD, "reason": "x"}, "/reason"),
            ([], "/"),
        ]
        for body, pointer in wrong:
            assert pointers(ada.send("DELETE", "/api/link", json=body)) == [pointer], body
        assert ada.status()["linked"] is True

    def test_a_body_that_cannot_be_read_is_refused(self, ada):
        refused(ada.send("DELETE", "/api/link"), 422)
        refused(ada.send("DELETE", "/api/link", data="x", content_type="text/plain"), 415)
        refused(ada.send("DELETE", "/api/link", data="{", content_type="application/json"), 400)


class TestUnlinkingByAnAdmin:
    def test_it_unlinks_is_audited_and_told_to_the_owner(self, ada, zoe, root):
        link(ada, zoe)
        answer = root.send("POST", f"/api/users/{ada.id}/unlink_discord/", json={"reason": "lost phone"})
        assert (answer.status_code, answer.json["discord_id"], answer.json["username"]) == (200, None, "ada")
        entry = trail(root, ada.id)[0]
        assert (entry["action"], entry["actor_id"]) == ("discord_unlinked", str(root.id))
        assert entry["reason"] == "lost phone"
        assert "by an administrator" in mails()[1].text_body
        assert row("members", "discord_id = :id", id=zoe.discord_id).id == zoe.id

    def test_by_the_id_of_the_discord_born_member_too(self, ada, zoe, root):
        link(ada, zoe)
        assert root.send("POST", f"/api/users/{zoe.id}/unlink_discord/", json={"reason": "x"}).json["id"] == str(ada.id)

    @pytest.mark.parametrize("role", ["student", "company", "university"])
    def test_only_admins(self, role, ada, zoe, web):
        link(ada, zoe)
        other = web("other", role=role)
        refused(other.send("POST", f"/api/users/{ada.id}/unlink_discord/", json={"reason": "x"}), 403, "forbidden")
        assert ada.status()["linked"] is True

    def test_nobody_without_a_token(self, client):
        refused(client.post(f"/api/users/{new_id()}/unlink_discord/", json={"reason": "x"}), 401)

    def test_a_former_admin_changes_nothing(self, ada, zoe, root):
        link(ada, zoe)
        run("UPDATE members SET role = 'student' WHERE id = :id", id=root.id)
        refused(root.send("POST", f"/api/users/{ada.id}/unlink_discord/", json={"reason": "x"}), 403)
        assert ada.status()["linked"] is True

    def test_who_is_not_linked_or_not_there(self, ada, zoe, root):
        for member_id, status in ((ada.id, 409), (zoe.id, 409), (new_id(), 404), ("ada", 404)):
            refused(root.send("POST", f"/api/users/{member_id}/unlink_discord/", json={"reason": "x"}), status)
        assert row("members", "id = :id", id=zoe.id).discord_id == zoe.discord_id

    def test_a_reason_is_needed(self, ada, zoe, root):
        link(ada, zoe)
        for body in ({}, {"reason": ""}, {"reason": "x" * 501}, {"reason": None}, {"reason": 5}):
            assert pointers(root.send("POST", f"/api/users/{ada.id}/unlink_discord/", json=body)) == ["/reason"]
        assert ada.status()["linked"] is True


class TestRaces:
    @pytest.mark.parametrize("change", ["link", "unlink"])
    @pytest.mark.parametrize("work", ["seen", "warned"])
    def test_what_waited_for_a_change_of_the_link_lands_where_the_account_is_now(self, change, work, ada, zoe, root):
        """Fails without the second look under the lock: the member that was locked is not the one that has it now."""
        if change == "link":
            offer = zoe.claim(ada.start()).offer
            ada.confirm("zoe")
        else:
            link(ada, zoe)

        def late() -> Any:
            if work == "seen":
                zoe.name = "zoe renamed"
                return zoe.seen()
            with transaction() as session:
                return moderation.warn(session, root.id, zoe.id, "late").id

        with ThreadPoolExecutor(1) as pool:
            with transaction() as session:
                if change == "link":
                    from services.users import link_codes

                    link_codes.confirm_in_discord(session, offer.link_id, zoe.discord_id, True)
                else:
                    linking.unlink_own(session, ada.id, row("members", "id = :id", id=ada.id).password_hash)
                session.flush()
                waiting = pool.submit(late)
                until_it_waits()
            outcome = waiting.result(10)
        owner = ada.id if change == "link" else zoe.id
        if work == "seen":
            assert outcome is None
            assert row("members", "discord_id = :id", id=zoe.discord_id).discord_username == "zoe renamed"
            assert row("members", "discord_id = :id", id=zoe.discord_id).id == owner
        else:
            assert outcome == owner
            assert row("members", "id = :id", id=owner).warnings == 1

    def test_an_unlink_that_waited_for_another_finds_nothing_to_unlink(self, ada, zoe, told):
        link(ada, zoe)
        stored = row("members", "id = :id", id=ada.id).password_hash

        def unlink() -> None:
            with transaction() as session:
                linking.unlink_own(session, ada.id, stored)

        with ThreadPoolExecutor(1) as pool:
            with transaction() as session:
                # The other one comes after the locks were taken and before anything is changed.
                linking.lock_link(session, zoe.id)
                linking.lock_members(session, ada.id)
                waiting = pool.submit(unlink)
                until_it_waits()
                linking.unlink_own(session, ada.id, stored)
            with pytest.raises(linking.NotLinked):
                waiting.result(10)
        assert len(told("users.discord_unlinked.v1")) == 1

    def test_in_any_tumble_every_account_has_one_member_and_the_versions_no_gaps(self, web, told, row_count):
        """Three web members and two Discord accounts link and unlink as they like, while the bot goes on seeing both."""
        random = Random(SEED)
        browsers = [web(f"member{number}") for number in range(3)]
        people = [Person(str(number)) for number in (1, 2)]
        for person in people:
            person.seen()
        stop = threading.Event()

        def tumble(seed: int) -> None:
            own = Random(seed)
            for _ in range(12):
                browser, person = own.choice(browsers), own.choice(people)
                run("DELETE FROM rate_windows")
                if own.random() < 0.3:
                    browser.unlink()
                    continue
                started = browser.send("POST", "/api/link/start")
                claimed = person.claim(started.json["code"]) if started.status_code == 200 else None
                if isinstance(claimed, LinkClaim) and claimed.offer:
                    steps = [
                        lambda b=browser, p=person: b.confirm(p.name),
                        lambda p=person, o=claimed.offer: p.confirm(o.link_id),
                    ]
                    own.shuffle(steps)
                    assert getattr(steps[0](), "status_code", 200) < 500
                    assert getattr(steps[1](), "status_code", 200) < 500

        def see() -> None:
            while not stop.is_set():
                for person in people:
                    assert person.seen() is None

        with ThreadPoolExecutor(7) as pool:
            seeing = pool.submit(see)
            for done in [pool.submit(tumble, random.random()) for _ in range(6)]:
                done.result(60)
            stop.set()
            seeing.result(10)
        versions: dict[Any, list[int]] = {}
        now_with: dict[Any, Any] = {}
        for event in told():
            if event.type == "users.accounts_merged.v1":
                versions.setdefault(event.data.old_id, []).append(event.data.link_version)
                now_with[event.data.old_id] = event.data.new_id
            elif event.type == "users.discord_unlinked.v1":
                versions.setdefault(event.data.discord_born_id, []).append(event.data.link_version)
                now_with[event.data.discord_born_id] = event.data.discord_born_id
        assert versions, "something was linked"
        for found in versions.values():
            assert found == list(range(1, len(found) + 1))
        for person in people:
            member = row("members", "discord_id = :id", id=person.discord_id)
            assert member.id == now_with.get(person.id, person.id)
        assert row_count("members") == 3 + sum(now_with.get(person.id, person.id) == person.id for person in people)

    def test_activity_of_the_old_id_is_noted_with_the_web_member(self, ada, zoe):
        link(ada, zoe)
        run("UPDATE members SET last_activity_at = NULL")
        zoe.seen()
        assert row("members", "id = :id", id=ada.id).last_activity_at is not None
        with transaction() as session:
            assert onboarding.was_active(session, accounts.get(session, zoe.id).id, now()) is False
