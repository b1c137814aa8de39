"""The HTTP door of points: activities, awards, the points log, balance and leaderboard."""

from typing import Any
from uuid import UUID

from flask import Blueprint
from sqlalchemy.orm import Session

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import Key, once_in_passing
from fleet.problems import Forbidden
from fleet.web import ADMIN, ANYONE, MEMBER, Answer, operation, to_bytes
from services.points import activities, analytics, leaderboard, ledger, schemas
from services.points.admin_awards import award_by_admin

api = Blueprint("api", __name__)


@api.get("/api/activities/")
@operation(who=ANYONE, answers={200: schemas.Activities})
def list_activities() -> Answer:
    """All active ways to earn, with their rules in words."""
    with transaction() as session:
        items = [schemas.Activity().dump(activity) for activity in activities.active(session)]
    return {"items": items, "next_cursor": None}


@api.get("/api/activities/<code>/")
@operation(who=ANYONE, answers={200: schemas.Activity})
def get_activity(code: str) -> Answer:
    """One way to earn."""
    with transaction() as session:
        return dict(schemas.Activity().dump(activities.get(session, code)))


@api.post("/api/users/<uuid:user_id>/add_points/")
@operation(
    who=ADMIN, body=schemas.AddPoints, answers={201: schemas.Awarded, 200: schemas.Awarded, 409: None}, idempotent=True
)
def add_points(user_id: UUID, body: dict[str, Any]) -> Answer:
    """Award an activity to a member. A repeated Idempotency-Key answers 200 with the first award."""

    def make(session: Session, key: Key) -> tuple[bytes, int]:
        award = award_by_admin(
            session,
            user_id,
            body["activity_type"],
            actor=caller().member_id,
            points=body["points"],
            details=body["details"],
            beside=lambda award: key.keeping(to_bytes(schemas.awarded(award)), 201),
        )
        return to_bytes(schemas.awarded(award)), 201

    return once_in_passing(make, repeat_status=200)


def _whose(user: UUID | None) -> UUID:
    """The member a list is about: the caller, or, for admins, the one they name."""
    if user is None or user == caller().member_id:
        return caller().member_id
    if caller().role != "admin":
        raise Forbidden("Only admins see the points of others.")
    return user


@api.get("/api/points-logs/")
@operation(who=MEMBER, query=schemas.PointsLogQuery, answers={200: schemas.PointsLogs})
def list_points_logs(query: dict[str, Any]) -> Answer:
    """The points log, newest first."""
    with transaction() as session:
        rows, cursor = analytics.points_log(session, _whose(query["user"]), query["limit"], query["cursor"])
        return {"items": [schemas.receipt(row) for row in rows], "next_cursor": cursor}


@api.get("/api/points-logs/<uuid:log_id>/")
@operation(who=MEMBER, answers={200: schemas.PointsLog})
def get_points_log(log_id: UUID) -> Answer:
    """One receipt of one's own log (admins: of any)."""
    owner = None if caller().role == "admin" else caller().member_id
    with transaction() as session:
        return schemas.receipt(analytics.points_log_entry(session, owner, log_id))


@api.get("/api/points/balance/")
@operation(who=MEMBER, query=schemas.BalanceQuery, answers={200: schemas.Balance})
def get_balance(query: dict[str, Any]) -> Answer:
    """Available, reserved, redeemed and lifetime points."""
    with transaction() as session:
        return dict(schemas.Balance().dump(ledger.balance_of(session, _whose(query["user"]))))


@api.get("/api/leaderboard/")
@operation(who=MEMBER, query=schemas.LeaderboardQuery, answers={200: schemas.Leaderboard})
def get_leaderboard(query: dict[str, Any]) -> Answer:
    """The leaderboard with the caller's own place."""
    view = leaderboard.View(query["period"], caller().member_id, query["track"], query["university"])
    with transaction() as session:
        found = leaderboard.read(session, view, query["limit"], query["cursor"])
    return {"items": found.items, "next_cursor": found.next_cursor, "me": found.me, "total": found.total}
