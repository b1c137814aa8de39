"""The HTTP door of sessions."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint
from sqlalchemy.orm import Session

from fleet.database import transaction
from fleet.idempotency import once
from fleet.web import ADMIN, MEMBER, Answer, operation
from services.reviews import requests, review_schemas, sessions, shown
from services.reviews.moments import read_moment
from services.reviews.requests_api import actor, viewer
from services.reviews.session_models import Meeting
from services.reviews.sessions import Filters

sessions_api = Blueprint("sessions_api", __name__)


@sessions_api.post("/api/sessions/schedule/")
@operation(
    who=MEMBER,
    body=review_schemas.Schedule,
    answers={201: review_schemas.Session, 404: None, 409: None},
    idempotent=True,
)
def schedule_session(body: dict[str, Any]) -> Answer:
    """Book a session for an open request of one's own (admins: any).

    409 `not-bookable` names the `constraint`: notice, horizon, professional_availability, student_availability,
    weekly_maximum; 409 `slot-taken` when somebody was faster. Invitations go to both by mail.
    """
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            request = requests.get(session, body["review_request_id"], viewer())
            minutes = body["duration_minutes"] or request.duration_minutes
            moment = read_moment(body["scheduled_time"], body["timezone"], minutes)
            row = sessions.schedule(session, request.id, body["professional_id"], moment, minutes, actor(session))
            return shown.meeting(session, row), 201

        return once(session, make)


@sessions_api.get("/api/sessions/")
@operation(who=MEMBER, query=review_schemas.SessionsQuery, answers={200: review_schemas.Sessions})
def list_sessions(query: dict[str, Any]) -> Answer:
    """One's own sessions, the latest first; for admins everybody's."""
    filters = Filters(viewer(), query["professional"], query["status"])
    with transaction() as session:
        rows, cursor = sessions.listing(session, filters, query["limit"], query["cursor"])
        return {"items": [shown.meeting(session, row) for row in rows], "next_cursor": cursor}


@sessions_api.get("/api/sessions/<uuid:session_id>/")
@operation(who=MEMBER, answers={200: review_schemas.Session})
def get_session(session_id: UUID) -> Answer:
    """One of one's own sessions (admins: any), with its history."""
    with transaction() as session:
        return shown.meeting(session, sessions.get(session, session_id, viewer()))


@sessions_api.post("/api/sessions/<uuid:session_id>/reschedule/")
@operation(
    who=MEMBER, body=review_schemas.Reschedule, answers={200: review_schemas.Session, 409: None}, idempotent=True
)
def reschedule_session(session_id: UUID, body: dict[str, Any]) -> Answer:
    """Move a session; both get the invitation anew."""

    def move(session: Session) -> Meeting:
        row = sessions.get(session, session_id, viewer())
        moment = read_moment(body["scheduled_time"], body["timezone"], row.duration_minutes)
        return sessions.reschedule(session, session_id, moment, actor(session), body["note"])

    return _changed(move)


@sessions_api.post("/api/sessions/<uuid:session_id>/cancel/")
@operation(who=MEMBER, body=review_schemas.Reason, answers={200: review_schemas.Session, 409: None}, idempotent=True)
def cancel_session(session_id: UUID, body: dict[str, Any]) -> Answer:
    """Cancel a session: its time is free, its request open again. The same again answers 200."""
    return _changed(lambda session: sessions.cancel(session, session_id, actor(session), body["note"]))


@sessions_api.post("/api/sessions/<uuid:session_id>/complete/")
@operation(who=ADMIN, body=review_schemas.Reason, answers={200: review_schemas.Session, 409: None}, idempotent=True)
def complete_session(session_id: UUID, body: dict[str, Any]) -> Answer:
    """The session took place. Professionals say so through the link in their mail."""
    return _changed(lambda session: sessions.complete(session, session_id, actor(session), body["note"]))


@sessions_api.post("/api/sessions/<uuid:session_id>/no-show/")
@operation(who=ADMIN, body=review_schemas.Reason, answers={200: review_schemas.Session, 409: None}, idempotent=True)
def miss_session(session_id: UUID, body: dict[str, Any]) -> Answer:
    """Somebody did not come: the request is open again."""
    return _changed(lambda session: sessions.no_show(session, session_id, actor(session), body["note"]))


def _changed(change: Callable[[Session], Meeting]) -> Answer:
    with transaction() as session:
        return once(session, lambda: (shown.meeting(session, change(session)), 200))
