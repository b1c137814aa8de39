"""Sign-in, refresh tokens and sign-out."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import jwt
import pytest
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import text

from fleet.auth import ALGORITHM, AUDIENCE, ISSUER
from fleet.database import transaction
from fleet.messages import new_id, now
from services.users import accounts, passwords, tokens
from tests.answers import alike, pointers, refused
from tests.users.conftest import PASSWORD

GRACE, IDLE, ABSOLUTE = tokens.GRACE, tokens.IDLE, tokens.ABSOLUTE
SECOND = timedelta(seconds=1)


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def until(holds: Callable[[], bool], seconds: float = 2.0) -> None:
    """Wait until it holds: the promise is two seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.02)


def set_member(**values: Any) -> None:
    with transaction() as session:
        session.execute(text(f"UPDATE members SET {', '.join(f'{name} = :{name}' for name in values)}"), values)


@pytest.fixture
def refresh(post):
    """`refresh(token)` gives the answer of the door."""
    return lambda token: post("refresh", refresh=token)


@pytest.fixture
def pair(register):
    """The tokens of a new member."""
    return register("ada")["tokens"]


class TestLogin:
    @pytest.mark.parametrize("name", ["ada", "ADA", "Ａda", " ada ", "ada@example.org", "Ada@EXAMPLE.org"])
    def test_by_name_or_address(self, name, register, post):
        user = register("ada")["user"]
        answer = post("login", username=name, password=PASSWORD)
        assert answer.status_code == 200
        assert answer.json["user"] == user
        assert set(answer.json["tokens"]) == {"access", "refresh"}

    def test_an_unknown_name_and_a_wrong_password_get_one_answer(self, register, post, monkeypatch):
        register("ada")
        register("gone", email="gone@example.org")
        with transaction() as session:
            session.execute(text("UPDATE members SET status = 'erased' WHERE username = 'gone'"))
        hashes = []

        class Counting:
            real = passwords._hasher

            def verify(self, stored: str, password: str) -> bool:
                hashes.append(stored)
                return self.real.verify(stored, password)

        monkeypatch.setattr(passwords, "_hasher", Counting())
        attempts = {
            "wrong password": ("ada", PASSWORD + "!"),
            "wrong password, by address": ("ada@example.org", PASSWORD.upper()),
            "unknown name": ("bob", PASSWORD),
            "unknown address": ("bob@example.org", PASSWORD),
            "erased": ("gone", PASSWORD),
            "the password that nobody has": ("bob", "the password of nobody"),
            "a name that cannot be": ("\u202e' OR 1=1 --", PASSWORD),
        }
        answers = {}
        for what, (name, password) in attempts.items():
            answer = post("login", username=name, password=password)
            refused(answer, 401, "unauthorized")
            answers[what] = alike(answer)
        first = answers.pop("wrong password")
        assert answers == dict.fromkeys(answers, first)
        # One hash each: the time says no more than the words.
        assert len(hashes) == len(attempts)
        parameters = {stored.rsplit("$", 2)[0] for stored in hashes}
        assert len(parameters) == 1

    def test_a_discord_born_member_has_no_password_to_guess(self, post):
        with transaction() as session:
            seen = accounts.RegisterMember(new_id(), "77", "ada", "Ada", now())
            accounts.register_from_discord(session, seen)
        for name in ("ada", "Ada", "77"):
            refused(post("login", username=name, password="the password of nobody"), 401)

    def test_a_suspended_member_may_sign_in(self, register, post):
        register("ada")
        set_member(status="suspended")
        assert post("login", username="ada", password=PASSWORD).json["user"]["status"] == "suspended"

    @pytest.mark.parametrize(
        ("body", "names"),
        [
            ({}, ["/password", "/username"]),
            ({"username": "ada", "password": 5}, ["/password"]),
            ({"username": {"$ne": 1}, "password": "x"}, ["/username"]),
            ({"username": "ada", "password": ""}, ["/password"]),
            ({"username": "ada", "password": "x" * 1001}, ["/password"]),
            ({"username": "ada", "password": "x", "role": "admin"}, ["/role"]),
        ],
    )
    def test_what_is_no_sign_in_is_refused(self, body, names, post):
        assert sorted(pointers(post("login", **body))) == names


class TestAccessTokens:
    def test_the_key_set_verifies_them(self, client, pair):
        answer = client.get("/.well-known/jwks.json")
        assert answer.status_code == 200
        [key] = answer.json["keys"]
        assert set(key) == {"kty", "crv", "x", "kid", "use", "alg"}
        header = jwt.get_unverified_header(pair["access"])
        assert (header["kid"], header["typ"], header["alg"]) == (key["kid"], "at+jwt", "EdDSA")
        public = OKPAlgorithm.from_jwk(key)
        claims = jwt.decode(pair["access"], public, [ALGORITHM], audience=AUDIENCE, issuer=ISSUER)
        assert claims["exp"] - claims["iat"] == 15 * 60

    def test_they_carry_nothing_personal(self, pair):
        claims = claims_of(pair["access"])
        assert set(claims) == {"iss", "aud", "sub", "role", "sv", "sid", "iat", "nbf", "exp", "jti", "type"}
        assert (claims["role"], claims["sv"]) == ("student", 1)

    def test_refresh_tokens_are_kept_as_hashes_only(self, pair, row_count):
        with transaction() as session:
            rows = session.execute(
                text("SELECT token_hash, f::text, t::text FROM refresh_tokens t, refresh_families f")
            )
            [kept] = rows.all()
        assert len(kept.token_hash) == 32
        assert pair["refresh"] not in str(kept)


class TestRefresh:
    def test_gives_a_new_pair(self, pair, refresh, client):
        answer = refresh(pair["refresh"])
        assert answer.status_code == 200
        assert set(answer.json) == {"access", "refresh"}
        assert answer.json["refresh"] != pair["refresh"]
        assert claims_of(answer.json["access"])["jti"] != claims_of(pair["access"])["jti"]
        bearer = {"Authorization": f"Bearer {answer.json['access']}"}
        assert client.get("/api/users/profile/", headers=bearer).json["username"] == "ada"

    def test_carries_the_role_of_now(self, pair, refresh):
        set_member(role="admin")
        assert claims_of(refresh(pair["refresh"]).json["access"])["role"] == "admin"

    def test_a_lost_answer_may_be_asked_for_again(self, pair, refresh, clock):
        first = refresh(pair["refresh"])
        clock.advance(seconds=GRACE.total_seconds() - 1)
        second = refresh(pair["refresh"])
        assert (first.status_code, second.status_code) == (200, 200)
        assert refresh(second.json["refresh"]).status_code == 200

    def test_a_token_used_again_after_the_grace_ends_the_family(self, pair, refresh, clock, row_count):
        newest = refresh(pair["refresh"]).json["refresh"]
        clock.advance(seconds=GRACE.total_seconds() + 1)
        refused(refresh(pair["refresh"]), 401)
        assert row_count("refresh_families", "revoked_at IS NOT NULL") == 1
        refused(refresh(newest), 401)
        refused(refresh(pair["refresh"]), 401)

    def test_a_grand_parent_is_refused_and_ends_the_family_even_in_the_grace(self, pair, refresh):
        child = refresh(pair["refresh"]).json["refresh"]
        grandchild = refresh(child).json["refresh"]
        refused(refresh(pair["refresh"]), 401)
        refused(refresh(grandchild), 401)
        refused(refresh(child), 401)

    def test_of_two_children_of_one_token_only_one_goes_on(self, pair, refresh):
        """A stolen token that is used within the grace shows itself as soon as both holders refresh."""
        thief, owner = (refresh(pair["refresh"]).json["refresh"] for _ in range(2))
        grandchild = refresh(owner).json["refresh"]
        refused(refresh(thief), 401)
        refused(refresh(grandchild), 401)

    def test_a_reuse_ends_its_own_family_only(self, pair, post, refresh, clock):
        other = post("login", username="ada", password=PASSWORD).json["tokens"]["refresh"]
        refresh(pair["refresh"])
        clock.advance(minutes=1)
        refused(refresh(pair["refresh"]), 401)
        assert refresh(other).status_code == 200

    def test_twenty_at_once_with_one_token_leave_one_line(self, pair, refresh, row_count):
        """Whatever the order, no two lines live on: one child goes on, or the family is over."""
        together = threading.Barrier(20)

        def attempt(token: str) -> Any:
            together.wait(10)
            return refresh(token)

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(attempt, [pair["refresh"]] * 20))
            assert {answer.status_code for answer in answers} == {200}
            children = [answer.json["refresh"] for answer in answers]
            assert len(set(children)) == 20
            grandchildren = list(pool.map(attempt, children))
        assert sorted(answer.status_code for answer in grandchildren) == [200] + [401] * 19
        # Nineteen showed that the token has many holders.
        assert row_count("refresh_families", "revoked_at IS NOT NULL") == 1
        [winner] = [answer.json["refresh"] for answer in grandchildren if answer.status_code == 200]
        refused(refresh(winner), 401)

    def test_twenty_at_once_with_a_used_token_are_all_refused(self, pair, refresh, clock, row_count):
        newest = refresh(pair["refresh"]).json["refresh"]
        clock.advance(minutes=1)
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(refresh, [pair["refresh"]] * 20))
        assert {answer.status_code for answer in answers} == {401}
        assert row_count("refresh_tokens") == 2
        refused(refresh(newest), 401)

    def test_an_idle_token_expires(self, pair, refresh, clock):
        clock.advance(seconds=(IDLE - SECOND).total_seconds())
        newest = refresh(pair["refresh"])
        assert newest.status_code == 200
        clock.advance(seconds=(IDLE + SECOND).total_seconds())
        refused(refresh(newest.json["refresh"]), 401)

    def test_a_session_ends_after_thirty_days_however_busy(self, pair, refresh, clock):
        token, age = pair["refresh"], timedelta()
        while age + timedelta(days=6) < ABSOLUTE:
            clock.advance(days=6)
            age += timedelta(days=6)
            answer = refresh(token)
            assert answer.status_code == 200, age
            token = answer.json["refresh"]
        clock.advance(seconds=(ABSOLUTE - age - 5 * SECOND).total_seconds())
        answer = refresh(token)
        assert answer.status_code == 200
        clock.advance(seconds=6)
        refused(refresh(answer.json["refresh"]), 401)

    def test_an_expired_token_is_no_proof_of_theft(self, pair, refresh, clock, row_count):
        refresh(pair["refresh"])
        clock.advance(seconds=(IDLE + SECOND).total_seconds())
        refused(refresh(pair["refresh"]), 401)
        assert row_count("refresh_families", "revoked_at IS NOT NULL") == 0

    def test_all_refusals_sound_alike_to_who_guesses(self, pair, refresh):
        answers = [refresh(token) for token in ("x", "' OR 1=1 --", "\u202e", "a" * 200, pair["access"][:200])]
        assert {answer.status_code for answer in answers} == {401}
        assert [alike(answer) for answer in answers] == [alike(answers[0])] * 5

    @pytest.mark.parametrize("body", [{}, {"refresh": None}, {"refresh": 5}, {"refresh": ""}, {"refresh": "x" * 201}])
    def test_what_is_no_refresh_token_is_refused(self, body, post):
        assert pointers(post("refresh", **body)) == ["/refresh"]


class TestLogout:
    def test_ends_the_session_and_the_access_tokens(self, pair, post, refresh, client, told, row_count):
        bearer = {"Authorization": f"Bearer {pair['access']}"}
        assert client.get("/api/users/profile/", headers=bearer).status_code == 200
        assert post("logout", refresh=pair["refresh"]).status_code == 200
        refused(refresh(pair["refresh"]), 401)
        until(lambda: client.get("/api/users/profile/", headers=bearer).status_code == 401)
        assert row_count("auth_state", "security_version = 2") == 1
        [event] = told("users.auth_state_changed.v1")
        member_id = claims_of(pair["access"])["sub"]
        assert (event.subject, event.sequence) == (member_id, 2)
        assert (str(event.data.member_id), event.data.security_version) == (member_id, 2)
        assert (event.data.role, event.data.status, event.data.suspended_until) == ("student", "active", None)

    def test_an_access_token_never_seen_before_is_refused_at_once(self, pair, post, client):
        post("logout", refresh=pair["refresh"])
        refused(client.get("/api/users/profile/", headers={"Authorization": f"Bearer {pair['access']}"}), 401)

    def test_a_new_sign_in_works_at_once(self, pair, post, client):
        post("logout", refresh=pair["refresh"])
        access = post("login", username="ada", password=PASSWORD).json["tokens"]["access"]
        assert claims_of(access)["sv"] == 2
        assert client.get("/api/users/profile/", headers={"Authorization": f"Bearer {access}"}).status_code == 200

    def test_other_sessions_go_on_with_a_new_access_token(self, pair, post, refresh, client):
        other = post("login", username="ada", password=PASSWORD).json["tokens"]["refresh"]
        post("logout", refresh=pair["refresh"])
        access = refresh(other).json["access"]
        assert client.get("/api/users/profile/", headers={"Authorization": f"Bearer {access}"}).status_code == 200

    def test_works_with_any_token_of_the_family(self, pair, post, refresh):
        newest = refresh(pair["refresh"]).json["refresh"]
        assert post("logout", refresh=pair["refresh"]).status_code == 200
        refused(refresh(newest), 401)

    def test_twice_is_told_once(self, pair, post, told):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: post("logout", refresh=pair["refresh"]), range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(told("users.auth_state_changed.v1")) == 1

    def test_with_an_unknown_token_changes_nothing(self, pair, post, refresh, told):
        assert post("logout", refresh="unknown").status_code == 200
        assert told("users.auth_state_changed.v1") == []
        assert refresh(pair["refresh"]).status_code == 200


def test_a_sign_in_that_races_a_reset_of_the_account_does_not_survive_it(client, monkeypatch):
    """The old password was right when its hash was computed; when the session is written, it no longer is."""
    from services.users import passwords

    with transaction() as session:
        accounts.ensure_account(session, "racer", "racer@example.org", "the old password 1", "student")
    real = passwords.matches

    def reset_meanwhile(stored, password):
        right = real(stored, password)
        with transaction() as session:
            accounts.ensure_account(session, "racer", "racer@example.org", "the new password 2", "admin")
        return right

    monkeypatch.setattr(passwords, "matches", reset_meanwhile)
    answer = client.post("/api/users/login/", json={"username": "racer", "password": "the old password 1"})
    assert answer.status_code == 401
