"""Evidence: files that members hand in, by upload or as an attachment that is fetched from where it lies.

An attachment is recorded as `fetching` in the transaction of its submission and fetched by the worker afterwards
(services/points/fetcher.py): Discord's links expire, and no transaction waits for somebody else's server.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import files as evidence_files
from fleet.contracts.points import Attachment
from fleet.downloads import is_allowed
from fleet.files import MAX_BYTES, Stored
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, TooManyRequests, invalid
from services.points import ledger
from services.points.submission_models import Evidence, Submission

UPLOADS_A_DAY = 100
# Pauses before each further attempt to fetch an attachment; after the last one it has failed.
PAUSES_S = (2, 10, 60, 300, 1800, 7200)
# Longer than any attempt takes: a row whose fetcher died is taken again after it.
LEASE = timedelta(seconds=60)


class NotKept(Problem):
    """The file is not in the store: still being fetched, or it could not be had."""

    status, slug, title = 409, "evidence-not-kept", "The evidence is not in the store"


@dataclass(frozen=True)
class Fetch:
    """An attachment whose turn it is; `attempt` names this try, so that a try that was given up changes nothing."""

    evidence_id: UUID
    url: str
    size: int
    attempt: int


def record_upload(session: Session, owner_id: UUID, name: str, stored: Stored, data: bytes) -> Evidence:
    """The row of a file that is in the store already (or is put there again, when its last owner was just forgotten).

    Raises TooManyRequests after 100 in a day.
    """
    owner_id = ledger.lock_current_balance(session, owner_id).member_id
    ledger.refuse_forgotten(session, owner_id)
    evidence_files.hold_kept(session, stored, data)
    lately = select(func.count()).where(Evidence.owner_id == owner_id, Evidence.created_at > now() - timedelta(days=1))
    if (session.scalar(lately) or 0) >= UPLOADS_A_DAY:
        raise TooManyRequests(f"At most {UPLOADS_A_DAY} files a day.", retry_after=3600)
    row = Evidence(
        id=new_id(),
        owner_id=owner_id,
        status="kept",
        name=evidence_files.safe_name(name, stored.content_type),
        size=stored.size,
        content_type=stored.content_type,
        sha256=stored.sha256,
        attempts=0,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    return row


def expect(session: Session, owner_id: UUID, attachment: Attachment) -> Evidence:
    """The row of an attachment that the worker will fetch. Raises InvalidFields for one that it would not."""
    if not is_allowed(attachment.url):
        raise invalid("/attachment/url", "attachments are taken from Discord only")
    if not 0 < attachment.size <= MAX_BYTES:
        raise invalid("/attachment/size", "files may have up to 8 MB, and not be empty")
    row = Evidence(
        id=new_id(),
        owner_id=owner_id,
        status="fetching",
        name=evidence_files.safe_name(attachment.filename, None),
        size=attachment.size,
        source_url=attachment.url,
        attempts=0,
        next_at=now(),
        created_at=now(),
    )
    session.add(row)
    session.flush()
    return row


def get(session: Session, evidence_id: UUID, viewer: UUID | None) -> Evidence:
    """One row; NotFound when there is none or it is not the viewer's (None: staff, who see all)."""
    row = session.get(Evidence, evidence_id)
    if row is None or (viewer is not None and ledger.resolve(session, row.owner_id) != ledger.resolve(session, viewer)):
        raise NotFound("There is no such evidence of yours.")
    return row


def require_kept(row: Evidence) -> None:
    """Raise NotKept unless the file is in the store."""
    if row.status == "fetching":
        raise NotKept("The attachment is still being fetched. Try again in a moment.", evidence_status=row.status)
    if row.status == "failed":
        raise NotKept(f"The attachment could not be kept: {row.reason}.", evidence_status=row.status)


def take_due(session: Session) -> Fetch | None:
    """The next attachment to fetch, reserved for one attempt; other workers skip it meanwhile."""
    due = select(Evidence).where(Evidence.status == "fetching", Evidence.next_at <= func.now())
    row = session.scalar(due.order_by(Evidence.next_at).limit(1).with_for_update(skip_locked=True))
    if row is None or row.source_url is None:
        return None
    row.attempts += 1
    row.next_at = now() + LEASE
    if row.attempts > len(PAUSES_S) + 3:
        # Whatever ends the worker each time it comes to this one shall not do so for ever.
        row.status, row.source_url, row.next_at, row.reason = "failed", None, None, "it could not be fetched"
        return None
    return Fetch(row.id, row.source_url, row.size, row.attempts)


def fetched(session: Session, fetch: Fetch, stored: Stored) -> str:
    """The file is in the store: say so, and claim it where it may count only once.

    Returns what came of it: `failed` when the same file counts already, `given up` when this attempt took too long or
    nobody waits for the file any more; such a file does not stay.
    """
    # The row, then its file: the order in which an erasure takes them.
    name = session.scalar(select(Evidence.name).where(Evidence.id == fetch.evidence_id).with_for_update()) or ""
    evidence_files.hold(session, stored.sha256)
    if not evidence_files.path_of(stored.sha256).exists():
        return not_fetched(session, fetch, "it was deleted for its last owner meanwhile", for_good=False)
    kept = {
        "status": "kept",
        "name": evidence_files.safe_name(name, stored.content_type),
        "size": stored.size,
        "content_type": stored.content_type,
        "sha256": stored.sha256,
    }
    claim = update(Submission).where(
        Submission.evidence_id == fetch.evidence_id, Submission.claim_scope != "none", Submission.claim.is_(None)
    )
    try:
        with session.begin_nested():
            if not _finish(session, fetch, **kept):
                evidence_files.drop(session, stored.sha256, Evidence.sha256)
                return "given up"
            session.execute(claim.values(claim=file_digest(stored.sha256)))
    except IntegrityError:
        _finish(session, fetch, status="failed", reason="the same file was handed in before")
        return "failed"
    return "kept"


def file_digest(sha256: str) -> str:
    """What a submission claims with a file."""
    return f"file:{sha256}"


def not_fetched(session: Session, fetch: Fetch, reason: str, *, for_good: bool) -> str:
    """An attempt failed: the next one is due after a pause, until there is none left. Returns the evidence's state."""
    if for_good or fetch.attempt > len(PAUSES_S):
        _finish(session, fetch, status="failed", reason=reason)
        return "failed"
    pause = timedelta(seconds=PAUSES_S[fetch.attempt - 1])
    session.execute(_row(fetch).values(next_at=now() + pause))
    return "fetching"


def _finish(session: Session, fetch: Fetch, **values: Any) -> bool:
    """Write how it ended; False when this attempt was given up meanwhile and another has the row."""
    ended = _row(fetch).values(source_url=None, next_at=None, **values).returning(Evidence.id)
    return session.scalar(ended) is not None


def _row(fetch: Fetch) -> Any:
    statement = update(Evidence).where(
        Evidence.id == fetch.evidence_id, Evidence.status == "fetching", Evidence.attempts == fetch.attempt
    )
    return statement.execution_options(synchronize_session=False)
