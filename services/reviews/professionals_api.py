"""The HTTP door of professionals and their availability."""

from typing import Any
from uuid import UUID

from flask import Blueprint

from fleet.auth import caller
from fleet.database import transaction
from fleet.idempotency import once
from fleet.problems import invalid
from fleet.web import ADMIN, MEMBER, Answer, PageQuery, operation
from services.reviews import availability, performance, professionals, schemas, shown
from services.reviews.availability import Stated

professionals_api = Blueprint("professionals_api", __name__)


@professionals_api.get("/api/professionals/")
@operation(who=MEMBER, query=PageQuery, answers={200: schemas.Professionals})
def list_professionals(query: dict[str, Any]) -> Answer:
    """Professionals, newest first; for members the active ones, without contact data."""
    staff = caller().role == "admin"
    with transaction() as session:
        rows, cursor = professionals.listing(session, query["limit"], query["cursor"], active_only=not staff)
        return {"items": [shown.professional(row, staff=staff) for row in rows], "next_cursor": cursor}


@professionals_api.post("/api/professionals/")
@operation(who=ADMIN, body=schemas.ProfessionalFields, answers={201: schemas.Professional, 409: None}, idempotent=True)
def create_professional(body: dict[str, Any]) -> Answer:
    """Add a professional. An address belongs to one of them."""
    with transaction() as session:
        return once(session, lambda: (shown.professional(professionals.create(session, body), staff=True), 201))


@professionals_api.get("/api/professionals/<uuid:professional_id>/")
@operation(who=MEMBER, answers={200: schemas.Professional})
def get_professional(professional_id: UUID) -> Answer:
    """One professional; for members an active one, without contact data."""
    staff = caller().role == "admin"
    with transaction() as session:
        return shown.professional(professionals.get(session, professional_id, active_only=not staff), staff=staff)


@professionals_api.patch("/api/professionals/<uuid:professional_id>/")
@operation(who=ADMIN, body=schemas.ProfessionalChange, answers={200: schemas.Professional, 409: None})
def change_professional(professional_id: UUID, body: dict[str, Any]) -> Answer:
    """Change some fields. Setting `is_active` to true ends a pause."""
    with transaction() as session:
        return shown.professional(professionals.change(session, professional_id, body), staff=True)


@professionals_api.get("/api/professionals/<uuid:professional_id>/performance/")
@operation(who=ADMIN, answers={200: schemas.Performance})
def professional_performance(professional_id: UUID) -> Answer:
    """Reviews, turnaround, rating distribution, no-show and cancellation rate, trend: computed from what happened."""
    with transaction() as session:
        return dict(schemas.Performance().dump(performance.of_professional(session, professional_id)))


@professionals_api.get("/api/professional-availability/")
@operation(who=ADMIN, query=schemas.AvailabilityQuery, answers={200: schemas.Availabilities})
def list_availability(query: dict[str, Any]) -> Answer:
    """What professionals said about their time, newest first."""
    with transaction() as session:
        rows, cursor = availability.listing(session, query["professional"], query["limit"], query["cursor"])
        return {"items": [shown.stated(session, row) for row in rows], "next_cursor": cursor}


@professionals_api.post("/api/professional-availability/")
@operation(who=ADMIN, body=schemas.StateAvailability, answers={201: schemas.Availability}, idempotent=True)
def state_availability(body: dict[str, Any]) -> Answer:
    """Keep what a professional said about their time: windows in their zone, or a text, read at once."""
    with transaction() as session:

        def make() -> tuple[dict[str, Any], int]:
            reviewer = professionals.get(session, body["professional_id"])
            zone = body["time_zone"] or reviewer.time_zone
            row = availability.record(session, reviewer.id, "text" if body["text"] else "rest", _stated(body, zone))
            return shown.stated(session, row), 201

        return once(session, make)


def _stated(body: dict[str, Any], zone: str) -> Stated:
    first, last = body["valid_from"], body["valid_until"]
    if body["text"]:
        return availability.from_text(body["text"], zone, first, last)[0]
    weekly = {(one["weekday"], one["start"] % 1440): _end(one["start"], one["end"]) for one in body["weekly"]}
    dated = {}
    for one in body["overrides"]:
        if not first <= one["day"] <= last:
            raise invalid("/overrides", "hold a day outside of valid_from .. valid_until")
        whole = one["start"] is None or one["end"] is None
        dated[one["day"], 0 if whole else one["start"] % 1440] = 0 if whole else _end(one["start"], one["end"])
    return Stated(
        zone,
        first,
        last,
        [(day, start, end) for (day, start), end in weekly.items()],
        [(day, start, end) for (day, start), end in dated.items()],
        notes=body["notes"],
    )


def _end(start: int, end: int) -> int:
    """An end that is not after the start lies on the next day."""
    return end if end > start else end + 1440
