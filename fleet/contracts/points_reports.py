"""What points tells of single entries of the log, and, to staff, of everybody's; a part of `points`, which names all of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import question

EntryKind = Literal["award", "adjustment", "reversal", "hold", "release", "refund", "other"]


@dataclass(frozen=True)
class Receipt:
    """Why one entry of the points log is there. `points` is negative for what left; `number` counts from the newest, 1.

    `rule_version` is the version of the activity's rule that applied; `decided_by` the name of who approved or corrected.
    """

    number: int
    transfer_id: UUID
    kind: EntryKind
    name: str
    points: int
    occurred_at: datetime
    balance_after: int
    activity: str | None = None
    rule_version: int | None = None
    decided_by: str | None = None
    details: str | None = None
    description: str | None = None
    url: str | None = None
    evidence_name: str | None = None


@question("points.get_receipt.v1", senders=("bot",), answer=Receipt)
@dataclass(frozen=True)
class GetReceipt:
    """One entry of the member's own log by its place, the newest being 1; NotFound when the log is shorter. `transfer_id`
    asks for that one instead, whose `number` is then 0."""

    member_id: UUID
    number: int = 1
    transfer_id: UUID | None = None


@dataclass(frozen=True)
class LoggedEntry:
    """One entry of anybody's log, for staff."""

    member_id: UUID
    display_name: str | None
    kind: EntryKind
    name: str
    points: int
    occurred_at: datetime
    decided_by: str | None = None


@dataclass(frozen=True)
class ActivityLog:
    """A page of what was earned, corrected and spent, newest first."""

    items: list[LoggedEntry]
    next_cursor: str | None = None


@question("points.get_activity_log.v1", senders=("bot",), answer=ActivityLog)
@dataclass(frozen=True)
class GetActivityLog:
    """What was written down in the last `hours`, for admins; of one member when `member_id` is there."""

    actor_member_id: UUID
    member_id: UUID | None = None
    hours: int = 24
    limit: int = 10
    cursor: str | None = None


@dataclass(frozen=True)
class ActivityFigure:
    """One way to earn, by how often it was awarded in the last 30 days."""

    name: str
    awards: int
    points: int


@dataclass(frozen=True)
class ProgrammeFigures:
    """The programme as a whole. `outstanding` is what members could still claim; the week is the present one."""

    members: int
    active_7days: int
    active_30days: int
    issued: int
    reserved: int
    redeemed: int
    outstanding: int
    week_points: int
    week_awards: int
    week_members: int
    pending: int
    top_activities: list[ActivityFigure]
    oldest_pending_at: datetime | None = None


@question("points.get_programme.v1", senders=("bot",), answer=ProgrammeFigures)
@dataclass(frozen=True)
class GetProgramme:
    """The programme's figures, for admins."""

    actor_member_id: UUID


@dataclass(frozen=True)
class QueueFigure:
    """How much of one kind waits, and since when."""

    activity: str
    name: str
    pending: int
    oldest_at: datetime


@dataclass(frozen=True)
class QueueReport:
    """What waits for staff, the longest waiting kind first."""

    pending: int
    kinds: list[QueueFigure]


@question("points.get_queue_report.v1", senders=("bot",), answer=QueueReport)
@dataclass(frozen=True)
class GetQueueReport:
    """What waits for staff? For admins, or when the bot vouches for the server's staff role."""

    actor_member_id: UUID
    staff_attested: bool = False


@dataclass(frozen=True)
class Contributor:
    """A member with what they earned in a period: points, corrections included, and how many awards they come from."""

    member_id: UUID
    display_name: str
    points: int
    activities: int


@dataclass(frozen=True)
class Contributors:
    """Who earned most, the first first; of who is shown on the leaderboard. `activities` and `members` are of all of them."""

    items: list[Contributor]
    members: int
    activities: int


@question("points.get_contributors.v1", senders=("bot",), answer=Contributors)
@dataclass(frozen=True)
class GetContributors:
    """Who earned most in the last 7 or 30 days, in one category of activities or in all."""

    period: Literal["7days", "30days"] = "7days"
    category: str | None = None
    limit: int = 10
