"""Linking and unlinking: whose a Discord account is.

- A Discord account has one member and a member one Discord account: `members.discord_id` is one value, and unique.
- Linking merges the Discord-born member into the web member: it is gone from users, its id leads to the web member
  (`accounts.get`), and the others are told under the next version of the link, in the same commit.
- Unlinking leaves everything with the web member; the Discord-born member exists again, under its old id, with nothing.
- A suspension cannot be got rid of by either: nobody who is suspended links, and only an admin unlinks them. Warnings go along.

Locks are taken in one order: the link, the members by id, then whatever else.
"""

from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import mail, outbox
from fleet.contracts.users import AccountsMerged, DiscordLinked, DiscordUnlinked, Identity
from fleet.messages import now
from fleet.problems import Problem, invalid
from services.users import accounts, audit, letters, moderation
from services.users.accounts import SOURCE, shown_status
from services.users.link_models import DiscordLink
from services.users.models import Member

# What a web member shows of the Discord account, and the Discord-born member had of it.
SHOWN = ("discord_id", "discord_username", "discord_display_name")


class AlreadyLinked(Problem):
    """This web account has a Discord account."""

    status, slug, title = 409, "already-linked", "A Discord account is linked already"


class DiscordAlreadyLinked(Problem):
    """This Discord account belongs to a web account."""

    status, slug, title = 409, "discord-already-linked", "This Discord account is linked already"


class NotLinked(Problem):
    """There is no Discord account to unlink."""

    status, slug, title = 409, "not-linked", "No Discord account is linked"


class Suspended(Problem):
    """A suspension stays where it is."""

    status, slug, title = 409, "suspended", "The account is suspended"


class RoleInDiscord(Problem):
    """An admin gave the Discord-born member a role; what it allows must not travel by a link."""

    status, slug, title = 409, "role-in-discord", "The Discord account has a role of its own"


def lock_link(session: Session, born_id: UUID) -> DiscordLink:
    """The link of this Discord-born id, locked: made when there is none. The first lock of whoever changes a link."""
    session.execute(insert(DiscordLink).values(born_id=born_id).on_conflict_do_nothing())
    statement = select(DiscordLink).where(DiscordLink.born_id == born_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def lock_members(session: Session, *member_ids: UUID) -> dict[UUID, Member]:
    """Those of the members that exist, locked in the order of their ids."""
    statement = select(Member).where(Member.id.in_(member_ids), Member.status != "erased").order_by(Member.id)
    found = session.scalars(statement.with_for_update().execution_options(populate_existing=True))
    return {member.id: member for member in found}


def holder(session: Session, discord_id: str) -> Member | None:
    """The web member that has this Discord account."""
    return session.scalar(select(Member).where(Member.discord_id == discord_id, Member.username.is_not(None)))


def link(session: Session, found: DiscordLink, web: Member, born: Member | None, names: dict[str, str]) -> None:
    """Give the Discord account (`names` as in SHOWN) to the web member; link and members are locked.

    Raises AlreadyLinked, DiscordAlreadyLinked, Suspended, RoleInDiscord.
    """
    if web.discord_id is not None:
        raise AlreadyLinked("Unlink it first.")
    if found.member_id is not None or holder(session, names["discord_id"]) is not None:
        raise DiscordAlreadyLinked("It belongs to another web account, which has to unlink it first.")
    refuse_suspended(web, "A suspended account cannot be linked.")
    if born is not None:
        refuse_suspended(born, "A suspended Discord account cannot be linked.")
        if born.role != "student":
            raise RoleInDiscord("An admin has to take it away first.")
    moment = now()
    _take_over(session, found, web, born)
    for name in SHOWN:
        setattr(web, name, names[name])
    web.version += 1
    found.member_id, found.linked_at = web.id, moment
    found.link_version += 1
    session.flush()
    accounts.tell_contact(session, web)
    linked = DiscordLinked(web.id, found.born_id, found.link_version)
    outbox.record(session, linked, source=SOURCE, subject=web.id, sequence=web.version)
    merged = AccountsMerged(found.born_id, web.id, found.link_version)
    outbox.record(session, merged, source=SOURCE, subject=found.born_id, sequence=found.born_version)
    after = names | {"discord_born_id": found.born_id}
    audit.record(session, "discord_linked", web.id, web.id, dict.fromkeys(after), after)
    letters.send(session, web, "discord_linked", discord_name=mail.one_line(names["discord_username"]))


def _take_over(session: Session, found: DiscordLink, web: Member, born: Member | None) -> None:
    """Let the Discord-born member go, keeping where its versions are and what follows the person."""
    found.born_version += 1
    if born is None:
        return
    found.born_version, found.born_security_version = born.version + 1, born.security_version
    web.warnings += born.warnings
    if born.last_activity_at is not None:
        web.last_activity_at = max(born.last_activity_at, web.last_activity_at or born.last_activity_at)
    session.expunge(born)
    session.execute(delete(Member).where(Member.id == born.id))
    # Notices to the Discord account go to the web member from now on, and not to both.
    born.version, born.discord_id = found.born_version, None
    accounts.tell_contact(session, born)


def refuse_suspended(member: Member, words: str) -> None:
    """Raise Suspended while the member is."""
    if shown_status(member) == "suspended":
        raise Suspended(words)


def unlink_own(session: Session, member_id: UUID, verified_hash: str | None) -> Member:
    """Take the member's own Discord account from them, when the password just verified still is theirs.

    Raises NotLinked, Suspended, InvalidFields.
    """
    found, web = _lock_linked(session, member_id)
    if web.password_hash != verified_hash:
        raise invalid("/password", "was changed a moment ago")
    refuse_suspended(web, "A suspended account stays linked; an admin can unlink it.")
    _unlink(session, found, web, web.id, None)
    return web


def unlink_by_admin(session: Session, actor_id: UUID, member_id: UUID, reason: str) -> Member:
    """Take a member's Discord account from them. Raises Forbidden, NotFound, NotLinked."""
    member = accounts.get(session, member_id)
    found, web = _lock_linked(session, member.id, actor_id)
    _unlink(session, found, web, actor_id, reason)
    return web


def _lock_linked(session: Session, member_id: UUID, admin_id: UUID | None = None) -> tuple[DiscordLink, Member]:
    """The member's link and the member, locked, when `admin_id` (if given) may act."""
    born_id = session.scalar(select(DiscordLink.born_id).where(DiscordLink.member_id == member_id))
    found = None if born_id is None else lock_link(session, born_id)
    if admin_id is not None:
        moderation.require_admin(session, admin_id)
    if found is None or found.member_id != member_id:
        raise NotLinked("There is nothing to unlink.")
    return found, lock_members(session, member_id)[member_id]


def _unlink(session: Session, found: DiscordLink, web: Member, actor_id: UUID, reason: str | None) -> None:
    names = {name: getattr(web, name) for name in SHOWN}
    for name in SHOWN:
        setattr(web, name, None)
    web.version += 1
    found.member_id = found.linked_at = None
    found.link_version += 1
    found.born_version += 1
    session.flush()
    born = Member(
        id=found.born_id,
        role="student",
        status="active",
        version=found.born_version,
        security_version=max(found.born_security_version, 1),
        **names,
    )
    session.add(born)
    session.flush()
    session.refresh(born)
    accounts.tell_contact(session, web)
    accounts.tell_updated(session, born)
    accounts.tell_contact(session, born)
    unlinked = DiscordUnlinked(web.id, found.born_id, found.link_version)
    outbox.record(session, unlinked, source=SOURCE, subject=web.id, sequence=web.version)
    before = names | {"discord_born_id": found.born_id}
    audit.record(session, "discord_unlinked", web.id, actor_id, before, dict.fromkeys(before), reason)
    by_whom = "you" if actor_id == web.id else "an administrator"
    letters.send(
        session, web, "discord_unlinked", discord_name=mail.one_line(names["discord_username"] or ""), by_whom=by_whom
    )


def identity(session: Session, member_id: UUID) -> Identity:
    """Who the member with this id is; NotFound when there is none."""
    member = accounts.get(session, member_id)
    status = shown_status(member)
    since = session.scalar(select(func.max(DiscordLink.linked_at)).where(DiscordLink.member_id == member.id))
    return Identity(
        display_name=accounts.display_name(member),
        role=member.role,
        status=status,
        suspended_until=member.suspended_until if status == "suspended" else None,
        web_account=member.username,
        linked_at=since,
    )
