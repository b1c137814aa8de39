"""Review requests: a student asks, is matched, meets, or takes it back. One open request per student.

Only what `Wish` holds comes from the student; state, professional and times come from here alone.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, literal, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fleet import outbox, paging
from fleet.contracts.codec import instant
from fleet.contracts.reviews import ReviewCancelled, ReviewMatched, ReviewRequested
from fleet.messages import new_id, now
from fleet.problems import NotFound, Problem, invalid
from fleet.settings import read
from services.reviews import members, professionals
from services.reviews.grammar import Parsed, parse
from services.reviews.models import PreferredTime, Professional, Resume, ReviewRequest
from services.reviews.places import zone_named
from services.reviews.settings import BookingSettings
from services.reviews.turns import Actor, WrongState, locked_request, turn, write_down

SOURCE = "reviews"


class OpenRequest(Problem):
    """The student has an open request already."""

    status, slug, title = 409, "open-request", "You have an open request already"


@dataclass(frozen=True)
class Wish:
    """What a student asks for."""

    target_industry: str
    target_role: str
    experience_level: str
    preferred_times: str
    time_zone: str
    priority: str = "normal"
    resume_id: UUID | None = None
    resume_url: str | None = None
    excluded_employers: list[str] = field(default_factory=list)
    duration_minutes: int = 30
    locale: str | None = None
    reference: str | None = None


def understood(text: str, zone: str, duration: int = 30, locale: str | None = None) -> Parsed:
    """What a text says about the days that can be booked. Raises InvalidFields for an unknown zone."""
    try:
        place = zone_named(zone)
    except ValueError as error:
        raise invalid("/time_zone", "is not the name of a time zone, such as America/New_York") from error
    today = now().astimezone(place).date()
    days = read(BookingSettings).horizon_days
    return parse(text, place, today, today + timedelta(days=days), duration, locale)


def submit(session: Session, student_id: UUID, wish: Wish) -> ReviewRequest:
    """A new request; the same `reference` gives the one it made. Raises OpenRequest, InvalidFields, NotFound."""
    student_id = members.hold_still(session, student_id)
    if wish.reference and (
        known := session.scalar(select(ReviewRequest).where(ReviewRequest.reference == wish.reference))
    ):
        return known
    parsed = understood(wish.preferred_times, wish.time_zone, wish.duration_minutes, wish.locale)
    if wish.resume_id is not None:
        _own_resume(session, wish.resume_id, student_id)
    row = ReviewRequest(
        id=new_id(),
        student_id=student_id,
        status="pending",
        version=1,
        target_industry=wish.target_industry,
        target_role=wish.target_role,
        experience_level=wish.experience_level,
        priority=wish.priority,
        resume_id=wish.resume_id,
        resume_url=wish.resume_url,
        preferred_times=wish.preferred_times,
        time_zone=wish.time_zone,
        unparsed=list(parsed.unparsed),
        excluded_employers=wish.excluded_employers,
        duration_minutes=wish.duration_minutes,
        reference=wish.reference,
        submitted_at=now(),
    )
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise OpenRequest("End it, or let it come to its review, before you ask for another.") from error
    spans = [(one.start, one.end) for one in parsed.intervals]
    session.add_all(PreferredTime(review_request_id=row.id, starts_at=start, ends_at=end) for start, end in spans)
    write_down(session, row, None, Actor("student", student_id))
    tell_requested(session, row)
    return row


def tell_requested(session: Session, row: ReviewRequest) -> None:
    """Tell that a review was asked for; the request is locked, or was made in this transaction."""
    has_resume = row.resume_id is not None or row.resume_url is not None
    said = ReviewRequested(row.id, row.student_id, has_resume, row.submitted_at)
    outbox.record(session, said, source=SOURCE, subject=row.id, sequence=row.version)


def by_reference(session: Session, reference: str) -> ReviewRequest | None:
    """The request that an interaction made before."""
    return session.scalar(select(ReviewRequest).where(ReviewRequest.reference == reference))


def _own_resume(session: Session, resume_id: UUID, student_id: UUID) -> None:
    owner = session.scalar(select(Resume.owner_id).where(Resume.id == resume_id))
    if owner is None or members.resolve(session, owner) != student_id:
        raise invalid("/resume_id", "is no resume of yours; upload it first")


def get(session: Session, request_id: UUID, viewer: UUID | None) -> ReviewRequest:
    """One request; NotFound when there is none, or it is not the viewer's (None: staff, who see all)."""
    row = session.get(ReviewRequest, request_id)
    if row is None or (viewer is not None and row.student_id != members.resolve(session, viewer)):
        raise NotFound("There is no such review request of yours.")
    return row


def held(session: Session, request_id: UUID, viewer: UUID | None) -> ReviewRequest:
    """As `get`, locked until the transaction ends."""
    get(session, request_id, viewer)
    row = locked_request(session, request_id)
    if row is None or (viewer is not None and row.student_id != members.resolve(session, viewer)):
        raise NotFound("There is no such review request of yours.")
    return row


def newest(session: Session, student_id: UUID) -> ReviewRequest | None:
    """A student's last request."""
    mine = select(ReviewRequest).where(ReviewRequest.student_id == members.resolve(session, student_id))
    return session.scalars(mine.order_by(ReviewRequest.submitted_at.desc()).limit(1)).first()


def match(session: Session, request_id: UUID, professional_id: UUID, actor: Actor) -> ReviewRequest:
    """Give a request to a professional, who is active, of no excluded employer, and takes such levels.

    Raises NotFound, NotActive, WrongState.
    """
    row = held(session, request_id, None)
    reviewer = professionals.locked(session, professional_id)
    if row.status == "matched" and row.professional_id == professional_id:
        return row
    professionals.require_active(reviewer)
    require_fit(row, reviewer)
    moment = now()
    turn(
        session,
        row,
        "matched",
        actor,
        expected=("pending", "matched"),
        note=reviewer.name,
        professional_id=professional_id,
        matched_at=moment,
    )
    said = ReviewMatched(row.id, row.student_id, professional_id, moment)
    outbox.record(session, said, source=SOURCE, subject=row.id, sequence=row.version)
    return row


class NoFit(Problem):
    """The professional may not or will not review this student."""

    status, slug, title = 409, "no-fit", "The professional does not fit this request"


def require_fit(row: ReviewRequest, reviewer: Professional) -> None:
    """Raise NoFit for an employer that the student excluded, or a level that the professional does not take."""
    if is_excluded(row.excluded_employers, reviewer.company):
        raise NoFit("The student asked for nobody of this employer.", constraint="employer")
    if not takes_level(reviewer.experience_levels, row.experience_level):
        raise NoFit(f"{reviewer.name} does not review this level.", constraint="level")


def is_excluded(excluded: list[str], company: str) -> bool:
    """Whether an employer is among the excluded ones, however it is written."""
    plain = _plain(company)
    return bool(plain) and any(
        _plain(name) in (plain, plain.removesuffix("inc"), plain + "inc") for name in excluded if _plain(name)
    )


def takes_level(levels: list[str], level: str) -> bool:
    """Whether a professional takes a level; none named, or `any`, takes all."""
    return not levels or any(_plain(one) in ("any", _plain(level)) for one in levels) or not level


def _plain(words: str) -> str:
    return "".join(character for character in words.casefold() if character.isalnum())


def cancel(
    session: Session, request_id: UUID, viewer: UUID | None, actor: Actor, note: str | None = None
) -> ReviewRequest:
    """End an open request for good; repeating it changes nothing. Raises NotFound, WrongState.

    A scheduled one is cancelled by cancelling its session first (sessions.cancel_with_request).
    """
    row = held(session, request_id, viewer)
    if row.status == "cancelled":
        return row
    turn(session, row, "cancelled", actor, expected=("pending", "matched"), note=note, cancelled_at=now())
    session.execute(delete(PreferredTime).where(PreferredTime.review_request_id == row.id))
    said = ReviewCancelled(row.id, row.student_id, row.cancelled_at or now())
    outbox.record(session, said, source=SOURCE, subject=row.id, sequence=row.version)
    return row


def preferred(session: Session, request_id: UUID) -> list[PreferredTime]:
    """When the student can, in order."""
    mine = select(PreferredTime).where(PreferredTime.review_request_id == request_id)
    return list(session.scalars(mine.order_by(PreferredTime.starts_at)))


@dataclass(frozen=True)
class Filters:
    """Which requests a list holds."""

    student_id: UUID | None = None
    status: str | None = None


def listing(
    session: Session, filters: Filters, limit: int, cursor: str | None
) -> tuple[list[ReviewRequest], str | None]:
    """A page of requests, newest first, and the cursor of the next. Raises InvalidFields for a foreign cursor."""
    statement = select(ReviewRequest)
    if filters.student_id is not None:
        statement = statement.where(ReviewRequest.student_id == members.resolve(session, filters.student_id))
    if filters.status is not None:
        statement = statement.where(ReviewRequest.status == filters.status)
    if key := paging.decode_cursor(cursor, instant, UUID):
        place = tuple_(ReviewRequest.submitted_at, ReviewRequest.id)
        statement = statement.where(place < tuple_(literal(key[0]), literal(key[1])))
    ordered = statement.order_by(ReviewRequest.submitted_at.desc(), ReviewRequest.id.desc()).limit(limit + 1)
    return paging.page(list(session.scalars(ordered)), limit, lambda row: (row.submitted_at.isoformat(), row.id))


def open_of(session: Session, student_id: UUID) -> ReviewRequest:
    """The open request of a student; NotFound when there is none."""
    row = newest(session, student_id)
    if row is None or row.status not in ("pending", "matched", "scheduled"):
        raise NotFound("This member has no open review request.")
    return row


def waiting(session: Session, limit: int, cursor: str | None) -> tuple[list[ReviewRequest], int, str | None]:
    """A page of requests without a session, longest waiting first, how many there are, and the cursor of the next."""
    without = ReviewRequest.status.in_(("pending", "matched"))
    statement = select(ReviewRequest).where(without)
    if key := paging.decode_cursor(cursor, instant, UUID):
        place = tuple_(ReviewRequest.submitted_at, ReviewRequest.id)
        statement = statement.where(place > tuple_(literal(key[0]), literal(key[1])))
    ordered = statement.order_by(ReviewRequest.submitted_at, ReviewRequest.id).limit(limit + 1)
    rows, following = paging.page(
        list(session.scalars(ordered)), limit, lambda row: (row.submitted_at.isoformat(), row.id)
    )
    return rows, session.scalar(select(func.count()).where(without)) or 0, following


def require_open(row: ReviewRequest, *states: str) -> None:
    """Raise WrongState unless the request is in one of the states."""
    if row.status not in states:
        raise WrongState(f"The request is {row.status}.", present_status=row.status)


def readback(session: Session, row: ReviewRequest) -> str:
    """When the student can, in words, in their zone."""
    zone = ZoneInfo(row.time_zone)
    spans = [(one.starts_at.astimezone(zone), one.ends_at.astimezone(zone)) for one in preferred(session, row.id)]
    return ", ".join(f"{start:%a} {start.day} {start:%b} {start:%H:%M}-{end:%H:%M}" for start, end in spans)
