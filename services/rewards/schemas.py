"""What clients may send about the catalogue and the shop, and what they get."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from fleet.web import Flag, Instant, PageQuery, QueryWhole, Schema, Text, Whole
from services.rewards.catalog_admin import LARGEST, LONGEST_NAME
from services.rewards.shop import Offer

CATEGORIES = ("merchandise", "gift_cards", "experiences", "services", "digital", "other")
LONGEST_NOTE = 1000
_SOMETHING = validate.Regexp(r"(?s).*\S", error="must not be blank")


class Incentive(Schema):
    """A reward. `stock` null: unlimited; `min_lifetime_points`: a level, locked until a member has earned that much."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    points_required = fields.Integer(required=True)
    stock = fields.Integer(allow_none=True, required=True)
    category = fields.String(required=True)
    tier = fields.Integer(allow_none=True, required=True)
    sponsor = fields.String(allow_none=True, required=True)
    image_url = fields.String(allow_none=True, required=True)
    per_member_limit = fields.Integer(allow_none=True, required=True)
    min_lifetime_points = fields.Integer(allow_none=True, required=True)
    is_active = fields.Boolean(required=True)
    version = fields.Integer(required=True)
    created_at = Instant(required=True)
    changed_at = Instant(required=True)


class Incentives(Schema):
    """A page of the catalogue, cheapest first."""

    items = fields.List(fields.Nested(Incentive), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class IncentiveChanges(Schema):
    """Fields of a reward; what is left out stays as it is. `stock` null: unlimited."""

    name = Text(validate=[validate.Length(1, LONGEST_NAME), _SOMETHING])
    description = Text(validate=validate.Length(max=4000))
    points_required = Whole(validate=validate.Range(1, LARGEST))
    stock = Whole(allow_none=True, validate=validate.Range(0, LARGEST))
    category = fields.String(validate=validate.OneOf(CATEGORIES))
    tier = Whole(allow_none=True, validate=validate.Range(1, 4))
    sponsor = Text(allow_none=True, validate=validate.Length(1, 120))
    image_url = fields.URL(allow_none=True, schemes={"http", "https"}, validate=validate.Length(max=2048))
    per_member_limit = Whole(allow_none=True, validate=validate.Range(1, 10_000))
    min_lifetime_points = Whole(allow_none=True, validate=validate.Range(1, LARGEST))
    is_active = Flag()


class NewIncentive(IncentiveChanges):
    """A new reward: what it is called, what it costs, and how many there are (null: unlimited)."""

    name = Text(required=True, validate=[validate.Length(1, LONGEST_NAME), _SOMETHING])
    points_required = Whole(required=True, validate=validate.Range(1, LARGEST))
    stock = Whole(required=True, allow_none=True, validate=validate.Range(0, LARGEST))


class ChangedIncentive(IncentiveChanges):
    """A change, with words for its history."""

    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class IncentivesQuery(PageQuery):
    """Filters; only admins see what was retired (`is_active=false`) or everything (`is_active=any`)."""

    category = fields.String(load_default=None, validate=validate.OneOf(CATEGORIES))
    tier = QueryWhole(load_default=None, validate=validate.Range(1, 4))
    q = Text(load_default=None, validate=validate.Length(1, 100))
    is_active = fields.String(load_default="true", validate=validate.OneOf(["true", "false", "any"]))


class Restock(Schema):
    """How many more lie on the shelf from now on."""

    quantity = Whole(required=True, validate=validate.Range(1, LARGEST))
    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class Note(Schema):
    """Words beside what is done."""

    note = Text(load_default=None, allow_none=True, validate=validate.Length(max=LONGEST_NOTE))


class IncentiveChange(Schema):
    """One change of a reward. `actor_id` is shown to admins; null also for what came with the installation."""

    version = fields.Integer(required=True)
    change = fields.String(required=True)
    changed_at = Instant(required=True)
    actor_id = fields.UUID(allow_none=True, required=True)
    before = fields.Dict(required=True)
    after = fields.Dict(required=True)
    note = fields.String(allow_none=True, required=True)


class IncentiveHistory(Schema):
    """A page of changes, newest first."""

    items = fields.List(fields.Nested(IncentiveChange), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class Available(Incentive):
    """A reward as the caller sees it. `reason` says in a code what stands in the way (null: nothing); `limit_left` null:
    no limit; `unlocked_at`: when their points first reached it."""

    can_redeem = fields.Boolean(required=True)
    points_missing = fields.Integer(required=True)
    limit_left = fields.Integer(allow_none=True, required=True)
    reason = fields.String(allow_none=True, required=True)
    locked_reason = fields.String(allow_none=True, required=True)
    unlocked_at = Instant(allow_none=True, required=True)


class AvailableRewards(Schema):
    """A page of the shop, cheapest first, with the points that the caller has."""

    items = fields.List(fields.Nested(Available), required=True)
    available_points = fields.Integer(required=True)
    lifetime_points = fields.Integer(required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class AvailableQuery(PageQuery):
    """Filters of the shop."""

    category = fields.String(load_default=None, validate=validate.OneOf(CATEGORIES))
    tier = QueryWhole(load_default=None, validate=validate.Range(1, 4))
    q = Text(load_default=None, validate=validate.Length(1, 100))


class Redeem(Schema):
    """Which reward, and, as an object of one's own choosing, where it should go."""

    reward_id = fields.UUID(required=True)
    delivery_details = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 100)), load_default=None, allow_none=True
    )

    @validates_schema
    def _fits(self, data: dict[str, Any], **_words: Any) -> None:
        if len(str(data.get("delivery_details") or "")) > 4000:
            raise ValidationError("at most 4,000 characters in all", "delivery_details")


def offered(offer: Offer) -> dict[str, Any]:
    """A reward as one member sees it, as its answer."""
    own = ("points_missing", "limit_left", "reason", "locked_reason", "unlocked_at", "can_redeem")
    values = {name: getattr(offer, name) for name in own}
    about = {name: getattr(offer.incentive, name) for name in Incentive().fields}
    return dict(Available().dump(about | values))
