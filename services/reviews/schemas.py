"""What clients of reviews may send, and what they get: texts about time, professionals, their availability."""

from typing import Any

import marshmallow
from marshmallow import fields, validate

from fleet.web import Flag, Instant, PageQuery, Schema, Text, Whole
from services.reviews.places import zone_named

LEVELS = ("entry", "mid", "senior", "career_changer", "recent_graduate", "any")
FORMATS = ("video", "phone", "email", "any")
LONG = validate.Length(max=2000)
SHORT = validate.Length(min=1, max=200)


class Zone(Text):
    """The IANA name of a time zone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        try:
            return str(zone_named(found).key)
        except ValueError as error:
            raise marshmallow.ValidationError("must be the name of a time zone, such as America/New_York") from error


class Email(fields.Email):
    """One plain address."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        if len(found) > 254 or not found.isprintable() or set(found) & set(" ,;<>\"'"):
            raise marshmallow.ValidationError("must be one plain address")
        return found


class ParseText(Schema):
    """A text about somebody's time."""

    text = Text(required=True, validate=validate.Length(max=2000))
    timezone = Zone(required=True)
    from_ = fields.Date(data_key="from", load_default=None)
    until = fields.Date(load_default=None)
    duration_minutes = Whole(load_default=30, validate=validate.Range(5, 480))
    locale = Text(load_default=None, validate=validate.Length(max=35))
    preferred_days = fields.List(
        Whole(validate=validate.Range(0, 6)), load_default=None, validate=validate.Length(max=7)
    )

    @marshmallow.validates_schema
    def _check(self, data: dict[str, Any], **_words: Any) -> None:
        first, last = data.get("from_"), data.get("until")
        if first and not 1900 <= first.year <= 2200:
            raise marshmallow.ValidationError({"from": ["must be a date near today"]})
        if first and last and not 0 <= (last - first).days <= 92:
            raise marshmallow.ValidationError({"until": ["must not be before `from`, nor more than 92 days after it"]})


class Interval(Schema):
    """A stretch of time, in UTC."""

    start = Instant(required=True)
    end = Instant(required=True)


class Doubt(Schema):
    """A part of the text that can be read in several ways."""

    fragment = Text()
    chosen = Text()
    alternatives = fields.List(Text())


class Understood(Schema):
    """What a text says, told back, and what of it was not understood."""

    intervals = fields.List(fields.Nested(Interval))
    readback = Text()
    unparsed = fields.List(Text())
    ambiguous = fields.List(fields.Nested(Doubt))


class ProfessionalFields(Schema):
    """What an admin says of a professional."""

    name = Text(required=True, validate=SHORT)
    email = Email(required=True)
    title = Text(load_default="", validate=validate.Length(max=200))
    company = Text(load_default="", validate=validate.Length(max=200))
    bio = Text(load_default="", validate=LONG)
    specialties = fields.List(Text(validate=SHORT), load_default=list, validate=validate.Length(max=30))
    experience_levels = fields.List(
        Text(validate=validate.OneOf(LEVELS)), load_default=list, validate=validate.Length(max=10)
    )
    time_zone = Zone(required=True)
    meeting_format = Text(load_default="any", validate=validate.OneOf(FORMATS))
    max_reviews_per_week = Whole(load_default=3, validate=validate.Range(1, 40))
    is_active = Flag(load_default=True)


class ProfessionalChange(Schema):
    """Fields to change; those left out stay."""

    name = Text(validate=SHORT)
    email = Email()
    title = Text(validate=validate.Length(max=200))
    company = Text(validate=validate.Length(max=200))
    bio = Text(validate=LONG)
    specialties = fields.List(Text(validate=SHORT), validate=validate.Length(max=30))
    experience_levels = fields.List(Text(validate=validate.OneOf(LEVELS)), validate=validate.Length(max=10))
    time_zone = Zone()
    meeting_format = Text(validate=validate.OneOf(FORMATS))
    max_reviews_per_week = Whole(validate=validate.Range(1, 40))
    is_active = Flag()


class Professional(Schema):
    """A professional; `email` and `paused_at` are for staff only."""

    id = fields.UUID()
    name = Text()
    title = Text()
    company = Text()
    bio = Text()
    specialties = fields.List(Text())
    experience_levels = fields.List(Text())
    time_zone = Text()
    meeting_format = Text()
    max_reviews_per_week = Whole()
    is_active = Flag()
    email = Text()
    paused_at = Instant(allow_none=True)
    created_at = Instant()


class Professionals(Schema):
    """A page of professionals."""

    items = fields.List(fields.Nested(Professional))
    next_cursor = Text(allow_none=True)


class Week(Schema):
    """One week of a professional."""

    week = fields.Date()
    reviews = Whole()
    average_rating = fields.Float(allow_none=True)


class Performance(Schema):
    """How a professional does, computed from what happened."""

    professional_id = fields.UUID()
    reviews = Whole()
    scheduled = Whole()
    no_show_rate = fields.Float(allow_none=True)
    cancellation_rate = fields.Float(allow_none=True)
    average_rating = fields.Float(allow_none=True)
    ratings = fields.Dict(keys=Text(), values=Whole())
    turnaround_hours = fields.Float(allow_none=True)
    trend = fields.List(fields.Nested(Week))


class Minutes(Text):
    """A wall time `HH:MM`; `24:00` is the end of the day. In code: minutes of the day."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, attr, data, **kwargs)
        hours, colon, minutes = found.partition(":")
        if not (
            found.isascii() and colon and hours.isdigit() and minutes.isdigit() and len(hours) == len(minutes) == 2
        ):
            raise marshmallow.ValidationError("must be a time like 09:30")
        minute = int(hours) * 60 + int(minutes)
        if int(minutes) > 59 or minute > 24 * 60:
            raise marshmallow.ValidationError("there is no such time")
        return minute

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        if value is None:
            return None
        return f"{value // 60 % 24 if value != 1440 else 24:02}:{value % 60:02}"


class WeeklyWindow(Schema):
    """Every week on this weekday (0 is Monday); an end that is not after the start lies on the next day."""

    weekday = Whole(required=True, validate=validate.Range(0, 6))
    start = Minutes(required=True)
    end = Minutes(required=True)


class DatedWindow(Schema):
    """On this day instead of the weekly windows; without `start` and `end`: not at all."""

    day = fields.Date(required=True)
    start = Minutes(load_default=None)
    end = Minutes(load_default=None)


class StateAvailability(Schema):
    """A professional's time: as windows, or as a text that is read like POST /api/availability/parse/ reads it."""

    professional_id = fields.UUID(required=True)
    time_zone = Zone(load_default=None)
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True)
    weekly = fields.List(fields.Nested(WeeklyWindow), load_default=list, validate=validate.Length(max=100))
    overrides = fields.List(fields.Nested(DatedWindow), load_default=list, validate=validate.Length(max=400))
    text = Text(load_default=None, validate=validate.Length(min=1, max=2000))
    notes = Text(load_default="", validate=LONG)

    @marshmallow.validates_schema
    def _check(self, data: dict[str, Any], **_words: Any) -> None:
        if bool(data.get("text")) == bool(data.get("weekly") or data.get("overrides")):
            raise marshmallow.ValidationError({"text": ["give either a text, or weekly windows and overrides"]})
        first, last = data["valid_from"], data["valid_until"]
        if not 1900 <= first.year <= 2200 or not 0 <= (last - first).days <= 366:
            raise marshmallow.ValidationError({"valid_until": ["must not be before valid_from, nor a year after it"]})


class Availability(Schema):
    """What a professional said about their time, as it is kept."""

    id = fields.UUID()
    professional_id = fields.UUID()
    source = Text()
    time_zone = Text()
    valid_from = fields.Date()
    valid_until = fields.Date()
    weekly = fields.List(fields.Nested(WeeklyWindow))
    overrides = fields.List(fields.Nested(DatedWindow))
    text = Text(allow_none=True)
    unparsed = fields.List(Text())
    notes = Text()
    is_active = Flag()
    created_at = Instant()


class Availabilities(Schema):
    """A page of them."""

    items = fields.List(fields.Nested(Availability))
    next_cursor = Text(allow_none=True)


class AvailabilityQuery(PageQuery):
    """Which statements to list."""

    professional = fields.UUID(load_default=None)


class Statistics(Schema):
    """The programme of reviews in figures."""

    total_requests = Whole()
    pending_requests = Whole()
    matched_requests = Whole()
    scheduled_requests = Whole()
    completed_requests = Whole()
    cancelled_requests = Whole()
    scheduled_sessions = Whole()
    completed_sessions = Whole()
    cancelled_sessions = Whole()
    no_show_sessions = Whole()
    rescheduled = Whole()
    average_rating = fields.Float(allow_none=True)
    ratings_given = Whole()
    active_professionals = Whole()
    paused_professionals = Whole()
    oldest_pending_at = Instant(allow_none=True)
