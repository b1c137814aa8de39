"""What staff do to members from Discord, and what users tells of it; a part of `users`, which names all of it.

Who acts is the person in Discord; whether they may is for users to say: an admin by their role. Warnings may also come from
a holder of the server's staff role, for whom the bot vouches.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fleet.contracts import command, event, question


@dataclass(frozen=True)
class MemberState:
    """A member as staff see them after what was done."""

    member_id: UUID
    display_name: str
    status: str
    warnings: int
    suspended_until: datetime | None = None


@command("users.suspend_member.v1", senders=("bot",), answer=MemberState)
@dataclass(frozen=True)
class SuspendMember:
    """An admin suspends a member for some minutes, or, without, until somebody lifts it."""

    actor_member_id: UUID
    member_id: UUID
    reason: str
    minutes: int | None = None


@command("users.unsuspend_member.v1", senders=("bot",), answer=MemberState)
@dataclass(frozen=True)
class UnsuspendMember:
    """An admin lifts a suspension before its end."""

    actor_member_id: UUID
    member_id: UUID


@command("users.warn_member.v1", senders=("bot",), answer=MemberState)
@dataclass(frozen=True)
class WarnMember:
    """Staff warn a member. `staff_attested`: the bot vouches that the actor holds the server's staff role."""

    actor_member_id: UUID
    member_id: UUID
    reason: str
    staff_attested: bool = False


@command("users.clear_warnings.v1", senders=("bot",), answer=MemberState)
@dataclass(frozen=True)
class ClearWarnings:
    """An admin takes all warnings of a member back."""

    actor_member_id: UUID
    member_id: UUID


@event("users.member_warned.v1")
@dataclass(frozen=True)
class MemberWarned:
    """A member got a warning; why is asked of users. `warnings` counts those that stand."""

    member_id: UUID
    warning_id: UUID
    warnings: int
    warned_at: datetime


@dataclass(frozen=True)
class Warned:
    """The words of a warning."""

    reason: str | None
    warned_at: datetime


@question("users.get_warning.v1", senders=("bot",), answer=Warned)
@dataclass(frozen=True)
class GetWarning:
    """Why was this member warned?"""

    member_id: UUID
    warning_id: UUID


@dataclass(frozen=True)
class Enrolled:
    """A person in Discord as a member; `created` when they were none before."""

    member_id: UUID
    display_name: str
    created: bool
    web_account: str | None = None


@command("users.enrol_member.v1", senders=("bot",), answer=Enrolled)
@dataclass(frozen=True)
class EnrolMember:
    """An admin makes somebody in Discord a member, as being seen would. `member_id`: as in RegisterMember."""

    actor_member_id: UUID
    member_id: UUID
    discord_id: str
    discord_username: str
    display_name: str
    seen_at: datetime


@dataclass(frozen=True)
class AuditChange:
    """A value that changed; names, addresses and other personal values are named and not shown."""

    field: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class AuditRecord:
    """Who changed what about a member. `by` null: it happened by itself, or who did it is gone."""

    entry_id: UUID
    action: str
    about: str | None
    by: str | None
    occurred_at: datetime
    changes: list[AuditChange]
    reason: str | None = None


@dataclass(frozen=True)
class AuditTrail:
    """A page of the audit trail, newest first."""

    items: list[AuditRecord]
    next_cursor: str | None = None


@question("users.get_audit_trail.v1", senders=("bot",), answer=AuditTrail)
@dataclass(frozen=True)
class GetAuditTrail:
    """What was changed about members in the last `hours`, for admins; of one member when `member_id` is there."""

    actor_member_id: UUID
    member_id: UUID | None = None
    hours: int = 24
    limit: int = 10
    cursor: str | None = None
