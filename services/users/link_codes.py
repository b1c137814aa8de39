"""Link codes: how both sides come to see and confirm one another before they are linked.

The web session starts a link and gets a code; whoever types it in Discord has claimed it and is shown, in private, which
web account it is; the web session is shown which Discord name claims. Only when both have said yes, in either order, is
the link made. A code works for one web session, one claimant, once, for ten minutes, and is kept as a keyed digest.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select, text, update
from sqlalchemy.orm import Session

from fleet import rates
from fleet.contracts.users import ClaimLink, LinkClaim, LinkConfirmation, LinkOffer, RegisterMember
from fleet.contracts.users_linking import CODE_ALPHABET, CODE_LENGTH, code_digest
from fleet.messages import new_id, now
from fleet.problems import Forbidden, Problem, TooManyRequests
from fleet.settings import read
from services.users import accounts, limits, linking
from services.users.link_models import LinkCode
from services.users.models import Member, RefreshFamily
from services.users.settings import LinkSettings

GOOD_FOR = timedelta(minutes=10)


class NothingToConfirm(Problem):
    """No link waits for this: it was never started or claimed, ended, expired, or its web session is over."""

    status, slug, title = 409, "nothing-to-confirm", "No link waits to be confirmed"


class OtherDiscordName(Problem):
    """The name that was confirmed is not the one that claims."""

    status, slug, title = 409, "other-discord-name", "Another Discord name claims this code"


@dataclass(frozen=True)
class Started:
    """A new code, in the clear for this once; or how long to wait for one."""

    code: LinkCode | None
    plain: str = ""
    wait_s: int = 0


def start(session: Session, member_id: UUID, session_id: UUID) -> Started:
    """A new code for the member's web session; the one before is void. Raises AlreadyLinked, Suspended."""
    web = accounts.get(session, member_id, lock=True)
    if web.discord_id is not None:
        raise linking.AlreadyLinked("Unlink it first, with DELETE /api/link.")
    linking.refuse_suspended(web, "A suspended account cannot be linked.")
    if seconds := rates.take(session, limits.link_codes(), str(web.id)):
        return Started(None, wait_s=seconds)
    session.execute(
        update(LinkCode)
        .where(LinkCode.member_id == web.id, LinkCode.outcome.is_(None))
        .values(outcome="replaced")
        .execution_options(synchronize_session=False)
    )
    plain = "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))
    moment = now()
    code = LinkCode(
        id=new_id(),
        member_id=web.id,
        session_id=session_id,
        code_digest=bytes.fromhex(code_digest(read(LinkSettings).namespace, plain)),
        created_at=moment,
        expires_at=moment + GOOD_FOR,
    )
    session.add(code)
    session.flush()
    return Started(code, plain)


def _open() -> tuple[ColumnElement[bool], ...]:
    """What makes a code worth something: it has not ended or expired, and its web session goes on."""
    signed_in = exists().where(
        RefreshFamily.id == LinkCode.session_id, RefreshFamily.revoked_at.is_(None), RefreshFamily.expires_at > now()
    )
    return LinkCode.outcome.is_(None), LinkCode.expires_at > now(), signed_in


def claim(session: Session, typed: ClaimLink) -> LinkClaim:
    """Claim a code for a Discord account; what the claimant may see of the web account.

    A try is counted before the code is looked at and given back when it was right, so that of many at once no more are
    looked at than the rate allows. The answer to every code that cannot be claimed is the same. Raises
    DiscordAlreadyLinked, Suspended, TooManyRequests.
    """
    linking.lock_link(session, typed.member_id)
    seen = RegisterMember(typed.member_id, typed.discord_id, typed.discord_username, typed.display_name, typed.seen_at)
    member = accounts.register_from_discord(session, seen)
    if member.username is not None:
        raise linking.DiscordAlreadyLinked("To link another web account, unlink this one first, on the web.")
    linking.refuse_suspended(member, "A suspended account cannot be linked.")
    if seconds := rates.take(session, limits.link_tries(), typed.discord_id):
        minutes = -(-seconds // 60)
        raise TooManyRequests(f"Too many wrong codes. Try again in {minutes} min.", seconds)
    code = session.scalar(
        update(LinkCode)
        .where(
            LinkCode.code_digest == _bytes(typed.code_digest),
            or_(LinkCode.claimed_by.is_(None), LinkCode.claimed_by == typed.discord_id),
            *_open(),
        )
        .values(
            claimed_by=typed.discord_id,
            claimed_born_id=member.id,
            claimed_username=typed.discord_username,
            claimed_display_name=typed.display_name,
            claimed_at=now(),
        )
        .returning(LinkCode)
        .execution_options(populate_existing=True)
    )
    if code is None:
        return LinkClaim()
    rates.give_back(session, limits.link_tries(), typed.discord_id)
    web = accounts.get(session, code.member_id)
    offer = LinkOffer(code.id, masked(web.username or ""), web.created_at, code.expires_at, masked_email(web.email))
    return LinkClaim(offer)


def _bytes(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest)
    except ValueError:
        return b""


def masked(name: str) -> str:
    """The first two characters of a name: enough to know one's own."""
    return f"{name[:2]}…"


def masked_email(address: str | None) -> str | None:
    """An address without most of its local part."""
    if address is None:
        return None
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


def cancel(session: Session, digest: str) -> bool:
    """Void a code that others could read; whether there was one."""
    ended = update(LinkCode).where(LinkCode.code_digest == _bytes(digest), LinkCode.outcome.is_(None))
    return session.scalar(ended.values(outcome="cancelled").returning(LinkCode.id)) is not None


def confirm_in_discord(session: Session, link_id: UUID, discord_id: str, accept: bool) -> LinkConfirmation:
    """The claimant says whether the web account they were shown is theirs.

    Raises NothingToConfirm, also for anybody who is not the claimant, and what `linking.link` raises.
    """
    code = session.get(LinkCode, link_id)
    if code is None or code.claimed_by != discord_id:
        raise NothingToConfirm("Start a new link on the web.")
    sides = _lock(session, code)
    if not accept:
        return LinkConfirmation(_decline(sides.code))
    sides.code.discord_confirmed_at = sides.code.discord_confirmed_at or now()
    return LinkConfirmation("linked" if _link_if_both(session, sides) else "waiting_for_web")


def confirm_on_web(session: Session, member_id: UUID, session_id: UUID, discord_username: str, accept: bool) -> None:
    """The web session says whether the Discord name that it was shown is the member's own.

    Raises NothingToConfirm, Forbidden for another session than the one that started, OtherDiscordName, and what
    `linking.link` raises.
    """
    code = waiting(session, member_id)
    if code is None and accept:
        web = accounts.get(session, member_id)
        if web.discord_id is not None and web.discord_username == discord_username:
            # Confirmed again: it is linked by now.
            return
    if code is None or code.claimed_by is None:
        raise NothingToConfirm("Start a link and type its code in Discord first.")
    if code.session_id != session_id:
        raise Forbidden("Confirm it where you started the link: another sign-in of yours has done so.")
    sides = _lock(session, code)
    if sides.code.claimed_username != discord_username:
        raise OtherDiscordName("Look at GET /api/link/status again before you confirm.")
    if not accept:
        _decline(sides.code)
        return
    sides.code.web_confirmed_at = sides.code.web_confirmed_at or now()
    _link_if_both(session, sides)


def waiting(session: Session, member_id: UUID) -> LinkCode | None:
    """The member's code that still can become a link."""
    return session.scalar(
        select(LinkCode).where(LinkCode.member_id == member_id, *_open()).execution_options(populate_existing=True)
    )


@dataclass(frozen=True)
class _Sides:
    """A claimed code with everything that a link of it changes, locked. The Discord-born member may be gone."""

    code: LinkCode
    link: linking.DiscordLink
    web: Member
    born: Member | None


def _lock(session: Session, code: LinkCode) -> _Sides:
    """Lock a claimed code and what belongs to it; NothingToConfirm when it has ended other than as a link."""
    assert code.claimed_born_id is not None
    link = linking.lock_link(session, code.claimed_born_id)
    members = linking.lock_members(session, code.member_id, code.claimed_born_id)
    statement = select(LinkCode).where(LinkCode.id == code.id, or_(LinkCode.outcome == "linked", and_(*_open())))
    locked = session.scalar(statement.with_for_update(of=LinkCode).execution_options(populate_existing=True))
    if locked is None or code.member_id not in members:
        raise NothingToConfirm("This link has ended or expired. Start a new one on the web.")
    return _Sides(locked, link, members[code.member_id], members.get(code.claimed_born_id))


def _decline(code: LinkCode) -> Literal["declined"]:
    if code.outcome == "linked":
        raise NothingToConfirm("It is linked already; unlink it on the web.")
    code.outcome = "declined"
    return "declined"


def _link_if_both(session: Session, sides: _Sides) -> bool:
    """Link when both sides have confirmed; whether they are linked. A click that crossed the other side's changes nothing."""
    code = sides.code
    if code.outcome == "linked":
        return True
    session.flush()
    if code.discord_confirmed_at is None or code.web_confirmed_at is None:
        return False
    assert code.claimed_by is not None and code.claimed_username is not None and code.claimed_display_name is not None
    names = {
        "discord_id": code.claimed_by,
        "discord_username": code.claimed_username,
        "discord_display_name": code.claimed_display_name,
    }
    linking.link(session, sides.link, sides.web, sides.born, names)
    code.outcome = "linked"
    session.flush()
    return True


def sweep(session: Session) -> int:
    """Delete codes that expired; returns how many."""
    old = text(
        "DELETE FROM link_codes WHERE id = ANY(ARRAY("
        "SELECT id FROM link_codes WHERE expires_at < now() LIMIT 1000 FOR UPDATE SKIP LOCKED))"
    )
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]
