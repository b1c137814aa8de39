"""Lists for staff: what is asked for a page of each, whoever calls for it, by a command or by a button under a page.

What a list is about (a member, a span of time) travels in its buttons as one word.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from fleet.contracts.points import GetActivityLog, GetSubmissions
from fleet.contracts.reviews import GetProfessionals, GetReviewQueue
from fleet.contracts.rewards import GetCatalogue
from fleet.contracts.users import GetAuditTrail
from services.bot import guilds
from services.bot.calls import Call, fresh_listing

# Session, the call, the caller's member id, what the list is about, where the page begins.
Ask = Callable[[Session, Call, UUID, str, str | None], Any]
PAGE = 10


def attested(session: Session, call: Call) -> bool:
    """Whether the bot vouches for the caller: they hold the role that is staff in the server they call from."""
    return guilds.attests(session, call.seat.guild_id, call.seat.role_ids)


def span(hours: int, member_id: UUID | None) -> str:
    """The word for a span of time and perhaps a member."""
    return f"{hours}.{member_id.hex if member_id else ''}"


def read_span(argument: str) -> tuple[int, UUID | None]:
    """Hours and member of such a word; ValueError for another."""
    hours, _, member = argument.partition(".")
    return int(hours), UUID(member) if member else None


def _queue(session: Session, call: Call, me: UUID, argument: str, cursor: str | None) -> GetSubmissions:
    return GetSubmissions(
        member_id=me,
        queue=True,
        staff_attested=attested(session, call),
        activity=argument or None,
        limit=PAGE,
        cursor=cursor,
    )


def _activity(_session: Session, _call: Call, me: UUID, argument: str, cursor: str | None) -> GetActivityLog:
    hours, member_id = read_span(argument)
    return GetActivityLog(me, member_id, hours, PAGE, cursor)


def _audit(_session: Session, _call: Call, me: UUID, argument: str, cursor: str | None) -> GetAuditTrail:
    hours, member_id = read_span(argument)
    return GetAuditTrail(me, member_id, hours, PAGE, cursor)


def _catalogue(_session: Session, _call: Call, me: UUID, _argument: str, cursor: str | None) -> GetCatalogue:
    return GetCatalogue(member_id=me, retired=True, limit=PAGE, cursor=cursor)


def _reviews(session: Session, call: Call, me: UUID, _argument: str, cursor: str | None) -> GetReviewQueue:
    return GetReviewQueue(member_id=me, staff_attested=attested(session, call), limit=PAGE, cursor=cursor)


def _professionals(_session: Session, _call: Call, me: UUID, _argument: str, cursor: str | None) -> GetProfessionals:
    return GetProfessionals(member_id=me, limit=PAGE, cursor=cursor)


# By the name of the presenter that shows a page.
LISTS: dict[str, Ask] = {
    "queue": _queue,
    "activitylog": _activity,
    "audit": _audit,
    "catalogue": _catalogue,
    "review_queue": _reviews,
    "professionals": _professionals,
}


async def ask_page(
    call: Call, kind: str, argument: str = "", cursor: str | None = None, listing: str = "", page: int = 1
) -> None:
    """Ask for a page of a list; the first one of a new list unless told otherwise."""
    ask = LISTS[kind]
    await call.ask(
        lambda session, me: ask(session, call, me, argument, cursor),
        kind,
        listing=listing or fresh_listing(),
        page=page,
        argument=argument,
    )
