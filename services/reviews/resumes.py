"""Resumes: files that students hand in, kept as long as they are needed, and who looked at them.

A file comes by upload, or as an attachment whose address the worker fetches (Discord's links expire). It is served to its
owner and staff, and to the professional by a link that expires; each look is written down, and the student sees who did.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fleet import files
from fleet.contracts.points_submissions import Attachment
from fleet.downloads import is_allowed
from fleet.files import MAX_BYTES, Stored
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, TooManyRequests, invalid
from services.reviews import members
from services.reviews.models import Resume, ResumeView, ReviewRequest

UPLOADS_A_DAY = 20
# Pauses before each further attempt to fetch an attachment; after the last one it has failed.
PAUSES_S = (2, 10, 60, 300, 1800, 7200)
LEASE = timedelta(seconds=60)


class NotKept(Problem):
    """The file is not in the store: still being fetched, or it could not be had."""

    status, slug, title = 409, "resume-not-kept", "The resume is not in the store"


@dataclass(frozen=True)
class Fetch:
    """An attachment whose turn it is; `attempt` names this try."""

    resume_id: UUID
    url: str
    size: int
    attempt: int


def record_upload(session: Session, owner_id: UUID, name: str, stored: Stored, data: bytes) -> Resume:
    """The row of a file that is in the store already (or is put there again, when its last owner was just forgotten).

    Raises TooManyRequests.
    """
    owner_id = members.hold_still(session, owner_id)
    files.hold_kept(session, stored, data)
    lately = select(func.count()).where(Resume.owner_id == owner_id, Resume.created_at > now() - timedelta(days=1))
    if (session.scalar(lately) or 0) >= UPLOADS_A_DAY:
        raise TooManyRequests(f"At most {UPLOADS_A_DAY} resumes a day.", retry_after=3600)
    kept = {"status": "kept", "size": stored.size, "content_type": stored.content_type, "sha256": stored.sha256}
    return _add(session, owner_id, files.safe_name(name, stored.content_type), **kept)


def expect(session: Session, owner_id: UUID, attachment: Attachment) -> Resume:
    """The row of an attachment that the worker will fetch. Raises InvalidFields for one that it would not."""
    if not is_allowed(attachment.url):
        raise invalid("/attachment/url", "attachments are taken from Discord only")
    if not 0 < attachment.size <= MAX_BYTES:
        raise invalid("/attachment/size", "files may have up to 8 MB, and not be empty")
    name = files.safe_name(attachment.filename, None)
    waiting = {"status": "fetching", "size": attachment.size, "source_url": attachment.url, "next_at": now()}
    return _add(session, members.hold_still(session, owner_id), name, **waiting)


def _add(session: Session, owner_id: UUID, name: str, **values: Any) -> Resume:
    row = Resume(id=new_id(), owner_id=owner_id, name=name, attempts=0, created_at=now(), **values)
    session.add(row)
    session.flush()
    return row


def get(session: Session, resume_id: UUID, viewer: UUID | None) -> Resume:
    """One row; NotFound when there is none or it is not the viewer's (None: staff, who see all)."""
    row = session.get(Resume, resume_id)
    if row is None or (viewer is not None and row.owner_id != members.resolve(session, viewer)):
        raise NotFound("There is no such resume of yours.")
    return row


def look(session: Session, row: Resume, viewer_id: UUID, kind: str) -> None:
    """Somebody looks at the file: write down who. Raises NotKept while there is none."""
    if row.status == "fetching":
        raise NotKept("The attachment is still being fetched. Try again in a moment.", resume_status=row.status)
    if row.status == "failed":
        raise NotKept(f"The attachment could not be kept: {row.reason}.", resume_status=row.status)
    session.add(ResumeView(id=new_id(), resume_id=row.id, viewer_id=viewer_id, viewer_kind=kind, viewed_at=now()))
    session.flush()


def views(session: Session, resume_id: UUID) -> list[ResumeView]:
    """Who looked at a resume, the latest first."""
    mine = select(ResumeView).where(ResumeView.resume_id == resume_id, ResumeView.viewer_kind != "owner")
    return list(session.scalars(mine.order_by(ResumeView.viewed_at.desc()).limit(100)))


def take_due(session: Session) -> Fetch | None:
    """The next attachment to fetch, reserved for one attempt; other workers skip it meanwhile."""
    due = select(Resume).where(Resume.status == "fetching", Resume.next_at <= func.now())
    row = session.scalar(due.order_by(Resume.next_at).limit(1).with_for_update(skip_locked=True))
    if row is None or row.source_url is None:
        return None
    row.attempts += 1
    row.next_at = now() + LEASE
    if row.attempts > len(PAUSES_S) + 3:
        # Whatever ends the worker each time it comes to this one shall not do so for ever.
        row.status, row.source_url, row.next_at, row.reason = "failed", None, None, "it could not be fetched"
        return None
    return Fetch(row.id, row.source_url, row.size, row.attempts)


def fetched(session: Session, fetch: Fetch, stored: Stored) -> None:
    """The file is in the store: say so. When this attempt was given up, or nobody waits any more, it does not stay."""
    # The row, then its file: the order in which an erasure takes them.
    name = session.scalar(select(Resume.name).where(Resume.id == fetch.resume_id).with_for_update()) or ""
    files.hold(session, stored.sha256)
    if not files.path_of(stored.sha256).exists():
        not_fetched(session, fetch, "it was deleted for its last owner meanwhile", for_good=False)
        return
    kept = {"size": stored.size, "content_type": stored.content_type, "sha256": stored.sha256}
    right_name = files.safe_name(name, stored.content_type)
    if not _end(session, fetch, status="kept", name=right_name, source_url=None, next_at=None, **kept):
        files.drop(session, stored.sha256, Resume.sha256)


def not_fetched(session: Session, fetch: Fetch, reason: str, *, for_good: bool) -> None:
    """An attempt failed: the next one is due after a pause, until there is none left."""
    if for_good or fetch.attempt > len(PAUSES_S):
        _end(session, fetch, status="failed", reason=reason, source_url=None, next_at=None)
    else:
        _end(session, fetch, next_at=now() + timedelta(seconds=PAUSES_S[fetch.attempt - 1]))


def _end(session: Session, fetch: Fetch, **values: Any) -> bool:
    """Write how an attempt ended; False when it was given up and another has the row."""
    mine = update(Resume).where(
        Resume.id == fetch.resume_id, Resume.status == "fetching", Resume.attempts == fetch.attempt
    )
    ended = mine.values(**values).returning(Resume.id)
    return session.scalar(ended, execution_options={"synchronize_session": False}) is not None


def reader_of(session: Session, resume_id: UUID) -> UUID:
    """The professional to whom the newest request with this resume was given. Raises NotFound when it is nobody's now."""
    mine = select(ReviewRequest.professional_id).where(
        ReviewRequest.resume_id == resume_id, ReviewRequest.professional_id.is_not(None)
    )
    found = session.scalar(mine.order_by(ReviewRequest.submitted_at.desc()).limit(1))
    if found is None:
        raise NotFound("This resume is not shared any more.")
    return found
