"""The HTTP door of texts about time, and the figures of the programme."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint

from fleet.database import transaction
from fleet.messages import now
from fleet.problems import invalid
from fleet.web import ADMIN, MEMBER, Answer, operation
from services.reviews import performance, schemas
from services.reviews.grammar import DEFAULT_DAYS, parse

api = Blueprint("api", __name__)
LONGEST_DAYS = 92


@api.post("/api/availability/parse/")
@operation(who=MEMBER, body=schemas.ParseText, answers={200: schemas.Understood})
def parse_availability(body: dict[str, Any]) -> Answer:
    """What a text like "tue or thu after 4pm, not the 8th" says, as exact intervals in UTC; nothing is kept.

    `from` and `until` are included; by default today and 14 days on in `timezone`. What is not understood is in
    `unparsed`, what can be read in several ways in `ambiguous`.
    """
    first = body["from_"] or _today(body["timezone"])
    last = body["until"] or first + timedelta(days=DEFAULT_DAYS)
    if not 0 <= (last - first).days <= LONGEST_DAYS:
        raise invalid("/until", f"must not be before `from`, nor more than {LONGEST_DAYS} days after it")
    preferred = set(body["preferred_days"]) if body["preferred_days"] else None
    parsed = parse(body["text"], body["timezone"], first, last, body["duration_minutes"], body["locale"], preferred)
    return dict(schemas.Understood().dump(parsed))


def _today(zone: str) -> Any:
    moment: datetime = now()
    return moment.astimezone(ZoneInfo(zone)).date()


@api.get("/api/reviews/statistics/")
@operation(who=ADMIN, answers={200: schemas.Statistics})
def review_statistics() -> Answer:
    """Requests and sessions by state, ratings, professionals."""
    with transaction() as session:
        return dict(schemas.Statistics().dump(performance.statistics(session)))
