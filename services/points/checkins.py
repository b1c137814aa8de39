"""Check-in codes: whoever types in the code of an event while it is open has attended it, without anybody's approval.

The code is shown once and kept as a hash. A member uses it once (a primary key), all together use it at most so often
as it says (a guarded update), and nobody guesses: five wrong tries a minute, counted before anything is compared.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, TooManyRequests, invalid
from services.points import activities, ledger
from services.points.models import ActivityType, Transfer
from services.points.submission_models import Checkin, CheckinTry, CheckinUse

# Without 0 and O, 1, I and L, U and V: they are read from a slide and typed in on a phone.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTWXYZ"
LENGTH = 8
TRIES = 5
MINUTE = timedelta(minutes=1)
LONGEST_WINDOW = timedelta(days=366)


class WrongCode(Problem):
    """No check-in has this code."""

    status, slug, title = 404, "wrong-code", "There is no such code"


class NotOpen(Problem):
    """The code is right, but not now: too early, too late, or revoked."""

    status, slug, title = 409, "checkin-closed", "The check-in is not open"


class UsedUp(Problem):
    """As many members as the code was made for have used it."""

    status, slug, title = 409, "checkin-used-up", "The code is used up"


class AlreadyRedeemed(Problem):
    """A member uses a code once."""

    status, slug, title = 409, "already-redeemed", "You used this code before"


@dataclass(frozen=True)
class Opening:
    """What an admin asks for: the activity it awards, a label for people, the window, and for how many."""

    activity: str
    label: str
    starts_at: datetime
    ends_at: datetime
    max_uses: int


@dataclass(frozen=True)
class Redeemed:
    """What a right code brought."""

    checkin: Checkin
    activity: ActivityType
    transfer: Transfer
    available: int


def open_one(session: Session, opening: Opening, actor: UUID) -> tuple[Checkin, str]:
    """A new check-in and its code, which nobody can be told again. Raises NotFound for the type, InvalidFields."""
    activity = activities.get(session, opening.activity)
    if opening.ends_at <= opening.starts_at or opening.ends_at - opening.starts_at > LONGEST_WINDOW:
        raise invalid("/until", "must come after `from`, by a year at most")
    if opening.ends_at <= now():
        raise invalid("/until", "is over already")
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    row = Checkin(
        id=new_id(),
        activity=activity.code,
        label=opening.label,
        code_hash=_hash(code),
        starts_at=opening.starts_at,
        ends_at=opening.ends_at,
        max_uses=opening.max_uses,
        used=0,
        created_by=actor,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    return row, code


def revoke(session: Session, checkin_id: UUID, actor: UUID) -> Checkin:
    """Close a check-in for good; repeating it changes nothing. Raises NotFound."""
    closed = update(Checkin).where(Checkin.id == checkin_id, Checkin.revoked_at.is_(None))
    quietly = {"synchronize_session": False}
    session.execute(closed.values(revoked_at=now(), revoked_by=actor), execution_options=quietly)
    row = session.get(Checkin, checkin_id, populate_existing=True)
    if row is None:
        raise NotFound("There is no such check-in.")
    return row


def listing(session: Session, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of check-ins, newest first, and the cursor of the next. Raises InvalidFields for a foreign cursor."""
    statement = select(Checkin, ActivityType.name).join(ActivityType, ActivityType.code == Checkin.activity)
    if key := paging.decode_cursor(cursor, instant, UUID):
        statement = statement.where(tuple_(Checkin.created_at, Checkin.id) < tuple_(literal(key[0]), literal(key[1])))
    rows = session.execute(statement.order_by(Checkin.created_at.desc(), Checkin.id.desc()).limit(limit + 1)).all()
    return paging.page(rows, limit, lambda row: (row.Checkin.created_at.isoformat(), row.Checkin.id))


def count_try(session: Session, member_id: UUID) -> None:
    """Count a try before its code is looked at; raises TooManyRequests when the minute's five are used up.

    One guarded statement, so that a hundred guesses at once are five. The door gives the try back when it was no guess.
    """
    started = insert(CheckinTry).values(member_id=member_id, began_at=func.now(), tries=1)
    over = CheckinTry.began_at <= func.now() - MINUTE
    counted = started.on_conflict_do_update(
        index_elements=["member_id"],
        set_={
            "tries": case((over, 1), else_=CheckinTry.tries + 1),
            "began_at": case((over, func.now()), else_=CheckinTry.began_at),
        },
        where=over | (CheckinTry.tries < TRIES),
    ).returning(CheckinTry.tries)
    if session.scalar(counted) is None:
        began_at = session.scalar(select(CheckinTry.began_at).where(CheckinTry.member_id == member_id)) or now()
        left = (began_at + MINUTE - now()).total_seconds()
        raise TooManyRequests(
            f"At most {TRIES} tries a minute. Ask for the right code.", max(1, min(60, int(left) + 1))
        )


def give_back(session: Session, member_id: UUID) -> None:
    """The code was right: the try does not count. Only this one, or a known code would buy five guesses more."""
    given = update(CheckinTry).where(CheckinTry.member_id == member_id, CheckinTry.tries > 0)
    session.execute(given.values(tries=CheckinTry.tries - 1), execution_options={"synchronize_session": False})


def redeem(session: Session, member_id: UUID, code: str) -> Redeemed:
    """Award the activity of the code at once; the code stands for the approval, cap and cooldown hold.

    Raises WrongCode, NotOpen, AlreadyRedeemed, UsedUp, Suspended, LimitReached.
    """
    row = session.scalar(select(Checkin).where(Checkin.code_hash == _hash(code)))
    if row is None:
        raise WrongCode("No check-in has this code. Look at it again: there is no 0, O, 1, I, L, U or V in it.")
    moment = now()
    if row.revoked_at is not None or not row.starts_at <= moment < row.ends_at:
        raise NotOpen(_when(row, moment), opens_at=row.starts_at.isoformat(), closes_at=row.ends_at.isoformat())
    activity = activities.get(session, row.activity)
    # The lock first, as in every movement: a merge or an erasure then finds the use, or has been.
    balance = ledger.lock_current_balance(session, member_id)
    member_id = balance.member_id
    use = insert(CheckinUse).values(checkin_id=row.id, member_id=member_id, used_at=moment)
    if session.scalar(use.on_conflict_do_nothing().returning(CheckinUse.checkin_id)) is None:
        raise AlreadyRedeemed(f"You checked in at {row.label} before.")
    if ledger.already(session, f"checkin:{row.id}:{member_id}"):
        # It was before a link that has ended since: who begins anew in Discord was there only once.
        raise AlreadyRedeemed(f"You checked in at {row.label} before.")
    within = and_(Checkin.used < Checkin.max_uses, Checkin.revoked_at.is_(None))
    taken = update(Checkin).where(Checkin.id == row.id, within).values(used=Checkin.used + 1).returning(Checkin.used)
    if session.scalar(taken.execution_options(synchronize_session=False)) is None:
        raise UsedUp(f"All {row.max_uses} places of {row.label} are taken, or it was closed this moment.")
    award = ledger.award_submission(
        session,
        balance,
        activity,
        f"checkin:{row.id}:{member_id}",
        moment,
        points=activity.points,
        actor=row.created_by,
        note=row.label,
    )
    if award is None:
        raise NotOpen(f"{activity.name} is worth nothing at present.")
    kept = update(CheckinUse).where(CheckinUse.checkin_id == row.id, CheckinUse.member_id == member_id)
    session.execute(kept.values(transfer_id=award.transfer.id), execution_options={"synchronize_session": False})
    return Redeemed(row, activity, award.transfer, award.balance.available)


def _when(row: Checkin, moment: datetime) -> str:
    if row.revoked_at is not None:
        return f"The check-in of {row.label} was closed."
    if moment < row.starts_at:
        return f"The check-in of {row.label} opens at {row.starts_at:%Y-%m-%d %H:%M} UTC."
    return f"The check-in of {row.label} closed at {row.ends_at:%Y-%m-%d %H:%M} UTC."


def _hash(code: str) -> bytes:
    """The hash of a code however it was typed: in small letters, with spaces or dashes."""
    plain = "".join(c for c in code.upper() if c.isalnum())
    return sha256(b"propel-checkin\n" + plain.encode("utf-8", "replace")).digest()
