"""What clients of points may send, and what they get."""

from typing import Any

from marshmallow import fields, validate

from fleet.web import Derived, Instant, PageQuery, Schema, Text, Whole
from services.points.activities import CATEGORIES, rule_in_words


class Cap(Schema):
    """How often an activity counts."""

    count = fields.Integer()
    period = fields.String()


class Activity(Schema):
    """A way to earn, with its rule as data and in words."""

    code = fields.String()
    name = fields.String()
    category = fields.String()
    category_name = Derived(fields.String(), lambda a: CATEGORIES.get(a.category, a.category))
    points = fields.Integer()
    description = fields.String()
    requires_approval = fields.Boolean()
    evidence = fields.String()
    evidence_once = fields.String()
    min_description = fields.Integer()
    cap = Derived(
        fields.Nested(Cap, allow_none=True),
        lambda a: {"count": a.cap_count, "period": a.cap_period} if a.cap_count else None,
    )
    cooldown_seconds = fields.Integer()
    rule = Derived(fields.String(), rule_in_words)
    version = fields.Integer()


class Activities(Schema):
    """All ways to earn."""

    items = fields.List(fields.Nested(Activity), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class AddPoints(Schema):
    """An award by an admin. Without `points`, what the activity is worth."""

    activity_type = fields.String(required=True, validate=validate.Length(1, 64))
    details = Text(load_default=None, allow_none=True, validate=validate.Length(max=2000))
    points = Whole(load_default=None, allow_none=True, validate=validate.Range(1, 2000))


class ReceiptEvidence(Schema):
    """What the claim behind an award showed; the file is at /api/evidence/{evidence_id}/."""

    submission_id = fields.UUID()
    description = fields.String()
    url = fields.String(allow_none=True)
    evidence_id = fields.UUID(allow_none=True)


class PointsLog(Schema):
    """One receipt of the points log. Negative `points` left what is available."""

    id = fields.UUID()
    kind = fields.String()
    activity = fields.String(allow_none=True)
    name = fields.String(allow_none=True)
    points = fields.Integer()
    rule_version = fields.Integer(allow_none=True)
    actor = fields.UUID(allow_none=True)
    details = fields.String(allow_none=True)
    evidence = fields.Nested(ReceiptEvidence, allow_none=True)
    occurred_at = Instant()
    balance_after = fields.Integer()


class PointsLogs(Schema):
    """A page of the points log, newest first."""

    items = fields.List(fields.Nested(PointsLog), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class PointsLogQuery(PageQuery):
    """Whose log; only admins may name somebody else."""

    user = fields.UUID(load_default=None)


class BalanceQuery(Schema):
    """Whose balance; only admins may name somebody else."""

    user = fields.UUID(load_default=None)


class Balance(Schema):
    """Points to spend, points held for redemptions, points spent, and all ever earned."""

    available = fields.Integer(required=True)
    reserved = fields.Integer(required=True)
    redeemed = fields.Integer(required=True)
    lifetime = fields.Integer(required=True)


class Awarded(Schema):
    """The award that was made."""

    message = fields.String(required=True)
    total_points = fields.Integer(required=True)
    points_log = fields.Nested(PointsLog, required=True)


class LeaderboardQuery(PageQuery):
    """Which board, and through which filters."""

    period = fields.String(load_default="all_time", validate=validate.OneOf(["all_time", "weekly", "monthly"]))
    track = Text(load_default=None, validate=validate.Length(1, 100))
    university = Text(load_default=None, validate=validate.Length(1, 100))


class Place(Schema):
    """One line of the leaderboard."""

    rank = fields.Integer(required=True)
    display_name = fields.String(required=True)
    total_points = fields.Integer(required=True)
    points = fields.Integer(required=True)
    is_me = fields.Boolean(required=True)


class OwnPlace(Schema):
    """The viewer's place with its neighbours."""

    rank = fields.Integer(required=True)
    total_points = fields.Integer(required=True)
    points = fields.Integer(required=True)
    above = fields.List(fields.Nested(Place), required=True)
    below = fields.List(fields.Nested(Place), required=True)


class Leaderboard(Schema):
    """A page of the leaderboard."""

    items = fields.List(fields.Nested(Place), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    me = fields.Nested(OwnPlace, allow_none=True, required=True)
    total = fields.Integer(required=True)


def _evidence(row: Any) -> dict[str, Any] | None:
    """What the claim behind an award showed; None for an award without a submission."""
    if row.submission_id is None:
        return None
    shown = {"description": row.description, "url": row.url, "evidence_id": row.evidence_id}
    return {"submission_id": row.submission_id, **shown}


def receipt(row: Any) -> dict[str, Any]:
    """A row of the points log as its receipt."""
    transfer = row.Transfer
    fields_ = {
        "id": transfer.id,
        "kind": transfer.kind,
        "activity": transfer.activity,
        "name": row.name,
        "points": transfer.points if transfer.credit == "available" else -transfer.points,
        "rule_version": transfer.rule_version,
        "actor": transfer.actor,
        "details": row.details,
        "evidence": _evidence(row),
        "occurred_at": transfer.occurred_at,
        "balance_after": transfer.available_after,
    }
    return PointsLog().dump(fields_)
