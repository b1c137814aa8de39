"""Short words for tests of the books: award, adjust, hold; and the assertion that they balance."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from fleet.database import transaction
from fleet.messages import Envelope, decode, new_id
from services.points import admin_awards, corrections, deeds, holds, ledger, merging, verify
from services.points.correction_models import Hold

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
BOSS = UUID("00000000-0000-7000-8000-00000000b055")
SECOND = UUID("00000000-0000-7000-8000-000000005ec0")


def earn(member_id: UUID, points: int, at: datetime | None = None) -> UUID:
    """An award by an admin, or, at a given time, a deed worth 5; the transfer's id."""
    with transaction() as session:
        if at is not None:
            reference = str(uuid4())
            deeds.award_deed(session, member_id, "discord_activity", at, reference)
            return ledger.already(session, f"deed:{reference}").id
        ledger.lock_current_balance(session, member_id)
        made = admin_awards.award_by_admin(session, member_id, "peer_mentor", actor=BOSS, points=points, details=None)
        return made.id


def adjust(member_id: UUID, points: int, actor: UUID = BOSS) -> corrections.Adjusted:
    with transaction() as session:
        return corrections.adjust(session, member_id, points, "a reason", actor=actor)


def reverse(transfer_id: UUID, actor: UUID = BOSS) -> UUID:
    with transaction() as session:
        return corrections.reverse(session, transfer_id, actor=actor, note="not so")[0].id


def place(member_id: UUID, points: int, redemption_id: UUID | None = None, level: int | None = None) -> Hold:
    with transaction() as session:
        return holds.place(session, redemption_id or new_id(), member_id, points, level)


def capture(redemption_id: UUID) -> Hold:
    with transaction() as session:
        return holds.capture(session, redemption_id)


def release(redemption_id: UUID, member_id: UUID) -> Hold:
    with transaction() as session:
        return holds.release(session, redemption_id, member_id)


def refund(redemption_id: UUID, points: int) -> Hold:
    with transaction() as session:
        return holds.refund(session, redemption_id, points, "lost-parcel")


def link(discord_born_id: UUID, member_id: UUID | None, version: int = 1) -> None:
    """The `version`-th change of a link; without a member: unlinked."""
    with transaction() as session:
        merging.change_link(session, discord_born_id, version, member_id)


def books(member_id: UUID) -> tuple[int, int, int, int]:
    """available, reserved, redeemed, lifetime."""
    with transaction() as session:
        found = ledger.balance_of(session, member_id)
        return found.available, found.reserved, found.redeemed, found.lifetime


def told(kind: str = "") -> list[Envelope[Any]]:
    """The events recorded so far, in order."""
    with transaction() as session:
        bodies = session.execute(text("SELECT body FROM outbox ORDER BY id")).scalars().all()
    events = [decode(bytes(body)) for body in bodies]
    return [event for event in events if kind in event.type]


def assert_books_balance(members: Sequence[UUID] | None = None) -> None:
    """Every check of `make verify` finds nothing."""
    with transaction() as session:
        found = verify.findings(session, members)
    assert not any(each.differing for each in found), "\n" + verify.table(found)
