"""Changing the ways to earn: each change is a further version, and what a version said is kept for ever."""

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fleet.problems import InvalidFields, NotFound, Problem
from services.points.models import ActivityType
from services.points.submission_models import ActivityTypeVersion

RULE = (
    *("name", "category", "points", "description", "requires_approval", "evidence", "evidence_once"),
    *("min_description", "cap_count", "cap_period", "cooldown_seconds", "is_active"),
)


class CodeTaken(Problem):
    """Codes name a type once and for all, active or not."""

    status, slug, title = 409, "code-taken", "There is an activity type of this code"


def create(session: Session, code: str, rule: dict[str, Any], actor: UUID) -> ActivityType:
    """A new way to earn, at version 1. Raises CodeTaken, and InvalidFields for a rule that contradicts itself."""
    _refuse_contradictions(rule)
    made = insert(ActivityType).values(code=code, version=1, **rule).on_conflict_do_nothing()
    if session.scalar(made.returning(ActivityType.code)) is None:
        raise CodeTaken(f"{code!r} exists already, perhaps switched off. PATCH /api/activities/{code}/ changes it.")
    activity = session.get_one(ActivityType, code)
    keep_version(session, activity, actor)
    return activity


def change(session: Session, code: str, changes: dict[str, Any], actor: UUID) -> ActivityType:
    """Change the rule of `code`, switched off or not; a version more when something differs from what was.

    Under the lock of its row, so that two changes at once make two versions. Raises NotFound, InvalidFields.
    """
    locked = select(ActivityType).where(ActivityType.code == code).with_for_update()
    activity = session.scalar(locked.execution_options(populate_existing=True))
    if activity is None:
        raise NotFound(f"There is no activity type {code!r}.")
    _refuse_contradictions({name: getattr(activity, name) for name in RULE} | changes)
    if all(getattr(activity, name) == value for name, value in changes.items()):
        return activity
    keep_version(session, activity)
    for name, value in changes.items():
        setattr(activity, name, value)
    activity.version += 1
    session.flush()
    keep_version(session, activity, actor)
    return activity


def keep_version(session: Session, activity: ActivityType, actor: UUID | None = None) -> None:
    """Make sure that the present version of the rule is kept; one that was kept before stays as it is."""
    values = {name: getattr(activity, name) for name in RULE}
    kept = insert(ActivityTypeVersion).values(code=activity.code, version=activity.version, changed_by=actor, **values)
    session.execute(kept.on_conflict_do_nothing())


def as_of(session: Session, code: str, version: int) -> ActivityType:
    """The rule of `code` as its `version` said: the row itself when that is the present one, else a detached copy.

    Raises NotFound for a version that never was.
    """
    present = session.get(ActivityType, code)
    if present is not None and present.version == version:
        return present
    kept = session.get(ActivityTypeVersion, (code, version))
    if kept is None:
        raise NotFound(f"There is no version {version} of the activity type {code!r}.")
    return ActivityType(code=code, version=version, **{name: getattr(kept, name) for name in RULE})


def _refuse_contradictions(rule: dict[str, Any]) -> None:
    """A rule must be one that can be kept: what asks for evidence needs somebody to look at it."""
    errors = []
    if not rule["requires_approval"] and (rule["evidence"] != "none" or rule["min_description"]):
        wrong = "evidence" if rule["evidence"] != "none" else "min_description"
        errors.append({"pointer": f"/{wrong}", "detail": "what counts by itself cannot ask for evidence or a text"})
    if rule["evidence_once"] != "none" and rule["evidence"] not in ("url", "attachment"):
        errors.append({"pointer": "/evidence_once", "detail": "needs evidence that can be compared: url or attachment"})
    if errors:
        raise InvalidFields(errors)
