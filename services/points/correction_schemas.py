"""What admins may send to correct points, and what they get."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from fleet.web import Derived, Instant, PageQuery, Schema, Text, Whole
from services.points.corrections import LARGEST, Adjusted, status_of
from services.points.schemas import Balance, PointsLog

STATUSES = ("pending", "applied", "refused", "expired")


class Adjust(Schema):
    """A correction: points to add, or, negative, to take, and why."""

    user_id = fields.UUID(required=True)
    points = Whole(required=True, validate=validate.Range(-LARGEST, LARGEST))
    reason = Text(required=True, validate=validate.Length(1, 2000))

    @validates("points")
    def _not_nothing(self, value: int, **_kwargs: Any) -> None:
        if value == 0:
            raise ValidationError("must not be 0")

    @validates("reason")
    def _says_something(self, value: str, **_kwargs: Any) -> None:
        if not value.strip():
            raise ValidationError("say why")


class Decision(Schema):
    """Words beside a decision."""

    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=2000))


class Reverse(Schema):
    """Why an entry is undone."""

    note = Text(required=True, validate=[validate.Length(1, 2000), validate.Regexp(r"(?s).*\S", error="say why")])


class Adjustment(Schema):
    """A correction, and what became of it."""

    id = fields.UUID()
    user_id = fields.UUID(attribute="member_id")
    points = fields.Integer()
    reason = fields.String()
    status = Derived(fields.String(), status_of)
    requested_by = fields.UUID()
    requested_at = Instant()
    expires_at = Instant(allow_none=True)
    decided_by = fields.UUID(allow_none=True)
    decided_at = Instant(allow_none=True)
    note = fields.String(allow_none=True)


class AdjustmentAnswer(Schema):
    """An adjustment; once it is applied, with its receipt and the balance after it."""

    adjustment = fields.Nested(Adjustment, required=True)
    points_log = fields.Nested(PointsLog, allow_none=True, required=True)
    balance = fields.Nested(Balance, allow_none=True, required=True)


class Adjustments(Schema):
    """A page of adjustments, newest first."""

    items = fields.List(fields.Nested(Adjustment), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class AdjustmentsQuery(PageQuery):
    """Which adjustments."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    user = fields.UUID(load_default=None)


class Reversed(Schema):
    """The receipt of a reversal, and the balance after it."""

    points_log = fields.Nested(PointsLog, required=True)
    balance = fields.Nested(Balance, required=True)


def adjustment_answer(adjusted: Adjusted, receipt: dict[str, Any] | None) -> dict[str, Any]:
    """An adjustment as its answer."""
    return {
        "adjustment": Adjustment().dump(adjusted.adjustment),
        "points_log": receipt,
        "balance": Balance().dump(adjusted.balance) if adjusted.transfer else None,
    }
