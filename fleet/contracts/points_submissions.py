"""What points says and hears of submissions and check-in codes; a part of `points`, which names all of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event, question

SubmissionStatus = Literal["pending", "approved", "rejected", "withdrawn"]
EvidenceStatus = Literal["none", "fetching", "kept", "failed"]


@event("points.submission_received.v1", public=True)
@dataclass(frozen=True)
class SubmissionReceived:
    """Somebody claims to have earned something; staff are to decide. Subject: the submission, whose version is
    `sequence` (1 here). `points` is what the rule of that version promises."""

    submission_id: UUID
    member_id: UUID
    activity: str
    category: str
    points: int
    rule_version: int
    submitted_at: datetime


@event("points.submission_decided.v1", public=True)
@dataclass(frozen=True)
class SubmissionDecided:
    """A submission left the queue, once and for all. Subject: the submission; `sequence`: its version (2).

    `points` and `transfer_id` are of an approval; there is no transfer when it was approved with 0 points."""

    submission_id: UUID
    member_id: UUID
    activity: str
    decision: Literal["approved", "rejected", "withdrawn"]
    decided_by: UUID
    decided_at: datetime
    points: int | None = None
    transfer_id: UUID | None = None


@dataclass(frozen=True)
class Attachment:
    """A file as Discord describes it. The owner fetches it, from known hosts only, and looks at what it really is."""

    url: str
    filename: str
    size: int
    content_type: str | None = None


@dataclass(frozen=True)
class SubmissionOutcome:
    """A submission as it stands. `points`: what was awarded once it is approved, before that what the rule promises."""

    submission_id: UUID
    member_id: UUID
    activity: str
    name: str
    status: SubmissionStatus
    points: int
    evidence: EvidenceStatus


@command("points.submit.v1", senders=("bot",), answer=SubmissionOutcome)
@dataclass(frozen=True)
class Submit:
    """A member claims an activity that staff approve. `reference` (the interaction's id) names the claim: the same
    one submits once."""

    member_id: UUID
    activity: str
    reference: str
    description: str = ""
    url: str | None = None
    attachment: Attachment | None = None


@command("points.decide_submission.v1", senders=("bot",), answer=SubmissionOutcome)
@dataclass(frozen=True)
class DecideSubmission:
    """Approve or reject a submission; rejecting needs a note. `staff_attested`: the bot vouches that the actor holds
    the guild's staff role. Without `points` an approval is worth what the rule promised."""

    submission_id: UUID
    decision: Literal["approve", "reject"]
    actor_member_id: UUID
    points: int | None = None
    note: str | None = None
    staff_attested: bool = False


@command("points.withdraw_submission.v1", senders=("bot",), answer=SubmissionOutcome)
@dataclass(frozen=True)
class WithdrawSubmission:
    """A member takes a pending submission of theirs back."""

    member_id: UUID
    submission_id: UUID


@dataclass(frozen=True)
class SubmissionEntry:
    """A submission with its texts, for who may read them."""

    submission_id: UUID
    member_id: UUID
    display_name: str | None
    activity: str
    name: str
    status: SubmissionStatus
    points: int
    description: str
    url: str | None
    evidence: EvidenceStatus
    evidence_name: str | None
    submitted_at: datetime
    decided_at: datetime | None = None
    note: str | None = None
    # The name its sender gave the claim; null for one that came by REST.
    reference: str | None = None


@dataclass(frozen=True)
class Submissions:
    """A page of submissions; `next_cursor` is null on the last one. `pending` counts the whole queue, or all of the
    member's that wait."""

    items: list[SubmissionEntry]
    pending: int
    next_cursor: str | None = None


@question("points.get_submissions.v1", senders=("bot",), answer=Submissions)
@dataclass(frozen=True)
class GetSubmissions:
    """A member's own submissions, newest first; or, `queue`, what waits for a decision, oldest first, for an admin or
    when the bot vouches for the guild's staff role. `submission_id` asks for that one, decided or not."""

    member_id: UUID
    queue: bool = False
    staff_attested: bool = False
    submission_id: UUID | None = None
    activity: str | None = None
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True)
class CheckinOutcome:
    """What became of a code: `redeemed` false means that there is no such code, and that the try was counted."""

    redeemed: bool
    activity: str | None = None
    name: str | None = None
    label: str | None = None
    points: int = 0
    available: int = 0
    reason: str | None = None


@command("points.redeem_checkin.v1", senders=("bot",), answer=CheckinOutcome)
@dataclass(frozen=True)
class RedeemCheckin:
    """A member typed in the code of an event."""

    member_id: UUID
    code: str
