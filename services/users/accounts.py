"""Accounts: how a person becomes a member, on the web or by being seen in Discord, and what others learn of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import auth_state, outbox
from fleet.contracts.users import (
    AuthStateChanged,
    ContactChanged,
    Notifications,
    RegisterMember,
    UserRegistered,
    UserUpdated,
)
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, invalid
from services.users import letters, passwords, preferences
from services.users.link_models import DiscordLink
from services.users.models import Member, RefreshFamily
from services.users.passwords import key_of

SOURCE = "users"
TRACKS = {
    "tech": ("Technology", "Software, data, product and design"),
    "consulting": ("Consulting", "Strategy, operations and advisory work"),
    "finance": ("Finance", "Banking, markets, accounting and investment"),
}
NEEDS_APPROVAL = ("company", "university")


class UsernameTaken(Problem):
    """Another member has this name (compared without case and form)."""

    status, slug, title = 409, "username-taken", "This username is taken"


class EmailTaken(Problem):
    """Another member has this address."""

    status, slug, title = 409, "email-taken", "This e-mail address is taken"


_TAKEN: dict[str, type[Problem]] = {"uq_members_username_key": UsernameTaken, "uq_members_email_key": EmailTaken}


def register(session: Session, fields: dict[str, Any]) -> Member:
    """Create a web member from checked fields (username, email, password, role and the optional ones).

    Company and university accounts await approval. Raises InvalidFields for a weak password, UsernameTaken, EmailTaken.
    """
    fields = dict(fields)
    password = fields.pop("password")
    discord = fields.pop("discord_data", None) or {}
    passwords.check(password, fields["username"])
    member = Member(
        id=new_id(),
        username_key=key_of(fields["username"]),
        email_key=key_of(fields["email"]),
        password_hash=passwords.hash_password(password),
        status="awaiting_approval" if fields["role"] in NEEDS_APPROVAL else "active",
        discord_username=discord.get("discord_username"),
        **fields,
    )
    create(session, member)
    if member.status == "awaiting_approval":
        tell_auth_state(session, member)
    letters.welcome(session, member)
    return member


def create(session: Session, member: Member) -> None:
    """Put a new web member into the database and tell the others. Raises UsernameTaken, EmailTaken."""
    _insert(session, member)
    _tell_registered(session, member, "web")


def ensure_account(session: Session, username: str, email: str, password: str, role: str) -> tuple[Member, bool]:
    """Create the account `username`, or give it this address, password and role; returns it and whether it is new.

    All its present tokens end, also those to refresh with. Raises InvalidFields for a weak password, EmailTaken.
    """
    passwords.check(password, username)
    member = session.scalar(select(Member).where(Member.username_key == key_of(username)).with_for_update())
    if member is None:
        return register(session, {"username": username, "email": email, "password": password, "role": role}), True
    if member.email_key != key_of(email):
        member.email_verified_at = None
    member.email, member.email_key = email, key_of(email)
    member.password_hash = passwords.hash_password(password)
    member.role, member.status, member.suspended_until = role, "active", None
    member.version += 1
    _insert(session, member)
    end_sessions(session, member)
    tell_updated(session, member)
    return member, False


def _insert(session: Session, member: Member) -> None:
    session.add(member)
    try:
        session.flush()
    except IntegrityError as error:
        name = getattr(getattr(error.orig, "diag", None), "constraint_name", "")
        if name in _TAKEN:
            raise _TAKEN[name]() from error
        raise


def register_from_discord(session: Session, seen: RegisterMember) -> Member:
    """The member that a Discord account belongs to, made now when it was never seen; names are brought up to date.

    A sighting that is older than the newest known one (it was held up on its way) changes no name.
    Two commands for one account at once make one member: the second waits at the unique key and finds the first.
    """
    created = session.scalar(
        insert(Member)
        .values(
            id=seen.member_id,
            role="student",
            status="active",
            discord_id=seen.discord_id,
            discord_username=seen.discord_username,
            discord_display_name=seen.display_name,
            discord_seen_at=seen.seen_at,
            created_at=seen.seen_at,
        )
        .on_conflict_do_nothing()
        .returning(Member.id)
    )
    member = _by_discord_id(session, seen.discord_id)
    if member is None:
        # The derived id is taken by a member that has another Discord account now.
        raise NotFound("This Discord account has no member of its own.")
    if created is not None:
        _tell_registered(session, member, "discord")
        tell_contact(session, member)
    elif member.discord_seen_at is None or member.discord_seen_at < seen.seen_at:
        member.discord_seen_at = seen.seen_at
        if (member.discord_username, member.discord_display_name) != (seen.discord_username, seen.display_name):
            member.discord_username, member.discord_display_name = seen.discord_username, seen.display_name
            member.version += 1
            tell_updated(session, member)
    return member


def _by_discord_id(session: Session, discord_id: str) -> Member | None:
    """Whose Discord account this is now, locked. Linked or unlinked while we waited for the lock, it is another's: again."""
    statement = select(Member).where(Member.discord_id == discord_id).with_for_update()
    return session.scalar(statement) or session.scalar(statement)


def by_login(session: Session, name: str) -> Member | None:
    """The web member with this username or e-mail address."""
    key = key_of(name)
    return session.scalar(select(Member).where((Member.username_key == key) | (Member.email_key == key)).limit(1))


def get(session: Session, member_id: UUID, *, lock: bool = False) -> Member:
    """The member; NotFound when there is none (any more).

    The id of a Discord-born member that was merged into a web member leads to that one; with `lock`, it still does so
    under the lock.
    """
    leads_to = select(DiscordLink.member_id).where(DiscordLink.born_id == member_id)
    whose = func.coalesce(leads_to.scalar_subquery(), member_id)
    statement = select(Member).where(Member.id == whose, Member.status != "erased")
    for _ in range(3):
        member = session.scalar(statement.with_for_update() if lock else statement)
        if member is not None and (not lock or member.id == member_id or session.scalar(leads_to) == member.id):
            return member
        # Linked or unlinked while we waited for the lock. Without one there is nothing to look at again.
        if not lock:
            break
    raise NotFound("There is no such member.")


def update_profile(session: Session, member_id: UUID, fields: dict[str, Any]) -> Member:
    """Change the editable fields of a member's own profile and tell the other services."""
    member = get(session, member_id, lock=True)
    if (track := fields.get("track")) is not None and track not in TRACKS:
        raise invalid("/track", f"must be one of {', '.join(TRACKS)}")
    for name, value in fields.items():
        setattr(member, name, value)
    member.version += 1
    session.flush()
    tell_updated(session, member)
    return member


def email_proved(session: Session, member: Member) -> None:
    """The locked member showed that mail to their address reaches them."""
    if member.email_verified_at is None:
        member.email_verified_at = now()
        member.version += 1
        session.flush()
        tell_contact(session, member)


def change_preferences(session: Session, member_id: UUID, changes: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """Change the named preferences (`whole`: put all others back to their defaults) and tell who is concerned."""
    member = get(session, member_id, lock=True)
    present = preferences.complete(member.preferences)
    wanted = preferences.merged({} if whole else present, changes)
    if wanted == present:
        return present
    member.preferences = wanted
    member.version += 1
    session.flush()
    if wanted["privacy_settings"] != present["privacy_settings"]:
        tell_updated(session, member)
    if {**wanted, "privacy_settings": None} != {**present, "privacy_settings": None}:
        tell_contact(session, member)
    return wanted


def display_name(member: Member) -> str:
    """How others see a member, by their own preference; a Discord-born member by the name they carry in Discord."""
    choice = preferences.complete(member.preferences)["privacy_settings"]["display_name_preference"]
    fallback = member.username or member.discord_display_name or member.discord_username or "Member"
    if choice == "username":
        return fallback
    if choice == "pseudonym":
        return f"Member {str(member.id)[-6:]}"
    if not member.first_name:
        return fallback
    initial = f" {member.last_name[0]}." if choice == "first_last_initial" and member.last_name else ""
    return member.first_name + initial


def shown_status(member: Member) -> str:
    """The member's status now: a suspension with an end is over at that instant."""
    over = member.suspended_until is not None and member.suspended_until <= now()
    return "active" if member.status == "suspended" and over else member.status


def end_tokens(session: Session, member: Member) -> None:
    """Void every access token issued so far, in every service within two seconds. The member's row must be locked."""
    member.security_version += 1
    session.flush()
    tell_auth_state(session, member)


def end_sessions(session: Session, member: Member) -> None:
    """End every sign-in of the member: no refresh token and no access token of before works any more."""
    session.execute(
        update(RefreshFamily)
        .where(RefreshFamily.member_id == member.id, RefreshFamily.revoked_at.is_(None))
        .values(revoked_at=now())
    )
    end_tokens(session, member)


def tell_auth_state(session: Session, member: Member) -> None:
    """Tell every service, this one at once, what tokens of the member are worth."""
    state = AuthStateChanged(
        member_id=member.id,
        security_version=member.security_version,
        role=member.role,  # type: ignore[arg-type]
        status=member.status,  # type: ignore[arg-type]
        suspended_until=member.suspended_until,
    )
    auth_state.keep(session, state)
    outbox.record(session, state, source=SOURCE, subject=member.id, sequence=member.security_version)


def _tell_registered(session: Session, member: Member, origin: Any) -> None:
    session.refresh(member)
    registered = UserRegistered(member.id, member.role, origin, member.created_at)  # type: ignore[arg-type]
    outbox.record(session, registered, source=SOURCE, subject=member.id, sequence=member.version)
    tell_updated(session, member)


def tell_updated(session: Session, member: Member) -> None:
    """Tell the other services what they show of the member. The row is locked, or was made in this transaction."""
    updated = UserUpdated(
        member_id=member.id,
        display_name=display_name(member),
        show_in_leaderboard=preferences.complete(member.preferences)["privacy_settings"]["show_in_leaderboard"],
        role=member.role,  # type: ignore[arg-type]
        status=shown_status(member),  # type: ignore[arg-type]
        track=member.track,
        university=member.university,
        graduation_year=member.graduation_year,
    )
    outbox.record(session, updated, source=SOURCE, subject=member.id, sequence=member.version)


def tell_contact(session: Session, member: Member) -> None:
    """Tell those who send notices how the member may be reached. The row is locked, or was made in this transaction."""
    chosen = preferences.complete(member.preferences)
    contact = ContactChanged(
        member_id=member.id,
        time_zone=chosen["display_preferences"]["time_zone"],
        locale=chosen["display_preferences"]["locale"],
        email_notifications=Notifications(**chosen["email_notifications"]),
        discord_notifications=Notifications(**chosen["discord_notifications"]),
        email=member.email if member.email_verified_at else None,
        discord_id=member.discord_id,
    )
    outbox.record(session, contact, source=SOURCE, subject=member.id, sequence=member.version)
