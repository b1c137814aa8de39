"""Erasure: a member is closed and forgotten here at once, then by every service that holds something, by message.

- An erasure is recorded in the commit that closes the account; whatever is killed afterwards, the sweeper asks again
  until every service has answered, and each answer counts once.
- What has to stay (the ledger, the audit trail) belongs to a random pseudonym. That is kept beside the ids, which mean
  nobody any more: after a restore from a backup, the erasures since can be asked for once more (`replay`).
- The address is kept for the last letter only, and gone before the erasure is called finished.
- Who comes back by a command in Discord is a new member with a random id. Their derived id leads there once everybody
  has forgotten what it led to before.

Locks, in one order: the links, the turn of the admins, the member, the erasure.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from fleet import logs, outbox
from fleet.contracts.users import AccountsMerged, UserErased
from fleet.mail import mail_queue
from fleet.messages import new_id, now
from fleet.problems import Forbidden, NotFound, Problem, invalid
from services.users import accounts, audit, holders, letters, linking, moderation, privacy
from services.users.holders import SOURCE
from services.users.models import Member
from services.users.privacy_models import Erasure, ErasureTask

log = logs.get(__name__)

AT_ONCE = 20
# A letter that nobody takes does not keep the address for ever.
LETTER_WITHIN = timedelta(days=7)


class NoPassword(Problem):
    """The account has nothing to prove itself with here."""

    status, slug, title = 409, "no-password", "This account has no password"


class Linking(Problem):
    """A Discord account was linked or unlinked this very moment."""

    status, slug, title = 409, "link-changed", "The link to Discord has just changed"


@dataclass(frozen=True)
class Receipt:
    """An erasure, and the token by which its state can be read without an account. The token is shown this once."""

    erasure: Erasure
    token: str


@dataclass(frozen=True)
class State:
    """How far an erasure has come; by service, when it has forgotten."""

    erasure: Erasure
    tasks: list[ErasureTask]


def erase_own(session: Session, member_id: UUID, verified_hash: str | None) -> Receipt:
    """Forget the member at their own wish, when the password just verified still is theirs.

    Raises InvalidFields, LastAdmin, Linking.
    """
    member = _lock(session, member_id, None)
    if member.password_hash != verified_hash:
        raise invalid("/password", "was changed a moment ago")
    return _erase(session, member, member.id)


def erase_by_admin(session: Session, actor_id: UUID, member_id: UUID) -> Receipt:
    """Forget a member who asked an admin for it. Raises Forbidden, NotFound, LastAdmin, Linking."""
    if actor_id == member_id:
        raise Forbidden("To erase your own account use DELETE /api/users/profile/.")
    return _erase(session, _lock(session, member_id, actor_id), actor_id)


def _lock(session: Session, member_id: UUID, actor_id: UUID | None) -> Member:
    """The member, with their link locked before them, when `actor_id` (if given) may act."""
    member_id = accounts.get(session, member_id).id
    ids = holders.all_ids(session, member_id)
    for born_id in sorted(ids):
        linking.lock_link(session, born_id)
    if actor_id is not None:
        moderation.require_admin(session, actor_id)
    else:
        moderation.take_turn(session)
    member = linking.lock_members(session, member_id).get(member_id)
    if member is None:
        raise NotFound("There is no such member.")
    if holders.all_ids(session, member_id) != ids:
        raise Linking("Try again.")
    moderation.refuse_last_admin(session, member)
    return member


def _erase(session: Session, member: Member, actor_id: UUID) -> Receipt:
    ids, token = holders.all_ids(session, member.id), secrets.token_urlsafe(32)
    erasure = Erasure(
        id=new_id(),
        member_id=member.id,
        member_ids=ids,
        pseudonym=uuid4(),
        receipt_hash=_hash(token),
        letter_to=member.email,
    )
    before = {"status": member.status}
    privacy.forget(session, member, ids)
    member.version += 1
    accounts.end_sessions(session, member)
    session.add(erasure)
    session.flush()
    session.refresh(erasure)
    for service in holders.HOLDERS:
        session.add(ErasureTask(erasure_id=erasure.id, service=service, asks=1, due_at=holders.ask_again_at(1)))
        holders.ask_to_forget(session, service, erasure)
    audit.record(session, "erased", member.id, actor_id, before, {"status": "erased"})
    session.execute(select(func.audit_under_pseudonym(erasure.id)))
    log.info("erasure_requested", erasure_id=str(erasure.id))
    return Receipt(erasure, token)


def state_of(session: Session, token: str) -> State:
    """How far the erasure of this receipt has come; NotFound for a token that is none."""
    erasure = session.scalar(select(Erasure).where(Erasure.receipt_hash == _hash(token)))
    if erasure is None:
        raise NotFound("There is no such receipt.")
    return tasks_of(session, erasure)


def tasks_of(session: Session, erasure: Erasure) -> State:
    """The erasure with what each service has to do."""
    tasks = select(ErasureTask).where(ErasureTask.erasure_id == erasure.id).order_by(ErasureTask.service)
    return State(erasure, list(session.scalars(tasks)))


def is_pseudonym(session: Session, member_id: UUID) -> bool:
    """True for an id under which the books of somebody who was forgotten are kept."""
    return session.scalar(select(Erasure.id).where(Erasure.pseudonym == member_id)) is not None


def answered(session: Session, erasure_id: UUID, service: str, rows: int) -> None:
    """A service has forgotten the person. Counted once; the last answer completes the erasure."""
    erasure = session.scalar(_locked().where(Erasure.id == erasure_id))
    if erasure is None:
        return
    first = (
        update(ErasureTask)
        .where(ErasureTask.erasure_id == erasure_id, ErasureTask.service == service, ErasureTask.answered_at.is_(None))
        .values(answered_at=now(), rows=rows)
        .returning(ErasureTask.service)
    )
    if session.scalar(first) is None:
        return
    open_ones = select(ErasureTask.service).where(
        ErasureTask.erasure_id == erasure_id, ErasureTask.answered_at.is_(None)
    )
    if erasure.answered_at is None and session.scalar(open_ones.limit(1)) is None:
        _complete(session, erasure)


def _complete(session: Session, erasure: Erasure) -> None:
    """Everybody has forgotten: write the last letter, and forget the address with it."""
    address, erasure.letter_to, erasure.answered_at = erasure.letter_to, None, now()
    if address is None:
        erasure.finished_at = erasure.answered_at
    else:
        erasure.letter_id = letters.last(session, address)
    session.flush()
    told = UserErased(erasure.member_id, erasure.answered_at)
    member = session.get_one(Member, erasure.member_id)
    outbox.record(session, told, source=SOURCE, subject=erasure.member_id, sequence=member.version)
    audit.record(session, "erasure_completed", erasure.pseudonym, None, {}, {})
    if erasure.returned_id is not None and erasure.returned_as is not None:
        _lead(session, erasure.returned_id, erasure.returned_as)
    log.info("erasure_completed", erasure_id=str(erasure.id))


def _locked() -> Select[Erasure]:
    return select(Erasure).with_for_update().execution_options(populate_existing=True)


def ask_again(session: Session) -> int:
    """Ask those who have not answered in time once more; returns how many."""
    waiting = select(ErasureTask).where(ErasureTask.answered_at.is_(None), ErasureTask.due_at <= func.now())
    tasks = session.scalars(waiting.order_by(ErasureTask.due_at).limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    for task in tasks:
        erasure = session.get_one(Erasure, task.erasure_id)
        holders.ask_to_forget(session, task.service, erasure)
        task.asks += 1
        task.due_at = holders.ask_again_at(task.asks)
        late = log.error if now() - erasure.requested_at > timedelta(days=1) else log.warning
        late("erasure_asked_again", erasure_id=str(erasure.id), asked=task.service, asks=task.asks)
    return len(tasks)


def finish(session: Session) -> int:
    """Call those erasures finished whose last letter is gone, or could not be sent in a week; returns how many."""
    due = select(Erasure.id).join(mail_queue, mail_queue.c.id == Erasure.letter_id, isouter=True)
    too_late = Erasure.answered_at < now() - LETTER_WITHIN
    gone = mail_queue.c.id.is_(None) | mail_queue.c.failed_at.is_not(None) | too_late
    ready = due.where(Erasure.answered_at.is_not(None), Erasure.finished_at.is_(None), gone).limit(AT_ONCE)
    erasures = session.scalars(_locked().where(Erasure.id.in_(ready), Erasure.finished_at.is_(None))).all()
    for erasure in erasures:
        session.execute(delete(mail_queue).where(mail_queue.c.id == erasure.letter_id))
        erasure.finished_at = now()
    session.flush()
    return len(erasures)


def came_back(session: Session, derived_id: UUID, member_id: UUID) -> None:
    """Somebody who was forgotten under `derived_id` used a command, and is the new member `member_id`.

    The derived id leads to them as soon as nothing of before is left at it, once.
    """
    mine = _locked().where(Erasure.member_ids.contains([derived_id]))
    erasure = session.scalar(mine.order_by(Erasure.requested_at.desc()).limit(1))
    if erasure is None or erasure.returned_as is not None or member_id in erasure.member_ids:
        return
    erasure.returned_id, erasure.returned_as = derived_id, member_id
    session.flush()
    if erasure.answered_at is not None:
        _lead(session, derived_id, member_id)


def _lead(session: Session, derived_id: UUID, member_id: UUID) -> None:
    link = linking.lock_link(session, derived_id)
    link.link_version += 1
    link.born_version += 1
    session.flush()
    merged = AccountsMerged(derived_id, member_id, link.link_version)
    outbox.record(session, merged, source=SOURCE, subject=derived_id, sequence=link.born_version)


def replay(session: Session) -> int:
    """Ask every service for every erasure once more, after one of them was restored from a backup; returns how many."""
    asked = update(ErasureTask).where(ErasureTask.answered_at.is_not(None)).values(answered_at=None, due_at=func.now())
    return int(session.execute(asked).rowcount)  # type: ignore[attr-defined]


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
