"""What clients of reviews may send, and what they get: requests, suggestions, sessions, feedback, resumes."""

from typing import Any

import marshmallow
from marshmallow import fields, validate

from fleet.web import Flag, Instant, PageQuery, Schema, Text, Whole
from services.reviews.schemas import LEVELS, LONG, SHORT, Interval, Zone

STATES = ("pending", "matched", "scheduled", "completed", "cancelled")
SESSION_STATES = ("scheduled", "completed", "cancelled", "no_show")


class RequestReview(Schema):
    """What a student asks for. State, professional and times of a session are not theirs to set."""

    target_industry = Text(required=True, validate=SHORT)
    target_role = Text(required=True, validate=SHORT)
    experience_level = Text(required=True, validate=validate.OneOf(LEVELS))
    preferred_times = Text(load_default="", validate=LONG)
    time_zone = Zone(required=True)
    locale = Text(load_default=None, validate=validate.Length(max=35))
    resume_id = fields.UUID(load_default=None)
    resume_url = fields.Url(schemes={"https"}, load_default=None, validate=validate.Length(max=1000))
    excluded_employers = fields.List(Text(validate=SHORT), load_default=list, validate=validate.Length(max=20))
    duration_minutes = Whole(load_default=30, validate=validate.Range(15, 120))

    @marshmallow.validates_schema
    def _check(self, data: dict[str, Any], **_words: Any) -> None:
        if data.get("resume_id") and data.get("resume_url"):
            raise marshmallow.ValidationError({"resume_url": ["give a file or an address, not both"]})
        if data.get("duration_minutes", 30) % 5:
            raise marshmallow.ValidationError({"duration_minutes": ["must be a multiple of 5"]})


class Turn(Schema):
    """A change of state."""

    was = Text(allow_none=True)
    becomes = Text()
    actor = Text()
    note = Text(allow_none=True)
    starts_at = Instant(allow_none=True)
    at = Instant()


class ReviewRequest(Schema):
    """A review request as it stands."""

    id = fields.UUID()
    student_id = fields.UUID()
    status = Text()
    professional_id = fields.UUID(allow_none=True)
    professional_name = Text(allow_none=True)
    target_industry = Text()
    target_role = Text()
    experience_level = Text()
    priority = Text()
    resume_id = fields.UUID(allow_none=True)
    resume_url = Text(allow_none=True)
    preferred_times = Text()
    preferred_intervals = fields.List(fields.Nested(Interval))
    unparsed = fields.List(Text())
    time_zone = Text()
    excluded_employers = fields.List(Text())
    duration_minutes = Whole()
    session_id = fields.UUID(allow_none=True)
    scheduled_time = Instant(allow_none=True)
    meeting_link = Text(allow_none=True)
    submitted_at = Instant()
    matched_at = Instant(allow_none=True)
    completed_at = Instant(allow_none=True)
    cancelled_at = Instant(allow_none=True)
    history = fields.List(fields.Nested(Turn))


class ReviewRequests(Schema):
    """A page of requests."""

    items = fields.List(fields.Nested(ReviewRequest))
    next_cursor = Text(allow_none=True)


class RequestsQuery(PageQuery):
    """Which requests to list."""

    status = Text(load_default=None, validate=validate.OneOf(STATES))
    student = fields.UUID(load_default=None)


class Match(Schema):
    """Whom a request is given to."""

    professional_id = fields.UUID(required=True)


class Reason(Schema):
    """Why something ends or moves."""

    note = Text(load_default=None, validate=LONG)


class Rate(Schema):
    """The student's word on a completed review."""

    rating = Whole(required=True, validate=validate.Range(1, 5))
    text = Text(load_default="", validate=LONG)


class FeedbackGiven(Schema):
    """The feedback as it is kept."""

    review_request_id = fields.UUID()
    rating = Whole()
    text = Text()
    given_at = Instant()


class WriteNotes(Schema):
    """The professional's notes; `token` is what their link carries."""

    token = Text(required=True, validate=validate.Length(max=200))
    notes = Text(required=True, validate=validate.Length(min=1, max=10_000))
    outcome = Text(load_default=None, validate=validate.OneOf(("completed", "no_show")))


class NotesWritten(Schema):
    """The notes are kept."""

    session_id = fields.UUID()
    status = Text()


class Suggestion(Schema):
    """A slot with a professional, and why."""

    review_request_id = fields.UUID()
    professional_id = fields.UUID()
    professional_name = Text()
    scheduled_time = Instant()
    duration_minutes = Whole()
    score = fields.Float()
    terms = fields.Dict(keys=Text(), values=fields.Float())
    reason = Text()


class Suggestions(Schema):
    """Ranked slots, the best first. `excluded`: how many professionals each condition kept out; `worst` the one of most."""

    items = fields.List(fields.Nested(Suggestion))
    excluded = fields.Dict(keys=Text(), values=Whole())
    worst = Text(allow_none=True)


class MatchAll(Schema):
    """`commit` false: only look."""

    commit = Flag(load_default=False)


class Assigned(Schema):
    """What the assignment gives one request."""

    review_request_id = fields.UUID()
    chosen = fields.Nested(Suggestion, allow_none=True)
    runner_up = fields.Nested(Suggestion, allow_none=True)
    excluded = fields.Dict(keys=Text(), values=Whole())
    worst = Text(allow_none=True)


class Assignment(Schema):
    """The assignment of all pending requests."""

    committed = Flag()
    requests = Whole()
    matched = Whole()
    total_score = fields.Float()
    items = fields.List(fields.Nested(Assigned))


class Schedule(Schema):
    """When to meet: an instant (RFC 3339), or a text that means one, in `timezone`."""

    review_request_id = fields.UUID(required=True)
    professional_id = fields.UUID(required=True)
    scheduled_time = Text(required=True, validate=validate.Length(min=1, max=200))
    timezone = Zone(load_default=None)
    duration_minutes = Whole(load_default=None, validate=validate.Range(5, 240))


class Reschedule(Schema):
    """Where a session is moved to."""

    scheduled_time = Text(required=True, validate=validate.Length(min=1, max=200))
    timezone = Zone(load_default=None)
    note = Text(load_default=None, validate=LONG)


class Session(Schema):
    """A session with its history."""

    id = fields.UUID()
    review_request_id = fields.UUID()
    student_id = fields.UUID()
    professional_id = fields.UUID()
    professional_name = Text()
    scheduled_time = Instant()
    duration_minutes = Whole()
    status = Text()
    meeting_link = Text(allow_none=True)
    created_at = Instant()
    ended_at = Instant(allow_none=True)
    history = fields.List(fields.Nested(Turn))


class Sessions(Schema):
    """A page of sessions."""

    items = fields.List(fields.Nested(Session))
    next_cursor = Text(allow_none=True)


class SessionsQuery(PageQuery):
    """Which sessions to list."""

    status = Text(load_default=None, validate=validate.OneOf(SESSION_STATES))
    professional = fields.UUID(load_default=None)


class View(Schema):
    """Somebody looked at a resume."""

    viewer_id = fields.UUID()
    viewer_kind = Text()
    viewed_at = Instant()


class Resume(Schema):
    """A resume's file."""

    id = fields.UUID()
    name = Text()
    size = Whole()
    content_type = Text(allow_none=True)
    status = Text()
    created_at = Instant()
    views = fields.List(fields.Nested(View))


class SharedQuery(Schema):
    """What a link to a resume carries."""

    token = Text(required=True, validate=validate.Length(max=200))
