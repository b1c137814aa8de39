"""Everything that is held on a member, shown to them: whole, theirs alone, and however long a service is away."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from fleet import exporting
from fleet.database import transaction
from fleet.problems import Unavailable
from services.users import exports, holders, privacy
from tests.answers import refused
from tests.users.conftest import PASSWORD
from tests.users.holding import asked, database_text, hear, let_time_pass, show, work
from tests.users.links import Browser, Person, link

EXPORT = "/api/users/export/"


@pytest.fixture(autouse=True)
def two_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    """What users does is the same for any number of services: two are enough to tell one from the other."""
    monkeypatch.setattr(holders, "HOLDERS", ("points", "bot"))


@pytest.fixture
def ada(app) -> Browser:
    return Browser(app, "ada")


def get(browser: Browser) -> Any:
    return browser.send("GET", EXPORT)


def collect(browser: Browser) -> dict[str, Any]:
    """Let every service show a row, and fetch the document."""
    assert get(browser).status_code == 202
    for service in holders.HOLDERS:
        show(service, {"things": [{"of": service}]})
    work()
    answer = get(browser)
    assert answer.status_code == 200
    return json.loads(answer.data)


def test_it_is_202_until_every_service_has_shown_everything(ada):
    first = get(ada)
    assert (first.status_code, first.headers["Location"], first.headers["Retry-After"]) == (202, EXPORT, "2")
    assert first.json["state"] == "collecting"
    assert first.json["services"] == dict.fromkeys(["users", *holders.HOLDERS], "collecting")
    work()
    show("points", {"transfers": [{"points": 5}]})
    half = get(ada)
    assert (half.status_code, half.json["services"]["users"], half.json["services"]["points"]) == (
        202,
        "collected",
        "collected",
    )
    assert half.json["services"]["bot"] == "collecting"
    show("bot", {"people": []})
    work()
    ready = get(ada)
    assert (ready.status_code, ready.content_type) == (200, "application/json")
    assert ready.headers["Content-Disposition"].startswith('attachment; filename="propel-export-')
    document = json.loads(ready.data)
    assert document["member_id"] == str(ada.id)
    assert document["services"]["points"] == {"transfers": [{"points": 5}]}
    assert document["services"]["bot"] == {"people": []}
    assert document["services"]["users"]["account"][0]["email"] == "ada@example.org"


def test_every_row_that_users_holds_is_shown_and_none_of_another(app, post, ada):
    """Planted in each table of users that holds something about members."""
    other = Browser(app, "berta")
    for browser, person in ((ada, Person("11", "zoe")), (other, Person("12", "yan"))):
        link(browser, person)
        browser.send("PATCH", "/api/users/profile/", json={"first_name": f"Named {browser.name}", "major": "Physics"})
        browser.send("POST", "/api/users/resend_verification/")
        post("reset_password", email=f"{browser.name}@example.org")
        browser.send("POST", "/api/users/consent/", json={"media_consent": True})
    get(ada)
    with transaction() as session:
        # Before the other chores send what is asked for here.
        exports.go_on(session)
    document = collect(ada)["services"]["users"]
    assert [name for name, rows in document.items() if not rows] == ["acts"]
    assert set(document) == {section.name for section in privacy.SECTIONS}
    account = document["account"][0]
    assert (account["first_name"], account["discord_id"], account["media_consent_from"]) == (
        "Named ada",
        "11",
        "127.0.0.1",
    )
    shown = json.dumps(document)
    for word in ("berta", str(other.id), "yan", '"12"'):
        assert word not in shown, word
    with transaction() as session:
        stored = session.execute(
            text("SELECT password_hash, encode(token_hash, 'hex') FROM members, refresh_tokens")
        ).all()
    assert [secret for row in stored for secret in row if secret in shown] == []


def test_every_table_is_shown_or_it_is_said_why_not():
    """A new table must be shown, or be named here."""
    of_nobody = {
        "alembic_version",
        "auth_state",  # repeats the member's version, role and status
        "answers",
        "inbox",
        "outbox",  # on their way, and repeat what the tables say
        "dead_letters",  # likewise; what names somebody who is forgotten goes
        "oauth_states",  # of nobody yet: whoever begins a sign-in with Google has not said who they are
        "idempotency_keys",  # repeat answers that were given
        "rate_windows",  # hashed, and of a day at most
        "refresh_tokens",  # hashes, of the sign-ins that are shown
        "export_parts",
        "export_tasks",
        "exports",
        "erasures",
        "erasure_tasks",  # of those who are gone
    }
    with transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
    selects = " ".join(section.select for section in privacy.SECTIONS)
    assert [name for name in names if name not in of_nobody and f" {name} " not in selects] == []


def test_parts_are_asked_for_one_after_the_other_and_joined_in_order(ada, monkeypatch):
    monkeypatch.setattr(exporting, "ROWS_A_PART", 1)
    get(ada)
    show("bot", {"people": []})
    rows = [{"number": number} for number in range(7)]
    for number in range(6):
        kind = "first" if number < 4 else "second"
        show("points", {kind: [rows[number]]}, f"after {number}")
        assert asked("points", "export")[-1].data.cursor == f"after {number}"
    show("points", {"second": [rows[6]]})
    work()
    document = json.loads(get(ada).data)["services"]
    assert document["points"] == {"first": rows[:4], "second": rows[4:]}
    assert document["bot"] == {"people": []}
    # users' own parts, of one row each, are joined in the same way.
    assert set(document["users"]) == {section.name for section in privacy.SECTIONS}


def test_an_answer_that_comes_twice_or_late_is_counted_once_and_kept_nowhere(ada, row_count):
    get(ada)
    for _ in range(2):
        show("points", {"transfers": [{"text": "planted-once"}]}, "next", which=0)
    assert len(asked("points", "export")) == 2
    show("points", {"transfers": [{"text": "the rest"}]}, which=1)
    show("points", {"transfers": [{"text": "planted-late"}]}, which=0)
    show("bot", {})
    work()
    transfers = json.loads(get(ada).data)["services"]["points"]["transfers"]
    assert transfers == [{"text": "planted-once"}, {"text": "the rest"}]
    assert row_count("answers") == 0
    assert "planted-late" not in database_text()


def test_a_service_that_was_down_is_asked_again_and_the_export_goes_on(ada):
    get(ada)
    show("bot", {})
    for asks in (2, 3):
        let_time_pass("UPDATE export_tasks SET due_at = now() - interval '1 second' WHERE service = 'points'")
        work()
        assert len(asked("points", "export")) == asks
        work()
        assert len(asked("points", "export")) == asks, "not again before its time"
    assert get(ada).status_code == 202
    hear("points", asked("points", "export")[-1], None, Unavailable("not now").to_dict())
    assert get(ada).status_code == 202, "a refusal is no part"
    show("points", {"transfers": []})
    work()
    assert get(ada).status_code == 200


def test_many_requests_at_once_are_one_export(ada, row_count):
    with ThreadPoolExecutor(12) as pool:
        assert {answer.status_code for answer in pool.map(lambda _: get(ada), range(12))} == {202}
    assert row_count("exports") == 1
    assert len(asked("points", "export")) == 1


def test_it_can_be_fetched_for_a_day_and_is_then_gone(ada, row_count):
    collect(ada)
    assert get(ada).status_code == 200
    assert row_count("exports", "expires_at BETWEEN now() + interval '23 hours' AND now() + interval '24 hours'") == 1
    assert row_count("export_parts") == 0
    let_time_pass("UPDATE exports SET expires_at = now() - interval '1 second'")
    work()
    assert row_count("exports") == row_count("export_tasks") == 0
    assert get(ada).status_code == 202, "the next one is new"


def test_what_a_link_brought_is_asked_for_under_both_ids(ada):
    zoe = Person("11", "zoe")
    link(ada, zoe)
    get(ada)
    assert asked("points", "export")[0].data.member_ids == [ada.id, zoe.id]


def test_who_waits_for_approval_or_is_suspended_may_see_it(register, client, app):
    company = register("corp", role="company")
    headers = {"Authorization": f"Bearer {company['tokens']['access']}"}
    assert client.get(EXPORT, headers=headers).status_code == 202


def test_nobody_else_gets_it(client, ada):
    collect(ada)
    refused(client.get(EXPORT), 401)
    assert get(Browser(ada.app, "berta")).status_code == 202


def test_a_hundred_thousand_rows_are_one_document(ada):
    get(ada)
    show("bot", {})
    parts, size = 20, 5_000
    for number in range(parts):
        rows = {"transfers": [{"id": number * size + row} for row in range(size)]}
        show("points", rows, str(number) if number < parts - 1 else None)
    work()
    answer = get(ada)
    transfers = json.loads(answer.data)["services"]["points"]["transfers"]
    assert [row["id"] for row in transfers] == list(range(parts * size))


def test_the_password_stays_out(ada):
    assert PASSWORD not in json.dumps(collect(ada))
