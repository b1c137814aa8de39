"""What people earn by being there: their first message of a day, and reactions to what others wrote.

The bot only decides what is worth telling; the rules and the points are those of the service points, which refuses the
same reference twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet import outbox
from fleet.contracts.points import LogActivity
from services.bot import people
from services.bot.models import MessageDay, ReactionHour
from services.bot.people import Person

REACTION_PAUSE = timedelta(hours=1)
# A backlog that arrives late must still find the days it belongs to.
DAYS_KEPT = timedelta(days=31)

DayOf = tuple[str, date]


@dataclass(frozen=True)
class Liked:
    """A reaction of a person to somebody else's message; Discord gives it no time, so that of its arrival counts."""

    discord_id: str
    message_id: str
    at: datetime


@dataclass
class Sightings:
    """What was seen since the last time it was written down, already reduced to what matters."""

    people: dict[str, Person] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    commanded: set[str] = field(default_factory=set)
    messages: dict[DayOf, datetime] = field(default_factory=dict)
    likes: list[Liked] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.people or self.joined or self.messages or self.likes)


def programme_day(moment: datetime, zone: ZoneInfo) -> date:
    """The day of the programme a moment belongs to."""
    return moment.astimezone(zone).date()


def write_down(session: Session, seen: Sightings) -> dict[str, datetime]:
    """Register whoever is new, and tell points of each first message of a day and each reaction in an open hour.

    Returns when the hours of those who reacted are open again.
    """
    ids = people.see(session, seen.people.values(), in_guild=True, by_command=seen.commanded)
    if seen.joined:
        people.joined(session, sorted(seen.joined))
    # Who was erased has no id, and nothing of them is noted.
    messages = {key: at for key, at in seen.messages.items() if key[0] in ids}
    record_first_messages(session, messages, ids)
    return record_likes(session, [like for like in seen.likes if like.discord_id in ids], ids)


def record_first_messages(session: Session, messages: Mapping[DayOf, datetime], ids: Mapping[str, UUID]) -> int:
    """Tell points of those messages that are the first of their person on their day; returns how many were."""
    if not messages:
        return 0
    rows = [{"discord_id": discord_id, "day": day} for discord_id, day in sorted(messages)]
    statement = insert(MessageDay).values(rows).on_conflict_do_nothing()
    first = session.execute(statement.returning(MessageDay.discord_id, MessageDay.day)).all()
    for discord_id, day in first:
        member_id = ids[discord_id]
        _log(session, member_id, "discord_activity", messages[discord_id, day], f"discord_activity:{member_id}:{day}")
    return len(first)


def record_likes(session: Session, likes: Iterable[Liked], ids: Mapping[str, UUID]) -> dict[str, datetime]:
    """Tell points of the reactions whose person's hour is open, and close it; returns when each is open again."""
    open_at: dict[str, datetime] = {}
    for like in sorted(likes, key=lambda like: (like.discord_id, like.at)):
        statement = insert(ReactionHour).values(discord_id=like.discord_id, next_at=like.at + REACTION_PAUSE)
        statement = statement.on_conflict_do_update(
            index_elements=[ReactionHour.discord_id],
            set_={"next_at": statement.excluded.next_at},
            where=ReactionHour.next_at <= like.at,
        )
        closed = session.scalar(statement.returning(ReactionHour.next_at))
        if closed is not None:
            open_at[like.discord_id] = closed
            # By the member's id: it is kept with the transfer, for good.
            member_id = ids[like.discord_id]
            reference = f"like_interaction:{like.message_id}:{member_id}"
            _log(session, member_id, "like_interaction", like.at, reference)
        elif like.discord_id not in open_at:
            known = session.scalar(select(ReactionHour.next_at).where(ReactionHour.discord_id == like.discord_id))
            open_at[like.discord_id] = known or like.at
    return open_at


def _log(session: Session, member_id: UUID, activity: str, occurred_at: datetime, reference: str) -> None:
    message = LogActivity(member_id=member_id, activity=activity, occurred_at=occurred_at, reference=reference)
    outbox.record(session, message, source="bot", subject=member_id)


def forget_old(session: Session) -> None:
    """Drop days a month before the newest, and hours that are long open."""
    newest = session.scalar(select(func.max(MessageDay.day)))
    if newest is not None:
        session.execute(delete(MessageDay).where(MessageDay.day < newest - DAYS_KEPT))
    session.execute(delete(ReactionHour).where(ReactionHour.next_at < func.now() - REACTION_PAUSE))
