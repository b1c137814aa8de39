"""Sign-in with Google: the whole flow against a provider that checks it, and everything that must not get in."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.testing import FlaskClient
from sqlalchemy import text

from fleet import database, settings
from fleet.database import transaction
from fleet.settings import SettingsError, parse
from services.users import google, oauth_states, recovery
from services.users.app import create_app
from services.users.settings import GoogleSettings
from tests.answers import pointers, refused
from tests.oauth_server import CLIENT_ID, CLIENT_SECRET, Provider
from tests.users.conftest import PASSWORD

GATEWAY = "http://propel.test"
START, CALLBACK = "/api/oauth/google/start", "/api/oauth/google/callback"


@pytest.fixture
def provider(monkeypatch) -> Iterator[Provider]:
    """The provider, and this process knows of it."""
    made = Provider(GATEWAY + CALLBACK)
    for name, value in ({"GATEWAY_URL": GATEWAY} | made.settings()).items():
        monkeypatch.setenv(name, value)
    settings.read.cache_clear()
    yield made
    made.stop()


@pytest.fixture
def browser(provider) -> Callable[[], FlaskClient]:
    """`browser()` is a fresh one: it keeps its cookies and no others."""
    app = create_app()
    return app.test_client


def start(client: FlaskClient) -> str:
    """Where a browser is sent that begins to sign in."""
    answer = client.get(START)
    assert (answer.status_code, answer.data) == (302, b"")
    return answer.headers["Location"]


def sign_in(client: FlaskClient, provider: Provider, **changes: Any) -> Any:
    """The whole way; `changes` to the query of the way back (None: left out)."""
    query = provider.agree(start(client)) | changes
    return client.get(CALLBACK, query_string={name: value for name, value in query.items() if value is not None})


def prove_address(name: str = "ada") -> None:
    with transaction() as session:
        session.execute(text("UPDATE members SET email_verified_at = now() WHERE username = :name"), {"name": name})


class TestWithoutAClientId:
    @pytest.mark.parametrize("path", [START, START + "/", CALLBACK + "?state=x&code=y"])
    def test_it_says_so_clearly(self, path, client, row_count):
        answer = client.get(path)
        body = refused(answer, 503, "google-not-configured")
        assert "password" in body["detail"]
        assert "Retry-After" not in answer.headers
        assert row_count("oauth_states") == 0

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"USERS_GOOGLE_CLIENT_SECRET": ""}, "USERS_GOOGLE_CLIENT_SECRET is missing"),
            ({"USERS_GOOGLE_TOKEN_URL": "http://example.org/token"}, "USERS_GOOGLE_TOKEN_URL"),
            ({"USERS_GOOGLE_JWKS_URL": "file:///etc/passwd"}, "USERS_GOOGLE_JWKS_URL"),
            ({"USERS_GOOGLE_AUTHORIZE_URL": "javascript:alert(1)"}, "USERS_GOOGLE_AUTHORIZE_URL"),
        ],
    )
    def test_half_a_configuration_is_named(self, changes, words):
        right = {"USERS_GOOGLE_CLIENT_ID": CLIENT_ID, "USERS_GOOGLE_CLIENT_SECRET": CLIENT_SECRET}
        with pytest.raises(SettingsError, match=words):
            parse(GoogleSettings, right | changes)
        assert parse(GoogleSettings, right).token_url.startswith("https://")


class TestStarting:
    def test_the_browser_is_sent_to_google_with_all_that_binds_the_answer(self, browser, provider):
        one, two = (dict(parse_qsl(urlsplit(start(browser())).query)) for _ in range(2))
        assert one["redirect_uri"] == GATEWAY + CALLBACK
        assert (one["client_id"], one["code_challenge_method"]) == (CLIENT_ID, "S256")
        assert all(one[name] != two[name] for name in ("state", "nonce", "code_challenge"))
        assert CLIENT_SECRET not in str(one)

    def test_the_cookie_is_for_the_way_back_only(self, browser, monkeypatch):
        cookie = browser().get(START).headers["Set-Cookie"]
        assert cookie.startswith("propel_oauth=")
        assert {"HttpOnly", "Path=/api/oauth/", "SameSite=Lax", "Max-Age=600"} <= set(cookie.split("; "))
        monkeypatch.setenv("GATEWAY_URL", "https://propel.test")
        settings.read.cache_clear()
        cookie = browser().get(START).headers["Set-Cookie"]
        assert cookie.startswith("__Host-propel_oauth=")
        assert {"HttpOnly", "Path=/", "SameSite=Lax", "Secure"} <= set(cookie.split("; "))

    def test_state_and_cookie_are_kept_as_hashes(self, browser, row_count):
        client = browser()
        state = dict(parse_qsl(urlsplit(start(client)).query))["state"]
        cookie = client.get_cookie("propel_oauth", path="/api/oauth/").value
        assert row_count("oauth_states") == 1
        for secret in (state, cookie):
            assert row_count("oauth_states", "oauth_states::text LIKE '%' || :secret || '%'", secret=secret) == 0


class TestWhoItIs:
    def test_somebody_unknown_becomes_a_student_without_a_password(self, browser, provider, told, post, row_count):
        client = browser()
        answer = sign_in(client, provider)
        assert answer.status_code == 200, answer.text
        assert set(answer.json) == {"user", "tokens"}
        user = answer.json["user"]
        assert (user["email"], user["email_verified"]) == ("ada@example.org", True)
        assert (user["role"], user["status"]) == ("student", "active")
        assert (user["first_name"], user["last_name"], user["display_name"]) == ("Ada", "Lovelace", "Ada")
        assert user["username"].startswith("ada-")
        assert "ada@example" not in user["username"]
        assert [event.type for event in told()] == [
            "users.user_registered.v1",
            "users.user_updated.v1",
            "users.contact_changed.v1",
        ]
        assert told("users.contact_changed.v1")[0].data.email == "ada@example.org"
        headers = {"Authorization": f"Bearer {answer.json['tokens']['access']}"}
        assert client.get("/api/users/profile/", headers=headers).json == user
        assert post("refresh", refresh=answer.json["tokens"]["refresh"]).status_code == 200
        refused(post("login", username="ada@example.org", password=PASSWORD), 401)
        assert row_count("members", "password_hash IS NULL") == 1
        assert row_count("mail_queue", "subject = 'Welcome to Propel, Ada' AND text_body LIKE '%ada-%'") == 1
        assert client.get_cookie("propel_oauth", path="/api/oauth/") is None

    def test_a_member_without_a_password_may_choose_one_by_mail(self, browser, provider, post, client, row_count):
        made = sign_in(browser(), provider).json
        headers = {"Authorization": f"Bearer {made['tokens']['access']}"}
        change = {"current_password": "", "new_password": PASSWORD}
        assert pointers(client.post("/api/users/change_password/", headers=headers, json=change)) == [
            "/current_password"
        ]
        change["current_password"] = "anything"
        assert pointers(client.post("/api/users/change_password/", headers=headers, json=change)) == [
            "/current_password"
        ]
        assert post("reset_password", email="ada@example.org").status_code == 202
        with transaction() as session:
            recovery.answer_requests(session)
            mail = session.execute(text("SELECT text_body FROM mail_queue WHERE subject = 'Choose a new password'"))
            [code] = [line for line in mail.scalar_one().splitlines() if len(line) == 43 and " " not in line]
        assert post("reset_password/confirm", token=code, password=PASSWORD).status_code == 200
        assert post("login", username="ada@example.org", password=PASSWORD).json["user"]["id"] == made["user"]["id"]
        assert sign_in(browser(), provider).json["user"]["id"] == made["user"]["id"]

    def test_the_same_person_again_is_the_same_member(self, browser, provider, row_count, told):
        ids = {sign_in(browser(), provider).json["user"]["id"] for _ in range(3)}
        assert len(ids) == row_count("members") == len(told("users.user_registered.v1")) == 1

    def test_once_linked_the_identity_counts_and_not_the_address(self, browser, provider, row_count):
        first = sign_in(browser(), provider).json["user"]
        provider.person |= {"email": "married@example.org", "email_verified": False}
        assert sign_in(browser(), provider).json["user"] == first
        # Somebody else has the old address at Google now, and is not let in.
        provider.person |= {"sub": "2002", "email": "ada@example.org", "email_verified": True}
        refused(sign_in(browser(), provider), 409, "google-account-differs")
        assert row_count("members") == 1

    @pytest.mark.parametrize("address", ["ada@example.org", "ADA@Example.ORG"])
    def test_an_account_with_the_same_proved_address_is_linked(self, address, register, browser, provider, row_count):
        made = register("ada", role="student")
        prove_address()
        provider.person["email"] = address
        answer = sign_in(browser(), provider)
        assert answer.json["user"]["id"] == made["user"]["id"]
        assert row_count("members") == 1
        assert row_count("audit_entries", "action = 'google_linked' AND actor_id = member_id") == 1
        # The identity is personal: it is in the part of the trail that an erasure deletes.
        assert row_count("audit_entries", "audit_entries::text LIKE '%1001%'") == 0
        assert row_count("mail_queue", "subject = 'Your account is linked to Google'") == 1
        sign_in(browser(), provider)
        assert row_count("audit_entries", "action = 'google_linked'") == 1

    def test_an_account_whose_address_was_never_confirmed_is_left_alone(self, register, browser, provider, row_count):
        """Somebody who expects the owner to come by Google must not share the account with them."""
        register("ada")
        before = row_count("refresh_families")
        body = refused(sign_in(browser(), provider), 409, "email-not-verified")
        assert "reset_password" in body["detail"]
        assert row_count("members", "google_subject IS NULL AND email_verified_at IS NULL") == 1
        assert row_count("refresh_families") == before

    def test_and_its_owner_gets_in_after_proving_the_address_here(self, register, browser, provider):
        made = register("ada")
        refused(sign_in(browser(), provider), 409)
        prove_address()
        assert sign_in(browser(), provider).json["user"]["id"] == made["user"]["id"]

    @pytest.mark.parametrize("said", [False, None, "true", "false", 1, "missing"])
    def test_an_address_that_google_does_not_vouch_for_is_none(self, said, register, browser, provider, row_count):
        register("ada")
        prove_address()
        if said == "missing":
            del provider.person["email_verified"]
        else:
            provider.person["email_verified"] = said
        refused(sign_in(browser(), provider), 403, "google-email-not-verified")
        provider.person["email"] = "nobody@example.org"
        refused(sign_in(browser(), provider), 403, "google-email-not-verified")
        assert row_count("members", "google_subject IS NULL") == row_count("members") == 1

    @pytest.mark.parametrize("status", ["suspended", "awaiting_approval"])
    def test_a_member_in_another_state_signs_in_as_they_are(self, status, register, browser, provider):
        register("ada", role="company" if status == "awaiting_approval" else "student")
        prove_address()
        with transaction() as session:
            session.execute(text("UPDATE members SET status = :status"), {"status": status})
        client = browser()
        answer = sign_in(client, provider)
        assert answer.json["user"]["status"] == status
        headers = {"Authorization": f"Bearer {answer.json['tokens']['access']}"}
        wanted = 403 if status == "awaiting_approval" else 200
        assert client.get("/api/user-preferences/", headers=headers).status_code == wanted

    def test_an_erased_member_is_not_found_again(self, browser, provider, row_count):
        first = sign_in(browser(), provider).json["user"]["id"]
        with transaction() as session:
            session.execute(
                text(
                    "UPDATE members SET status = 'erased', username = NULL, username_key = NULL, email = NULL,"
                    " email_key = NULL, google_subject = NULL"
                )
            )
        assert sign_in(browser(), provider).json["user"]["id"] != first

    @pytest.mark.parametrize(
        ("given", "start_of_name"),
        [
            ("Ada", "ada-"),
            ("Renée", "renee-"),
            ("Мария", "member-"),
            ("", "member-"),
            (None, "member-"),
            (5, "member-"),
        ],
    )
    def test_a_new_member_is_called_by_their_first_name_or_nothing_of_theirs(
        self, given, start_of_name, browser, provider
    ):
        provider.person["given_name"] = given
        user = sign_in(browser(), provider).json["user"]
        assert user["username"].startswith(start_of_name)
        assert user["first_name"] == (given if isinstance(given, str) else "")

    def test_hostile_names_are_only_text(self, browser, provider):
        provider.person |= {"given_name": "A\r\nBcc: x@y\x00" + "a" * 300, "family_name": "\u202e<script>"}
        user = sign_in(browser(), provider).json["user"]
        assert (user["first_name"][:10], len(user["first_name"])) == ("ABcc: x@ya", 100)
        assert user["last_name"] == "<script>"

    def test_ten_sign_ins_of_one_new_person_at_once_make_one_member(self, browser, provider, row_count, monkeypatch):
        monkeypatch.setattr(google, "_at_once", google.threading.BoundedSemaphore(10))
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: sign_in(browser(), provider), range(10)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.json["user"]["id"] for answer in answers}) == row_count("members") == 1

    def test_ten_at_once_link_an_account_once_and_all_get_in(self, register, browser, provider, row_count, monkeypatch):
        monkeypatch.setattr(google, "_at_once", google.threading.BoundedSemaphore(10))
        made = register("ada")
        prove_address()
        together = google.threading.Barrier(10)

        def all_here() -> None:
            together.wait(10)

        provider.answer = all_here
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda _: sign_in(browser(), provider), range(10)))
        assert [answer.status_code for answer in answers] == [200] * 10
        assert {answer.json["user"]["id"] for answer in answers} == {made["user"]["id"]}
        assert row_count("audit_entries", "action = 'google_linked'") == 1
        assert row_count("mail_queue", "subject = 'Your account is linked to Google'") == 1


class TestTheWayBack:
    def test_a_state_is_good_once(self, browser, provider):
        client = browser()
        query = provider.agree(start(client))
        cookie = client.get_cookie("propel_oauth", path="/api/oauth/").value
        assert client.get(CALLBACK, query_string=query).status_code == 200
        client.set_cookie("propel_oauth", cookie, path="/api/oauth/")
        refused(client.get(CALLBACK, query_string=query), 400, "sign-in-expired")
        assert provider.asked.count("/token") == 1

    def test_of_twenty_at_once_with_one_state_one_gets_in(self, browser, provider):
        client = browser()
        query = provider.agree(start(client))
        cookie = client.get_cookie("propel_oauth", path="/api/oauth/").value

        def come(_: int) -> int:
            other = browser()
            other.set_cookie("propel_oauth", cookie, path="/api/oauth/")
            return other.get(CALLBACK, query_string=query).status_code

        with ThreadPoolExecutor(20) as pool:
            statuses = list(pool.map(come, range(20)))
        assert (statuses.count(200), statuses.count(400)) == (1, 19)

    def test_only_in_the_browser_that_began(self, browser, provider, row_count):
        """Else a thief could have a victim finish the thief's sign-in, and the victim would work in a foreign account."""
        thief, victim = browser(), browser()
        query = provider.agree(start(thief))
        refused(victim.get(CALLBACK, query_string=query), 400, "sign-in-expired")
        start(victim)
        refused(victim.get(CALLBACK, query_string=query), 400, "sign-in-expired")
        assert (row_count("members"), provider.asked) == (0, [])
        assert thief.get(CALLBACK, query_string=query).status_code == 200

    def test_not_after_ten_minutes(self, browser, provider, row_count):
        client = browser()
        query = provider.agree(start(client))
        with transaction() as session:
            session.execute(text("UPDATE oauth_states SET expires_at = now() - interval '1 second'"))
        refused(client.get(CALLBACK, query_string=query), 400, "sign-in-expired")
        with transaction() as session:
            assert [oauth_states.sweep(session), oauth_states.sweep(session)] == [1, 0]
        assert row_count("oauth_states") == 0

    @pytest.mark.parametrize("state", ["unknown", "x" * 2048, "' OR 1=1 --", "é", "%00"])
    def test_not_with_another_state(self, state, browser, provider):
        client = browser()
        start(client)
        refused(client.get(CALLBACK, query_string={"state": state, "code": "x"}), 400, "sign-in-expired")

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            ("", ["/state"]),
            ("code=x", ["/state"]),
            ("state=&code=x", ["/state"]),
            ("state=a&state=b&code=x", ["/state"]),
            ("state=a&code=" + "x" * 2049, ["/code"]),
            ("state=%00&code=x", ["/state"]),
        ],
    )
    def test_a_wrong_parameter_is_named(self, query, named, browser):
        assert pointers(browser().get(f"{CALLBACK}?{query}")) == named

    def test_a_way_back_without_a_code_uses_the_sign_in_up(self, browser, provider):
        client = browser()
        query = provider.agree(start(client))
        assert pointers(client.get(CALLBACK, query_string={"state": query["state"]})) == ["/code"]
        refused(client.get(CALLBACK, query_string=query), 400, "sign-in-expired")

    def test_who_says_no_is_told_so_and_nothing_is_repeated(self, browser, provider):
        words = "<script>alert(document.domain)</script>"
        answer = sign_in(browser(), provider, code=None, error=words, error_description=words)
        refused(answer, 403, "google-refused")
        assert "script" not in answer.text
        assert provider.asked == []

    def test_a_stolen_code_is_worth_nothing_in_another_sign_in(self, browser, provider, row_count):
        """The code was made for another challenge: Google itself refuses the verifier of this browser."""
        thief, victim = browser(), browser()
        stolen = provider.agree(start(victim))["code"]
        refused(sign_in(thief, provider, code=stolen), 400, "google-code-refused")
        assert provider.refusals == ["invalid_grant"]
        assert row_count("members") == 0

    def test_a_code_is_good_once(self, browser, provider):
        client = browser()
        query = provider.agree(start(client))
        assert client.get(CALLBACK, query_string=query).status_code == 200
        refused(sign_in(browser(), provider, code=query["code"]), 400, "google-code-refused")


def other_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": "first"})


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "another-client"},
    {"aud": [CLIENT_ID, "another-client"]},
    {"aud": None},
    {"azp": "another-client"},
    {"exp": int(time.time()) - 60},
    {"exp": None},
    {"exp": "tomorrow"},
    # A year ahead: this list is made when the run begins, and the run may come here much later.
    {"iat": int(time.time()) + 31_536_000},
    {"iat": None},
    {"nonce": "another"},
    {"nonce": None},
    {"nonce": 5},
    {"nonce": "é"},
    {"sub": None},
    {"sub": ""},
    {"sub": 5},
    {"sub": "x" * 256},
    {"email": None},
    {"email": "no address"},
    {"email": "a@b\r\nBcc: c@d"},
    {"email": ["ada@example.org"]},
    {"email": "a" * 250 + "@b.org"},
]
NOT_SIGNED: list[Callable[[dict[str, Any]], Any]] = [
    other_key,
    lambda claims: jwt.encode(claims, None, "none", headers={"kid": "first"}),
    lambda claims: jwt.encode(claims, CLIENT_SECRET * 3, "HS256", headers={"kid": "first"}),
    lambda claims: jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": "other"}),
    lambda claims: jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256"),
    lambda _claims: "a.b.c",
    lambda _claims: "",
    lambda _claims: None,
    lambda _claims: ["a"],
]
OTHER_ANSWERS = [
    ((500, b"oops"), 503, "unavailable"),
    ((429, b"{}"), 503, "unavailable"),
    ((404, b""), 503, "unavailable"),
    ((401, b'{"error": "invalid_client"}'), 503, "unavailable"),
    ((400, b'{"error": "invalid_request"}'), 503, "unavailable"),
    ((400, b'{"error": ["invalid_grant"]}'), 503, "unavailable"),
    ((400, b"<html>"), 503, "unavailable"),
    ((302, b""), 503, "unavailable"),
    ((307, b""), 503, "unavailable"),
    ((200, b""), 502, "google-answer-invalid"),
    ((200, b"<html>"), 502, "google-answer-invalid"),
    ((200, b"[]"), 502, "google-answer-invalid"),
    ((200, b"{}"), 502, "google-answer-invalid"),
    ((200, b"\xff"), 502, "google-answer-invalid"),
    ((200, b'{"id_token": "' + b"a" * 100_000 + b'"}'), 502, "google-answer-invalid"),
    ((200, b"[" * 60_000), 502, "google-answer-invalid"),
]


class TestWhatGoogleSays:
    def test_an_id_token_with_a_wrong_claim_is_not_believed(self, browser, provider, row_count):
        for change in WRONG_CLAIMS:
            removed = {name for name, value in change.items() if value is None}
            provider.claims = lambda claims: {k: v for k, v in (claims | change).items() if k not in removed}  # noqa: B023
            refused(sign_in(browser(), provider), 502, "google-answer-invalid")
        assert row_count("members") == 0

    def test_an_id_token_that_google_did_not_sign_is_not_believed(self, browser, provider, row_count):
        for provider.sign in NOT_SIGNED:
            refused(sign_in(browser(), provider), 502, "google-answer-invalid")
        assert row_count("members") == 0

    def test_google_may_write_its_name_without_the_scheme(self, browser, provider, monkeypatch):
        monkeypatch.setenv("USERS_GOOGLE_ISSUER", "https://accounts.google.test")
        settings.read.cache_clear()
        provider.claims = lambda claims: claims | {"iss": "accounts.google.test"}
        assert sign_in(browser(), provider).status_code == 200

    def test_a_new_key_is_fetched(self, browser, provider):
        assert sign_in(browser(), provider).status_code == 200
        assert sign_in(browser(), provider).status_code == 200
        assert provider.asked.count("/jwks") == 1
        provider.key, provider.kid = rsa.generate_private_key(65537, 2048), "second"
        google._keys(provider.settings()["USERS_GOOGLE_JWKS_URL"])._last_successful_fetch -= 31
        assert sign_in(browser(), provider).status_code == 200

    def test_any_other_answer_is_a_problem_and_no_fault(self, browser, provider, row_count):
        for instead, status, slug in OTHER_ANSWERS:
            provider.answer = lambda: instead  # noqa: B023
            refused(sign_in(browser(), provider), status, slug)
        assert row_count("members") == 0
        assert "/elsewhere" not in " ".join(provider.asked), "the secret goes to one address only"

    def test_a_google_that_is_away_is_503(self, browser, provider):
        client = browser()
        query = provider.agree(start(client))
        provider.stop()
        refused(client.get(CALLBACK, query_string=query), 503, "unavailable")

    def test_a_google_that_dawdles_is_not_waited_for(self, browser, provider, monkeypatch):
        monkeypatch.setattr(google, "ANSWER_WITHIN_S", 0.2)
        release = google.threading.Event()
        provider.answer = lambda: release.wait(10) and None
        answer = sign_in(browser(), provider)
        release.set()
        refused(answer, 503, "unavailable")

    def test_no_transaction_is_open_while_google_is_asked(self, browser, provider):
        """A connection that waits for somebody else's server is one that others wait for."""
        seen = []

        def look() -> None:
            with database.engine().connect() as connection:
                others = text(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'users' AND pid <> pg_backend_pid()"
                    " AND state LIKE 'idle in transaction%'"
                )
                seen.append(connection.execute(others).scalar_one())

        provider.answer = look
        assert sign_in(browser(), provider).status_code == 200
        assert seen == [0]

    def test_a_slow_google_takes_a_few_threads_at_most(self, browser, provider):
        release = google.threading.Event()
        provider.answer = lambda: release.wait(10) and None
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(sign_in, browser(), provider) for _ in range(8)]
            deadline = time.monotonic() + 10
            while sum(one.done() for one in waiting) < 4:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            release.set()
        statuses = sorted(one.result().status_code for one in waiting)
        assert statuses == [200] * 4 + [503] * 4
