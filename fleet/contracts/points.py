"""What points says and hears."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event, question
from fleet.contracts.points_holds import (  # noqa: F401 this module names all of points
    CaptureHold,
    GetHolds,
    HoldCaptured,
    HoldEntry,
    HoldRefused,
    HoldReleased,
    Holds,
    PlaceHold,
    PointsHeld,
    PointsRefunded,
    Refund,
    ReleaseHold,
)
from fleet.contracts.points_reports import (  # noqa: F401 this module names all of points
    ActivityFigure,
    ActivityLog,
    Contributor,
    Contributors,
    EntryKind,
    GetActivityLog,
    GetContributors,
    GetProgramme,
    GetQueueReport,
    GetReceipt,
    LoggedEntry,
    ProgrammeFigures,
    QueueFigure,
    QueueReport,
    Receipt,
)
from fleet.contracts.points_submissions import (  # noqa: F401 this module names all of points
    Attachment,
    CheckinOutcome,
    DecideSubmission,
    EvidenceStatus,
    GetSubmissions,
    RedeemCheckin,
    SubmissionDecided,
    SubmissionEntry,
    SubmissionOutcome,
    SubmissionReceived,
    Submissions,
    SubmissionStatus,
    Submit,
    WithdrawSubmission,
)
from fleet.contracts.privacy import Erased, EraseRequest, ExportPart, ExportRequest

Period = Literal["all_time", "weekly", "monthly"]


@dataclass(frozen=True)
class ActivityOutcome:
    """What became of a LogActivity: `awarded` false means that this reference was counted before."""

    awarded: bool
    points: int
    available: int
    lifetime: int
    reason: str | None = None
    transfer_id: UUID | None = None


@command("points.log_activity.v1", senders=("bot",), answer=ActivityOutcome)
@dataclass(frozen=True)
class LogActivity:
    """Somebody did something that earns points by itself (a message, a reaction). `reference` names the deed once
    and for all: the same reference never earns twice. The day, week and month are those of `occurred_at`."""

    member_id: UUID
    activity: str
    occurred_at: datetime
    reference: str


@event("points.activity_logged.v1", public=True)
@dataclass(frozen=True)
class ActivityLogged:
    """Points were awarded. Subject: the member; `sequence`: the version of their balance."""

    member_id: UUID
    transfer_id: UUID
    activity: str
    category: str
    points: int
    rule_version: int
    occurred_at: datetime
    available: int
    lifetime: int


@dataclass(frozen=True)
class Standing:
    """Where a member stands. `rank` is null for who is not a student."""

    available: int
    reserved: int
    redeemed: int
    lifetime: int
    rank: int | None
    suspended_until: datetime | None = None
    suspended: bool = False


@question("points.get_standing.v1", senders=("bot", "rewards"), answer=Standing)
@dataclass(frozen=True)
class GetStanding:
    """Balance and rank of a member; zeros for one who never earned."""

    member_id: UUID


@dataclass(frozen=True)
class HistoryEntry:
    """One row of a member's points log."""

    activity: str
    name: str
    points: int
    occurred_at: datetime
    balance_after: int


@dataclass(frozen=True)
class History:
    """A page of the points log, newest first; `next_cursor` is null on the last page."""

    items: list[HistoryEntry]
    next_cursor: str | None = None


@question("points.get_history.v1", senders=("bot",), answer=History)
@dataclass(frozen=True)
class GetHistory:
    """A member's latest points, newest first."""

    member_id: UUID
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True)
class ActivityValue:
    """One way to earn, with its rule in words."""

    code: str
    name: str
    category: str
    category_name: str
    points: int
    rule: str
    requires_approval: bool
    # What must be handed in with it (none, text, url, attachment), and how many characters must be said about it.
    evidence: str | None = None
    min_description: int = 0


@dataclass(frozen=True)
class ActivityValues:
    """All active ways to earn, by category."""

    items: list[ActivityValue]


@question("points.get_activity_values.v1", senders=("bot",), answer=ActivityValues)
@dataclass(frozen=True)
class GetActivityValues:
    """How can points be earned?"""


@dataclass(frozen=True)
class Place:
    """One line of a leaderboard: `points` are those of the period, `total_points` the lifetime ones."""

    rank: int
    display_name: str
    total_points: int
    points: int
    is_me: bool


@dataclass(frozen=True)
class OwnPlace:
    """The viewer's own rank with up to two neighbours on either side."""

    rank: int
    total_points: int
    points: int
    above: list[Place]
    below: list[Place]


@dataclass(frozen=True)
class Leaderboard:
    """A page of the board; `me` is null for who is not a student. `member_ids` are those of `items`, when they were asked for."""

    period: Period
    items: list[Place]
    total: int
    me: OwnPlace | None = None
    next_cursor: str | None = None
    member_ids: list[UUID] | None = None


@question("points.get_leaderboard.v1", senders=("bot",), answer=Leaderboard)
@dataclass(frozen=True)
class GetLeaderboard:
    """A page of the leaderboard as `member_id` may see it, `with_ids` of the members on it."""

    member_id: UUID | None = None
    period: Period = "all_time"
    limit: int = 10
    cursor: str | None = None
    with_ids: bool = False


@dataclass(frozen=True)
class Streak:
    """Consecutive programme days with an award, in days; today not yet counted does not break the current one."""

    current: int
    longest: int
    last_active: date | None = None


@question("points.get_streak.v1", senders=("bot",), answer=Streak)
@dataclass(frozen=True)
class GetStreak:
    """How many days in a row has this member earned something?"""

    member_id: UUID


# --- corrections and merges


@event("points.points_adjusted.v1", public=True)
@dataclass(frozen=True)
class PointsAdjusted:
    """Points were corrected: `points` were added, or, negative, taken. A reversal names the transfer that it undoes.
    Subject: the member; `sequence`: the version of their balance."""

    member_id: UUID
    transfer_id: UUID
    kind: Literal["adjustment", "reversal"]
    points: int
    occurred_at: datetime
    available: int
    lifetime: int
    reversed_transfer_id: UUID | None = None


@dataclass(frozen=True)
class AdjustmentOutcome:
    """What became of an AdjustPoints; `pending`: it waits for a second admin."""

    status: Literal["applied", "pending"]
    adjustment_id: UUID
    points: int
    available: int
    lifetime: int


@command("points.adjust_points.v1", senders=("bot",), answer=AdjustmentOutcome)
@dataclass(frozen=True)
class AdjustPoints:
    """An admin corrects a member's points from Discord: at most 500 a command and 5,000 a day, up or down."""

    actor_member_id: UUID
    member_id: UUID
    points: int
    reason: str


@event("points.balance_joined.v1")
@dataclass(frozen=True)
class BalanceJoined:
    """A member's balance is another one although no points moved: a merge brought a second ledger, or an unlink opened an
    empty one."""

    member_id: UUID
    available: int
    lifetime: int


# --- privacy


@command("points.export_member.v1", senders=("users",), answer=ExportPart)
@dataclass(frozen=True)
class ExportMember(ExportRequest):
    """Show a part of what points holds on a member."""


@command("points.erase_member.v1", senders=("users",), answer=Erased)
@dataclass(frozen=True)
class EraseMember(EraseRequest):
    """Forget the person in points."""
