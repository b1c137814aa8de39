"""Availability of professionals: weekly windows and dated overrides in their zone, and the instants these are.

A text is read once, when it is given, and kept as windows: what the same weekday has on most of its days is its weekly
window, and days that differ are overrides.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import literal, select, tuple_
from sqlalchemy.orm import Session

from fleet import paging
from fleet.contracts.codec import instant
from fleet.messages import new_id, now
from fleet.problems import invalid
from services.reviews import intervals, professionals
from services.reviews.grammar import Parsed, parse
from services.reviews.models import Availability, Override, Window

DAY_MINUTES = 24 * 60
LONGEST_DAYS = 366
Span = tuple[int, int]


@dataclass(frozen=True)
class Stated:
    """A professional's time as it was given: weekly (weekday, start, end) and dated (day, start, end), in minutes."""

    time_zone: str
    valid_from: date
    valid_until: date
    weekly: list[tuple[int, int, int]] = field(default_factory=list)
    dated: list[tuple[date, int, int]] = field(default_factory=list)
    text: str | None = None
    unparsed: tuple[str, ...] = ()
    notes: str = ""


def from_text(text: str, zone: str, valid_from: date, valid_until: date, **how: Any) -> tuple[Stated, Parsed]:
    """What a text says about the days from..until, as windows. `how`: as grammar.parse takes it."""
    parsed = parse(text, zone, valid_from, valid_until, **how)
    by_day: dict[date, list[Span]] = defaultdict(list)
    place = ZoneInfo(zone)
    for interval in parsed.intervals:
        start, end = interval.start.astimezone(place), interval.end.astimezone(place)
        first = start.hour * 60 + start.minute
        last = (end.date() - start.date()).days * DAY_MINUTES + end.hour * 60 + end.minute
        by_day[start.date()].extend(_pieces(first, last))
    weekly, dated = _weekly(by_day, valid_from, valid_until)
    return Stated(zone, valid_from, valid_until, weekly, dated, text, parsed.unparsed), parsed


def _pieces(first: int, last: int) -> Iterable[Span]:
    """A stretch of more than a day, as several that each begin on the first."""
    while last - first > DAY_MINUTES:
        yield first, first + DAY_MINUTES
        first += DAY_MINUTES
    yield first, last


def _weekly(
    by_day: dict[date, list[Span]], first: date, last: date
) -> tuple[list[tuple[int, int, int]], list[tuple[date, int, int]]]:
    weekly: list[tuple[int, int, int]] = []
    dated: list[tuple[date, int, int]] = []
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    for weekday in range(7):
        mine = [day for day in days if day.weekday() == weekday]
        shapes = Counter(tuple(sorted(by_day.get(day, ()))) for day in mine)
        usual = shapes.most_common(1)[0][0] if shapes else ()
        weekly.extend((weekday, start, end) for start, end in usual if start < DAY_MINUTES)
        for day in mine:
            shape = tuple(sorted(by_day.get(day, ())))
            if shape != usual:
                dated.extend([(day, start, end) for start, end in shape if start < DAY_MINUTES] or [(day, 0, 0)])
    return weekly, dated


def record(session: Session, professional_id: UUID, source: str, stated: Stated) -> Availability:
    """Keep what a professional said; what they said before stays valid until it is replaced or over. Raises NotFound."""
    professionals.get(session, professional_id)
    if not 0 <= (stated.valid_until - stated.valid_from).days <= LONGEST_DAYS:
        raise invalid("/valid_until", "must not be before valid_from, nor a year after it")
    row = Availability(
        id=new_id(),
        professional_id=professional_id,
        source=source,
        time_zone=stated.time_zone,
        valid_from=stated.valid_from,
        valid_until=stated.valid_until,
        wording=stated.text,
        unparsed=list(stated.unparsed),
        notes=stated.notes,
        is_active=True,
        created_at=now(),
    )
    session.add(row)
    session.flush()
    session.add_all(
        Window(availability_id=row.id, weekday=day, start_minute=a, end_minute=b) for day, a, b in stated.weekly
    )
    session.add_all(
        Override(availability_id=row.id, day=day, start_minute=a, end_minute=b) for day, a, b in stated.dated
    )
    session.flush()
    return row


def replace(session: Session, professional_id: UUID, source: str, stated: Stated) -> Availability:
    """As `record`, and earlier statements of the same source are over: a form that was sent again."""
    earlier = select(Availability).where(
        Availability.professional_id == professional_id, Availability.source == source, Availability.is_active
    )
    for row in session.scalars(earlier.with_for_update()):
        row.is_active = False
    return record(session, professional_id, source, stated)


def of_professionals(
    session: Session, professional_ids: Iterable[UUID], begin: datetime, end: datetime
) -> dict[UUID, list[Span]]:
    """When professionals can, from begin to end: merged spans in minutes since 1970 UTC, cut to the two."""
    ids = list(professional_ids)
    around = (begin - timedelta(days=2)).date(), (end + timedelta(days=2)).date()
    statement = select(Availability).where(
        Availability.professional_id.in_(ids),
        Availability.is_active,
        Availability.valid_until >= around[0],
        Availability.valid_from <= around[1],
    )
    rows = list(session.scalars(statement))
    windows, overrides = _parts(session, [row.id for row in rows])
    low, high = minute_of(begin), minute_of(end)
    found: dict[UUID, list[Span]] = {one: [] for one in ids}
    for row in rows:
        zone = ZoneInfo(row.time_zone)
        first, last = max(row.valid_from, around[0]), min(row.valid_until, around[1])
        for step in range((last - first).days + 1):
            day = first + timedelta(days=step)
            spans = overrides.get(row.id, {}).get(day)
            if spans is None:
                spans = windows.get(row.id, {}).get(day.weekday(), [])
            found[row.professional_id].extend(_instants(zone, day, spans))
    cut = {one: [(max(a, low), min(b, high)) for a, b in spans if a < high and b > low] for one, spans in found.items()}
    return {one: intervals.merged(spans) for one, spans in cut.items()}


def _parts(
    session: Session, ids: list[UUID]
) -> tuple[dict[UUID, dict[int, list[Span]]], dict[UUID, dict[date, list[Span]]]]:
    windows: dict[UUID, dict[int, list[Span]]] = defaultdict(lambda: defaultdict(list))
    overrides: dict[UUID, dict[date, list[Span]]] = defaultdict(lambda: defaultdict(list))
    for window in session.scalars(select(Window).where(Window.availability_id.in_(ids))):
        windows[window.availability_id][window.weekday].append((window.start_minute, window.end_minute))
    for override in session.scalars(select(Override).where(Override.availability_id.in_(ids))):
        overrides[override.availability_id][override.day].append((override.start_minute, override.end_minute))
    return windows, overrides


def _instants(zone: tzinfo, day: date, spans: Iterable[Span]) -> Iterable[Span]:
    """Wall minutes of a day as minutes since 1970 UTC; on a day when the clocks change, each end by itself."""
    shift = intervals.steady_shift(zone, day.toordinal())
    midnight = (day.toordinal() - intervals.EPOCH_DAY) * DAY_MINUTES
    for start, end in spans:
        if start == end:
            continue
        if shift is not None:
            yield midnight + start - shift, midnight + end - shift
            continue
        wall = datetime.fromordinal(day.toordinal())
        first, last = (minute_of((wall + timedelta(minutes=at)).replace(tzinfo=zone)) for at in (start, end))
        if first < last:
            yield first, last


def minute_of(moment: datetime) -> int:
    """Whole minutes since 1970 UTC."""
    return int(moment.astimezone(UTC).timestamp()) // 60


def moment_of(minute: int) -> datetime:
    """The instant of so many minutes since 1970 UTC."""
    return datetime.fromtimestamp(minute * 60, UTC)


def listing(
    session: Session, professional_id: UUID | None, limit: int, cursor: str | None
) -> tuple[list[Availability], str | None]:
    """A page of statements, newest first, and the cursor of the next. Raises InvalidFields for a foreign cursor."""
    statement = select(Availability)
    if professional_id is not None:
        statement = statement.where(Availability.professional_id == professional_id)
    if key := paging.decode_cursor(cursor, instant, UUID):
        place = tuple_(Availability.created_at, Availability.id)
        statement = statement.where(place < tuple_(literal(key[0]), literal(key[1])))
    ordered = statement.order_by(Availability.created_at.desc(), Availability.id.desc()).limit(limit + 1)
    return paging.page(list(session.scalars(ordered)), limit, lambda row: (row.created_at.isoformat(), row.id))


def described(session: Session, row: Availability) -> dict[str, Any]:
    """A statement with its windows and overrides."""
    windows, overrides = _parts(session, [row.id])
    weekly = [(day, *span) for day, spans in windows.get(row.id, {}).items() for span in spans]
    dated = [(day, *span) for day, spans in overrides.get(row.id, {}).items() for span in spans]
    return {"row": row, "weekly": sorted(weekly), "dated": sorted(dated)}
