"""The activity feed: transfers, submissions, redemptions and completed sessions of a member in one stream.

One item for each thing, newest first: a transfer at its time, a submission when it was handed in, a redemption when it
was requested, a session when it ended; `status` is the present one and `changed_at` when it came about. points_change
is on transfers only (all that moved `available`, holds and returns included), so that nothing is told twice and the
sum over a whole feed is the balance.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.contracts.reviews import SessionCompleted
from fleet.contracts.rewards import RedemptionDecided, RedemptionFulfilled, RewardRedeemed
from services.points import ledger
from services.points.feed_models import FeedItem

_BEGINNING = ("infinity", UUID(int=2**128 - 1))

# Each branch walks its index for at most one page; transfers for each ledger apart, for only so can it stop early.
_PAGE = text(
    """
    WITH who AS (
        SELECT coalesce((SELECT member_id FROM aliases WHERE old_id = :member_id), :member_id) AS id
    ), found AS (
        SELECT 'transfer' AS type, t.id, t.occurred_at, t.kind,
            CASE t.credit WHEN 'available' THEN t.points ELSE -t.points END AS points_change,
            t.activity, NULL AS status, NULL::timestamptz AS changed_at, NULL::uuid AS subject_id, NULL::int AS points
        FROM who JOIN ledgers l ON l.member_id = who.id CROSS JOIN LATERAL (
            SELECT * FROM transfers
            WHERE ledger_id = l.id AND 'available' IN (debit, credit) AND (occurred_at, id) < (:at, :id)
            ORDER BY occurred_at DESC, id DESC LIMIT :limit
        ) t
        UNION ALL
        SELECT 'submission', s.id, s.submitted_at, NULL, 0, s.activity, s.status,
            coalesce(s.decided_at, s.submitted_at), NULL, s.points
        FROM who CROSS JOIN LATERAL (
            SELECT * FROM submissions WHERE member_id = who.id AND (submitted_at, id) < (:at, :id)
            ORDER BY submitted_at DESC, id DESC LIMIT :limit
        ) s
        UNION ALL
        SELECT f.type, f.id, f.occurred_at, NULL, 0, NULL, f.status, f.changed_at, f.subject_id, f.points
        FROM who CROSS JOIN LATERAL (
            SELECT * FROM feed_items WHERE member_id = who.id AND (occurred_at, id) < (:at, :id)
            ORDER BY occurred_at DESC, id DESC LIMIT :limit
        ) f
        ORDER BY occurred_at DESC, id DESC LIMIT :limit
    )
    SELECT found.*, a.name FROM found LEFT JOIN activity_types a ON a.code = found.activity
    ORDER BY occurred_at DESC, id DESC
    """
).bindparams(
    bindparam("member_id", type_=Uuid()), bindparam("at", type_=DateTime(timezone=True)), bindparam("id", type_=Uuid())
)


def page(session: Session, member_id: UUID, limit: int, cursor: str | None) -> tuple[list[Any], str | None]:
    """A page of the member's feed, newest first, and the cursor of the next one.

    Raises InvalidFields for a cursor that is not of this list.
    """
    at, last = paging.decode_cursor(cursor, instant, UUID) or _BEGINNING
    rows = session.execute(_PAGE, {"member_id": member_id, "at": at, "id": last, "limit": limit + 1}).all()
    return paging.page(rows, limit, lambda row: (row.occurred_at.isoformat(), row.id))


def note_redemption(
    session: Session,
    event: RewardRedeemed | RedemptionDecided | RedemptionFulfilled,
    status: str,
    changed_at: datetime,
    version: int,
) -> None:
    """A redemption reached `status`."""
    item = FeedItem(
        type="redemption",
        id=event.redemption_id,
        member_id=event.member_id,
        subject_id=event.reward_id,
        status=status,
        points=event.points_spent,
        occurred_at=event.requested_at,
        changed_at=changed_at,
        version=version,
    )
    _keep(session, item)


def note_session(session: Session, event: SessionCompleted, version: int) -> None:
    """A review session took place."""
    item = FeedItem(
        type="session",
        id=event.session_id,
        member_id=event.member_id,
        subject_id=event.professional_id,
        status="completed",
        points=None,
        occurred_at=event.completed_at,
        changed_at=event.completed_at,
        version=version,
    )
    _keep(session, item)


def _keep(session: Session, item: FeedItem) -> None:
    """Keep the newest version of an item; an older one that arrives late, or the same one again, changes nothing.

    Whose it is is settled by the first one, under the lock that merges take; from then on only merges change it, for an
    event may still carry the id of before a merge, and arrive when that id belongs to somebody who began anew.
    """
    item.member_id = ledger.lock_current_balance(session, item.member_id).member_id
    names = [column.name for column in FeedItem.__table__.columns]
    statement = insert(FeedItem).values({name: getattr(item, name) for name in names})
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["type", "id"],
            set_={name: statement.excluded[name] for name in ("status", "changed_at", "version")},
            where=FeedItem.version < statement.excluded.version,
        )
    )
