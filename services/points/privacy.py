"""What points holds on a member, for who asks to see it; and forgetting a person while the books stay whole.

- Transfers are never changed and never deleted. Forgetting is a merge of all the member's ids into a random one
  (`merging.join`): their sum cannot change, and what is still under way for an old id lands on the random one.
- What says something about the person goes: texts, links, notes, files, names. Numbers, times and ids stay.
- Nothing that users told earlier and that arrives late brings a name back: the member's row stays, empty, with a version
  beyond any that users can have (`FORGOTTEN`).
- A file goes only when nobody else handed in the same one. Who hands it in at this very moment waits at the file's lock
  and then looks whether it is still there (`files.hold`).
"""

from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from fleet import files, forgetting
from fleet.exporting import Section
from services.points import decisions, merging
from services.points.models import Member
from services.points.submission_models import Evidence, Submission

# Beyond any version that users gives a member.
FORGOTTEN = 2**62

SECTIONS: tuple[Section, ...] = (
    Section(
        "member",
        "SELECT id::text AS key, id, display_name, show_in_leaderboard, role, status, track, university,"
        " graduation_year FROM members WHERE id = ANY(:ids)",
    ),
    Section(
        "balances",
        "SELECT member_id::text AS key, member_id, available, reserved, redeemed, lifetime FROM balances"
        " WHERE member_id = ANY(:ids) AND (version > 0 OR lifetime <> 0)",
    ),
    Section(
        "transfers",
        "SELECT t.id::text AS key, t.id, t.kind, t.debit, t.credit, t.points, t.activity, t.rule_version, t.actor,"
        " t.occurred_at, t.recorded_at, t.available_after, n.details FROM transfers t"
        " JOIN ledgers l ON l.id = t.ledger_id LEFT JOIN transfer_notes n ON n.transfer_id = t.id"
        " WHERE l.member_id = ANY(:ids)",
    ),
    Section(
        "submissions",
        "SELECT id::text AS key, id, activity, rule_version, status, description, url, evidence_id, submitted_at,"
        " decided_at, decided_by, decided_as, note, points, transfer_id FROM submissions WHERE member_id = ANY(:ids)",
    ),
    Section(
        "evidence",
        "SELECT id::text AS key, id, name, size, content_type, sha256, status, reason, created_at,"
        " '/api/evidence/' || id || '/' AS file FROM evidence WHERE owner_id = ANY(:ids)",
    ),
    Section(
        "checkins",
        "SELECT u.checkin_id::text || ' ' || u.member_id::text AS key, c.activity, c.label, u.used_at, u.transfer_id"
        " FROM checkin_uses u JOIN checkins c ON c.id = u.checkin_id WHERE u.member_id = ANY(:ids)",
    ),
    Section(
        "adjustments",
        "SELECT id::text AS key, id, points, reason, status, requested_by, requested_at, decided_by, decided_at, note"
        " FROM adjustments WHERE member_id = ANY(:ids)",
    ),
    Section(
        "holds",
        "SELECT redemption_id::text AS key, redemption_id, points, state, reason, refunded_points, created_at,"
        " changed_at FROM holds WHERE member_id = ANY(:ids)",
    ),
    Section(
        "feed",
        "SELECT type || ' ' || id::text AS key, type, id, subject_id, status, points, occurred_at, changed_at"
        " FROM feed_items WHERE member_id = ANY(:ids)",
    ),
    Section(
        "boards",
        "SELECT board || ' ' || member_id::text AS key, board, points, reached_at, shown FROM scores WHERE member_id = ANY(:ids)",
    ),
    Section(
        "active_days",
        "SELECT day::text || ' ' || member_id::text AS key, day FROM active_days WHERE member_id = ANY(:ids)",
    ),
    Section(
        "allowances",
        "SELECT activity || ' ' || period || ' ' || member_id::text AS key, activity, period, used"
        " FROM allowances WHERE member_id = ANY(:ids)",
    ),
    Section(
        "cooldowns",
        "SELECT activity || ' ' || member_id::text AS key, activity, last_at FROM cooldowns WHERE member_id = ANY(:ids)",
    ),
)

# What is emptied or deleted once all is the pseudonym's (:id): each statement finds nothing the second time.
_EMPTIED: tuple[str, ...] = (
    "DELETE FROM transfer_notes WHERE transfer_id IN"
    " (SELECT t.id FROM transfers t JOIN ledgers l ON l.id = t.ledger_id WHERE l.member_id = :id)",
    "UPDATE submissions SET description = '', url = NULL, note = NULL, reference = NULL, evidence_id = NULL"
    " WHERE member_id = :id AND (description <> '' OR coalesce(url, note, reference) IS NOT NULL"
    " OR evidence_id IS NOT NULL)",
    "UPDATE adjustments SET reason = '', note = NULL WHERE member_id = :id AND (reason <> '' OR note IS NOT NULL)",
)
_DELETED_BY_OLD_ID: tuple[str, ...] = ("DELETE FROM checkin_tries WHERE member_id = ANY(:ids)",)


def forget(session: Session, member_ids: list[UUID], pseudonym: UUID) -> int:
    """Forget the person behind these ids and return how many rows were deleted or emptied. Repeating it changes nothing."""
    merging.lock(session, [*member_ids, pseudonym])
    # First, as the member: a claim that waits for staff is theirs to take back, and is told of with the others.
    rows = _withdraw(session, member_ids)
    gone = set(session.scalars(select(Member.id).where(Member.id.in_(member_ids), Member.version == FORGOTTEN)))
    for member_id in member_ids:
        # One that was forgotten before may lead to somebody who came back.
        if member_id not in gone:
            merging.join(session, member_id, pseudonym)
    for statement in _EMPTIED:
        rows += session.execute(text(statement), {"id": pseudonym}).rowcount  # type: ignore[attr-defined]
    for statement in _DELETED_BY_OLD_ID:
        rows += session.execute(text(statement), {"ids": member_ids}).rowcount  # type: ignore[attr-defined]
    rows += forgetting.forget_requests(session, member_ids)
    rows += _forget_files(session, pseudonym)
    nothing = {"display_name": None, "track": None, "university": None, "graduation_year": None, "status": "erased"}
    emptied = (
        update(Member)
        .where(Member.id.in_([*member_ids, pseudonym]), Member.version != FORGOTTEN)
        .values(**nothing, show_in_leaderboard=False, version=FORGOTTEN)
    )
    rows += session.execute(emptied, execution_options={"synchronize_session": False}).rowcount  # type: ignore[attr-defined]
    session.execute(
        text("UPDATE scores SET shown = false WHERE shown AND member_id = ANY(:ids)"),
        {"ids": [*member_ids, pseudonym]},
    )
    session.expire_all()
    return rows


def _withdraw(session: Session, member_ids: list[UUID]) -> int:
    waiting = select(Submission).where(Submission.member_id.in_(member_ids), Submission.status == "pending")
    mine = session.scalars(waiting.order_by(Submission.id)).all()
    for submission in mine:
        decisions.withdraw(session, submission.id, submission.member_id)
    return len(mine)


def _forget_files(session: Session, pseudonym: UUID) -> int:
    """Delete the person's evidence, and each file that nobody else handed in.

    The files go before the commit: a crash in between leaves rows without a file, and the command comes again; after the
    commit nobody would know any more that there was a file.
    """
    mine = Evidence.owner_id == pseudonym
    digests = set(session.scalars(select(Evidence.sha256).where(mine, Evidence.sha256.is_not(None))))
    gone = session.execute(delete(Evidence).where(mine)).rowcount  # type: ignore[attr-defined]
    for digest in sorted(digest for digest in digests if digest):
        files.hold(session, digest)
        files.drop(session, digest, Evidence.sha256)
    return int(gone)
