"""What staff do by other bots and tools. Each names who acts by `actor_discord_id`; whether they may is decided, from the
role of their account, by the service that carries it out. The server's staff role is not vouched for here.
"""

from typing import Any, get_args
from uuid import UUID

from marshmallow import fields, validate

from fleet.contracts.points import (
    AdjustPoints,
    DecideSubmission,
    GetActivityLog,
    GetContributors,
    GetSubmissions,
)
from fleet.contracts.reviews import (
    AddProfessional,
    GetProfessionals,
    GetReviewQueue,
    GetReviewStatistics,
    GetReviewSuggestions,
    MatchReview,
    ScheduleSession,
)
from fleet.contracts.rewards import AddIncentive, Category, EditIncentive, SetStock
from fleet.contracts.users import ClearWarnings, GetAuditTrail, SuspendMember, UnsuspendMember
from fleet.problems import invalid
from services.bot.tool_actions import WHO, Reply, action, instant, review, text, whole
from services.bot.tools import Visit, discord_ids

LARGEST = 1_000_000_000
REASON = text(1, 500, required=True)
ID = fields.UUID(required=True)
MAYBE_ID = fields.UUID(load_default=None, allow_none=True)
PAGE_OF = {"limit": whole(1, 25, load_default=20), "cursor": text(1, 500, load_default=None, allow_none=True)}
HOURS = whole(1, 24 * 366, load_default=24)
CATEGORY = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(get_args(Category)))


def maybe(least: int, most: int) -> Any:
    """A field of text that may be left out."""
    return text(least, most, load_default=None, allow_none=True)


def _actor(visit: Visit, actor_discord_id: str) -> UUID:
    return visit.member(actor_discord_id, "actor_discord_id")


@action(
    "admin-adjust",
    actor_discord_id=WHO,
    discord_id=WHO,
    delta_points=whole(-LARGEST, LARGEST, required=True),
    reason=REASON,
)
def admin_adjust(visit: Visit, actor_discord_id: str, discord_id: str, delta_points: int, reason: str) -> Reply:
    """Correct somebody's points. `pending`: it waits for a second admin, and nothing was changed yet."""
    if delta_points == 0:
        raise invalid("/delta_points", "must not be 0")
    order = AdjustPoints(_actor(visit, actor_discord_id), visit.member(discord_id), delta_points, reason)
    made = visit.tell(order)
    applied = made.points if made.status == "applied" else 0
    answer = {"discord_id": discord_id, "total_points": made.available, "delta_applied": applied}
    return answer | {"status": made.status, "adjustment_id": made.adjustment_id}, 200


@action(
    "suspend-user",
    actor_discord_id=WHO,
    discord_id=WHO,
    duration_minutes=whole(1, 10 * 366 * 24 * 60, required=True),
    reason=REASON,
)
def suspend_user(visit: Visit, actor_discord_id: str, discord_id: str, duration_minutes: int, reason: str) -> Reply:
    """Somebody earns and spends nothing for some minutes."""
    actor = _actor(visit, actor_discord_id)
    state = visit.tell(SuspendMember(actor, visit.member(discord_id), reason, duration_minutes))
    return {"suspended": True, "until": instant(state.suspended_until)}, 200


@action("unsuspend-user", actor_discord_id=WHO, discord_id=WHO)
def unsuspend_user(visit: Visit, actor_discord_id: str, discord_id: str) -> Reply:
    """Lift a suspension before its end."""
    visit.tell(UnsuspendMember(_actor(visit, actor_discord_id), visit.member(discord_id)))
    return {"unsuspended": True}, 200


@action("clear-warnings", actor_discord_id=WHO, discord_id=WHO)
def clear_warnings(visit: Visit, actor_discord_id: str, discord_id: str) -> Reply:
    """Take all warnings of somebody back."""
    visit.tell(ClearWarnings(_actor(visit, actor_discord_id), visit.member(discord_id)))
    return {"cleared": True}, 200


@action("activitylog", actor_discord_id=WHO, hours=HOURS, **PAGE_OF)
def activitylog(visit: Visit, actor_discord_id: str, hours: int, limit: int, cursor: str | None) -> Reply:
    """What everybody earned, spent and was corrected by, newest first."""
    found = visit.ask(GetActivityLog(_actor(visit, actor_discord_id), hours=hours, limit=limit, cursor=cursor))
    known = discord_ids({entry.member_id for entry in found.items})
    items = [
        {
            "discord_id": known.get(entry.member_id),
            "username": entry.display_name,
            "action": entry.name,
            "kind": entry.kind,
            "points": entry.points,
            "timestamp": instant(entry.occurred_at),
        }
        for entry in found.items
    ]
    return {"items": items, "next_cursor": found.next_cursor}, 200


@action("audit-logs", actor_discord_id=WHO, hours=HOURS, **PAGE_OF)
def audit_logs(visit: Visit, actor_discord_id: str, hours: int, limit: int, cursor: str | None) -> Reply:
    """Who changed what about members, newest first."""
    found = visit.ask(GetAuditTrail(_actor(visit, actor_discord_id), hours=hours, limit=limit, cursor=cursor))
    logs = [
        {
            "id": entry.entry_id,
            "action": entry.action,
            "username": entry.about,
            "by": entry.by,
            "reason": entry.reason,
            "timestamp": instant(entry.occurred_at),
            "changes": [{"field": one.field, "before": one.before, "after": one.after} for one in entry.changes],
        }
        for entry in found.items
    ]
    return {"logs": logs, "total_logs": len(logs), "next_cursor": found.next_cursor}, 200


@action(
    "add-professional",
    actor_discord_id=WHO,
    name=text(1, 200, required=True),
    email=text(3, 254, required=True),
    time_zone=text(1, 64, load_default="UTC"),
    specialties=fields.List(text(1, 100), load_default=list, validate=validate.Length(0, 20)),
    company=text(0, 200, load_default=""),
    title=text(0, 200, load_default=""),
    max_reviews_per_week=whole(1, 40, load_default=3),
    availability=maybe(1, 2000),
)
def add_professional(visit: Visit, actor_discord_id: str, **said: Any) -> Reply:
    """Add a professional who reviews resumes."""
    made = visit.tell(AddProfessional(actor_member_id=_actor(visit, actor_discord_id), **said))
    words = f"{made.name} reviews resumes from now on."
    return {
        "message": words,
        "professional_id": made.professional_id,
        "name": made.name,
        "specialties": made.specialties,
    }, 201


@action("list-professionals", actor_discord_id=WHO, **PAGE_OF)
def list_professionals(visit: Visit, actor_discord_id: str, limit: int, cursor: str | None) -> Reply:
    """The professionals, newest first."""
    found = visit.ask(GetProfessionals(_actor(visit, actor_discord_id), limit, cursor))
    items = [
        {
            "id": one.professional_id,
            "name": one.name,
            "specialties": one.specialties,
            "total_reviews": one.reviews,
            "rating": one.rating,
            "is_active": one.is_active,
        }
        for one in found.items
    ]
    return {"professionals": items, "total_count": len(items), "next_cursor": found.next_cursor}, 200


@action("match-review", actor_discord_id=WHO, discord_id=WHO, professional_id=MAYBE_ID, professional_name=maybe(1, 200))
def match_review(
    visit: Visit, actor_discord_id: str, discord_id: str, professional_id: UUID | None, professional_name: str | None
) -> Reply:
    """Give somebody's open request to a professional, by id or by a part of the name."""
    order = MatchReview(_actor(visit, actor_discord_id), visit.member(discord_id), professional_id, professional_name)
    return review(visit.tell(order)), 200


@action("suggest-matches", actor_discord_id=WHO, discord_id=WHO, limit=whole(1, 10, load_default=5))
def suggest_matches(visit: Visit, actor_discord_id: str, discord_id: str, limit: int) -> Reply:
    """Who could review somebody's open request, and when: the best first, with why."""
    found = visit.ask(GetReviewSuggestions(_actor(visit, actor_discord_id), visit.member(discord_id), limit))
    matches = [
        {
            "professional_id": slot.professional_id,
            "professional_name": slot.professional_name,
            "scheduled_time": instant(slot.scheduled_time),
            "duration_minutes": slot.duration_minutes,
            "score": slot.score,
            "reason": slot.reason,
        }
        for slot in found.items
    ]
    answer = {"student": found.display_name, "student_preferred_times": found.readback, "matches": matches}
    return answer | {"total_matches": len(matches), "excluded": found.excluded}, 200


@action(
    "schedule-session",
    actor_discord_id=WHO,
    discord_id=WHO,
    scheduled_time=text(1, 200, required=True),
    professional_id=MAYBE_ID,
    professional_name=maybe(1, 200),
    time_zone=maybe(1, 64),
    duration_minutes=whole(15, 120, load_default=None, allow_none=True),
)
def schedule_session(visit: Visit, actor_discord_id: str, discord_id: str, **said: Any) -> Reply:
    """Book a session for somebody's open request: an instant, or words in their time zone."""
    order = ScheduleSession(
        actor_member_id=_actor(visit, actor_discord_id), student_id=visit.member(discord_id), **said
    )
    return review(visit.tell(order)), 201


@action("review-stats", actor_discord_id=WHO)
def review_stats(visit: Visit, actor_discord_id: str) -> Reply:
    """How reviews stand."""
    found = visit.ask(GetReviewStatistics(_actor(visit, actor_discord_id)))
    return {
        "requests": found.requests,
        "sessions": found.sessions,
        "recent_requests": found.recent_requests,
        "recent_completions": found.recent_completions,
        "active_professionals": found.active_professionals,
        "average_rating": found.average_rating,
        "ratings_given": found.ratings_given,
    }, 200


@action("pending-reviews", actor_discord_id=WHO, **PAGE_OF)
def pending_reviews(visit: Visit, actor_discord_id: str, limit: int, cursor: str | None) -> Reply:
    """Requests without a session, longest waiting first."""
    found = visit.ask(GetReviewQueue(_actor(visit, actor_discord_id), limit=limit, cursor=cursor))
    known = discord_ids({entry.member_id for entry in found.items})
    items = [
        {
            "id": entry.review_request_id,
            "discord_id": known.get(entry.member_id),
            "student_username": entry.display_name,
            "target_industry": entry.target_industry,
            "target_role": entry.target_role,
            "experience_level": entry.experience_level,
            "preferred_times": entry.readback,
            "submission_date": instant(entry.submitted_at),
            "status": entry.status,
        }
        for entry in found.items
    ]
    return {"pending_requests": items, "total_count": found.waiting, "next_cursor": found.next_cursor}, 200


@action(
    "approve",
    actor_discord_id=WHO,
    submission_id=ID,
    points=whole(0, 10_000, load_default=None, allow_none=True),
    notes=maybe(1, 1000),
)
def approve(visit: Visit, actor_discord_id: str, submission_id: UUID, points: int | None, notes: str | None) -> Reply:
    """Approve a submission, for what its rule promised or for other points."""
    made = visit.tell(DecideSubmission(submission_id, "approve", _actor(visit, actor_discord_id), points, notes))
    who = discord_ids([made.member_id]).get(made.member_id)
    words = f"{made.name} was approved for {made.points} points."
    return {
        "submission_id": made.submission_id,
        "discord_id": who,
        "points_awarded": made.points,
        "message": words,
    }, 200


@action("reject", actor_discord_id=WHO, submission_id=ID, reason=REASON)
def reject(visit: Visit, actor_discord_id: str, submission_id: UUID, reason: str) -> Reply:
    """Reject a submission; its member is told why."""
    made = visit.tell(DecideSubmission(submission_id, "reject", _actor(visit, actor_discord_id), note=reason))
    who = discord_ids([made.member_id]).get(made.member_id)
    return {"submission_id": made.submission_id, "discord_id": who, "message": f"{made.name} was rejected."}, 200


@action("pending", actor_discord_id=WHO, activity_type=maybe(1, 50), **PAGE_OF)
def pending(visit: Visit, actor_discord_id: str, activity_type: str | None, limit: int, cursor: str | None) -> Reply:
    """What waits for a decision, oldest first."""
    actor = _actor(visit, actor_discord_id)
    found = visit.ask(GetSubmissions(actor, queue=True, activity=activity_type, limit=limit, cursor=cursor))
    known = discord_ids({entry.member_id for entry in found.items})
    items = [
        {
            "id": entry.submission_id,
            "discord_id": known.get(entry.member_id),
            "username": entry.display_name,
            "activity_type": entry.activity,
            "description": entry.description,
            "url": entry.url,
            "points": entry.points,
            "submitted_at": instant(entry.submitted_at),
        }
        for entry in found.items
    ]
    return {"pending_count": found.pending, "submissions": items, "next_cursor": found.next_cursor}, 200


@action(
    "create-incentive",
    actor_discord_id=WHO,
    name=text(1, 200, required=True),
    description=text(0, 2000, load_default=""),
    points_required=whole(1, LARGEST, required=True),
    stock_available=whole(0, LARGEST, load_default=0, allow_none=True),
    category=fields.String(load_default="other", validate=validate.OneOf(get_args(Category))),
    sponsor=maybe(1, 200),
)
def create_incentive(visit: Visit, actor_discord_id: str, stock_available: int | None, **said: Any) -> Reply:
    """Put a reward into the shop; without stock_available there are none yet, null is without limit."""
    order = AddIncentive(_actor(visit, actor_discord_id), visit.reference, stock=stock_available, **said)
    return _incentive(visit.tell(order), "is in the shop"), 201


@action(
    "update-incentive",
    actor_discord_id=WHO,
    incentive_id=ID,
    name=maybe(1, 200),
    description=maybe(0, 2000),
    points_required=whole(1, LARGEST, load_default=None, allow_none=True),
    category=CATEGORY,
    sponsor=maybe(1, 200),
)
def update_incentive(visit: Visit, actor_discord_id: str, incentive_id: UUID, **said: Any) -> Reply:
    """Change a reward; what is left out stays as it is."""
    if all(value is None for value in said.values()):
        raise invalid("/name", "say what to change: name, description, points_required, category or sponsor")
    order = EditIncentive(_actor(visit, actor_discord_id), incentive_id, **said)
    return _incentive(visit.tell(order), "was changed"), 200


@action(
    "update-incentive-stock",
    actor_discord_id=WHO,
    incentive_id=ID,
    stock_count=whole(0, LARGEST, required=True, allow_none=True),
)
def update_incentive_stock(visit: Visit, actor_discord_id: str, incentive_id: UUID, stock_count: int | None) -> Reply:
    """Say how many there are now; null: without limit."""
    made = visit.tell(SetStock(_actor(visit, actor_discord_id), incentive_id, stock_count))
    return _incentive(made, "has its stock") | {"new_stock": made.stock}, 200


def _incentive(made: Any, became: str) -> dict[str, Any]:
    return {"incentive_id": made.incentive_id, "name": made.name, "message": f"{made.name} {became}."}


PERIOD = fields.String(load_default="7days", validate=validate.OneOf(["7days", "30days"]))


@action(
    "leaderboard-category", category=text(1, 50, required=True), period=PERIOD, limit=whole(1, 100, load_default=10)
)
def leaderboard_category(visit: Visit, category: str, period: str, limit: int) -> Reply:
    """Who earned most of late in one category of activities."""
    found = visit.ask(GetContributors(period, category, limit))  # type: ignore[arg-type]
    return {"leaderboard": _contributors(found.items), "category_name": category, "total_users": found.members}, 200


@action("top-contributors", period=PERIOD, limit=whole(1, 100, load_default=10))
def top_contributors(visit: Visit, period: str, limit: int) -> Reply:
    """Who earned most of late, in all categories together."""
    found = visit.ask(GetContributors(period, None, limit))  # type: ignore[arg-type]
    answer = {"contributors": _contributors(found.items), "period_name": period}
    return answer | {"total_activities": found.activities, "total_users": found.members}, 200


def _contributors(items: list[Any]) -> list[dict[str, Any]]:
    known = discord_ids({one.member_id for one in items})
    return [
        {
            "discord_id": known.get(one.member_id),
            "username": one.display_name,
            "points": one.points,
            "activities": one.activities,
        }
        for one in items
    ]
