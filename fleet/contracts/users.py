"""What users says and hears. Member ids are opaque; names, addresses and Discord ids stay in the internal events."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from fleet.contracts import command, event
from fleet.contracts.users_linking import (  # noqa: F401 this module names all of users
    CancelLink,
    ClaimLink,
    ConfirmLink,
    GetIdentity,
    Identity,
    LinkClaim,
    LinkConfirmation,
    LinkOffer,
)
from fleet.contracts.users_preferences import (  # noqa: F401 this module names all of users
    ChangePreferences,
    DisplayName,
    GetPreferences,
    Preferences,
    Told,
    ToldChanges,
)
from fleet.contracts.users_staff import (  # noqa: F401 this module names all of users
    AuditChange,
    AuditRecord,
    AuditTrail,
    ClearWarnings,
    Enrolled,
    EnrolMember,
    GetAuditTrail,
    GetWarning,
    MemberState,
    MemberWarned,
    SuspendMember,
    UnsuspendMember,
    Warned,
    WarnMember,
)

Role = Literal["student", "company", "university", "admin"]
Status = Literal["active", "awaiting_approval", "suspended", "erased"]


@command("users.register_member.v1", senders=("bot",))
@dataclass(frozen=True)
class RegisterMember:
    """The bot saw a person: make them a member if they are none. Sent again when their names change.

    `derived_id`: they were erased under it and used a command, so `member_id` is a new, random one; from now on the
    derived id leads there.
    """

    member_id: UUID
    discord_id: str
    discord_username: str
    display_name: str
    seen_at: datetime
    derived_id: UUID | None = None


@event("users.user_registered.v1", public=True)
@dataclass(frozen=True)
class UserRegistered:
    """A person became a member, on the web or by being seen in Discord."""

    member_id: UUID
    role: Role
    origin: Literal["web", "discord"]
    registered_at: datetime


@event("users.user_updated.v1")
@dataclass(frozen=True)
class UserUpdated:
    """What other services show of a member; sent on registration and on every change. Its `sequence` orders it."""

    member_id: UUID
    display_name: str
    show_in_leaderboard: bool
    role: Role
    status: Status
    track: str | None = None
    university: str | None = None
    graduation_year: int | None = None


@dataclass(frozen=True)
class Notifications:
    """What a member wants to be told of, by one channel."""

    new_activities: bool
    reward_updates: bool
    leaderboard_changes: bool


@event("users.contact_changed.v1")
@dataclass(frozen=True)
class ContactChanged:
    """How a member may be reached, and with what. `email` is there only once it is verified."""

    member_id: UUID
    time_zone: str
    locale: str
    email_notifications: Notifications
    discord_notifications: Notifications
    email: str | None = None
    discord_id: str | None = None


@event("users.user_suspended.v1", public=True)
@dataclass(frozen=True)
class UserSuspended:
    """A member earns and spends nothing until `suspended_until` (None: until somebody lifts it)."""

    member_id: UUID
    suspended_at: datetime
    suspended_until: datetime | None = None


@event("users.user_reinstated.v1", public=True)
@dataclass(frozen=True)
class UserReinstated:
    """A suspension is over, because its time ran out or because an admin lifted it."""

    member_id: UUID
    reinstated_at: datetime


@event("users.auth_state_changed.v1")
@dataclass(frozen=True)
class AuthStateChanged:
    """Tokens with a smaller `security_version` are void from now on, in every service, within two seconds."""

    member_id: UUID
    security_version: int
    role: Role
    status: Status
    suspended_until: datetime | None = None


@event("users.discord_linked.v1", public=True)
@dataclass(frozen=True)
class DiscordLinked:
    """A Discord-born member belongs to a web member from now on. Sent with AccountsMerged, under the same `link_version`.

    `link_version` counts the changes of the Discord-born member's link (linked, unlinked, linked again ...) from 1 and
    without gaps: a consumer applies them in this order, whatever the order in which they arrive.
    """

    member_id: UUID
    discord_born_id: UUID
    link_version: int


@event("users.accounts_merged.v1", public=True)
@dataclass(frozen=True)
class AccountsMerged:
    """All that belonged to `old_id` belongs to `new_id`, and what still carries the old id is meant for the new one.

    `link_version` as in DiscordLinked, of the Discord-born member `old_id`.
    """

    old_id: UUID
    new_id: UUID
    link_version: int


@event("users.discord_unlinked.v1", public=True)
@dataclass(frozen=True)
class DiscordUnlinked:
    """The link is over: what was earned stays with the web member, and the Discord-born one begins anew with nothing."""

    member_id: UUID
    discord_born_id: UUID
    link_version: int


@event("users.user_erased.v1", public=True)
@dataclass(frozen=True)
class UserErased:
    """A member is forgotten everywhere, at their wish. The id means nobody any more."""

    member_id: UUID
    erased_at: datetime
