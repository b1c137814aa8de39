"""What may be booked: when both sides can, with enough notice, within the horizon, not more than a week holds.

The last word has the database: each booking takes its five-minute slots in `booked_slots`, whose primary key lets nobody
be in two sessions at once. A professional's slots reach into the pause after the session, so that two sessions keep it.
"""

from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.messages import now
from fleet.problems import Problem, invalid
from fleet.settings import read
from services.reviews import availability
from services.reviews.models import PreferredTime, Professional, ReviewRequest
from services.reviews.session_models import BookedSlot, Meeting
from services.reviews.settings import BookingSettings

SLOT = timedelta(minutes=5)
# Sessions that count for a professional's week.
COUNTED = ("scheduled", "completed", "no_show")


class NotBookable(Problem):
    """The time cannot be booked; `constraint` says why."""

    status, slug, title = 409, "not-bookable", "The time cannot be booked"


class SlotTaken(Problem):
    """One of the two is in another session then."""

    status, slug, title = 409, "slot-taken", "The time is taken"


def earliest() -> datetime:
    """The first instant at which a session may begin."""
    return now() + timedelta(hours=read(BookingSettings).notice_hours)


def latest() -> datetime:
    """The last instant at which a session may begin."""
    return now() + timedelta(days=read(BookingSettings).horizon_days)


def horizon_days() -> int:
    """How many days ahead a session may begin."""
    return read(BookingSettings).horizon_days


def check_time(starts_at: datetime, duration: int) -> None:
    """Raise InvalidFields for a time off the five minutes, NotBookable for one too soon or too far."""
    if starts_at.second or starts_at.microsecond or starts_at.minute % 5:
        raise invalid("/scheduled_time", "sessions begin on multiples of five minutes")
    if duration % 5 or not 5 <= duration <= 240:
        raise invalid("/duration_minutes", "must be a multiple of 5, from 5 to 240")
    settings = read(BookingSettings)
    if starts_at < earliest():
        raise NotBookable(f"A session begins at least {settings.notice_hours} hours from now.", constraint="notice")
    if starts_at > latest():
        raise NotBookable(f"A session begins at most {settings.horizon_days} days from now.", constraint="horizon")


def check_availability(
    session: Session, request: ReviewRequest, reviewer: Professional, starts_at: datetime, duration: int
) -> None:
    """Raise NotBookable unless both can all the time of the session. A student who named no time can always."""
    ends_at = starts_at + timedelta(minutes=duration)
    low, high = availability.minute_of(starts_at), availability.minute_of(ends_at)
    spans = availability.of_professionals(session, [reviewer.id], starts_at, ends_at)[reviewer.id]
    if (low, high) not in spans:
        raise NotBookable(f"{reviewer.name} has no time then.", constraint="professional_availability")
    named = select(func.count()).where(PreferredTime.review_request_id == request.id)
    covering = named.where(PreferredTime.starts_at <= starts_at, PreferredTime.ends_at >= ends_at)
    if session.scalar(named) and not session.scalar(covering):
        raise NotBookable("The student has no time then.", constraint="student_availability")


def week_of(reviewer: Professional, moment: datetime) -> tuple[datetime, datetime]:
    """Begin and end of the week (Monday first, in the professional's zone) that holds an instant."""
    local = moment.astimezone(ZoneInfo(reviewer.time_zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = local - timedelta(days=local.weekday())
    return monday, monday + timedelta(days=7)


def check_week(session: Session, reviewer: Professional, starts_at: datetime, but: UUID | None = None) -> None:
    """Raise NotBookable when the professional's week is full; their row is locked. `but`: a session that is moved."""
    begin, end = week_of(reviewer, starts_at)
    within = select(func.count()).where(
        Meeting.professional_id == reviewer.id,
        Meeting.status.in_(COUNTED),
        Meeting.starts_at >= begin,
        Meeting.starts_at < end,
    )
    if but is not None:
        within = within.where(Meeting.id != but)
    if (session.scalar(within) or 0) >= reviewer.max_reviews_per_week:
        limit = reviewer.max_reviews_per_week
        raise NotBookable(f"{reviewer.name} reviews at most {limit} resumes a week.", constraint="weekly_maximum")


def take(session: Session, meeting: Meeting) -> None:
    """Book the slots of both. Raises SlotTaken when one is another session's; it waits for a booking under way."""
    buffer = timedelta(minutes=read(BookingSettings).buffer_minutes)
    ends_at = meeting.starts_at + timedelta(minutes=meeting.duration_minutes)
    wanted = [(meeting.professional_id, slot) for slot in _slots(meeting.starts_at, ends_at + buffer)]
    wanted += [(meeting.student_id, slot) for slot in _slots(meeting.starts_at, ends_at)]
    # In one order for everybody, so that two bookings that meet wait for one another instead of both.
    rows = [{"party_id": party, "slot": slot, "session_id": meeting.id} for party, slot in sorted(wanted)]
    taken = insert(BookedSlot).values(rows).on_conflict_do_nothing().returning(BookedSlot.slot)
    if len(session.execute(taken).all()) != len(rows):
        raise SlotTaken("One of the two has another session then, or in the pause after it.")


def free(session: Session, meeting: Meeting) -> None:
    """Give the slots of a session back."""
    session.execute(delete(BookedSlot).where(BookedSlot.session_id == meeting.id))


def _slots(begin: datetime, end: datetime) -> list[datetime]:
    return [begin + SLOT * step for step in range((end - begin) // SLOT)]
