"""Link codes: who gets one, who may claim it, how often one may guess, and that only both sides together link."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fleet.contracts.users import LinkClaim, LinkConfirmation
from fleet.contracts.users_linking import CODE_ALPHABET
from fleet.database import transaction
from fleet.messages import new_id, now
from fleet.problems import TooManyRequests
from services.users import accounts, link_codes, moderation
from services.users.app import create_app
from tests.answers import pointers, refused
from tests.conftest import SEED
from tests.users.links import Browser, Person, link, slug

# 10,000 for a thorough run.
GUESSES = int(os.environ.get("GUESSES") or 600)


@pytest.fixture
def web(app):
    """`web("ada")` is a browser with a new member signed in."""
    return lambda name="ada", **words: Browser(app, name, **words)


@pytest.fixture
def ada(web) -> Browser:
    return web()


@pytest.fixture
def zoe() -> Person:
    person = Person("1043210000000000001", "zoe")
    person.seen()
    return person


def run(statement: str, **values) -> None:
    with transaction() as session:
        session.execute(text(statement), values)


def value(statement: str, **values):
    with transaction() as session:
        return session.execute(text(statement), values).scalar_one()


def offered(outcome) -> link_codes.LinkOffer:
    assert isinstance(outcome, LinkClaim), outcome
    assert outcome.offer is not None
    return outcome.offer


def suspend(member_id, minutes=60) -> None:
    with transaction() as session:
        root, _ = accounts.ensure_account(session, "root", "root@example.org", "correct horse battery", "admin")
    with transaction() as session:
        moderation.suspend(session, root.id, member_id, now() + timedelta(minutes=minutes), "spam")


class TestStarting:
    def test_a_code_is_random_unambiguous_and_good_for_ten_minutes(self, ada):
        answer = ada.send("POST", "/api/link/start")
        assert (answer.status_code, set(answer.json)) == (200, {"code", "expires_at", "used_at"})
        assert re.fullmatch(f"[{CODE_ALPHABET}]{{8}}", answer.json["code"])
        assert not set("01IO") & set(CODE_ALPHABET)
        left = datetime.fromisoformat(answer.json["expires_at"]) - now()
        assert timedelta(minutes=9) < left <= timedelta(minutes=10)
        assert answer.headers["Cache-Control"] == "no-store"

    def test_the_code_is_kept_nowhere(self, ada, zoe, capfd):
        code = ada.start()
        zoe.claim(code)
        with transaction() as session:
            names = session.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
            kept = "".join(str(session.execute(text(f'SELECT t::text FROM "{name}" t')).all()) for name in names)
        assert zoe.name in kept
        for form in (code, code.encode().hex(), code.lower()):
            assert form not in kept
        assert code not in "".join(capfd.readouterr())

    @pytest.mark.parametrize("role", ["student", "company", "university", "admin"])
    def test_every_role_may(self, role, web, zoe):
        browser = web(role, role=role)
        link(browser, zoe)
        assert browser.status()["discord_id"] == zoe.discord_id

    def test_an_applicant_waits_for_approval(self, web):
        acme = web("acme", role="company")
        run("UPDATE members SET status = 'awaiting_approval'")
        run("INSERT INTO auth_state VALUES (:id, 1, 'company', 'awaiting_approval')", id=acme.id)
        for method, path in (("POST", "/api/link/start"), ("GET", "/api/link/status"), ("DELETE", "/api/link")):
            refused(acme.send(method, path, json={"password": "x"}), 403, "awaiting-approval")

    def test_nobody_without_a_token(self, client):
        for method, path in (
            ("POST", "/api/link/start"),
            ("GET", "/api/link/status"),
            ("POST", "/api/link/confirm"),
            ("DELETE", "/api/link"),
        ):
            for slash in ("", "/"):
                refused(client.open(path + slash, method=method, json={}), 401, "unauthorized")

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_a_trailing_slash_may_be_there_or_not(self, slash, ada, zoe):
        code = ada.send("POST", f"/api/link/start{slash}").json["code"]
        offer = offered(zoe.claim(code))
        assert ada.send("GET", f"/api/link/status{slash}").json["pending"]["claimed_by"]
        path = f"/api/link/confirm{slash}"
        assert ada.send("POST", path, json={"discord_username": "zoe"}).status_code == 200
        zoe.confirm(offer.link_id)
        answer = ada.send("DELETE", f"/api/link{slash}", json={"password": "correct horse battery"})
        assert answer.json == {"linked": False, "discord_id": None, "discord_username": None, "pending": None}

    def test_a_token_that_names_no_sign_in_starts_nothing(self, keys, row_count):
        client = create_app(keys=keys).test_client()
        for method, path in (("POST", "/api/link/start"), ("POST", "/api/link/confirm")):
            headers = keys.bearer(new_id())
            refused(client.open(path, method=method, headers=headers, json={"discord_username": "zoe"}), 401)
        assert row_count("link_codes") == 0

    def test_five_codes_a_day_and_no_more_however_many_ask_at_once(self, ada, row_count):
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: ada.send("POST", "/api/link/start"), range(12)))
        assert sorted(answer.status_code for answer in answers) == [200] * 5 + [429] * 7
        refusal = next(answer for answer in answers if answer.status_code == 429)
        assert refused(refusal, 429, "too-many-requests")["retry_after"] == int(refusal.headers["Retry-After"])
        assert 23 * 3600 < int(refusal.headers["Retry-After"]) <= 24 * 3600
        assert row_count("link_codes") == 5
        assert row_count("link_codes", "outcome IS NULL") == 1

    def test_the_next_day_there_are_new_ones(self, ada, web):
        for _ in range(5):
            ada.start()
        web("ben").start()
        refused(ada.send("POST", "/api/link/start"), 429)
        run("UPDATE rate_windows SET ends_at = now() - interval '1 second'")
        ada.start()

    def test_a_new_code_voids_the_one_before(self, ada, zoe):
        first, second = ada.start(), ada.start()
        assert zoe.claim(first) == LinkClaim()
        assert offered(zoe.claim(second))

    def test_who_is_linked_needs_none(self, ada, zoe):
        link(ada, zoe)
        refused(ada.send("POST", "/api/link/start"), 409, "already-linked")

    def test_who_is_suspended_gets_none(self, ada):
        suspend(ada.id)
        refused(ada.again().send("POST", "/api/link/start"), 409, "suspended")


class TestClaiming:
    def test_however_it_is_typed(self, ada, zoe):
        code = ada.start()
        for typed in (code, f" {code} ", f"{code[:4]}-{code[4:]}", f"`{code}`", code.lower()):
            assert offered(zoe.claim(typed)), typed

    def test_the_claimant_sees_enough_to_know_their_own_account_and_no_more(self, web, zoe):
        offer = offered(zoe.claim(web("adalovelace").start()))
        assert (offer.web_account, offer.web_email) == ("ad…", "a…@example.org")
        assert offer.registered_at <= now() < offer.expires_at

    def test_the_web_session_sees_who_claims(self, ada, zoe):
        code = ada.start()
        assert ada.status()["pending"]["claimed_by"] is None
        zoe.claim(code)
        status = ada.status()
        assert status["linked"] is False
        pending = status["pending"]
        assert pending["claimed_by"] == {"discord_username": "zoe", "discord_display_name": "Zoe"}
        seen = (pending["this_session"], pending["confirmed_on_web"], pending["confirmed_in_discord"])
        assert seen == (True, False, False)
        assert ada.again().status()["pending"]["this_session"] is False

    def test_somebody_never_seen_before_is_registered_by_it(self, ada):
        zoe = Person("5", "zoe")
        assert offered(zoe.claim(ada.start()))
        assert value("SELECT id FROM members WHERE discord_id = '5'") == zoe.id

    @pytest.mark.parametrize("why", ["unknown", "expired", "claimed", "cancelled", "declined", "signed out", "linked"])
    def test_every_code_that_is_not_good_gets_the_same_answer(self, why, ada, zoe, web):
        code, eve = ada.start(), Person("66", "eve")
        if why == "unknown":
            code = "ZZZZZZZZ" if code != "ZZZZZZZZ" else "YYYYYYYY"
        elif why == "expired":
            run("UPDATE link_codes SET expires_at = now()")
        elif why == "cancelled":
            zoe.cancel(code)
        elif why == "signed out":
            ada.logout()
        elif why != "expired":
            offer = offered(zoe.claim(code))
            if why == "declined":
                zoe.confirm(offer.link_id, accept=False)
            elif why == "linked":
                zoe.confirm(offer.link_id)
                ada.confirm("zoe")
        assert eve.claim(code) == LinkClaim()

    def test_claiming_again_changes_nothing(self, ada, zoe):
        code = ada.start()
        first = offered(zoe.claim(code))
        assert offered(zoe.claim(code)) == first

    def test_of_a_hundred_who_type_one_code_one_has_claimed_it_and_one_is_linked(self, ada, row_count):
        code = ada.start()
        people = [Person(str(number)) for number in range(100)]

        def try_it(person: Person) -> object:
            claimed = person.claim(code)
            assert isinstance(claimed, LinkClaim)
            if claimed.offer is None:
                return None
            ada.confirm(person.name)
            return person.confirm(claimed.offer.link_id)

        with ThreadPoolExecutor(100) as pool:
            outcomes = list(pool.map(try_it, people))
        assert [outcome for outcome in outcomes if outcome] == [LinkConfirmation("linked")]
        assert row_count("discord_links", "member_id IS NOT NULL") == 1
        assert row_count("members", "username IS NOT NULL AND discord_id IS NOT NULL") == 1

    def test_a_linked_discord_account_claims_nothing_more(self, ada, zoe, web):
        link(ada, zoe)
        code = web("ben").start()
        assert slug(zoe.claim(code)) == "discord-already-linked"
        assert offered(Person("7").claim(code)), "the refused try has not used the code up"

    def test_a_suspended_discord_account_claims_nothing(self, ada, zoe):
        suspend(zoe.id)
        assert slug(zoe.claim(ada.start())) == "suspended"

    def test_what_is_no_digest_is_no_code(self, ada, zoe):
        from fleet.contracts.users import CancelLink, ClaimLink
        from tests.users.links import hear

        ada.start()
        for digest in ("", "zz", "ab", "é", "00" * 5000):
            assert hear(ClaimLink(zoe.id, zoe.discord_id, "zoe", "Zoe", digest, now())) == LinkClaim()
            assert hear(CancelLink(zoe.discord_id, digest)) is None
        assert ada.status()["pending"]


class TestGuessing:
    def test_five_wrong_codes_and_then_even_the_right_one_is_refused_for_an_hour(self, ada, zoe):
        code = ada.start()
        for number in range(5):
            assert zoe.claim(f"WRNG{number + 2}XYZ") == LinkClaim()
        locked = zoe.claim(code)
        assert isinstance(locked, TooManyRequests)
        assert 0 < locked.extras["retry_after"] <= 3600
        assert "60 min" in locked.detail
        assert offered(Person("8").claim(code)), "another Discord account is not locked out"
        run("UPDATE rate_windows SET ends_at = now() - interval '1 second'")
        assert zoe.claim(code) == LinkClaim(), "an hour later it may try again; the code is another's by now"

    def test_right_codes_are_not_counted(self, ada, zoe):
        code = ada.start()
        for _ in range(12):
            assert offered(zoe.claim(code))

    def test_of_twenty_guesses_at_once_five_are_looked_at(self, ada, zoe):
        ada.start()
        with ThreadPoolExecutor(20) as pool:
            outcomes = list(pool.map(lambda n: zoe.claim(f"GUESS{n:03}"), range(20)))
        assert sum(outcome == LinkClaim() for outcome in outcomes) == 5
        assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == 15

    def test_ten_thousand_guesses_hit_nothing_and_are_locked_out(self, web, row_count):
        """50 Discord accounts guess at 20 open codes."""
        random = Random(SEED)
        for number in range(20):
            web(f"member{number}").start()
        people = [Person(str(number)) for number in range(50)]
        tries = [(random.choice(people), "".join(random.choices(CODE_ALPHABET, k=8))) for _ in range(GUESSES)]
        with ThreadPoolExecutor(16) as pool:
            outcomes = list(pool.map(lambda guess: guess[0].claim(guess[1]), tries))
        looked_at = [outcome for outcome in outcomes if isinstance(outcome, LinkClaim)]
        assert all(outcome.offer is None for outcome in looked_at)
        assert len(looked_at) <= 250
        assert sum(isinstance(outcome, TooManyRequests) for outcome in outcomes) == GUESSES - len(looked_at)
        assert row_count("link_codes", "claimed_by IS NOT NULL") == 0
        print(f"\nFIGURES link_guesses={GUESSES} looked_at={len(looked_at)} hits=0")


class TestConfirming:
    @pytest.mark.parametrize("first", ["web", "discord"])
    def test_only_both_together_link_in_either_order(self, first, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        if first == "web":
            answer = ada.confirm("zoe")
            assert (answer.status_code, answer.json["linked"]) == (200, False)
            assert answer.json["pending"]["confirmed_on_web"] is True
            assert zoe.confirm(offer.link_id) == LinkConfirmation("linked")
            status = ada.status()
        else:
            assert zoe.confirm(offer.link_id) == LinkConfirmation("waiting_for_web")
            assert ada.status()["linked"] is False
            assert ada.status()["pending"]["confirmed_in_discord"] is True
            status = ada.confirm("zoe").json
        assert status == {"linked": True, "discord_id": zoe.discord_id, "discord_username": "zoe", "pending": None}

    def test_both_at_the_same_moment_link_once(self, web, row_count, told):
        for number in range(10):
            browser, person = web(f"ada{number}"), Person(str(number))
            offer = offered(person.claim(browser.start()))
            with ThreadPoolExecutor(4) as pool:
                done = [
                    pool.submit(browser.confirm, person.name),
                    pool.submit(person.confirm, offer.link_id),
                    pool.submit(browser.confirm, person.name),
                    pool.submit(person.confirm, offer.link_id),
                ]
            assert [each.result() for each in done][1] in (
                LinkConfirmation("linked"),
                LinkConfirmation("waiting_for_web"),
            )
            assert browser.status()["linked"] is True
        assert len(told("users.discord_linked.v1")) == 10
        assert row_count("audit_entries", "action = 'discord_linked'") == 10

    def test_confirming_again_is_the_same(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        zoe.confirm(offer.link_id)
        for _ in range(3):
            assert ada.confirm("zoe").json["linked"] is True
            assert zoe.confirm(offer.link_id) == LinkConfirmation("linked")

    @pytest.mark.parametrize("side", ["web", "discord"])
    def test_either_side_may_decline_and_that_ends_it(self, side, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        if side == "web":
            assert ada.confirm("zoe", accept=False).json["pending"] is None
        else:
            assert zoe.confirm(offer.link_id, accept=False) == LinkConfirmation("declined")
        assert slug(zoe.confirm(offer.link_id)) == "nothing-to-confirm"
        refused(ada.confirm("zoe"), 409, "nothing-to-confirm")
        assert ada.status()["linked"] is False

    def test_only_the_claimant_confirms_in_discord(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        assert slug(Person("66", "eve").confirm(offer.link_id)) == "nothing-to-confirm"
        assert slug(Person("66", "eve").confirm(offer.link_id, accept=False)) == "nothing-to-confirm"
        assert slug(zoe.confirm(new_id())) == "nothing-to-confirm"
        assert zoe.confirm(offer.link_id) == LinkConfirmation("waiting_for_web")

    def test_only_the_web_session_that_started_confirms(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        zoe.confirm(offer.link_id)
        refused(ada.again().confirm("zoe"), 403, "forbidden")
        refused(ada.again().confirm("zoe", accept=False), 403, "forbidden")
        assert ada.confirm("zoe").json["linked"] is True

    def test_a_refreshed_token_is_the_same_session(self, ada, zoe, post):
        offer = offered(zoe.claim(ada.start()))
        ada.tokens = post("refresh", refresh=ada.tokens["refresh"]).json
        zoe.confirm(offer.link_id)
        assert ada.confirm("zoe").json["linked"] is True

    def test_another_name_than_the_one_that_was_shown_is_not_confirmed(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        zoe.confirm(offer.link_id)
        refused(ada.confirm("Zoe"), 409, "other-discord-name")
        assert ada.status()["linked"] is False

    def test_the_name_given_at_registration_is_no_link_that_was_confirmed(self, ada):
        run("UPDATE members SET discord_username = 'zoe'")
        refused(ada.confirm("zoe"), 409, "nothing-to-confirm")
        assert ada.status()["discord_username"] is None

    def test_nothing_to_confirm(self, ada, web):
        refused(ada.confirm("zoe"), 409, "nothing-to-confirm")
        ada.start()
        refused(ada.confirm("zoe"), 409, "nothing-to-confirm")

    @pytest.mark.parametrize("end", ["expired", "signed out", "replaced", "cancelled", "swept"])
    def test_a_claimed_code_that_ends_links_nobody(self, end, ada, zoe):
        code = ada.start()
        offer = offered(zoe.claim(code))
        zoe.confirm(offer.link_id)
        other = ada.again()
        if end == "expired":
            run("UPDATE link_codes SET expires_at = now()")
        elif end == "signed out":
            ada.logout()
            ada.tokens = other.tokens
        elif end == "replaced":
            other.start()
        elif end == "cancelled":
            Person("9").cancel(code)
        else:
            run("UPDATE link_codes SET expires_at = now() - interval '1 second'")
            with transaction() as session:
                assert link_codes.sweep(session) == 1
        answer = ada.confirm("zoe")
        assert answer.status_code in (401, 409)
        assert slug(zoe.confirm(offer.link_id)) == "nothing-to-confirm"
        assert value("SELECT count(*) FROM members WHERE discord_id IS NOT NULL AND username IS NOT NULL") == 0

    def test_a_suspension_in_between_ends_it(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        ada.confirm("zoe")
        suspend(ada.id)
        assert slug(zoe.confirm(offer.link_id)) == "nothing-to-confirm"

    def test_a_suspension_of_the_discord_account_in_between_refuses_it(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        zoe.confirm(offer.link_id)
        suspend(zoe.id)
        refused(ada.confirm("zoe"), 409, "suspended")

    def test_what_is_wrong_with_the_body_is_named(self, ada, zoe):
        offer = offered(zoe.claim(ada.start()))
        zoe.confirm(offer.link_id)
        wrong: list[tuple[Any, str]] = [
            ({}, "/discord_username"),
            ({"discord_username": None}, "/discord_username"),
            ({"discord_username": ""}, "/discord_username"),
            ({"discord_username": "x" * 101}, "/discord_username"),
            ({"discord_username": ["zoe"]}, "/discord_username"),
            ({"discord_username": 5}, "/discord_username"),
            ({"discord_username": "zoe\x1b"}, "/discord_username"),
            ({"discord_username": "zoe", "accept": "yes"}, "/accept"),
            ({"discord_username": "zoe", "accept": None}, "/accept"),
            ({"discord_username": "zoe", "discord_id": "1"}, "/discord_id"),
            ([], "/"),
            ("zoe", "/"),
        ]
        for body, pointer in wrong:
            assert pointers(ada.send("POST", "/api/link/confirm", json=body)) == [pointer], body
        assert ada.status()["linked"] is False

    def test_a_body_that_cannot_be_read_is_refused(self, ada):
        refused(ada.send("POST", "/api/link/confirm"), 422)
        refused(ada.send("POST", "/api/link/confirm", data="x", content_type="text/plain"), 415)
        refused(ada.send("POST", "/api/link/confirm", data="{", content_type="application/json"), 400)
        refused(ada.send("GET", "/api/link/confirm/"), 405)


class TestCancelling:
    def test_a_code_that_everybody_read_links_nobody(self, ada, zoe):
        code = ada.start()
        zoe.cancel(code)
        assert Person("66", "eve").claim(code) == LinkClaim()
        assert ada.status()["pending"] is None

    def test_a_link_that_was_made_is_not_undone_by_it(self, ada, zoe):
        code = ada.start()
        offer = offered(zoe.claim(code))
        zoe.confirm(offer.link_id)
        ada.confirm("zoe")
        zoe.cancel(code)
        assert ada.status()["linked"] is True


class TestTheTables:
    """What no code can make wrong, because the tables do not hold it."""

    def make(self, ada, **values) -> None:
        row = {"id": new_id(), "member": ada.id, "digest": os.urandom(32), "outcome": None, "web": None, "by": None}
        run(
            "INSERT INTO link_codes (id, member_id, session_id, code_digest, created_at, expires_at, outcome,"
            " web_confirmed_at, claimed_by) VALUES (:id, :member, :id, :digest, now(), now(), :outcome, :web, :by)",
            **row | values,
        )

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"outcome": "linked"}, "ck_link_codes_linked_by_both"),
            ({"outcome": "won"}, "ck_link_codes_outcome"),
            ({"web": now()}, "ck_link_codes_confirmed_after_the_claim"),
            ({"by": "66"}, "ck_link_codes_claimed_by_somebody"),
            ({}, "uq_link_codes_open"),
        ],
    )
    def test_it_is_not_held(self, values, constraint, ada):
        ada.start()
        with pytest.raises(IntegrityError, match=constraint):
            self.make(ada, **values)

    def test_two_codes_never_have_one_digest(self, ada):
        digest = os.urandom(32)
        self.make(ada, digest=digest, outcome="replaced")
        with pytest.raises(IntegrityError, match="uq_link_codes_code_digest"):
            self.make(ada, digest=digest, outcome="replaced")


def test_expired_codes_are_swept(ada, web, row_count):
    ada.start()
    web("ben").start()
    run("UPDATE link_codes SET expires_at = now() - interval '1 second' WHERE member_id = :id", id=ada.id)
    with transaction() as session:
        assert link_codes.sweep(session) == 1
    assert row_count("link_codes") == 1
