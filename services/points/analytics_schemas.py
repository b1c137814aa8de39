"""What clients of points' figures may ask, and what they get."""

from typing import Any

from marshmallow import fields, validate

from fleet.web import Instant, PageQuery, QueryWhole, Schema
from services.points.cohorts import ATTRIBUTES
from services.points.figures import PERIODS
from services.points.timeline import GRANULARITIES, MAX_DAYS

_PERIOD: dict[str, Any] = {"load_default": "30days", "validate": validate.OneOf(list(PERIODS))}


class DashboardQuery(Schema):
    """How many days back the window reaches."""

    period = fields.String(**_PERIOD)


class Trend(Schema):
    """A change; `percentage` of the former figure's size, to two places, null when that was 0."""

    change = fields.Integer(required=True)
    percentage = fields.Float(required=True, allow_none=True)
    direction = fields.String(required=True, validate=validate.OneOf(["up", "down", "neutral"]))


class Window(Schema):
    """The figures of one window; `total_points` is what was available at its end."""

    start_date = Instant(required=True)
    end_date = Instant(required=True)
    total_points = fields.Integer(required=True)
    points_earned = fields.Integer(required=True)
    points_redeemed = fields.Integer(required=True)
    activities_completed = fields.Integer(required=True)


class DashboardTrends(Schema):
    """The present window against the previous one."""

    total_points = fields.Nested(Trend, required=True)
    points_earned = fields.Nested(Trend, required=True)
    points_redeemed = fields.Nested(Trend, required=True)
    activities_completed = fields.Nested(Trend, required=True)


class Share(Schema):
    """What one category or activity type brought; without a code: corrections that belong to none."""

    code = fields.String(required=True, allow_none=True)
    name = fields.String(required=True)
    points_earned = fields.Integer(required=True)
    activities_completed = fields.Integer(required=True)


class Breakdown(Schema):
    """points_earned of the present window, largest first; each list adds up to it."""

    by_category = fields.List(fields.Nested(Share), required=True)
    by_type = fields.List(fields.Nested(Share), required=True)


class StreakOfDays(Schema):
    """Consecutive programme days with an award."""

    current = fields.Integer(required=True)
    longest = fields.Integer(required=True)
    last_active = fields.Date(required=True, allow_none=True)


class NextUnlock(Schema):
    """The cheapest reward in the shop that costs more than the member has available."""

    incentive_id = fields.UUID(required=True)
    points_required = fields.Integer(required=True)
    points_missing = fields.Integer(required=True)


class Dashboard(Schema):
    """The member's figures. `next_unlock` is null when nothing in the shop costs more than they have."""

    period = fields.String(required=True)
    current_period = fields.Nested(Window, required=True)
    previous_period = fields.Nested(Window, required=True)
    trends = fields.Nested(DashboardTrends, required=True)
    breakdown = fields.Nested(Breakdown, required=True)
    streak = fields.Nested(StreakOfDays, required=True)
    rank = fields.Integer(required=True, allow_none=True)
    next_unlock = fields.Nested(NextUnlock, required=True, allow_none=True)


class TimelineQuery(Schema):
    """Which buckets over how many days, and whose; only admins may name somebody else."""

    granularity = fields.String(load_default="daily", validate=validate.OneOf(GRANULARITIES))
    days = QueryWhole(load_default=30, validate=validate.Range(1, MAX_DAYS))
    user = fields.UUID(load_default=None)


class TimelineBucket(Schema):
    """A day, week or month; `date` is its first day, `cumulative_points` what was available at its end."""

    date = fields.Date(required=True)
    points_earned = fields.Integer(required=True)
    points_redeemed = fields.Integer(required=True)
    net_points = fields.Integer(required=True)
    cumulative_points = fields.Integer(required=True)
    activities_count = fields.Integer(required=True)
    redemptions_count = fields.Integer(required=True)
    trend = fields.Nested(Trend, required=True)


class TimelineSummary(Schema):
    """The range as a whole."""

    total_days = fields.Integer(required=True)
    opening_points = fields.Integer(required=True)
    total_points_earned = fields.Integer(required=True)
    total_points_redeemed = fields.Integer(required=True)
    net_points_change = fields.Integer(required=True)
    average_daily_points = fields.Float(required=True)
    most_active_date = fields.Date(required=True, allow_none=True)


class Timeline(Schema):
    """Every bucket of the range, oldest first."""

    granularity = fields.String(required=True)
    items = fields.List(fields.Nested(TimelineBucket), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    summary = fields.Nested(TimelineSummary, required=True)


class FeedQuery(PageQuery):
    """A page of the feed."""


class FeedItem(Schema):
    """One thing that happened. `points_change` is on transfers only, so it adds up to the balance; `points` is what a
    redemption spends or an approved submission was worth."""

    id = fields.UUID(required=True)
    type = fields.String(required=True, validate=validate.OneOf(["transfer", "submission", "redemption", "session"]))
    occurred_at = Instant(required=True)
    points_change = fields.Integer(required=True)
    kind = fields.String(required=True, allow_none=True)
    activity = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    status = fields.String(required=True, allow_none=True)
    changed_at = Instant(required=True, allow_none=True)
    points = fields.Integer(required=True, allow_none=True)
    reward_id = fields.UUID(required=True, allow_none=True)
    professional_id = fields.UUID(required=True, allow_none=True)


class Feed(Schema):
    """A page of the feed, newest first."""

    items = fields.List(fields.Nested(FeedItem), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class RoleCount(Schema):
    """Members of one role, and how many of them have an award in the last 7 and 30 days."""

    role = fields.String(required=True)
    members = fields.Integer(required=True)
    active_7days = fields.Integer(required=True)
    active_30days = fields.Integer(required=True)


class PointsInAll(Schema):
    """Where all points are; `outstanding` is what members could still claim: the liability."""

    issued = fields.Integer(required=True)
    reserved = fields.Integer(required=True)
    redeemed = fields.Integer(required=True)
    outstanding = fields.Integer(required=True)


class SubmissionQueue(Schema):
    """Submissions that wait for staff."""

    pending = fields.Integer(required=True)
    oldest_submitted_at = Instant(required=True, allow_none=True)
    oldest_age_seconds = fields.Integer(required=True, allow_none=True)
    median_age_seconds = fields.Integer(required=True, allow_none=True)


class TopActivity(Schema):
    """A way to earn, by how often it was awarded in the last 30 days."""

    activity = fields.String(required=True)
    name = fields.String(required=True, allow_none=True)
    awards = fields.Integer(required=True)
    points_earned = fields.Integer(required=True)
    members = fields.Integer(required=True)


class ProgrammeWeek(Schema):
    """An ISO week of the whole programme; `date` is its Monday."""

    date = fields.Date(required=True)
    points_earned = fields.Integer(required=True)
    points_redeemed = fields.Integer(required=True)
    activities_count = fields.Integer(required=True)
    active_members = fields.Integer(required=True)


class Programme(Schema):
    """The programme as a whole."""

    members = fields.List(fields.Nested(RoleCount), required=True)
    points = fields.Nested(PointsInAll, required=True)
    queue = fields.Nested(SubmissionQueue, required=True)
    top_activities = fields.List(fields.Nested(TopActivity), required=True)
    weeks = fields.List(fields.Nested(ProgrammeWeek), required=True)


class CohortsQuery(Schema):
    """By which attribute, over how many days."""

    by = fields.String(load_default="track", validate=validate.OneOf(ATTRIBUTES))
    period = fields.String(**_PERIOD)


class CohortTrends(Schema):
    """The window against the one before; there only when the former rests on enough people, too."""

    active_members = fields.Nested(Trend, required=True)
    points_earned = fields.Nested(Trend, required=True)
    activities_completed = fields.Nested(Trend, required=True)


class Cohort(Schema):
    """A group of students. A figure is null where it is suppressed."""

    group = fields.Raw(required=True, allow_none=True, metadata={"type": ["string", "integer", "null"]})
    members = fields.Integer(required=True)
    active_members = fields.Integer(required=True, allow_none=True)
    points_earned = fields.Integer(required=True, allow_none=True)
    activities_completed = fields.Integer(required=True, allow_none=True)
    average_points = fields.Float(required=True, allow_none=True)
    trends = fields.Nested(CohortTrends, required=True, allow_none=True)


class Cohorts(Schema):
    """The groups that may be shown, the largest first; `suppressed` says that something is not."""

    by = fields.String(required=True)
    period = fields.String(required=True)
    items = fields.List(fields.Nested(Cohort), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    suppressed = fields.Boolean(required=True)
