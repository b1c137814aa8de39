"""The one instant that somebody means by a `scheduled_time`: RFC 3339, or words in a zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from fleet.problems import invalid
from services.reviews import booking
from services.reviews.grammar import parse

POINTER = "/scheduled_time"


def read_moment(text: str, zone: str | None, duration: int) -> datetime:
    """The instant a text means. A text that names several days means the first that can be booked.

    Raises InvalidFields for a text that is no time, that can be read in two ways, or that lacks a zone.
    """
    found = _instant(text, zone)
    if found is not None:
        return found
    if zone is None:
        raise invalid("/timezone", "is needed with a time in words")
    place = ZoneInfo(zone)
    first = booking.earliest()
    today = first.astimezone(place).date()
    parsed = parse(text, place, today, today + timedelta(days=booking.horizon_days()), duration)
    if parsed.unparsed:
        raise invalid(POINTER, f"this was not understood: {'; '.join(parsed.unparsed)}")
    if parsed.ambiguous:
        doubt = parsed.ambiguous[0]
        others = " or ".join(doubt.alternatives)
        raise invalid(POINTER, f"{doubt.fragment} may be {doubt.chosen} or {others}; give the date")
    starts = [one.start for one in parsed.intervals if one.start >= first]
    if not starts:
        raise invalid(POINTER, "is no time that can be booked")
    return starts[0]


def _instant(text: str, zone: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if len(text.strip()) < 16:
        return None  # a date alone
    if found.tzinfo is not None:
        try:
            return found.astimezone(UTC)
        except OverflowError as error:
            raise invalid(POINTER, "is out of range") from error
    if zone is None:
        raise invalid("/timezone", "is needed with a time that names no zone")
    place = ZoneInfo(zone)
    early, late = found.replace(tzinfo=place, fold=0), found.replace(tzinfo=place, fold=1)
    if early.utcoffset() != late.utcoffset():
        raise invalid(POINTER, "does not exist, or exists twice, that day: the clocks change")
    return early.astimezone(UTC)
