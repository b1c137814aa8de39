"""All that points holds on a member, shown to them; and a person forgotten while the books stay whole."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from fleet import exporting
from fleet.contracts import points
from fleet.contracts.points import Attachment
from fleet.contracts.users import UserUpdated
from fleet.database import transaction
from fleet.messages import envelope_for, new_id, now
from fleet.problems import NotFound
from services.points import (
    admin_awards,
    checkins,
    corrections,
    decisions,
    deeds,
    evidence,
    evidence_files,
    fetcher,
    members,
    privacy,
    submissions,
)
from services.points.models import Balance
from services.points.submissions import Claim
from services.points.subscriptions import subscriptions
from tests.points.books import BOSS, adjust, assert_books_balance, books, earn, link, place

PNG = b"\x89PNG\r\n\x1a\n"
SECRETS = {
    "name": "Zaphira Quillfeather",
    "university": "Univ of Krellport",
    "description": "planted description about brontolamps",
    "link": "https://example.org/planted-link-9x",
    "note": "planted note of the boss",
    "reason": "planted reason for the gift",
    "detail": "planted detail of the award",
    "file_name": "planted-file-name.png",
    "file": "planted content of the file",
    "reference": "planted-reference-77",
}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EVIDENCE_DIR", str(tmp_path / "evidence"))
    monkeypatch.setenv("ATTACHMENT_HOSTS", "cdn.example.org")
    return tmp_path / "evidence"


def upload(member_id: UUID, content: bytes, name: str = "photo.png") -> UUID:
    stored = evidence_files.keep(content)
    with transaction() as session:
        return evidence.record_upload(session, member_id, name, stored, content).id


def hand_in(member_id: UUID, activity: str, **claim: Any) -> UUID:
    with transaction() as session:
        return submissions.submit(session, member_id, Claim(activity, **claim))


@pytest.fixture
def planted(member, kind) -> UUID:
    """A member of whom something is in every table that names members."""
    member_id = member(SECRETS["name"], university=SECRETS["university"])
    earn(member_id, 100)
    with transaction() as session:
        admin_awards.award_by_admin(session, member_id, "peer_mentor", actor=BOSS, points=7, details=SECRETS["detail"])
    with transaction() as session:
        deeds.award_deed(session, member_id, "like_interaction", now(), "a-like")
    adjust(member_id, 5)
    with transaction() as session:
        session.execute(text("UPDATE adjustments SET reason = :reason"), {"reason": SECRETS["reason"]})
    kept = upload(member_id, PNG + SECRETS["file"].encode(), SECRETS["file_name"])
    words = {"description": SECRETS["description"], "url": SECRETS["link"], "evidence_id": kept}
    approved = hand_in(member_id, kind(cap=(3, "week")), reference=SECRETS["reference"], **words)
    with transaction() as session:
        decisions.approve(session, approved, decisions.Actor(BOSS, "admin"), note=SECRETS["note"])
    hand_in(member_id, kind(), **words | {"evidence_id": None})
    place(member_id, 10)
    hour = timedelta(hours=1)
    with transaction() as session:
        opening = checkins.Opening("event_attendance", "Fair", now() - hour, now() + hour, 5)
        _, code = checkins.open_one(session, opening, BOSS)
    with transaction() as session:
        checkins.redeem(session, member_id, code)
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO feed_items (type, id, member_id, subject_id, status, points, occurred_at, changed_at, version)"
                " VALUES ('redemption', :id, :member, :id, 'pending', 10, now(), now(), 1)"
            ),
            {"id": new_id(), "member": member_id},
        )
    return member_id


def export(*member_ids: UUID) -> dict[str, list[dict[str, Any]]]:
    """Everything, as users would put it together."""
    whole: dict[str, list[dict[str, Any]]] = {}
    cursor, handler = None, subscriptions.handlers["points.export_member.v1"]
    while True:
        asked = envelope_for(points.ExportMember(new_id(), list(member_ids), cursor), source="users")
        with transaction() as session:
            part = handler(session, asked)
        for name, rows in json.loads(part.rows).items():
            whole.setdefault(name, []).extend(rows)
        if part.next_cursor is None:
            return whole
        cursor = part.next_cursor


def erase(pseudonym: UUID, *member_ids: UUID) -> int:
    asked = envelope_for(points.EraseMember(new_id(), list(member_ids), pseudonym), source="users")
    with transaction() as session:
        return subscriptions.handlers["points.erase_member.v1"](session, asked).rows


def left_at(member_id: UUID) -> int:
    """What is in the row of just this id, wherever the id leads."""
    with transaction() as session:
        balance = session.get_one(Balance, member_id)
        return balance.available + balance.reserved + balance.redeemed + balance.lifetime


def database_text() -> str:
    """Every row of every table, as text."""
    with transaction() as session:
        names = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        return "\n".join(
            row for name in names for row in session.scalars(text(f'SELECT t::text FROM "{name}" AS t')).all()
        )


def test_every_table_that_names_members_is_shown(planted):
    found = export(planted)
    with_rows = {name for name, rows in found.items() if rows}
    assert with_rows == {section.name for section in privacy.SECTIONS}
    shown = json.dumps(found)
    assert [word for name, word in SECRETS.items() if word not in shown and name not in ("file", "reference")] == []
    with transaction() as session:
        naming = session.scalars(
            text(
                "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = 'public'"
                " AND column_name IN ('member_id', 'owner_id')"
            )
        ).all()
    # Where something about a member is kept; each is shown above, or says nothing of its own.
    elsewhere = {"aliases", "auth_state", "checkin_tries", "waiting_link_changes", "ledgers"}
    sections = {" ".join(section.select.split()) for section in privacy.SECTIONS}
    assert [table for table in naming if table not in elsewhere and not any(f" {table}" in s for s in sections)] == []


def test_nothing_of_anybody_else_is_shown(planted, member):
    other = member("Somebody Else")
    earn(other, 3)
    hand_in(other, "resource_share", description="another's words about resources")
    shown = json.dumps(export(planted))
    assert str(other) not in shown
    assert "Somebody Else" not in shown
    assert "another's words" not in shown
    assert SECRETS["name"] not in json.dumps(export(other))


def test_what_does_not_fit_into_one_part_comes_whole_and_once(planted, monkeypatch):
    whole = export(planted)
    for size in (1, 2, 3):
        monkeypatch.setattr(exporting, "ROWS_A_PART", size)
        assert export(planted) == whole


def test_a_merged_members_past_is_shown_too(planted, member):
    web = member("Web")
    link(planted, web)
    found = export(web, planted)
    assert {row["details"] for row in found["transfers"]} >= {SECRETS["detail"]}
    assert len(found["balances"]) == 2


def test_erasing_leaves_no_word_and_every_point(planted, store, row_count):
    before, pseudonym = books(planted), uuid4()
    transfers = row_count("transfers")
    assert erase(pseudonym, planted) > 0
    everything = database_text() + " ".join(str(path) for path in store.rglob("*"))
    assert [word for word in SECRETS.values() if word in everything] == []
    assert not [path for path in store.rglob("*") if path.is_file()]
    assert books(pseudonym) == before
    assert row_count("transfers") == transfers
    assert row_count("submissions", "status = 'pending'") == 0
    assert_books_balance()


def test_erasing_twice_changes_nothing_more(planted):
    pseudonym = uuid4()
    erase(pseudonym, planted)
    once = database_text()
    assert erase(pseudonym, planted) == 0
    assert database_text() == once


def test_what_is_still_under_way_brings_nobody_back(planted):
    """A late deed lands on the pseudonym; a late word of users is stale."""
    pseudonym = uuid4()
    erase(pseudonym, planted)
    available = books(pseudonym)[0]
    with transaction() as session:
        deeds.award_deed(session, planted, "discord_activity", now(), "late")
    late = UserUpdated(planted, SECRETS["name"], True, "student", "active", university=SECRETS["university"])
    with transaction() as session:
        members.apply_update(session, late, 10**9)
        members.register(session, planted)
    assert books(pseudonym)[0] == available + 5
    assert SECRETS["name"] not in database_text()
    assert_books_balance()


def test_no_word_that_comes_late_is_kept(planted, store):
    """A submission, a file, an award with details, a correction with its reason: of all these numbers would be all right."""
    erase(uuid4(), planted)
    late: list[Callable[[Session], Any]] = [
        lambda s: submissions.submit(s, planted, Claim("resource_share", SECRETS["description"])),
        lambda s: admin_awards.award_by_admin(
            s, planted, "peer_mentor", actor=BOSS, points=1, details=SECRETS["detail"]
        ),
        lambda s: corrections.adjust(s, planted, 5, SECRETS["reason"], actor=BOSS),
    ]
    for word in late:
        with pytest.raises(NotFound), transaction() as session:
            word(session)
    with pytest.raises(NotFound):
        upload(planted, PNG + b"late", SECRETS["file_name"])
    assert [word for word in SECRETS.values() if word in database_text()] == []


def test_all_ids_of_the_member_go_whether_the_merge_was_heard_of_or_not(planted, member):
    web, pseudonym = member("Web"), uuid4()
    earn(web, 1)
    lifetime = books(planted)[3] + 1
    erase(pseudonym, web, planted)
    assert books(pseudonym)[3] == lifetime
    # The merge that had been made before the erasure, and is heard of only now.
    link(planted, web, 1)
    assert books(pseudonym)[3] == lifetime
    assert (left_at(web), left_at(planted)) == (0, 0)
    assert_books_balance()


def test_somebody_who_comes_back_begins_with_nothing(planted):
    pseudonym, fresh = uuid4(), new_id()
    erase(pseudonym, planted)
    kept = books(pseudonym)
    link(planted, fresh, 1)
    earn(planted, 4)
    assert books(fresh) == (4, 0, 0, 4)
    assert books(pseudonym) == kept
    assert_books_balance()


def test_an_erasure_that_is_asked_for_once_more_takes_nothing_from_who_came_back(planted):
    pseudonym, fresh = uuid4(), new_id()
    erase(pseudonym, planted)
    kept = books(pseudonym)
    link(planted, fresh, 1)
    earn(planted, 4)
    assert erase(pseudonym, planted) == 0
    earn(planted, 3)
    assert books(fresh) == (7, 0, 0, 7)
    assert books(pseudonym) == kept


def test_a_file_that_somebody_else_handed_in_too_stays(planted, member):
    other, content = member("Other"), PNG + SECRETS["file"].encode()
    theirs = upload(other, content, "theirs.png")
    erase(uuid4(), planted)
    with transaction() as session:
        row = evidence.get(session, theirs, other)
        assert evidence_files.path_of(row.sha256).read_bytes() == content


def test_a_file_that_goes_while_somebody_else_hands_it_in_is_put_back(planted, member):
    """Between the store and its row: the file is there, then its last owner is forgotten, then the row is written."""
    other, content = member("Other"), PNG + SECRETS["file"].encode()
    stored = evidence_files.keep(content)
    erase(uuid4(), planted)
    assert not evidence_files.path_of(stored.sha256).exists()
    with transaction() as session:
        evidence.record_upload(session, other, "theirs.png", stored, content)
    assert evidence_files.path_of(stored.sha256).read_bytes() == content


def test_an_attachment_that_is_being_fetched_while_its_owner_is_forgotten_does_not_stay(member, monkeypatch, store):
    owner = member("Fetched")
    with transaction() as session:
        evidence.expect(session, owner, Attachment("https://cdn.example.org/a.png", "a.png", 9, "image/png"))

    def download(_fetch: Any) -> bytes:
        erase(uuid4(), owner)
        return PNG + b"x"

    monkeypatch.setattr(fetcher, "download", download)
    assert fetcher.fetch_next()
    assert not [path for path in store.rglob("*") if path.is_file()]


def test_awards_that_keep_coming_lose_and_strand_nothing(planted):
    """Fails when the erasure does not lock the balance: an award would be written to a member who is gone."""
    pseudonym = uuid4()
    lifetime = books(planted)[3]

    def award(number: int) -> None:
        with transaction() as session:
            day = now() - timedelta(days=number + 1)
            deeds.award_deed(session, planted, "discord_activity", day, f"keeps coming {number}")
        if number == 20:
            erase(pseudonym, planted)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(award, range(60)))
    assert books(pseudonym)[3] == lifetime + 60 * 5
    assert left_at(planted) == 0
    assert_books_balance()


def test_the_keys_and_answers_of_the_members_requests_go(planted, call):
    headers = {"Idempotency-Key": "mine"}
    assert (
        call(
            "POST",
            "/api/submissions/",
            planted,
            headers=headers,
            json={"activity_type": "resource_share", "description": SECRETS["description"]},
        ).status_code
        == 201
    )
    erase(uuid4(), planted)
    assert SECRETS["description"] not in database_text()
