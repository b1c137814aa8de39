"""What reviews holds on a member, for who asks to see it; and forgetting a person while what happened stays counted.

Forgetting is a merge of all the member's ids into a random one, after their open request has ended: sessions that were
held still count for their professionals. Names, addresses, texts, files and mail that waits go. What users told earlier
and arrives late brings nothing back: the member's row stays, empty, with versions beyond any that users can have.
"""

from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from fleet import files, forgetting
from fleet.exporting import Section
from services.reviews import merging, sessions
from services.reviews.models import OPEN, Member, Resume, ReviewRequest
from services.reviews.turns import SYSTEM

# Beyond any version that users gives a member.
FORGOTTEN = 2**62

# Name and query of each part of an export: `:ids` are the member's ids, `key` orders the rows and is in none twice.
SECTIONS: tuple[Section, ...] = (
    Section(
        "member", "SELECT id::text AS key, id, display_name, email, time_zone, locale FROM members WHERE id = ANY(:ids)"
    ),
    Section(
        "review_requests",
        "SELECT id::text AS key, id, status, target_industry, target_role, experience_level, preferred_times, time_zone,"
        " excluded_employers, resume_id, resume_url, professional_id, submitted_at, matched_at, completed_at, cancelled_at"
        " FROM review_requests WHERE student_id = ANY(:ids)",
    ),
    Section(
        "preferred_times",
        "SELECT p.review_request_id::text || ' ' || p.starts_at::text AS key, p.* FROM preferred_times p"
        " JOIN review_requests r ON r.id = p.review_request_id WHERE r.student_id = ANY(:ids)",
    ),
    Section(
        "sessions",
        "SELECT id::text AS key, id, review_request_id, professional_id, starts_at, duration_minutes, status, meeting_link,"
        " created_at, ended_at FROM sessions WHERE student_id = ANY(:ids)",
    ),
    Section(
        "history",
        "SELECT t.id::text AS key, t.id, t.subject_id, t.was, t.becomes, t.actor, t.actor_id, t.note, t.starts_at, t.at"
        " FROM turns t JOIN review_requests r ON r.id = t.review_request_id WHERE r.student_id = ANY(:ids)",
    ),
    Section(
        "resumes",
        "SELECT id::text AS key, id, name, size, content_type, sha256, status, reason, created_at,"
        " '/api/resumes/' || id || '/file/' AS file FROM resumes WHERE owner_id = ANY(:ids)",
    ),
    Section(
        "resume_views",
        "SELECT v.id::text AS key, v.resume_id, v.viewer_id, v.viewer_kind, v.viewed_at FROM resume_views v"
        " JOIN resumes r ON r.id = v.resume_id WHERE r.owner_id = ANY(:ids)",
    ),
    Section(
        "feedback",
        "SELECT f.review_request_id::text AS key, f.* FROM feedback f"
        " JOIN review_requests r ON r.id = f.review_request_id WHERE r.student_id = ANY(:ids)",
    ),
    Section(
        "notes",
        "SELECT n.session_id::text AS key, n.* FROM notes n JOIN sessions s ON s.id = n.session_id"
        " WHERE s.student_id = ANY(:ids)",
    ),
)

# What is emptied or deleted once all is the pseudonym's (:id): each statement finds nothing the second time.
_EMPTIED: tuple[str, ...] = (
    "DELETE FROM preferred_times WHERE review_request_id IN (SELECT id FROM review_requests WHERE student_id = :id)",
    "DELETE FROM notes WHERE session_id IN (SELECT id FROM sessions WHERE student_id = :id)",
    "UPDATE feedback SET comment = '' WHERE comment <> ''"
    " AND review_request_id IN (SELECT id FROM review_requests WHERE student_id = :id)",
    "UPDATE turns SET note = NULL WHERE note IS NOT NULL"
    " AND review_request_id IN (SELECT id FROM review_requests WHERE student_id = :id)",
    "UPDATE review_requests SET target_industry = '', target_role = '', preferred_times = '', unparsed = '{}',"
    " excluded_employers = '{}', resume_url = NULL, resume_id = NULL, reference = NULL WHERE student_id = :id"
    " AND (target_industry <> '' OR target_role <> '' OR preferred_times <> '' OR excluded_employers <> '{}'"
    " OR resume_url IS NOT NULL OR resume_id IS NOT NULL OR reference IS NOT NULL)",
    "UPDATE sessions SET meeting_link = NULL WHERE student_id = :id AND meeting_link IS NOT NULL",
)


def forget(session: Session, member_ids: list[UUID], pseudonym: UUID) -> int:
    """Forget the person behind these ids and return how many rows were deleted or emptied. Repeating it changes nothing."""
    merging.lock(session, [*member_ids, pseudonym])
    gone = set(session.scalars(select(Member.id).where(Member.id.in_(member_ids), Member.name_version == FORGOTTEN)))
    rows = _forget_mail(session, member_ids)
    # Nameless already when their sessions end: what professionals are told then names nobody.
    rows += _empty(session, [*member_ids, pseudonym])
    rows += _end_business(session, member_ids)
    for member_id in member_ids:
        # One that was forgotten before may lead to somebody who came back.
        if member_id not in gone:
            merging.join(session, member_id, pseudonym)
    for statement in _EMPTIED:
        rows += session.execute(text(statement), {"id": pseudonym}).rowcount  # type: ignore[attr-defined]
    rows += forgetting.forget_requests(session, member_ids)
    rows += _forget_files(session, pseudonym)
    session.expire_all()
    return rows


def _forget_mail(session: Session, member_ids: list[UUID]) -> int:
    """Delete what waits in the queue for the person, or is about their sessions, and its calendar parts."""
    mine = "SELECT id FROM sessions WHERE student_id = ANY(:ids)"
    rows = 0
    for statement in (
        f"DELETE FROM mail_queue WHERE id IN (SELECT mail_id FROM invitations WHERE session_id IN ({mine}))",  # noqa: S608
        f"DELETE FROM invitations WHERE session_id IN ({mine})",  # noqa: S608 constants of this function
        "DELETE FROM mail_queue WHERE recipient IN (SELECT email FROM members WHERE id = ANY(:ids))",
    ):
        rows += session.execute(text(statement), {"ids": member_ids}).rowcount  # type: ignore[attr-defined]
    return rows


def _empty(session: Session, member_ids: list[UUID]) -> int:
    emptied = (
        update(Member)
        .where(Member.id.in_(member_ids), Member.name_version != FORGOTTEN)
        .values(
            display_name=None,
            role="student",
            email=None,
            time_zone=None,
            locale=None,
            name_version=FORGOTTEN,
            contact_version=FORGOTTEN,
        )
    )
    done = session.execute(emptied, execution_options={"synchronize_session": False})
    session.expire_all()
    return int(done.rowcount)  # type: ignore[attr-defined]


def _end_business(session: Session, member_ids: list[UUID]) -> int:
    """Cancel the open requests, with their sessions, so that their professionals learn of it."""
    mine = select(ReviewRequest.id).where(ReviewRequest.student_id.in_(member_ids), text(OPEN))
    found = list(session.scalars(mine.order_by(ReviewRequest.id)))
    for request_id in found:
        sessions.cancel_request(session, request_id, SYSTEM)
    return len(found)


def _forget_files(session: Session, pseudonym: UUID) -> int:
    """Delete the resumes, and each file that is nobody else's; the files go before the commit, so that a crash in between
    leaves rows without a file, and the command comes again."""
    mine = Resume.owner_id == pseudonym
    digests = {one for one in session.scalars(select(Resume.sha256).where(mine)) if one}
    gone = session.execute(delete(Resume).where(mine)).rowcount  # type: ignore[attr-defined]
    for digest in sorted(digests):
        files.hold(session, digest)
        files.drop(session, digest, Resume.sha256)
    return int(gone)
