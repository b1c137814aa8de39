"""Submissions: what members claim to have earned, one table and one flow for all activity types.

A submission is made under the present version of its rule and keeps it. What may count only once (a link, a file) is
claimed by a unique index while the submission is pending or approved, so of twenty that come at once one gets it.
"""

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Row, Select, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from fleet import outbox, paging
from fleet.contracts.codec import instant
from fleet.contracts.points import Attachment, SubmissionReceived
from fleet.messages import new_id, now
from fleet.problems import InvalidFields, NotFound, Problem, invalid
from services.points import activities, activity_admin, evidence, ledger, links
from services.points.models import ActivityType, Alias, Member
from services.points.submission_models import ActivityTypeVersion, CheckinUse, Evidence, Submission

MAX_DESCRIPTION = 2000


class CountsByItself(Problem):
    """The activity is awarded without anybody's approval, so there is nothing to submit."""

    status, slug, title = 409, "counts-by-itself", "This activity counts by itself"


class EvidenceUsed(Problem):
    """The same link or file is in a submission that is pending or was approved."""

    status, slug, title = 409, "evidence-used", "This was handed in before"


@dataclass(frozen=True)
class Claim:
    """What a member hands in. `attachment` is still to be fetched; `reference` names a claim that may come again."""

    activity: str
    description: str = ""
    url: str | None = None
    evidence_id: UUID | None = None
    attachment: Attachment | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Filters:
    """Which submissions a list shows; `members` None: everybody's."""

    members: UUID | None = None
    status: str | None = None
    activity: str | None = None
    older_than_hours: int | None = None
    order: Literal["newest", "oldest"] = "newest"


def submit(session: Session, member_id: UUID, claim: Claim) -> UUID:
    """Record a pending submission and tell it; returns its id. A known `reference` gives the first one's.

    Raises NotFound for an unknown or inactive type, CountsByItself, Suspended, InvalidFields for evidence that the rule
    does not accept, EvidenceUsed, and NotKept for a file that is not in the store.
    """
    activity = activities.get(session, claim.activity)
    if not activity.requires_approval:
        raise CountsByItself(f"{activity.name} counts by itself: nothing has to be submitted.")
    # Under the lock that a merge and an erasure take too: what is handed in follows its member, or is there before they go.
    member_id = ledger.lock_current_balance(session, member_id).member_id
    ledger.refuse_forgotten(session, member_id)
    if claim.reference and (known := _by_reference(session, member_id, claim.reference)):
        return known
    ledger.refuse_suspended(session, member_id)
    description = trimmed(claim.description)
    url = links.checked(claim.url, activity.code) if claim.url is not None else None
    _refuse_lacking(activity, description, url, claim)
    proof = _proof(session, member_id, claim)
    activity_admin.keep_version(session, activity)
    moment = now()
    row = {
        "id": new_id(),
        "member_id": member_id,
        "activity": activity.code,
        "rule_version": activity.version,
        "description": description,
        "url": url,
        "evidence_id": proof.id if proof else None,
        "claim_scope": activity.evidence_once,
        "claim": _claimed(activity, url, proof),
        "reference": claim.reference,
        "submitted_at": moment,
    }
    made = insert(Submission).values(**row).on_conflict_do_nothing().returning(Submission.id)
    submission_id = session.scalar(made)
    if submission_id is None:
        # The other one has committed by now: it was this same request, or somebody claimed the same thing first.
        if claim.reference and (known := _by_reference(session, member_id, claim.reference)):
            return known
        whose = "by you" if activity.evidence_once == "member" else "by you or somebody else"
        raise EvidenceUsed(f"{activity.name}: the same evidence counts once, and was handed in {whose} before.")
    received = SubmissionReceived(
        submission_id=submission_id,
        member_id=member_id,
        activity=activity.code,
        category=activity.category,
        points=activity.points,
        rule_version=activity.version,
        submitted_at=moment,
    )
    outbox.record(session, received, source=ledger.SOURCE, subject=submission_id, sequence=1)
    return submission_id


def _by_reference(session: Session, member_id: UUID, reference: str) -> UUID | None:
    known = session.execute(
        select(Submission.id, Submission.member_id).where(Submission.reference == reference)
    ).one_or_none()
    if known is None:
        return None
    if ledger.resolve(session, known.member_id) != member_id:
        raise invalid("/reference", "names the submission of somebody else")
    found: UUID = known.id
    return found


def trimmed(text: str) -> str:
    """The text without white space and invisible characters at its ends."""
    invisible = {c for c in text if c.isspace() or unicodedata.category(c) in ("Cf", "Cc")}
    return text.strip("".join(invisible))


def _length(text: str) -> int:
    """Characters that a reader can see something of."""
    return sum(unicodedata.category(c) not in ("Cf", "Cc", "Mn", "Me") for c in text)


def _refuse_lacking(activity: ActivityType, description: str, url: str | None, claim: Claim) -> None:
    """Name everything that the rule asks for and the claim does not have."""
    errors = []
    if len(description) > MAX_DESCRIPTION or "\x00" in description:
        errors.append({"pointer": "/description", "detail": f"at most {MAX_DESCRIPTION} characters, none of them NUL"})
    least = max(activity.min_description, 1 if activity.evidence == "text" else 0)
    if _length(description) < least:
        errors.append({"pointer": "/description", "detail": f"{activity.name} needs at least {least} characters"})
    if activity.evidence == "url" and url is None:
        errors.append({"pointer": "/url", "detail": f"{activity.name} needs a link"})
    has_file = claim.evidence_id is not None or claim.attachment is not None
    if activity.evidence == "attachment" and not has_file:
        errors.append({"pointer": "/evidence_id", "detail": f"{activity.name} needs a file or photo"})
    if errors:
        raise InvalidFields(errors)


def _proof(session: Session, member_id: UUID, claim: Claim) -> Evidence | None:
    if claim.attachment is not None:
        return evidence.expect(session, member_id, claim.attachment)
    if claim.evidence_id is None:
        return None
    try:
        row = evidence.get(session, claim.evidence_id, member_id)
    except NotFound as error:
        raise invalid("/evidence_id", "names no file of yours; POST /api/evidence/ gives one") from error
    evidence.require_kept(row)
    return row


def _claimed(activity: ActivityType, url: str | None, proof: Evidence | None) -> str | None:
    """The digest of what may count only once; None while that is still to be fetched, or when anything goes."""
    if activity.evidence_once == "none":
        return None
    if activity.evidence == "url":
        return links.digest(url or "")
    return evidence.file_digest(proof.sha256) if proof and proof.sha256 else None


def find(session: Session, submission_id: UUID) -> Submission:
    """The submission as it is now; NotFound when there is none."""
    statement = select(Submission).where(Submission.id == submission_id)
    found = session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        raise NotFound("There is no such submission.")
    return found


def of_member(session: Session, submission_id: UUID, member_id: UUID) -> Submission:
    """A submission of one's own; NotFound when it is another's."""
    found = find(session, submission_id)
    if ledger.resolve(session, found.member_id) != ledger.resolve(session, member_id):
        raise NotFound("There is no such submission.")
    return found


def _with_words() -> Any:
    """Submissions with what is shown beside them: the activity and its rule as it was, the file, the member's name."""
    then = aliased(ActivityTypeVersion)
    as_it_was = (then.code == Submission.activity) & (then.version == Submission.rule_version)
    return (
        select(
            Submission,
            ActivityType.name.label("name"),
            func.coalesce(then.points, ActivityType.points).label("promised"),
            Evidence,
            Member.display_name.label("display_name"),
        )
        .join(ActivityType, ActivityType.code == Submission.activity)
        .outerjoin(then, as_it_was)
        .outerjoin(Evidence, Evidence.id == Submission.evidence_id)
        .outerjoin(Member, Member.id == Submission.member_id)
        .execution_options(populate_existing=True)
    )


def described(session: Session, submission_id: UUID) -> Row[Any]:
    """One submission with its words; NotFound when there is none."""
    row = session.execute(_with_words().where(Submission.id == submission_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such submission.")
    return row


def listing(session: Session, filters: Filters, limit: int, cursor: str | None) -> tuple[list[Row[Any]], str | None]:
    """A page of submissions and the cursor of the next. Raises InvalidFields for a cursor that is not of this list."""
    statement = _filtered(session, _with_words(), filters)
    place = tuple_(Submission.submitted_at, Submission.id)
    newest = filters.order == "newest"
    if key := paging.decode_cursor(cursor, instant, UUID):
        after = tuple_(literal(key[0]), literal(key[1]))
        statement = statement.where(place < after if newest else place > after)
    if newest:
        statement = statement.order_by(Submission.submitted_at.desc(), Submission.id.desc())
    else:
        statement = statement.order_by(Submission.submitted_at, Submission.id)
    rows = session.execute(statement.limit(limit + 1)).all()
    return paging.page(rows, limit, lambda row: (row.Submission.submitted_at.isoformat(), row.Submission.id))


def count(session: Session, filters: Filters) -> int:
    """How many submissions the filters let through."""
    return session.scalar(_filtered(session, select(func.count()).select_from(Submission), filters)) or 0


def _filtered(session: Session, statement: Select[Any], filters: Filters) -> Select[Any]:
    if filters.members is not None:
        whose = ledger.resolve(session, filters.members)
        merged = select(Alias.old_id).where(Alias.member_id == whose)
        statement = statement.where((Submission.member_id == whose) | Submission.member_id.in_(merged))
    if filters.status is not None:
        statement = statement.where(Submission.status == filters.status)
    if filters.activity is not None:
        statement = statement.where(Submission.activity == filters.activity)
    if filters.older_than_hours is not None:
        before: datetime = now() - timedelta(hours=filters.older_than_hours)
        statement = statement.where(Submission.submitted_at < before)
    return statement


def follow_merge(session: Session, old_id: UUID, member_id: UUID) -> None:
    """What a member handed in and used belongs to another one from now on. Both balances must be locked.

    Where both had handed in the same evidence, the older row keeps the claim to it; what was paid stays paid.
    """
    mine, other = aliased(Submission), aliased(Submission)
    twice = (
        select(mine.id)
        .join(other, (other.activity == mine.activity) & (other.claim == mine.claim) & (other.id != mine.id))
        .where(mine.member_id == old_id, other.member_id == member_id, mine.claim_scope == "member")
    )
    quietly = {"synchronize_session": False}
    session.execute(update(Submission).where(Submission.id.in_(twice)).values(claim=None), execution_options=quietly)
    for table, column in ((Submission, Submission.member_id), (Evidence, Evidence.owner_id)):
        moved = update(table).where(column == old_id).values({column.key: member_id})
        session.execute(moved, execution_options=quietly)
    used = aliased(CheckinUse)
    both = select(used.checkin_id).where(used.member_id == member_id)
    moved = update(CheckinUse).where(CheckinUse.member_id == old_id, CheckinUse.checkin_id.not_in(both))
    session.execute(moved.values(member_id=member_id), execution_options=quietly)
