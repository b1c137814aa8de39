"""Confirming an address, changing a password, getting back in without one; and how often an account may be tried."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from fleet.database import transaction
from services.users import passwords_api, recovery
from services.users.api import passwords
from tests.answers import alike, pointers, refused
from tests.users.conftest import PASSWORD

NEW = "a quite different one"


@pytest.fixture
def mails() -> Callable[..., list[Any]]:
    """What is queued for an address, oldest first; forgets it."""

    def read(address: str = "ada@example.org") -> list[Any]:
        with transaction() as session:
            rows = session.execute(
                text("DELETE FROM mail_queue WHERE recipient = :address RETURNING id, subject, text_body"),
                {"address": address},
            ).all()
        return sorted(rows)

    return read


def code_in(mail: Any) -> str:
    [found] = [line for line in mail.text_body.splitlines() if len(line) == 43 and " " not in line]
    return found


def answer_requests() -> None:
    with transaction() as session:
        recovery.answer_requests(session)


def expire() -> None:
    with transaction() as session:
        session.execute(text("UPDATE one_time_tokens SET expires_at = now() - interval '1 second'"))


@pytest.fixture
def forgot(post, mails) -> Callable[..., str]:
    """Ada forgot her password: the code from the mail."""

    def ask() -> str:
        assert post("reset_password", email="ada@example.org").status_code == 202
        answer_requests()
        return code_in(mails()[-1])

    return ask


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access']}"}


def ended(client, tokens: dict[str, str]) -> None:
    """The access token is refused within two seconds."""
    deadline = time.monotonic() + 2
    while client.get("/api/users/profile/", headers=bearer(tokens)).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    refused(client.get("/api/users/profile/", headers=bearer(tokens)), 401)


class TestVerification:
    def test_the_first_letter_carries_the_code(self, register, post, mails, client, told):
        ada = register("ada")
        assert ada["user"]["email_verified"] is False
        [welcome] = mails()
        answer = post("verify_email", token=code_in(welcome))
        assert (answer.status_code, answer.json["email_verified"]) == (200, True)
        assert client.get("/api/users/profile/", headers=bearer(ada["tokens"])).json["email_verified"] is True
        [contact] = told("users.contact_changed.v1")
        assert (contact.data.email, contact.sequence) == ("ada@example.org", 2)

    def test_a_code_works_once_and_for_one_day(self, register, post, mails):
        register("ada")
        code = code_in(mails()[0])
        expire()
        assert pointers(post("verify_email", token=code)) == ["/token"]
        with transaction() as session:
            session.execute(text("UPDATE one_time_tokens SET expires_at = now() + interval '1 hour'"))
        assert post("verify_email", token=code).status_code == 200
        assert pointers(post("verify_email", token=code)) == ["/token"]

    def test_of_twenty_at_once_one_is_told_it_worked(self, register, post, mails, told):
        register("ada")
        code = code_in(mails()[0])
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(lambda _: post("verify_email", token=code).status_code, range(20)))
        assert sorted(answers) == [200] + [422] * 19
        assert len(told("users.contact_changed.v1")) == 1

    def test_a_code_for_another_purpose_or_another_address_is_none(self, register, post, forgot, mails):
        register("ada")
        welcome = code_in(mails()[0])
        reset = forgot()
        assert pointers(post("verify_email", token=reset)) == ["/token"]
        assert pointers(post("reset_password/confirm", token=welcome, password=NEW)) == ["/token"]
        with transaction() as session:
            session.execute(text("UPDATE members SET email = 'b@example.org', email_key = 'b@example.org'"))
        assert pointers(post("verify_email", token=welcome)) == ["/token"]
        assert pointers(post("reset_password/confirm", token=reset, password=NEW)) == ["/token"]

    def test_codes_are_not_kept_in_the_clear(self, register, mails, row_count):
        register("ada")
        code = code_in(mails()[0])
        assert row_count("one_time_tokens", "one_time_tokens::text LIKE :code", code=f"%{code}%") == 0

    @pytest.mark.parametrize("body", [{}, {"token": ""}, {"token": 5}, {"token": "x" * 201}, {"token": "x"}, []])
    def test_anything_else_is_refused(self, body, client):
        assert pointers(client.post("/api/users/verify_email/", json=body))

    @pytest.mark.parametrize("role", ["student", "company"])
    def test_a_new_code_voids_the_one_before(self, role, register, post, mails, client):
        ada = register("ada", role=role)
        first = code_in(mails()[0])
        again = client.post("/api/users/resend_verification/", headers=bearer(ada["tokens"]))
        assert again.status_code == 202
        second = code_in(mails()[0])
        assert pointers(post("verify_email", token=first)) == ["/token"]
        assert post("verify_email", token=second).status_code == 200
        refused(client.post("/api/users/resend_verification/", headers=bearer(ada["tokens"])), 409, "already-verified")
        refused(client.post("/api/users/resend_verification/"), 401)

    def test_five_new_codes_an_hour(self, register, client):
        headers = bearer(register("ada")["tokens"])
        statuses = [client.post("/api/users/resend_verification/", headers=headers) for _ in range(6)]
        assert [answer.status_code for answer in statuses] == [202] * 5 + [429]
        assert 3500 < int(statuses[-1].headers["Retry-After"]) <= 3600


class TestChangingAPassword:
    def change(self, client, tokens, current=PASSWORD, new=NEW):
        body = {"current_password": current, "new_password": new}
        return client.post("/api/users/change_password/", headers=bearer(tokens), json=body)

    @pytest.mark.parametrize("role", ["student", "company"])
    def test_it_ends_every_sign_in_and_is_told_by_mail(self, role, register, client, post, mails, told):
        ada = register("ada", role=role)
        other = post("login", username="ada", password=PASSWORD).json["tokens"]
        mails()
        assert self.change(client, ada["tokens"]).status_code == 200
        ended(client, ada["tokens"])
        for tokens in (ada["tokens"], other):
            refused(post("refresh", refresh=tokens["refresh"]), 401)
        refused(post("login", username="ada", password=PASSWORD), 401)
        assert post("login", username="ada", password=NEW).status_code == 200
        assert [mail.subject for mail in mails()] == ["Your password was changed"]
        assert told("users.auth_state_changed.v1")[-1].data.security_version == 2

    def test_a_wrong_present_password_changes_nothing(self, register, client, post):
        ada = register("ada")
        assert pointers(self.change(client, ada["tokens"], current="wrong")) == ["/current_password"]
        assert post("login", username="ada", password=PASSWORD).status_code == 200

    @pytest.mark.parametrize("new", ["short", "password123", "x" * 201, "ada"])
    def test_the_new_one_must_be_good(self, new, register, client):
        assert pointers(self.change(client, register("ada")["tokens"], new=new)) == ["/new_password"]

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"current_password": PASSWORD}, "/new_password"),
            ({"new_password": NEW}, "/current_password"),
            ({"current_password": PASSWORD, "new_password": 5}, "/new_password"),
            ({"current_password": PASSWORD, "new_password": NEW, "user": "x"}, "/user"),
            ([], "/"),
        ],
    )
    def test_bad_bodies(self, body, pointer, register, client):
        headers = bearer(register("ada")["tokens"])
        assert pointers(client.post("/api/users/change_password/", headers=headers, json=body)) == [pointer]

    def test_it_needs_a_token_and_counts_wrong_guesses(self, register, client, post):
        refused(client.post("/api/users/change_password/", json={}), 401)
        ada = register("ada")
        for _ in range(10):
            assert pointers(self.change(client, ada["tokens"], current="wrong")) == ["/current_password"]
        refused(self.change(client, ada["tokens"]), 429)
        refused(post("login", username="ada", password=PASSWORD), 429)

    def test_of_two_at_once_one_wins(self, register, client, post, monkeypatch):
        ada = register("ada")
        real = passwords.hash_password
        raced = []

        def slow(password):
            if not raced:
                raced.append(True)
                with transaction() as session:
                    session.execute(text("UPDATE members SET password_hash = :hash"), {"hash": real("in between 123")})
            return real(password)

        monkeypatch.setattr(passwords_api.passwords, "hash_password", slow)
        assert pointers(self.change(client, ada["tokens"])) == ["/current_password"]
        assert post("login", username="ada", password="in between 123").status_code == 200


class TestReset:
    def test_the_code_from_the_mail_gives_a_new_password(self, register, post, forgot, mails, client):
        ada = register("ada")
        code = forgot()
        answer = post("reset_password/confirm", token=code, password=NEW)
        assert answer.status_code == 200
        ended(client, ada["tokens"])
        refused(post("refresh", refresh=ada["tokens"]["refresh"]), 401)
        refused(post("login", username="ada", password=PASSWORD), 401)
        signed_in = post("login", username="ada", password=NEW)
        assert signed_in.json["user"]["email_verified"] is True
        assert [mail.subject for mail in mails()] == ["Your password was changed"]

    def test_known_and_unknown_addresses_get_one_answer_and_leave_one_trace(self, register, post, mails, row_count):
        register("ada")
        mails()
        known = post("reset_password", email="ada@example.org")
        unknown = post("reset_password", email="nobody@example.org")
        assert alike(known) == alike(unknown)
        assert known.status_code == 202
        assert row_count("reset_requests") == 2
        assert row_count("mail_queue") == 0
        answer_requests()
        assert row_count("reset_requests") == 0
        assert row_count("mail_queue") == 1

    def test_the_door_says_the_same_statements_for_both(self, register, post):
        from sqlalchemy import event

        from fleet.database import engine

        register("ada")
        said: dict[str, list[str]] = {}

        def listen(_connection, _cursor, statement, *_rest):
            said[name].append(statement)

        event.listen(engine(), "before_cursor_execute", listen)
        for name in ("ada@example.org", "nobody@example.org"):
            said[name] = []
            post("reset_password", email=name)
        event.remove(engine(), "before_cursor_execute", listen)
        assert said["ada@example.org"] == said["nobody@example.org"] != []

    def test_a_code_works_once_for_half_an_hour_and_only_the_newest(self, register, post, forgot):
        register("ada")
        first = forgot()
        second = forgot()
        assert pointers(post("reset_password/confirm", token=first, password=NEW)) == ["/token"]
        assert post("reset_password/confirm", token=second, password=NEW).status_code == 200
        assert pointers(post("reset_password/confirm", token=second, password=NEW)) == ["/token"]
        third = forgot()
        expire()
        assert pointers(post("reset_password/confirm", token=third, password=NEW)) == ["/token"]

    def test_of_ten_at_once_one_sets_the_password(self, register, post, forgot):
        register("ada")
        code = forgot()
        with ThreadPoolExecutor(10) as pool:
            answers = list(
                pool.map(
                    lambda n: post("reset_password/confirm", token=code, password=f"{NEW} {n}").status_code, range(10)
                )
            )
        assert sorted(answers) == [200] + [422] * 9
        assert post("login", username="ada", password=f"{NEW} {answers.index(200)}").status_code == 200

    @pytest.mark.parametrize("password", ["short", "password123", "x" * 201])
    def test_a_weak_password_leaves_the_code_good(self, password, register, post, forgot):
        register("ada")
        code = forgot()
        assert pointers(post("reset_password/confirm", token=code, password=password)) == ["/password"]
        assert post("reset_password/confirm", token=code, password=NEW).status_code == 200

    @pytest.mark.parametrize("email", ["", "nowhere", None, 5, "a@b@c.org", "ada@example.org\r\nBcc: x@y.org"])
    def test_what_is_no_address_is_refused(self, email, post):
        assert pointers(post("reset_password", email=email)) == ["/email"]

    @pytest.mark.parametrize("known", [True, False])
    def test_five_an_hour_whether_known_or_not(self, known, register, post):
        if known:
            register("ada")
        spellings = ["ada@example.org", "ADA@example.org", "Ada@Example.org"]
        answers = [post("reset_password", email=spellings[n % 3]) for n in range(7)]
        assert [answer.status_code for answer in answers] == [202] * 5 + [429] * 2
        assert 3500 < int(answers[-1].headers["Retry-After"]) <= 3600

    def test_an_erased_member_gets_nothing(self, register, post, mails, row_count):
        register("ada")
        mails()
        with transaction() as session:
            session.execute(text("UPDATE members SET status = 'erased'"))
        post("reset_password", email="ada@example.org")
        answer_requests()
        assert row_count("mail_queue") == 0


class TestFailures:
    @pytest.mark.parametrize("known", [True, False])
    def test_ten_wrong_passwords_a_minute_then_nothing_more_is_said(self, known, register, post):
        if known:
            register("ada")
        answers = [post("login", username="ada", password=f"wrong {n}") for n in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert 50 <= int(answers[-1].headers["Retry-After"]) <= 60
        refused(post("login", username="ada", password=PASSWORD), 429, "too-many-requests")

    def test_a_lock_out_sounds_alike_for_a_name_that_nobody_has(self, register, post):
        register("ada")
        for name in ("ada", "nobody"):
            for _ in range(10):
                post("login", username=name, password="wrong")
        known, unknown = (post("login", username=name, password=PASSWORD) for name in ("ada", "nobody"))
        for answer in (known, unknown):
            body = refused(answer, 429)
            assert set(body) == {"type", "title", "status", "detail", "retry_after", "instance", "request_id"}
        assert known.json["detail"] == unknown.json["detail"]

    def test_name_and_address_are_one_account(self, register, post):
        register("ada")
        names = ["ada", "ADA", "ada@example.org", "Ada@Example.org"]
        answers = [post("login", username=names[n % 4], password="wrong").status_code for n in range(12)]
        assert answers == [401] * 10 + [429] * 2

    def test_others_are_not_locked_out(self, register, post):
        register("ada")
        register("bob")
        for _ in range(12):
            post("login", username="ada", password="wrong")
        assert post("login", username="bob", password=PASSWORD).status_code == 200

    def test_a_right_password_costs_nothing(self, register, post):
        register("ada")
        assert {post("login", username="ada", password=PASSWORD).status_code for _ in range(12)} == {200}

    def test_the_minute_passes(self, register, post):
        register("ada")
        for _ in range(11):
            post("login", username="ada", password="wrong")
        with transaction() as session:
            session.execute(text("UPDATE rate_windows SET ends_at = now() - interval '1 second'"))
        assert post("login", username="ada", password=PASSWORD).status_code == 200

    def test_fifty_guesses_at_once_get_ten_answers(self, register, post):
        register("ada")
        with ThreadPoolExecutor(50) as pool:
            answers = list(
                pool.map(lambda n: post("login", username="ada", password=f"wrong {n}").status_code, range(50))
            )
        assert (answers.count(401), answers.count(429)) == (10, 40)

    def test_a_right_guess_that_comes_too_late_does_not_show(self, register, post, monkeypatch):
        register("ada")
        real = passwords.matches

        def while_others_guess(stored, password):
            with transaction() as session:
                session.execute(text("DELETE FROM rate_windows"))
                for _ in range(10):
                    recovery.limits.count_failure(session, member)
            return real(stored, password)

        with transaction() as session:
            member = str(session.execute(text("SELECT id FROM members")).scalar_one())
        monkeypatch.setattr(passwords, "matches", while_others_guess)
        refused(post("login", username="ada", password=PASSWORD), 429)


class TestNotices:
    def test_a_suspension_is_told_with_its_end_and_reason(self, register, post, mails):
        from services.users import accounts, moderation

        ada = register("ada")["user"]["id"]
        mails()
        with transaction() as session:
            root, _new = accounts.ensure_account(session, "root", "root@example.org", PASSWORD, "admin")
        with transaction() as session:
            moderation.suspend(session, root.id, UUID(ada), None, "spam\r\nBcc: eve@example.org")
            moderation.unsuspend(session, root.id, UUID(ada))
        first, second = mails()
        assert (first.subject, second.subject) == ("Your account is suspended", "Your suspension is over")
        assert "until further notice" in first.text_body
        assert "spam" in first.text_body

    def test_an_approval_is_told(self, register, mails):
        from services.users import accounts, moderation

        acme = register("acme", role="company")["user"]["id"]
        [welcome] = mails("acme@example.org")
        assert "approved" in welcome.text_body
        with transaction() as session:
            root, _new = accounts.ensure_account(session, "root", "root@example.org", PASSWORD, "admin")
        with transaction() as session:
            moderation.approve(session, root.id, UUID(acme))
        assert [mail.subject for mail in mails("acme@example.org")] == ["Your account is approved"]
