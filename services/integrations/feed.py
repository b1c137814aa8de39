"""The feed: every public event once, in one order that never changes, to be read from any position on.

Positions are given in the transaction that stores, by whoever holds the lock of `feed_head`: they become visible in order
and without gaps, so a reader who goes on from the last position it saw misses nothing, however many write and whenever
they commit. What comes in one batch is stored by subject in the order of `sequence`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.orm import Session

from fleet.contracts import by_type
from fleet.messages import Envelope, encode, now
from fleet.problems import Problem, invalid
from fleet.settings import read
from services.integrations.models import Delivery, FeedEvent, FeedHead, Forgotten, Webhook
from services.integrations.settings import FeedSettings

TYPES: tuple[str, ...] = tuple(sorted(type_ for type_, contract in by_type.items() if contract.public))
# What staff decide on: an admin's stream shows these of everybody.
QUEUE: tuple[str, ...] = (
    "points.submission_received.v1",
    "points.submission_decided.v1",
    "rewards.reward_redeemed.v1",
    "rewards.redemption_decided.v1",
    "reviews.review_requested.v1",
    "reviews.review_matched.v1",
    "reviews.review_cancelled.v1",
)
# The only event that keeps the id of who was forgotten: without it nobody outside could forget them too.
ERASED = "users.user_erased.v1"
SWEEP = 5_000

# Sent to no webhook twice and to none that was not asked for: one row for each pair, as the event is stored.
_FAN_OUT = text(
    "INSERT INTO deliveries (webhook_id, position, traceparent)"
    " SELECT w.id, e.position, CAST(e.body AS jsonb) ->> 'traceparent' FROM feed_events e JOIN webhooks w"
    " ON w.status = 'active' AND (w.types IS NULL OR e.type = ANY(w.types))"
    " WHERE e.position > :after ORDER BY e.position, w.id"
)
_STORE = text(
    "INSERT INTO feed_events (position, event_id, type, member_id, body)"
    " SELECT :head + u.number, u.id, u.type, u.member_id, u.body"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:members AS uuid[]), CAST(:bodies AS text[]))"
    " WITH ORDINALITY AS u (id, type, member_id, body, number)"
)


class EventsExpired(Problem):
    """What comes after this position was deleted: reading on from here would leave a gap."""

    status, slug, title = 410, "events-expired", "These events are not kept any more"


def store(session: Session, envelopes: Sequence[Envelope[Any]]) -> None:
    """Give each event its position and put it on its way to the webhooks that want it.

    Each is stored once, whatever comes twice: its id is unique (and the inbox has looked before).
    """
    # Locked first: the order of the lock is the order of commits, and so of positions.
    head = session.execute(select(FeedHead.position).where(FeedHead.id == 1).with_for_update()).scalar()
    if head is None:
        session.execute(text("INSERT INTO feed_head (id, position) VALUES (1, 0) ON CONFLICT DO NOTHING"))
        return store(session, envelopes)
    known = select(FeedEvent.event_id).where(FeedEvent.event_id.in_([envelope.id for envelope in envelopes]))
    there = set(session.scalars(known))
    fresh = sorted((e for e in envelopes if e.id not in there), key=lambda e: (e.subject or "", e.sequence or 0))
    if not fresh:
        return None
    rows = _as_told(session, fresh)
    session.execute(
        _STORE,
        {
            "head": head,
            "ids": [str(envelope.id) for envelope in fresh],
            "types": [envelope.type for envelope in fresh],
            "members": [member_id and str(member_id) for member_id, _body in rows],
            "bodies": [body for _member_id, body in rows],
        },
    )
    session.execute(text("UPDATE feed_head SET position = :position WHERE id = 1"), {"position": head + len(fresh)})
    session.execute(_FAN_OUT, {"after": head})
    return None


def _concerned(data: Any) -> UUID | None:
    """The member that an event is about, None when it is about nobody."""
    return getattr(data, "member_id", None) or getattr(data, "new_id", None)


def _as_told(session: Session, envelopes: Sequence[Envelope[Any]]) -> list[tuple[UUID | None, str]]:
    """Whom each event concerns, and its text; of somebody who was forgotten the pseudonym, whatever comes late."""
    concerned = {member_id for envelope in envelopes if (member_id := _concerned(envelope.data))}
    rows = session.execute(select(Forgotten.member_id, Forgotten.pseudonym).where(Forgotten.member_id.in_(concerned)))
    forgotten = {row.member_id: row.pseudonym for row in rows}
    found: list[tuple[UUID | None, str]] = []
    for envelope in envelopes:
        member_id, body = _concerned(envelope.data), encode(envelope).decode()
        if member_id in forgotten and envelope.type != ERASED:
            found.append((forgotten[member_id], body.replace(str(member_id), str(forgotten[member_id]))))
        else:
            found.append((member_id, body))
    return found


@dataclass(frozen=True)
class Page:
    """Events in their order, and the position to go on from; `ended` when there were no more at that moment."""

    items: list[dict[str, Any]]
    next_after: int
    ended: bool


def head(session: Session) -> int:
    """The position of the newest event; 0 when there is none yet."""
    return session.scalar(select(FeedHead.position)) or 0


def page(session: Session, after: int, types: Sequence[str] | None, limit: int) -> Page:
    """At most `limit` events after a position, of these types (None: all).

    Raises EventsExpired when some of them are not kept any more, InvalidFields for a position that is not reached yet.
    """
    return _page(session, after, limit, _of(types))


def concerning(session: Session, after: int, member_id: UUID, limit: int, *, staff: bool) -> Page:
    """At most `limit` events after a position that concern the member, and, for staff, those of the queue."""
    mine = FeedEvent.member_id == member_id
    return _page(session, after, limit, or_(mine, FeedEvent.type.in_(QUEUE)) if staff else mine)


def _page(session: Session, after: int, limit: int, wanted: Any) -> Page:
    # Read before the rows: all up to it are committed, and so in what is read next.
    newest = head(session)
    if after > newest:
        raise invalid("/after", f"beyond the newest event, which has position {newest}")
    if after < newest:
        _check_kept(session, after)
    rows = session.execute(
        _select().where(FeedEvent.position > after, FeedEvent.position <= newest, wanted).limit(limit + 1)
    )
    found = rows.all()
    items = [shown(row.position, row.body) for row in found[:limit]]
    return Page(items, found[limit - 1].position, False) if len(found) > limit else Page(items, newest, True)


def _check_kept(session: Session, after: int) -> None:
    oldest = session.scalar(select(func.min(FeedEvent.position)))
    if oldest is None or oldest > after + 1:
        keep = read(FeedSettings).keep_days
        raise EventsExpired(
            f"Events are kept for {keep} days; the oldest has position {oldest}. Read what you need from the API itself,"
            f" then go on with after={(oldest or 1) - 1}.",
            oldest=oldest,
        )


def _select() -> Any:
    return select(FeedEvent.position, FeedEvent.body).order_by(FeedEvent.position)


def _of(types: Sequence[str] | None) -> Any:
    return text("true") if types is None else FeedEvent.type.in_(types)


def shown(position: int, body: str) -> dict[str, Any]:
    """An event as it was published, with its position as one more attribute."""
    return {**orjson.loads(body), "position": position}


def window(since: datetime, until: datetime | None, types: Sequence[str] | None) -> Any:
    """The statement for the events stored between two instants; `until` None: up to now."""
    found = select(FeedEvent.position, FeedEvent.event_id, FeedEvent.type, FeedEvent.body)
    found = found.where(FeedEvent.stored_at >= since, FeedEvent.stored_at < (until or now()), _of(types))
    return found.order_by(FeedEvent.position)


def sweep(session: Session) -> int:
    """Delete up to SWEEP of the oldest events that were kept long enough; what an active webhook still waits for stays."""
    old = FeedEvent.stored_at < now() - timedelta(days=read(FeedSettings).keep_days)
    awaited = select(Delivery.id).join(Webhook, Webhook.id == Delivery.webhook_id).where(Webhook.status == "active")
    waits = awaited.where(Delivery.position == FeedEvent.position, Delivery.status == "waiting").exists()
    first_to_stay = select(func.min(FeedEvent.position)).where(or_(~old, waits)).scalar_subquery()
    # From the old end on, never out of the middle: a gap would not be seen by who reads on.
    gone = (
        select(FeedEvent.position)
        .where(old, FeedEvent.position < func.coalesce(first_to_stay, 2**62))
        .order_by(FeedEvent.position)
        .limit(SWEEP)
    )
    return session.execute(delete(FeedEvent).where(FeedEvent.position.in_(gone))).rowcount  # type: ignore[attr-defined]
