"""What clients send and get of activity types, submissions, evidence and check-ins."""

from datetime import UTC
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from fleet.web import Instant, PageQuery, QueryWhole, Schema, Text, Whole
from services.points.activities import CATEGORIES
from services.points.decisions import MAX_NOTE, MAX_POINTS
from services.points.schemas import Activity
from services.points.submissions import MAX_DESCRIPTION

STATUSES = ("pending", "approved", "rejected", "withdrawn")
_CODE = validate.Regexp(r"\A[a-z][a-z0-9_]{1,63}\Z", error="must be 2 to 64 of a-z, 0-9 and _, beginning with a letter")
_LABEL = (validate.Length(1, 120), validate.Regexp(r"\s*\S", error="must not be blank"))


class Flag(fields.Boolean):
    """true or false, and nothing that Python takes for it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not bool:
            raise ValidationError("must be true or false")
        return value


class Moment(fields.AwareDateTime):
    """An instant with its offset, read as UTC."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not str or len(value) > 40:
            raise ValidationError("must be a time as in 2026-11-23T18:00:00Z")
        found = super()._deserialize(value, attr, data, **kwargs)
        if not 2000 <= found.year <= 2200:
            raise ValidationError("must be between the years 2000 and 2200")
        return found.astimezone(UTC)


class CapRule(Schema):
    """How often an activity counts in a period."""

    count = Whole(required=True, validate=validate.Range(1, 1000))
    period = fields.String(required=True, validate=validate.OneOf(["day", "week", "month", "lifetime"]))


class ActivityRule(Schema):
    """The rule of an activity type; what is left out stays as it is."""

    name = Text(validate=_LABEL)
    category = fields.String(validate=validate.OneOf(list(CATEGORIES)))
    points = Whole(validate=validate.Range(1, 2000))
    description = Text(validate=validate.Length(0, 500))
    requires_approval = Flag()
    evidence = fields.String(validate=validate.OneOf(["none", "text", "url", "attachment"]))
    evidence_once = fields.String(validate=validate.OneOf(["none", "member", "everyone"]))
    min_description = Whole(validate=validate.Range(0, 1000))
    cap = fields.Nested(CapRule, allow_none=True)
    cooldown_seconds = Whole(validate=validate.Range(0, 366 * 86_400))
    is_active = Flag()


class NewActivity(ActivityRule):
    """A new activity type. Its code never changes; the rule in words is derived from the data."""

    code = fields.String(required=True, validate=_CODE)
    name = Text(required=True, validate=_LABEL)
    category = fields.String(required=True, validate=validate.OneOf(list(CATEGORIES)))
    points = Whole(required=True, validate=validate.Range(1, 2000))


class ActivityForAdmins(Activity):
    """An activity type with its state; admins see what is switched off too."""

    is_active = fields.Boolean()


class Submit(Schema):
    """A claim to have earned something. What is needed beside the type follows from its rule."""

    activity_type = fields.String(required=True, validate=validate.Length(1, 64))
    description = Text(load_default="", validate=validate.Length(max=MAX_DESCRIPTION))
    url = Text(load_default=None, allow_none=True, validate=validate.Length(1, 2048))
    evidence_id = fields.UUID(load_default=None, allow_none=True)


class EvidenceFile(Schema):
    """A file; `failed` says in `reason` why it could not be had."""

    id = fields.UUID(required=True)
    status = fields.String(required=True)
    name = fields.String(required=True)
    size = fields.Integer(required=True)
    content_type = fields.String(allow_none=True, required=True)
    sha256 = fields.String(allow_none=True, required=True)
    reason = fields.String(allow_none=True, required=True)


class Submission(Schema):
    """A submission. `points_promised` is what its rule was worth when it was made, `points` what was awarded."""

    id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    display_name = fields.String(allow_none=True, required=True)
    activity = fields.String(required=True)
    name = fields.String(required=True)
    rule_version = fields.Integer(required=True)
    points_promised = fields.Integer(required=True)
    status = fields.String(required=True)
    description = fields.String(required=True)
    url = fields.String(allow_none=True, required=True)
    evidence = fields.Nested(EvidenceFile, allow_none=True, required=True)
    submitted_at = Instant(required=True)
    decided_at = Instant(allow_none=True, required=True)
    decided_by = fields.UUID(allow_none=True, required=True)
    note = fields.String(allow_none=True, required=True)
    points = fields.Integer(allow_none=True, required=True)
    points_log_id = fields.UUID(allow_none=True, required=True)


class Submissions(Schema):
    """A page of submissions."""

    items = fields.List(fields.Nested(Submission), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class SubmissionsQuery(PageQuery):
    """Filters; `older_than` is in whole hours. Only admins may name a member, and see everybody's."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    activity = fields.String(load_default=None, validate=validate.Length(1, 64))
    member = fields.UUID(load_default=None)
    older_than = QueryWhole(load_default=None, validate=validate.Range(0, 100_000))
    order = fields.String(load_default="newest", validate=validate.OneOf(["newest", "oldest"]))


class Approve(Schema):
    """Without `points`, what the rule promised."""

    points = Whole(load_default=None, allow_none=True, validate=validate.Range(0, MAX_POINTS))
    note = Text(load_default=None, allow_none=True, validate=validate.Length(1, MAX_NOTE))


class Reject(Schema):
    """Why, in words for the member."""

    note = Text(required=True, validate=(validate.Length(1, MAX_NOTE), validate.Regexp(r"\s*\S")))


class BulkDecision(Schema):
    """One decision on up to a hundred submissions; rejecting needs a note."""

    ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, 100))
    decision = fields.String(required=True, validate=validate.OneOf(["approve", "reject"]))
    points = Whole(load_default=None, allow_none=True, validate=validate.Range(0, MAX_POINTS))
    note = Text(load_default=None, allow_none=True, validate=validate.Length(1, MAX_NOTE))

    @validates_schema
    def _fits(self, data: dict[str, Any], **_words: Any) -> None:
        ids = data.get("ids") or []
        if len(set(ids)) != len(ids):
            raise ValidationError("names one twice", "ids")
        if data.get("decision") == "reject" and not (data.get("note") or "").strip():
            raise ValidationError("say why, so that the members can do better", "note")
        if data.get("decision") == "reject" and data.get("points") is not None:
            raise ValidationError("only an approval has points", "points")


class BulkOutcome(Schema):
    """What became of one of them: the submission as it is now, or the problem that kept it from being decided."""

    id = fields.UUID(required=True)
    status = fields.Integer(required=True)
    submission = fields.Nested(Submission, allow_none=True, required=True)
    problem = fields.Dict(allow_none=True, required=True)


class BulkOutcomes(Schema):
    """One outcome for each id, in the order they were named."""

    items = fields.List(fields.Nested(BulkOutcome), required=True)


class OpenCheckin(Schema):
    """A check-in: the activity it awards, a label for people, when it is open, and for how many members."""

    activity_type = fields.String(required=True, validate=validate.Length(1, 64))
    label = Text(required=True, validate=_LABEL)
    starts_at = Moment(required=True, data_key="from")
    ends_at = Moment(required=True, data_key="until")
    max_uses = Whole(required=True, validate=validate.Range(1, 100_000))


class Checkin(Schema):
    """A check-in; its code is shown when it is made, and never again."""

    id = fields.UUID(required=True)
    activity = fields.String(required=True)
    label = fields.String(required=True)
    starts_at = Instant(required=True, data_key="from")
    ends_at = Instant(required=True, data_key="until")
    max_uses = fields.Integer(required=True)
    used = fields.Integer(required=True)
    created_by = fields.UUID(required=True)
    created_at = Instant(required=True)
    revoked_at = Instant(allow_none=True, required=True)


class OpenedCheckin(Checkin):
    """A check-in that was just made, with its code."""

    code = fields.String(required=True)


class Checkins(Schema):
    """A page of check-ins, newest first."""

    items = fields.List(fields.Nested(Checkin), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class RedeemCheckin(Schema):
    """The code as it was read, in capitals or not, with dashes or not."""

    code = Text(required=True, validate=validate.Length(1, 64))


class RedeemedCheckin(Schema):
    """What the code brought."""

    label = fields.String(required=True)
    activity = fields.String(required=True)
    name = fields.String(required=True)
    points = fields.Integer(required=True)
    available = fields.Integer(required=True)
    points_log_id = fields.UUID(required=True)


def described(row: Any) -> dict[str, Any]:
    """A row of `submissions.described` or `submissions.listing` as its answer."""
    made = row.Submission
    values = {name: getattr(made, name) for name in Submission().fields if hasattr(made, name)}
    values |= {"name": row.name, "display_name": row.display_name, "points_promised": row.promised}
    values |= {"evidence": row.Evidence, "points_log_id": made.transfer_id}
    return dict(Submission().dump(values))
