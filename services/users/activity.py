"""Notes on which days members are active, from the requests of users' own door (a web client renews its token there)."""

from datetime import date
from uuid import UUID

from flask import Flask, Response, g
from sqlalchemy.exc import SQLAlchemyError

from fleet import logs
from fleet.database import transaction
from fleet.messages import now
from services.users import onboarding

log = logs.get(__name__)

REMEMBERED = 10_000


def note_activity(app: Flask) -> None:
    """Note the caller of each answered request, at most once a day and process."""
    noted: dict[UUID, date] = {}

    @app.after_request
    def note(response: Response) -> Response:
        who = g.get("active_member") or (g.caller.member_id if "caller" in g else None)
        at = now()
        if who is not None and response.status_code < 500 and noted.get(who) != at.date():
            if len(noted) >= REMEMBERED:
                noted.clear()
            try:
                with transaction() as session:
                    onboarding.was_active(session, who, at)
                noted[who] = at.date()
            except SQLAlchemyError as error:
                # The request is answered; a note that is missing is made at the next one.
                log.warning("activity_not_noted", error=type(error).__name__)
        return response
