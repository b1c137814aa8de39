"""The HTTP door of points' figures: dashboard, timeline, activity feed, programme and cohorts.

Answers are the domain's own objects, written as they are: a timeline has up to 730 buckets, and taking each of its
fields through a schema would cost several times what reading it does. A test holds them against the schemas.
"""

from typing import Any

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.problems import Forbidden
from fleet.web import ADMIN, MEMBER, Answer, operation
from services.points import analytics_schemas as schemas
from services.points import cohorts, dashboard, feed, programme, timeline

analytics_api = Blueprint("analytics_api", __name__)


@analytics_api.get("/api/dashboard/stats/")
@operation(who=MEMBER, query=schemas.DashboardQuery, answers={200: schemas.Dashboard})
def get_dashboard(query: dict[str, Any]) -> Answer:
    """The caller's figures of the last 7, 30 or 90 days beside those of as many days before.

    Windows roll: they end now. points_earned are awards and corrections, activities_completed awards; points_redeemed
    counts a hold when it is placed and takes it off when it comes back; total_points is what was available at the
    window's end. The breakdown is of the present window.
    """
    with transaction() as session:
        return vars(dashboard.read(session, caller().member_id, query["period"]))


@analytics_api.get("/api/points/timeline/")
@operation(who=MEMBER, query=schemas.TimelineQuery, answers={200: schemas.Timeline})
def get_timeline(query: dict[str, Any]) -> Answer:
    """Points by day, ISO week or calendar month of the programme's zone, with every bucket of the range.

    The range is the last `days` programme days, today among them, and the whole of its first week or month.
    `trend` compares points_earned with the bucket before.
    """
    member_id = query["user"] or caller().member_id
    if member_id != caller().member_id and caller().role != "admin":
        raise Forbidden("Only admins see the points of others.")
    with transaction() as session:
        found = timeline.read(session, member_id, query["granularity"], query["days"])
    return vars(found) | {"next_cursor": None}


@analytics_api.get("/api/activity/feed/")
@operation(who=MEMBER, query=schemas.FeedQuery, answers={200: schemas.Feed})
def get_feed(query: dict[str, Any]) -> Answer:
    """The caller's transfers, submissions, redemptions and completed sessions in one stream, newest first."""
    with transaction() as session:
        rows, cursor = feed.page(session, caller().member_id, query["limit"], query["cursor"])
    return {"items": [_feed_item(row) for row in rows], "next_cursor": cursor}


def _feed_item(row: Any) -> dict[str, Any]:
    found = dict(row._mapping)
    subject = found.pop("subject_id")
    found["reward_id"] = subject if row.type == "redemption" else None
    found["professional_id"] = subject if row.type == "session" else None
    return found


@analytics_api.get("/api/analytics/programme/")
@operation(who=ADMIN, answers={200: schemas.Programme})
def get_programme() -> Answer:
    """Members and their activity, points and the liability, the submission queue, top activities, twelve weeks."""
    with transaction() as session:
        return vars(programme.read(session))


@analytics_api.get("/api/analytics/cohorts/")
@operation(who=("company", "university", "admin"), query=schemas.CohortsQuery, answers={200: schemas.Cohorts})
def get_cohorts(query: dict[str, Any]) -> Answer:
    """Trends of groups of students, by track, university or graduation year.

    What rests on fewer than 5 people is not shown, nor what it could be computed from. A university sees its own
    students only.
    """
    with transaction() as session:
        university = cohorts.scope(session, caller().member_id, caller().role)
        found = cohorts.read(session, query["by"], query["period"], university)
    return vars(found) | {"next_cursor": None}
