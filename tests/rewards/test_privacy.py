"""All that rewards holds on a member, shown to them; and a person forgotten while the shop stays in order."""

import json
from datetime import date

import pytest
from sqlalchemy import text

from fleet import exporting
from fleet.contracts import rewards as messages
from fleet.contracts.points import BalanceJoined
from fleet.contracts.users import AccountsMerged, ContactChanged, Notifications, UserUpdated
from fleet.database import transaction
from fleet.messages import envelope_for, new_id
from fleet.problems import NotFound
from services.rewards import decisions, members, redemptions, refunds
from services.rewards.subscriptions import subscriptions
from tests.rewards.conftest import BOSS, SECOND, kinds, state, stock, told, where

SECRETS = {
    "name": "Zaphira Quillfeather",
    "email": "zaphira@planted.example.org",
    "details": "planted street of Krellport 7",
    "note": "planted note of the boss",
    "own note": "planted note of her own",
    "tracking": "planted-tracking-1Z-999",
    "reason": "planted reason of the refund",
    "second": "planted note of the second boss",
    "reference": "discord:planted-reference-77",
}


@pytest.fixture
def planted(hear, incentive, request_, points_says):
    """A member of whom something is in every table that names members, with a redemption in each kind of state."""
    zaphira = new_id()
    hear(UserUpdated(zaphira, SECRETS["name"], True, "student", "active"), "users", sequence=3)
    wants = Notifications(True, True, True)
    hear(ContactChanged(zaphira, "Europe/Vienna", "en", wants, wants, SECRETS["email"]), "users", sequence=3)
    dear, plain = incentive(points=2000, category="merchandise"), incentive(stock=5)
    hear(BalanceJoined(zaphira, 5000, 5000), sequence=1)
    made = {}
    for name, reward in (("shipped", dear), ("pending", plain), ("requested", plain), ("cancelled", plain)):
        words = {"details": {"street": SECRETS["details"]}, "reference": f"{SECRETS['reference']}{name}"}
        made[name] = request_(reward, zaphira, **words).id
        if name != "requested":
            points_says(made[name], "held")
    with transaction() as session:
        decisions.decide(session, made["shipped"], "approve", BOSS, note=SECRETS["note"])
        decisions.cancel(session, made["cancelled"], zaphira, SECRETS["own note"])
    with transaction() as session:
        words = {"tracking_info": SECRETS["tracking"], "estimated_delivery": date(2026, 12, 24)}
        decisions.decide(session, made["shipped"], "ship", BOSS, **words)
        refunds.refund(session, made["shipped"], BOSS, SECRETS["reason"], restock=False)
        refunds.refuse(session, made["shipped"], SECOND, SECRETS["second"])
    return zaphira, made, plain


def export(*member_ids):
    """Everything, as users would put it together."""
    whole, cursor = {}, None
    while True:
        asked = envelope_for(messages.ExportMember(new_id(), list(member_ids), cursor), source="users")
        with transaction() as session:
            part = subscriptions.handlers[asked.type](session, asked)
        for name, rows in json.loads(part.rows).items():
            whole.setdefault(name, []).extend(rows)
        if part.next_cursor is None:
            return whole
        cursor = part.next_cursor


def erase(pseudonym, *member_ids):
    asked = envelope_for(messages.EraseMember(new_id(), list(member_ids), pseudonym), source="users")
    with transaction() as session:
        return subscriptions.handlers[asked.type](session, asked).rows


def database_text():
    """Every row of every table, as text."""
    with transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return "\n".join(
            row for name in names for row in session.scalars(text(f'SELECT t::text FROM "{name}" AS t')).all()
        )


def test_everything_is_shown_and_nothing_of_another(planted, pending, incentive, member, monkeypatch):
    zaphira, made, _plain = planted
    stranger = member("Somebody Else")
    foreign = pending(incentive(), stranger, details={"street": "not yours"})
    for rows in (exporting.ROWS_A_PART, 2):
        monkeypatch.setattr(exporting, "ROWS_A_PART", rows)
        whole = export(zaphira)
        shown = json.dumps(whole)
        assert [secret for secret in SECRETS.values() if secret not in shown] == []
        assert (str(foreign) in shown, "not yours" in shown, "Somebody Else" in shown) == (False, False, False)
        assert {row["id"] for row in whole["redemptions"]} == {str(each) for each in made.values()}
        steps = [row["status"] for row in whole["redemption_steps"] if row["redemption_id"] == str(made["shipped"])]
        assert steps == ["requested", "pending", "approved", "shipped"]
        assert whole["unlocks"]
        assert whole["mail_that_waits"]


def test_every_table_that_names_a_member_is_shown(planted):
    """A new table that nobody thought of here fails this: its rows would be held and not shown."""
    with transaction() as session:
        named = session.execute(
            text(
                "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND column_name IN ('member_id', 'redemption_id') OR table_schema = 'public'"
                " AND table_name = 'members' AND column_name = 'id'"
            )
        ).scalars()
        tables = set(named)
    # Ids that lead to ids; users shows them. awaited_replies: which message an answer goes to, for a second.
    without = {"aliases", "waiting_link_changes", "auth_state", "awaited_replies"}
    sections = " ".join(section.select for section in __import__("services.rewards.privacy").rewards.privacy.SECTIONS)
    assert [table for table in sorted(tables - without) if table not in sections] == []


def test_a_person_is_forgotten_and_the_shop_stays_in_order(planted, row_count, points_says):
    zaphira, made, plain = planted
    pseudonym, left = new_id(), stock(plain)
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO idempotency_keys (scope, key, request_hash, status, body) VALUES (:scope, 'k', '', 201, :body)"
            ),
            {"scope": f"{zaphira} POST /api/rewards/redeem", "body": SECRETS["details"].encode()},
        )
    assert erase(pseudonym, zaphira) > 5
    with transaction() as session:
        # Events on their way to the broker carry ids and no words; the bodies are bytes, so read them as such.
        bodies = session.scalars(text("SELECT convert_from(body, 'UTF8') FROM outbox")).all()
    everything = database_text() + "\n".join(bodies)
    assert [name for name, secret in SECRETS.items() if secret in everything] == []
    assert {state(each).member_id for each in made.values()} == {pseudonym}
    assert (where(made["pending"])[0], where(made["requested"])[0], where(made["shipped"])[0]) == (
        "cancelled",
        "cancelled",
        "shipped",
    )
    assert stock(plain) == left + 2
    assert kinds("points.release_hold") == ["release_hold"] * 3
    assert row_count("mail_queue") == 0
    assert erase(pseudonym, zaphira) == 0
    for each in ("pending", "requested", "cancelled"):
        points_says(made[each], "released")
        assert where(made[each]) == ("cancelled", None)


def test_nothing_comes_back_late(planted, hear, incentive):
    zaphira, made, plain = planted
    pseudonym = new_id()
    erase(pseudonym, zaphira)
    hear(UserUpdated(zaphira, SECRETS["name"], True, "student", "active"), "users", sequence=4)
    wants = Notifications(True, True, True)
    hear(ContactChanged(zaphira, "Europe/Vienna", "en", wants, wants, SECRETS["email"]), "users", sequence=4)
    with transaction() as session, pytest.raises(NotFound):
        redemptions.request(session, zaphira, plain, details={"street": SECRETS["details"]})
    with transaction() as session:
        decisions.decide(session, made["shipped"], "deliver", BOSS, note=SECRETS["note"])
    with transaction() as session:
        refunds.refund(session, made["shipped"], BOSS, SECRETS["reason"], restock=True)
    hear(BalanceJoined(pseudonym, 9000, 9000), sequence=77)
    everything = database_text()
    assert [name for name, secret in SECRETS.items() if secret in everything] == []
    assert where(made["shipped"])[0] == "delivered"


def test_who_comes_back_begins_anew(planted, hear, incentive, request_):
    zaphira, made, plain = planted
    derived, pseudonym, fresh = new_id(), new_id(), new_id()
    hear(AccountsMerged(derived, zaphira, 1), "users")
    erase(pseudonym, zaphira, derived)
    hear(AccountsMerged(derived, fresh, 2), "users")
    with transaction() as session:
        assert (members.resolve(session, derived), members.resolve(session, zaphira)) == (fresh, pseudonym)
    assert request_(plain, derived).member_id == fresh
    assert {state(each).member_id for each in made.values()} == {pseudonym}
    assert erase(pseudonym, zaphira, derived) == 0
    with transaction() as session:
        assert members.resolve(session, derived) == fresh


def test_a_pseudonym_is_told_of_by_ids_only(planted):
    zaphira, _made, _plain = planted
    said = len(told())
    erase(new_id(), zaphira)
    assert {message.type for message in told()[said:]} <= {
        "rewards.redemption_decided.v1",
        "points.release_hold.v1",
    }
