"""What points hears of submissions and check-in codes: commands and questions of the bot."""

from typing import Any

from sqlalchemy.orm import Session

from fleet.contracts import points
from fleet.messages import Envelope
from services.points import checkins, decisions, ledger, submissions
from services.points.heard import subscriptions
from services.points.submissions import Claim, Filters


def _evidence_status(row: Any) -> points.EvidenceStatus:
    return row.Evidence.status if row.Evidence is not None else "none"


def _outcome(session: Session, submission_id: Any) -> points.SubmissionOutcome:
    row = submissions.described(session, submission_id)
    found = row.Submission
    return points.SubmissionOutcome(
        submission_id=found.id,
        member_id=found.member_id,
        activity=found.activity,
        name=row.name,
        status=found.status,
        points=row.promised if found.points is None else found.points,
        evidence=_evidence_status(row),
    )


@subscriptions.handles(points.Submit)
def submit(session: Session, command: Envelope[points.Submit]) -> points.SubmissionOutcome:
    """A member claims to have earned something."""
    said = command.data
    claim = Claim(said.activity, said.description, said.url, None, said.attachment, said.reference)
    return _outcome(session, submissions.submit(session, said.member_id, claim))


@subscriptions.handles(points.DecideSubmission)
def decide_submission(session: Session, command: Envelope[points.DecideSubmission]) -> points.SubmissionOutcome:
    """Staff decide."""
    said = command.data
    actor = decisions.actor_by_message(session, said.actor_member_id, staff_attested=said.staff_attested)
    if said.decision == "approve":
        decisions.approve(session, said.submission_id, actor, points=said.points, note=said.note)
    else:
        decisions.reject(session, said.submission_id, actor, said.note)
    return _outcome(session, said.submission_id)


@subscriptions.handles(points.WithdrawSubmission)
def withdraw_submission(session: Session, command: Envelope[points.WithdrawSubmission]) -> points.SubmissionOutcome:
    """A member takes a submission back."""
    decisions.withdraw(session, command.data.submission_id, command.data.member_id)
    return _outcome(session, command.data.submission_id)


@subscriptions.handles(points.GetSubmissions)
def get_submissions(session: Session, question: Envelope[points.GetSubmissions]) -> points.Submissions:
    """One's own submissions, or the queue for those who may decide."""
    asked = question.data
    if asked.queue:
        decisions.actor_by_message(session, asked.member_id, staff_attested=asked.staff_attested)
        filters = Filters(None, "pending", asked.activity, order="oldest")
    else:
        filters = Filters(asked.member_id, None, asked.activity)
    waiting = submissions.count(session, Filters(filters.members, "pending"))
    if asked.submission_id is not None:
        if not asked.queue:
            submissions.of_member(session, asked.submission_id, asked.member_id)
        return points.Submissions([_entry(submissions.described(session, asked.submission_id))], waiting)
    rows, cursor = submissions.listing(session, filters, max(1, min(asked.limit, 25)), asked.cursor)
    return points.Submissions([_entry(row) for row in rows], waiting, cursor)


def _entry(row: Any) -> points.SubmissionEntry:
    found = row.Submission
    return points.SubmissionEntry(
        submission_id=found.id,
        member_id=found.member_id,
        display_name=row.display_name,
        activity=found.activity,
        name=row.name,
        status=found.status,
        points=row.promised if found.points is None else found.points,
        description=found.description,
        url=found.url,
        evidence=_evidence_status(row),
        evidence_name=row.Evidence.name if row.Evidence is not None else None,
        submitted_at=found.submitted_at,
        decided_at=found.decided_at,
        note=found.note,
        reference=found.reference,
    )


@subscriptions.handles(points.RedeemCheckin)
def redeem_checkin(session: Session, command: Envelope[points.RedeemCheckin]) -> points.CheckinOutcome:
    """A member typed in a code. A wrong one is an answer and no refusal: the count of tries is to be kept."""
    member_id = ledger.resolve(session, command.data.member_id)
    checkins.count_try(session, member_id)
    try:
        found = checkins.redeem(session, member_id, command.data.code)
    except checkins.WrongCode as problem:
        return points.CheckinOutcome(redeemed=False, reason=problem.detail)
    checkins.give_back(session, member_id)
    return points.CheckinOutcome(
        redeemed=True,
        activity=found.activity.code,
        name=found.activity.name,
        label=found.checkin.label,
        points=found.award.points,
        available=found.award.available,
    )
