"""Deciding submissions: approved, rejected or withdrawn, once, by somebody else than who made them.

The member's balance is locked first, then one guarded statement takes the submission out of the queue; whoever finds it
decided already hears what it is now. What an approval pays commits with it, under a key of the submission.
"""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fleet import auth_state, outbox
from fleet.contracts.points import SubmissionDecided
from fleet.messages import now
from fleet.problems import Forbidden, Problem, invalid
from services.points import activity_admin, awards, evidence, ledger, submissions
from services.points.models import Member
from services.points.submission_models import Evidence, Submission

MAX_POINTS = 2000
MAX_NOTE = 1000


class AlreadyDecided(Problem):
    """The submission was decided otherwise; `submission_status` says how."""

    status, slug, title = 409, "already-decided", "The submission was decided before"


@dataclass(frozen=True)
class Actor:
    """Who decides, and what gives them the right to."""

    member_id: UUID
    standing: Literal["admin", "staff"]


def actor_by_message(session: Session, member_id: UUID, *, staff_attested: bool) -> Actor:
    """Who decides through a message: an admin by what users told us, or a holder of the guild's staff role, for whom
    the bot vouches. Raises Forbidden for anybody else."""
    if _is_admin(session, member_id):
        return Actor(member_id, "admin")
    if staff_attested:
        return Actor(member_id, "staff")
    raise Forbidden("Only admins and the server's staff see and decide submissions.")


def require_admin(session: Session, member_id: UUID, words: str) -> None:
    """Raise Forbidden, with these words, unless the member who acts through a message is an admin who may act."""
    if not _is_admin(session, member_id):
        raise Forbidden(words)


def _is_admin(session: Session, member_id: UUID) -> bool:
    member_id = ledger.resolve(session, member_id)
    role = session.scalar(select(Member.role).where(Member.id == member_id))
    return auth_state.may_act_as_admin(session, member_id, role)


def approve(
    session: Session, submission_id: UUID, actor: Actor, *, points: int | None = None, note: str | None = None
) -> Submission:
    """Approve and pay: `points`, or what the rule promised when it was made. Repeating it changes nothing.

    Raises NotFound, Forbidden for one's own, AlreadyDecided, NotKept while the evidence is not in the store, and
    Suspended or LimitReached, which leave it pending.
    """
    if points is not None and not 0 <= points <= MAX_POINTS:
        raise invalid("/points", f"must be between 0 and {MAX_POINTS}")
    _check_note(note)
    balance = ledger.lock_owner(session, select(Submission.member_id).where(Submission.id == submission_id))
    found = submissions.find(session, submission_id)
    _refuse_own(session, balance.member_id, actor)
    activity = activity_admin.as_of(session, found.activity, found.rule_version)
    worth = activity.points if points is None else points
    if not _take_out(session, found, "approved", actor.member_id, actor.standing, note, worth):
        return _repeated(submissions.find(session, submission_id), "approved", worth)
    if found.evidence_id is not None:
        evidence.require_kept(session.get_one(Evidence, found.evidence_id, populate_existing=True))
    key, claimed_at = f"submission:{submission_id}", found.submitted_at
    award = awards.award_submission(
        session, balance, activity, key, claimed_at, points=worth, actor=actor.member_id, note=note
    )
    if award is not None:
        paid = update(Submission).where(Submission.id == submission_id).values(transfer_id=award.id)
        session.execute(paid, execution_options={"synchronize_session": False})
    return _told(session, submission_id)


def reject(session: Session, submission_id: UUID, actor: Actor, note: str | None) -> Submission:
    """Reject, and say why. Repeating it changes nothing. Raises NotFound, Forbidden for one's own, AlreadyDecided."""
    if note is None or not submissions.trimmed(note):
        raise invalid("/note", "say why, so that the member can do better")
    _check_note(note)
    found = submissions.find(session, submission_id)
    _refuse_own(session, ledger.resolve(session, found.member_id), actor)
    if not _take_out(session, found, "rejected", actor.member_id, actor.standing, note, None):
        return _repeated(submissions.find(session, submission_id), "rejected", None)
    return _told(session, submission_id)


def withdraw(session: Session, submission_id: UUID, member_id: UUID) -> Submission:
    """Take one's own submission back. Repeating it changes nothing. Raises NotFound, AlreadyDecided."""
    found = submissions.of_member(session, submission_id, member_id)
    if not _take_out(session, found, "withdrawn", ledger.resolve(session, member_id), "member", None, None):
        return _repeated(submissions.find(session, submission_id), "withdrawn", None)
    return _told(session, submission_id)


def _check_note(note: str | None) -> None:
    if note is not None and (len(note) > MAX_NOTE or "\x00" in note):
        raise invalid("/note", f"at most {MAX_NOTE} characters, none of them NUL")


def _refuse_own(session: Session, owner: UUID, actor: Actor) -> None:
    """Also an owner who goes by another id: both lead to the same member."""
    if ledger.resolve(session, actor.member_id) == owner:
        raise Forbidden("Nobody decides on their own submission. Ask somebody else of the staff.")


def _take_out(
    session: Session, found: Submission, status: str, by: UUID, standing: str, note: str | None, points: int | None
) -> bool:
    """Take the submission out of the queue, in one guarded statement; False when somebody had done so before."""
    decided = {"decided_at": now(), "decided_by": by, "decided_as": standing, "note": note, "points": points}
    taken = (
        update(Submission)
        .where(Submission.id == found.id, Submission.status == "pending")
        .values(status=status, version=Submission.version + 1, **decided)
        .returning(Submission.id)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(taken) is not None


def _repeated(found: Submission, status: str, points: int | None) -> Submission:
    """The same decision again is fine and changes nothing; another one comes too late."""
    if (found.status, found.points) == (status, points):
        return found
    how = f"{found.status} with {found.points} points" if found.status == "approved" else found.status
    raise AlreadyDecided(
        f"This submission was {how} before.", submission_status=found.status, submission_points=found.points
    )


def _told(session: Session, submission_id: UUID) -> Submission:
    """Record the event of a decision that was just made; the submission's row is locked by its change."""
    found = submissions.find(session, submission_id)
    assert found.decided_by is not None
    assert found.decided_at is not None
    decided = SubmissionDecided(
        submission_id=found.id,
        member_id=found.member_id,
        activity=found.activity,
        decision=found.status,  # type: ignore[arg-type]
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        points=found.points,
        transfer_id=found.transfer_id,
    )
    outbox.record(session, decided, source=ledger.SOURCE, subject=found.id, sequence=found.version)
    return found
