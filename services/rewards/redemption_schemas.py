"""What clients may send about redemptions, and what they get."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from fleet.web import Flag, Instant, PageQuery, QueryWhole, Schema, Text
from services.rewards.decisions import LONGEST_NOTE, LONGEST_TRACKING
from services.rewards.refunds import status_of
from services.rewards.statistics import STATUSES


class RewardOfRedemption(Schema):
    """What was redeemed, as it is called now."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    image_url = fields.String(allow_none=True, required=True)
    category = fields.String(required=True)


class Redemption(Schema):
    """A redemption. `points_spent` is the price at the time of the request; `reason` is why it was declined."""

    id = fields.UUID(required=True)
    member_id = fields.UUID(required=True)
    reward_id = fields.UUID(required=True)
    reward = fields.Nested(RewardOfRedemption, required=True)
    points_spent = fields.Integer(required=True)
    status = fields.String(required=True)
    requested_at = Instant(required=True)
    decided_at = Instant(allow_none=True, required=True)
    expires_at = Instant(allow_none=True, required=True)
    reason = fields.String(allow_none=True, required=True)
    note = fields.String(allow_none=True, required=True)
    tracking_info = fields.String(allow_none=True, required=True)
    estimated_delivery = fields.Date(allow_none=True, required=True)
    delivery_details = fields.Dict(allow_none=True, required=True)


class Redeemed(Redemption):
    """A redemption that was just made, and the points that are left."""

    remaining_points = fields.Integer(allow_none=True, required=True)


class Step(Schema):
    """One step. `by` is who took it: member, staff, system (the clock) or points; `actor_id` is shown to admins."""

    status = fields.String(required=True)
    by = fields.String(required=True)
    actor_id = fields.UUID(allow_none=True, required=True)
    occurred_at = Instant(required=True)
    note = fields.String(allow_none=True, required=True)


class RedemptionWithSteps(Redemption):
    """A redemption with all its steps, oldest first; `settling`: what points has still to confirm."""

    settling = fields.String(allow_none=True, required=True)
    steps = fields.List(fields.Nested(Step), required=True)


class History(Schema):
    """A page of one's own redemptions, newest first."""

    items = fields.List(fields.Nested(Redemption), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class ForStaff(Redemption):
    """A redemption with the name of whose it is."""

    display_name = fields.String(allow_none=True, required=True)
    settling = fields.String(allow_none=True, required=True)


class Queue(Schema):
    """A page of everybody's redemptions."""

    items = fields.List(fields.Nested(ForStaff), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class HistoryQuery(PageQuery):
    """One status, or all."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))


class QueueQuery(HistoryQuery):
    """Filters of staff's list; `older_than` is in whole hours."""

    member = fields.UUID(load_default=None)
    reward = fields.UUID(load_default=None)
    older_than = QueryWhole(load_default=None, validate=validate.Range(0, 100_000))
    order = fields.String(load_default="newest", validate=validate.OneOf(["newest", "oldest"]))


class Ship(Schema):
    """How it travels, and when it should arrive."""

    tracking_info = Text(load_default=None, allow_none=True, validate=validate.Length(1, LONGEST_TRACKING))
    estimated_delivery = fields.Date(load_default=None, allow_none=True)
    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class Refund(Schema):
    """Why, and whether the item goes back to the shelf."""

    reason = Text(required=True, validate=[validate.Length(1, LONGEST_NOTE), validate.Regexp(r"(?s).*\S")])
    restock = Flag(load_default=False)
    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class RefundRequest(Schema):
    """A refund that waits, or waited, for a second admin."""

    id = fields.UUID(required=True)
    redemption_id = fields.UUID(required=True)
    reason = fields.String(required=True)
    restock = fields.Boolean(required=True)
    status = fields.Function(status_of)
    requested_by = fields.UUID(required=True)
    requested_at = Instant(required=True)
    expires_at = Instant(required=True)
    decided_by = fields.UUID(allow_none=True, required=True)
    decided_at = Instant(allow_none=True, required=True)
    note = fields.String(allow_none=True, required=True)


class Refunded(ForStaff):
    """The redemption; `refund` is the request that waits for a second admin, null when none is needed."""

    refund = fields.Nested(RefundRequest, allow_none=True, required=True)


class RefundRequests(Schema):
    """A page of requests for refunds, newest first."""

    items = fields.List(fields.Nested(RefundRequest), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class RefundRequestsQuery(PageQuery):
    """One status, or all."""

    status = fields.String(load_default=None, validate=validate.OneOf(["pending", "confirmed", "refused", "expired"]))


class Bulk(Schema):
    """One decision on up to a hundred redemptions."""

    ids = fields.List(fields.UUID(), required=True, validate=validate.Length(1, 100))
    decision = fields.String(required=True, validate=validate.OneOf(["approve", "reject", "ship", "deliver"]))
    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))

    @validates_schema
    def _fits(self, data: dict[str, Any], **_words: Any) -> None:
        ids = data.get("ids") or []
        if len(set(ids)) != len(ids):
            raise ValidationError("names one twice", "ids")


class BulkOutcome(Schema):
    """What became of one of them: the redemption as it is now, or the problem that kept it from being decided."""

    id = fields.UUID(required=True)
    status = fields.Integer(required=True)
    redemption = fields.Nested(ForStaff, allow_none=True, required=True)
    problem = fields.Dict(allow_none=True, required=True)


class BulkOutcomes(Schema):
    """One outcome for each id, in the order they were named."""

    items = fields.List(fields.Nested(BulkOutcome), required=True)


class RewardFigures(Schema):
    """How often one reward was redeemed."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    redemptions = fields.Integer(required=True)
    points = fields.Integer(required=True)


class WeekFigures(Schema):
    """What was redeemed in a week, named by its Monday."""

    week = fields.String(required=True)
    redemptions = fields.Integer(required=True)
    points = fields.Integer(required=True)


class Statistics(Schema):
    """The shop in figures; times are in seconds, null when there is nothing to measure."""

    by_status = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    redemptions = fields.Integer(required=True)
    points_reserved = fields.Integer(required=True)
    points_spent = fields.Integer(required=True)
    points_refunded = fields.Integer(required=True)
    oldest_pending_seconds = fields.Float(allow_none=True, required=True)
    median_decision_seconds = fields.Float(allow_none=True, required=True)
    top_rewards = fields.List(fields.Nested(RewardFigures), required=True)
    weekly = fields.List(fields.Nested(WeekFigures), required=True)


def described(row: Any, schema: type[Schema] = Redemption, **more: Any) -> dict[str, Any]:
    """A row of `listings` as its answer."""
    made, incentive = row.Redemption, row.Incentive
    values = {name: getattr(made, name) for name in schema().fields if hasattr(made, name)}
    values |= {"reward_id": incentive.id, "reward": incentive, "display_name": row.display_name}
    return dict(schema().dump(values | more))


def stepped(row: Any, steps: list[Any], *, for_staff: bool) -> dict[str, Any]:
    """A redemption with its steps; only staff see which admin took them."""
    shown = [
        {
            "status": step.status,
            "by": step.by,
            "actor_id": step.actor_id if for_staff else None,
            "occurred_at": step.occurred_at,
            "note": note,
        }
        for step, note in steps
    ]
    return described(row, RedemptionWithSteps, steps=shown)
